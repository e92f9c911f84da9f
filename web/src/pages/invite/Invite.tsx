import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, Problem, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { ProblemBox, Skeleton } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { Time } from "../../ui/values";
import { arrive } from "../login/entrance";
import { Front } from "../login/Front";
import { Gone, Ready } from "../login/Gone";
import { NewPassword } from "../login/NewPassword";
import { useLinkToken } from "../login/token";
import style from "./Invite.module.css";

const t = strings.join.invite;

/** Takes up an invitation: who invites to what, and a name and password of one's own. */
export function Invite() {
  const token = useLinkToken("/invite");
  return <Opened key={token} token={token} />;
}

function Opened({ token }: { token: string }) {
  const link = useQuery({
    queryKey: ["invitation", token],
    staleTime: Number.POSITIVE_INFINITY,
    enabled: token !== "",
    queryFn: ({ signal }) => call(api.POST("/api/v1/invitations/look", { body: { token }, signal })),
  });
  const [joined, setJoined] = useState<Schemas["Joined"]>();
  if (joined) return <Ready login={joined.login} />;
  const unknown = token === "" || (link.error instanceof Problem && link.error.status === 404);
  const state = unknown ? "unknown" : link.data?.state;
  if (state && state !== "open") return <Gone state={state} expired={strings.join.gone.expiredInvitation} />;
  return (
    <Front title={link.data ? t.title(link.data.to ?? "") : t.lead}>
      {link.data ? (
        <Form token={token} of={link.data} again={() => link.refetch()} outside={setJoined} />
      ) : link.error ? (
        <ProblemBox of={link.error} again={() => link.refetch()} />
      ) : (
        <Skeleton />
      )}
    </Front>
  );
}

function Form({
  token,
  of,
  again,
  outside,
}: {
  token: string;
  of: Schemas["Invited"];
  again: () => unknown;
  outside: (joined: Schemas["Joined"]) => void;
}) {
  const navigate = useNavigate();
  const [name, setName] = useState(of.name ?? "");
  const [password, setPassword] = useState("");
  const { busy, error, submit } = useSubmit(async () => {
    try {
      const joined = await call(api.POST("/api/v1/invitations/accept", { body: { token, name, password, cookie: true } }));
      const home = await arrive(joined);
      if (home) await navigate({ to: home, replace: true });
      else outside(joined);
    } catch (e) {
      if (e instanceof Problem && e.status === 409) again();
      throw e;
    }
  });
  return (
    <form className="stack" onSubmit={submit}>
      <p>
        <bdi>{t.by(of.by ?? "")}</bdi>.
      </p>
      <dl className={style.facts}>
        <dt>{t.email}</dt>
        <dd>
          <bdi>{of.email}</bdi>
        </dd>
        <dt>{t.role}</dt>
        <dd>{t.roles[of.role ?? ""] ?? of.role}</dd>
        <dt>{t.until}</dt>
        <dd>
          <Time at={of.expires_at} exact />
        </dd>
      </dl>
      <TextField label={strings.join.loginName} value={of.login ?? ""} onChange={() => {}} autoComplete="username" readOnly />
      <TextField label={strings.join.name} value={name} onChange={setName} autoComplete="name" maxLength={200} optional />
      <NewPassword label={strings.join.password} value={password} onChange={setPassword} />
      <ProblemBox of={error} />
      <Button type="submit" kind="primary" busy={busy}>
        {t.submit}
      </Button>
    </form>
  );
}
