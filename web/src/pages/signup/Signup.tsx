import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { TextField } from "../../ui/Field";
import { Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { arrive, entrance } from "../login/entrance";
import { Front } from "../login/Front";
import { NoMail, Ready } from "../login/Gone";
import { NewPassword } from "../login/NewPassword";

const t = strings.join.signup;

/** Makes an account in three steps: an address, the code that was mailed to it, a name and password. */
export function Signup() {
  const { data: can } = useQuery(entrance);
  const [email, setEmail] = useState("");
  const [asked, setAsked] = useState<string>();
  const [ticket, setTicket] = useState<Schemas["SignUpTicket"]>();
  const [joined, setJoined] = useState<Schemas["Joined"]>();
  if (can && !can.mail) {
    return (
      <NoMail title={t.title}>
        <p>{strings.join.noMail.signUp}</p>
      </NoMail>
    );
  }
  if (joined) return <Ready login={joined.login} />;
  if (ticket) return <Account ticket={ticket} outside={setJoined} />;
  if (asked) return <Code id={asked} email={email} proven={setTicket} back={() => setAsked(undefined)} />;
  return <Address email={email} setEmail={setEmail} tenants={can?.tenant_sign_up ?? false} asked={setAsked} />;
}

const below = (
  <>
    {strings.join.haveAccount} <Link to="/login">{strings.join.toLogin}</Link>
  </>
);

/** A form that does one thing, and says what went wrong with it. */
function Step({ act, label, children }: { act: () => Promise<void>; label: string; children: ReactNode }) {
  const { busy, error, submit } = useSubmit(act);
  return (
    <form className="stack" onSubmit={submit}>
      {children}
      <ProblemBox of={error} />
      <Button type="submit" kind="primary" busy={busy}>
        {label}
      </Button>
    </form>
  );
}

function Address({
  email,
  setEmail,
  tenants,
  asked,
}: {
  email: string;
  setEmail: (email: string) => void;
  tenants: boolean;
  asked: (id: string) => void;
}) {
  return (
    <Front title={t.title} below={below}>
      <p className="secondary">{tenants ? t.leadTenants : t.lead}</p>
      <Step
        label={t.submit}
        act={async () => {
          const answer = await call(api.POST("/api/v1/sign-ups", { body: { email } }));
          asked(answer.id ?? "");
        }}
      >
        <TextField label={t.email} type="email" value={email} onChange={setEmail} autoComplete="email" maxLength={254} autoFocus required />
      </Step>
    </Front>
  );
}

function Code({
  id,
  email,
  proven,
  back,
}: {
  id: string;
  email: string;
  proven: (ticket: Schemas["SignUpTicket"]) => void;
  back: () => void;
}) {
  const [code, setCode] = useState("");
  return (
    <Front title={t.codeTitle} below={below}>
      <p role="status">{t.codeLead(email)}</p>
      <Step
        label={t.codeSubmit}
        act={async () => {
          proven(await call(api.POST("/api/v1/sign-ups/prove", { body: { id, code: code.replace(/\s/g, "") } })));
        }}
      >
        <TextField
          label={t.code}
          hint={t.nothing}
          value={code}
          onChange={setCode}
          autoComplete="one-time-code"
          inputMode="numeric"
          pattern="\s*([0-9]\s*){6}"
          maxLength={20}
          autoFocus
          required
        />
      </Step>
      <Button kind="quiet" onClick={back}>
        {t.another}
      </Button>
    </Front>
  );
}

function Account({ ticket, outside }: { ticket: Schemas["SignUpTicket"]; outside: (joined: Schemas["Joined"]) => void }) {
  const navigate = useNavigate();
  const [name, setName] = useState("");
  const [organisation, setOrganisation] = useState("");
  const [password, setPassword] = useState("");
  return (
    <Front title={t.accountTitle}>
      {ticket.tenant ? (
        <p>
          <bdi>{t.joins(ticket.tenant)}</bdi>
        </p>
      ) : (
        <Note>
          <p>{t.makes}</p>
          <p>{t.unverified}</p>
        </Note>
      )}
      <Step
        label={t.finish}
        act={async () => {
          const body = { ticket: ticket.ticket, name, password, cookie: true, ...(!ticket.tenant && { organisation }) };
          const joined = await call(api.POST("/api/v1/sign-ups/finish", { body }));
          const home = await arrive(joined);
          if (home) await navigate({ to: home, replace: true });
          else outside(joined);
        }}
      >
        <TextField label={t.email} value={ticket.email} onChange={() => {}} autoComplete="username" readOnly />
        {!ticket.tenant && (
          <TextField
            label={t.organisation}
            value={organisation}
            onChange={setOrganisation}
            autoComplete="organization"
            maxLength={150}
            autoFocus
            required
          />
        )}
        <TextField label={strings.join.name} value={name} onChange={setName} autoComplete="name" maxLength={200} optional />
        <NewPassword label={strings.join.password} value={password} onChange={setPassword} />
      </Step>
    </Front>
  );
}
