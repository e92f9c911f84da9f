import { useState } from "react";
import { strings } from "../../strings";
import { Checkbox, TextField } from "../../ui/Field";

const t = strings.join;

/** How long a password is at least. */
export const least = 12;

/** A new password, with the rule for it and how much of it is kept. */
export function NewPassword({ label, value, onChange }: { label: string; value: string; onChange: (value: string) => void }) {
  const [shown, setShown] = useState(false);
  const length = [...value].length;
  return (
    <>
      <TextField
        label={label}
        hint={length === 0 ? t.rule : length < least ? t.missing(least - length) : t.long}
        type={shown ? "text" : "password"}
        value={value}
        onChange={onChange}
        autoComplete="new-password"
        minLength={least}
        maxLength={1000}
        spellCheck={false}
        autoCapitalize="none"
        required
      />
      <Checkbox label={t.show} checked={shown} onChange={setShown} />
    </>
  );
}
