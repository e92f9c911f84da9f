import { useState } from "react";
import { api, call } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";

const t = strings.team;

/** Sets a password for somebody who then has to choose their own. */
export function PasswordDialog({ id, name, onClose }: { id: string; name: string; onClose: () => void }) {
  const [password, setPassword] = useState("");
  const { busy, error, submit } = useSubmit(async () => {
    await call(api.POST("/api/v1/users/{id}/password", { params: { path: { id } }, body: { new: password } }));
    told(t.resetDone);
    onClose();
  });
  return (
    <Dialog open onClose={onClose} title={t.resetTitle(name)}>
      <form className="stack" onSubmit={submit}>
        <p>{t.resetText}</p>
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
          {t.save}
        </Button>
      </form>
    </Dialog>
  );
}
