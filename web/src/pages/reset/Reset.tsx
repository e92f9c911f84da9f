import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, Problem } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button, buttonClass } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { ProblemBox, Skeleton } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { Front } from "../login/Front";
import { Gone } from "../login/Gone";
import { NewPassword } from "../login/NewPassword";
import { useLinkToken } from "../login/token";

const t = strings.join.reset;

/** Sets a password by a link that was mailed. */
export function Reset() {
  const token = useLinkToken("/reset");
  return <Opened key={token} token={token} />;
}

function Opened({ token }: { token: string }) {
  const link = useQuery({
    queryKey: ["reset", token],
    staleTime: Number.POSITIVE_INFINITY,
    enabled: token !== "",
    queryFn: ({ signal }) => call(api.POST("/api/v1/password-resets/look", { body: { token }, signal })),
  });
  const [password, setPassword] = useState("");
  const [done, setDone] = useState(false);
  const { busy, error, submit } = useSubmit(async () => {
    try {
      await call(api.POST("/api/v1/password-resets/use", { body: { token, password } }));
      queries.clear(); // a session of the account's own has ended too
      setDone(true);
    } catch (e) {
      if (e instanceof Problem && e.status === 409) await link.refetch();
      throw e;
    }
  });
  if (done) {
    return (
      <Front title={t.doneTitle}>
        <p role="status">{t.done}</p>
        <Link to="/login" className={buttonClass("primary")}>
          {strings.join.toLogin}
        </Link>
      </Front>
    );
  }
  const unknown = token === "" || (link.error instanceof Problem && link.error.status === 404);
  const state = unknown ? "unknown" : link.data?.state;
  if (state && state !== "open") {
    return (
      <Gone state={state} expired={strings.join.gone.expiredReset}>
        <Link to="/forgot" className={buttonClass("primary")}>
          {strings.join.gone.another}
        </Link>
      </Gone>
    );
  }
  return (
    <Front title={t.title}>
      {link.data ? (
        <form className="stack" onSubmit={submit}>
          <p className="secondary">{t.lead}</p>
          <TextField label={strings.join.loginName} value={link.data.login ?? ""} onChange={() => {}} autoComplete="username" readOnly />
          <NewPassword label={strings.join.newPassword} value={password} onChange={setPassword} />
          <ProblemBox of={error} />
          <Button type="submit" kind="primary" busy={busy}>
            {t.submit}
          </Button>
        </form>
      ) : link.error ? (
        <ProblemBox of={link.error} again={() => link.refetch()} />
      ) : (
        <Skeleton />
      )}
    </Front>
  );
}
