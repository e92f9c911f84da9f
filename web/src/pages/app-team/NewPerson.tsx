import { useState } from "react";
import { api, call } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";

const t = strings.team;

/** Makes a person of the tenant, with a first password. */
export function NewPerson({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title={t.personTitle}>
      {open && <Form onClose={onClose} />}
    </Dialog>
  );
}

function Form({ onClose }: { onClose: () => void }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [login, setLogin] = useState("");
  const [role, setRole] = useState<"tenant_user" | "tenant_admin">("tenant_user");
  const [password, setPassword] = useState("");
  const { busy, error, submit } = useSubmit(async () => {
    await call(api.POST("/api/v1/users", { body: { email, role, password, ...(name && { name }), ...(login && { login }) } }));
    await queries.invalidateQueries({ queryKey: ["user"] });
    told(t.added);
    onClose();
  });
  return (
    <form className="stack" onSubmit={submit}>
      <TextField label={t.email} hint={t.emailHint} type="email" value={email} onChange={setEmail} autoComplete="off" required />
      <TextField label={t.name} optional value={name} onChange={setName} autoComplete="off" maxLength={200} />
      <TextField label={t.login} hint={t.loginHint} optional value={login} onChange={setLogin} autoComplete="off" maxLength={32} />
      <Select
        label={t.role}
        hint={t.rolesHint}
        value={role}
        onChange={(r) => setRole(r as typeof role)}
        options={Object.entries(t.roles).map(([value, label]) => ({ value, label }))}
      />
      <TextField
        label={t.password}
        hint={t.passwordHint}
        type="password"
        value={password}
        onChange={setPassword}
        autoComplete="new-password"
        minLength={12}
        required
      />
      <ProblemBox of={error} />
      <Button type="submit" kind="primary" busy={busy}>
        {t.add}
      </Button>
    </form>
  );
}
