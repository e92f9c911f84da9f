import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, call } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { entrance } from "../login/entrance";
import { Front } from "../login/Front";
import { NoMail } from "../login/Gone";

const t = strings.join.forgot;

/** Asks for a link to set a password with. What it says afterwards is the same for everybody. */
export function Forgot() {
  const { data: can } = useQuery(entrance);
  const [login, setLogin] = useState("");
  const [sent, setSent] = useState(false);
  const { busy, error, submit } = useSubmit(async () => {
    await call(api.POST("/api/v1/password-resets", { body: { login } }));
    setSent(true);
  });
  if (can && !can.mail) {
    const words = strings.join.noMail;
    return (
      <NoMail title={t.title}>
        <p>{words.forgot}</p>
        <p>
          {words.host} <code>tributary reset-link</code>
        </p>
      </NoMail>
    );
  }
  if (sent) {
    return (
      <Front title={t.sentTitle} below={<Link to="/login">{strings.join.toLogin}</Link>}>
        <p role="status">{t.sent(login)}</p>
        <p className="secondary">{t.nothing}</p>
        <Button onClick={() => setSent(false)}>{t.again}</Button>
      </Front>
    );
  }
  return (
    <Front title={t.title} below={<Link to="/login">{strings.join.toLogin}</Link>}>
      <p className="secondary">{t.lead}</p>
      <form className="stack" onSubmit={submit}>
        <TextField
          label={t.login}
          hint={strings.login.loginHint}
          value={login}
          onChange={setLogin}
          autoComplete="username"
          autoCapitalize="none"
          spellCheck={false}
          maxLength={300}
          autoFocus
          required
        />
        <ProblemBox of={error} />
        <Button type="submit" kind="primary" busy={busy}>
          {t.submit}
        </Button>
      </form>
    </Front>
  );
}
