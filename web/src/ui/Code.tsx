import { type KeyboardEvent, useEffect, useId, useRef } from "react";
import style from "./Code.module.css";

type Props = {
  label: string;
  value: string;
  onChange: (value: string) => void;
  rows?: number;
  /** Lines in which something is wrong, counted from 1. */
  wrong?: number[];
  /** A line to go to; another object goes there again. */
  at?: { line: number } | undefined;
  /** What Ctrl+Enter does. */
  run?: () => void;
  /** The id of what says more of it. */
  describedBy?: string;
};

/** A text of several lines that a machine reads, with their numbers. Tab leaves it, as it leaves every field. */
export function Code({ label, value, onChange, rows = 12, wrong = [], at, run, describedBy }: Props) {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const numbers = useRef<HTMLOListElement>(null);
  const lines = value.split("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: goes there when it is asked to, and not with each letter
  useEffect(() => {
    const a = area.current;
    if (!at || !a) return;
    const from = lines.slice(0, at.line - 1).reduce((n, l) => n + l.length + 1, 0);
    a.focus();
    a.setSelectionRange(from, from + (lines[at.line - 1]?.length ?? 0));
  }, [at]);
  const key = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || !run) return;
    event.preventDefault();
    run();
  };
  return (
    <div className={style.code}>
      <label htmlFor={id}>{label}</label>
      <div className={style.box}>
        <ol ref={numbers} className={style.numbers} aria-hidden>
          {lines.map((_, n) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
            <li key={n} data-wrong={wrong.includes(n + 1) || undefined}>
              {n + 1}
            </li>
          ))}
        </ol>
        <textarea
          ref={area}
          id={id}
          rows={rows}
          value={value}
          spellCheck={false}
          autoCapitalize="off"
          autoCorrect="off"
          wrap="off"
          aria-invalid={wrong.length > 0 || undefined}
          aria-describedby={describedBy}
          onChange={(e) => onChange(e.target.value)}
          onKeyDown={key}
          onScroll={(e) => {
            if (numbers.current) numbers.current.scrollTop = e.currentTarget.scrollTop;
          }}
        />
      </div>
    </div>
  );
}
