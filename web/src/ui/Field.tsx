import { type InputHTMLAttributes, type ReactNode, useId } from "react";
import { strings } from "../strings";
import style from "./Field.module.css";

type Common = { label: string; hint?: ReactNode; error?: string | undefined; optional?: boolean };

type TextProps = Common &
  Omit<InputHTMLAttributes<HTMLInputElement>, "onChange" | "value"> & { value: string; onChange: (value: string) => void };

/** A line of text with its label, a hint below it, and what is wrong with it. */
export function TextField({ label, hint, error, optional, value, onChange, ...rest }: TextProps) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint} error={error} optional={optional}>
      <input
        {...rest}
        id={id}
        className={style.input}
        value={value}
        aria-invalid={error ? true : undefined}
        aria-describedby={`${id}-more`}
        onChange={(e) => onChange(e.target.value)}
      />
    </Labelled>
  );
}

/** Several lines of text. */
export function TextArea({
  label,
  hint,
  error,
  optional,
  value,
  onChange,
  rows = 4,
}: Common & { value: string; onChange: (value: string) => void; rows?: number }) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint} error={error} optional={optional}>
      <textarea
        id={id}
        rows={rows}
        className={style.input}
        value={value}
        aria-describedby={`${id}-more`}
        onChange={(e) => onChange(e.target.value)}
      />
    </Labelled>
  );
}

/** One of a few values. */
export function Select({
  label,
  hint,
  error,
  optional,
  value,
  onChange,
  options,
}: Common & { value: string; onChange: (value: string) => void; options: { value: string; label: string }[] }) {
  const id = useId();
  return (
    <Labelled id={id} label={label} hint={hint} error={error} optional={optional}>
      <select id={id} className={style.input} value={value} aria-describedby={`${id}-more`} onChange={(e) => onChange(e.target.value)}>
        {options.map((o) => (
          <option key={o.value} value={o.value}>
            {o.label}
          </option>
        ))}
      </select>
    </Labelled>
  );
}

/** Yes or no. */
export function Checkbox({
  label,
  hint,
  checked,
  onChange,
  disabled,
}: {
  label: ReactNode;
  hint?: ReactNode;
  checked: boolean;
  onChange: (checked: boolean) => void;
  disabled?: boolean;
}) {
  return (
    <label className={style.check}>
      <input type="checkbox" checked={checked} disabled={disabled} onChange={(e) => onChange(e.target.checked)} />
      <span>
        {label}
        {hint && <span className={style.hint}>{hint}</span>}
      </span>
    </label>
  );
}

function Labelled({ id, label, hint, error, optional, children }: Common & { id: string; children: ReactNode }) {
  return (
    <div className={style.field}>
      <label htmlFor={id}>
        {label}
        {optional && <span className={style.optional}> {strings.ui.optional}</span>}
      </label>
      {children}
      <div id={`${id}-more`}>
        {error && <span className={style.error}>{error}</span>}
        {hint && <span className={style.hint}>{hint}</span>}
      </div>
    </div>
  );
}
