import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { entrance } from "../login/entrance";

const t = strings.team;

type Props = {
  /** Of the provider, for a tenant of its that nobody has claimed; without, to one's own people. */
  tenant?: string | undefined;
  /** The names of the roles that there are to have, by what they are, and the one that is chosen at first. */
  roles: Record<string, string>;
  first: string;
  rolesHint: string;
  onClose: () => void;
};

/** Invites somebody by a mail, or where no mails go out, by a link to hand over. */
export function Invite({ tenant, roles, first, rolesHint, onClose }: Props) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [role, setRole] = useState(first);
  const [link, setLink] = useState<string>();
  const mails = useQuery(entrance).data?.mail;
  const { busy, error, submit } = useSubmit(async () => {
    const made = await invite({ email, role, ...(name && { name }), ...(tenant && { tenant }) });
    await queries.invalidateQueries({ queryKey: ["user"] });
    if (made) {
      setLink(made);
    } else {
      told(t.invited);
      onClose();
    }
  });
  return (
    <Dialog open onClose={onClose} title={t.inviteTitle}>
      {link ? (
        <InvitationLink of={link} />
      ) : (
        <form className="stack" onSubmit={submit}>
          {mails !== undefined && <p className="secondary">{mails ? t.inviteText : t.inviteTextNoMail}</p>}
          <TextField label={t.email} type="email" value={email} onChange={setEmail} autoComplete="off" required />
          <TextField label={t.name} optional value={name} onChange={setName} autoComplete="off" maxLength={200} />
          <Select
            label={t.role}
            hint={rolesHint}
            value={role}
            onChange={setRole}
            options={Object.entries(roles).map(([value, label]) => ({ value, label }))}
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

/** Has somebody invited; the link to hand over, where no mails go out. */
export async function invite(of: { email: string; role: string; name?: string; tenant?: string }): Promise<string | undefined> {
  const made = await call(api.POST("/api/v1/invitations", { body: of as Schemas["NewInvitation"] }));
  return made.path && location.origin + made.path;
}

/** A link that takes somebody in, to hand over. */
export function InvitationLink({ of }: { of: string }) {
  return (
    <div className="stack">
      <Note tone="warn">{t.inviteLink}</Note>
      <Copy text={of} label={t.link} />
    </div>
  );
}
