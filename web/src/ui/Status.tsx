import type { ReactNode } from "react";
import { strings } from "../strings";
import style from "./Status.module.css";

type Tone = "ok" | "warn" | "bad" | "info" | "mute";

const tones: Record<string, Tone> = {
  accepted: "ok",
  succeeded: "ok",
  available: "ok",
  active: "ok",
  sent: "ok",
  ok: "ok",
  done: "ok",
  verified: "ok",
  fresh: "ok",
  late: "warn",
  overdue: "warn",
  withheld: "warn",
  skipped: "warn",
  suspended: "warn",
  unverified: "warn",
  paused: "warn",
  waiting: "warn",
  refused: "warn",
  locked: "warn",
  rejected: "bad",
  failed: "bad",
  missing: "bad",
  silent: "bad",
  broken: "bad",
  recalled: "bad",
  denied: "bad",
  running: "info",
  validating: "info",
  received: "info",
  queued: "info",
  due: "info",
  onboarding: "info",
  open: "info",
  invited: "info",
  pending: "info",
};

type Props = {
  /** A state as the API names it. */
  state: string;
  /** Other words than the state's own. */
  children?: string;
  tone?: Tone;
  /** Instead of the dot. */
  icon?: ReactNode;
};

/** A state: a dot and a word, never by colour alone. */
export function Status({ state, children, tone, icon }: Props) {
  return (
    <span className={`${style.status} ${style[tone ?? tones[state] ?? "mute"]}`}>
      {icon ?? <span className={style.dot} aria-hidden />}
      {children ?? strings.ui.status[state] ?? state}
    </span>
  );
}
