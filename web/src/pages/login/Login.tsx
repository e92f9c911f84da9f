import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, Problem } from "../../api/client";
import { go } from "../../app/go";
import { homeOf, me, queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { entrance } from "./entrance";
import { Front } from "./Front";
import { Issuer } from "./Issuer";

const t = strings.login;

export function Login() {
  const { next } = useSearch({ from: "/login" });
  const navigate = useNavigate();
  const there = useQuery(entrance);
  const [login, setLogin] = useState("");
  const [password, setPassword] = useState("");
  const [replacement, setReplacement] = useState("");
  const [replace, setReplace] = useState(false);
  const [code, setCode] = useState("");
  const [factor, setFactor] = useState<"app" | "recovery">(); // once a code is wanted
  const { busy, error, setError, submit } = useSubmit(async () => {
    try {
      const body = { login, password, cookie: true, ...(factor && { code }), ...(replace && { new_password: replacement }) };
      await call(api.POST("/api/v1/sessions", { body }));
      queries.clear();
      const who = await queries.fetchQuery(me);
      if (next) go(next);
      else await navigate({ to: who ? homeOf(who) : "/login" });
    } catch (e) {
      if (e instanceof Problem && e.type === "conflict") setReplace(true);
      else if (e instanceof Problem && e.type === "second-factor" && !factor) setFactor("app");
      else throw e;
    }
  });
  const back = () => {
    setFactor(undefined);
    setReplace(false);
    setCode("");
    setPassword("");
    setError(undefined);
  };
  const other = () => {
    setFactor(factor === "app" ? "recovery" : "app");
    setCode("");
    setError(undefined);
  };
  return (
    <Front
      title={t.title}
      below={
        <>
          {strings.join.noAccount} <Link to="/signup">{strings.join.toSignUp}</Link>
        </>
      }
    >
      <form className="stack" onSubmit={submit}>
        {!factor && (
          <>
            <TextField label={t.login} hint={t.loginHint} value={login} onChange={setLogin} autoComplete="username" autoFocus required />
            <TextField
              label={t.password}
              type="password"
              value={password}
              onChange={setPassword}
              autoComplete="current-password"
              required
            />
          </>
        )}
        {factor && (
          <TextField
            key={factor}
            label={factor === "app" ? t.code : t.recovery}
            hint={factor === "app" ? t.codeHint : t.recoveryHint}
            value={code}
            onChange={setCode}
            autoComplete="one-time-code"
            inputMode={factor === "app" ? "numeric" : "text"}
            autoFocus
            required
          />
        )}
        {replace && (
          <TextField
            label={t.next}
            hint={t.nextHint}
            type="password"
            value={replacement}
            onChange={setReplacement}
            autoComplete="new-password"
            minLength={12}
            autoFocus
            required
          />
        )}
        <ProblemBox of={error} />
        <Button type="submit" kind="primary" busy={busy}>
          {t.submit}
        </Button>
        {!factor && <Link to="/forgot">{strings.join.toForgot}</Link>}
        {factor && (
          <>
            <div className="row">
              <Button onClick={back}>{t.back}</Button>
              <Button kind="quiet" onClick={other}>
                {factor === "app" ? t.useRecovery : t.useCode}
              </Button>
            </div>
            <p className="secondary">{t.lost}</p>
          </>
        )}
      </form>
      {!factor && !replace && <Issuer next={next} />}
      {there.data?.no_admin && <p role="status">{t.noAdmin}</p>}
    </Front>
  );
}
