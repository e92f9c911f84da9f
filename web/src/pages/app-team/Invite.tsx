import { useState } from "react";
import { api, call } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";

const t = strings.team;

/** Invites somebody by a mail, or where no mails go out, by a link to hand over. */
export function Invite({ onClose }: { onClose: () => void }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState<"tenant_user" | "tenant_admin">("tenant_user");
  const [link, setLink] = useState<string>();
  const { busy, error, submit } = useSubmit(async () => {
    const made = await call(api.POST("/api/v1/invitations", { body: { email, role, ...(name && { name }) } }));
    await queries.invalidateQueries({ queryKey: ["user"] });
    if (made.path) {
      setLink(location.origin + made.path);
    } else {
      told(t.invited);
      onClose();
    }
  });
  return (
    <Dialog open onClose={onClose} title={t.inviteTitle}>
      {link ? (
        <div className="stack">
          <Note tone="warn">{t.inviteLink}</Note>
          <Copy text={link} label={t.link} />
        </div>
      ) : (
        <form className="stack" onSubmit={submit}>
          <p className="secondary">{t.inviteText}</p>
          <TextField label={t.email} type="email" value={email} onChange={setEmail} autoComplete="off" required />
          <TextField label={t.name} optional value={name} onChange={setName} autoComplete="off" maxLength={200} />
          <Select
            label={t.role}
            hint={t.rolesHint}
            value={role}
            onChange={(r) => setRole(r as typeof role)}
            options={Object.entries(t.roles).map(([value, label]) => ({ value, label }))}
          />
          <ProblemBox of={error} />
          <Button type="submit" kind="primary" busy={busy}>
            {t.invite}
          </Button>
        </form>
      )}
    </Dialog>
  );
}
