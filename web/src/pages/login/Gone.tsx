import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { strings } from "../../strings";
import { buttonClass } from "../../ui/Button";
import { Front } from "./Front";

const t = strings.join;

/** A link that cannot be used any more, and why. */
export function Gone({ state, expired, children }: { state: string; expired: string; children?: ReactNode }) {
  const words = state === "used" || state === "expired" || state === "ended" ? t.gone[state] : t.gone.unknown;
  return (
    <Front title={words.title}>
      <p>{state === "expired" ? expired : words.text}</p>
      <div className="stack">
        {children}
        <Link to="/login" className={buttonClass(children ? "plain" : "primary")}>
          {t.toLogin}
        </Link>
      </div>
    </Front>
  );
}

/** An account that is there, of somebody who cannot sign in from where they are. */
export function Ready({ login }: { login: string }) {
  return (
    <Front title={t.ready.title}>
      <p>
        {t.ready.text} <bdi>{login}</bdi>.
      </p>
      <Link to="/login" className={buttonClass("primary")}>
        {t.toLogin}
      </Link>
    </Front>
  );
}

/** What to do where no mails go out. */
export function NoMail({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Front title={title}>
      <h2>{t.noMail.title}</h2>
      {children}
      <Link to="/login" className={buttonClass("primary")}>
        {t.toLogin}
      </Link>
    </Front>
  );
}
