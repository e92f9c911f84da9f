import { useState } from "react";
import { api, call } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";

const t = strings.account.password;

/** One's own password once more, for what somebody must not do who finds the page open. */
export function OwnPassword({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  return (
    <TextField
      label={t.yours}
      hint={t.yoursHint}
      type="password"
      value={value}
      onChange={onChange}
      autoComplete="current-password"
      required
    />
  );
}

/** The new password's fields: what is wrong with them is said once both are there. */
export function wrongWith(next: string, again: string): string | undefined {
  if (next !== "" && again !== "" && [...next].length < 12) return t.short;
  return again !== "" && next !== again ? t.differ : undefined;
}

export function Password() {
  const [open, setOpen] = useState(false);
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const wrong = wrongWith(next, again);
  const change = async () => {
    if (wrong || next !== again) throw new Error(wrong ?? t.differ);
    await call(api.POST("/api/v1/me/password", { body: { current, new: next } }));
    queries.clear();
    location.assign("/login");
  };
  return (
    <Card title={t.title} aside={<Button onClick={() => setOpen(true)}>{t.change}</Button>}>
      <p className="secondary">{t.text}</p>
      <Confirm open={open} onClose={() => setOpen(false)} title={t.change} verb={t.change} act={change}>
        <div className="stack">
          <TextField label={t.current} type="password" value={current} onChange={setCurrent} autoComplete="current-password" required />
          <TextField
            label={t.next}
            hint={t.nextHint}
            type="password"
            value={next}
            onChange={setNext}
            autoComplete="new-password"
            required
          />
          <TextField label={t.again} error={wrong} type="password" value={again} onChange={setAgain} autoComplete="new-password" required />
        </div>
      </Confirm>
    </Card>
  );
}
