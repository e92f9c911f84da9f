import { AlertTriangle } from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";
import { Problem } from "../api/client";
import { strings } from "../strings";
import { Button } from "./Button";
import style from "./states.module.css";

/** What went wrong, until it is dismissed: what happened, what to do, and the request to name when asking for help. */
export function ProblemBox({ of, again, dismiss }: { of: unknown; again?: () => void; dismiss?: () => void }) {
  if (!of) return null;
  const t = strings.ui.problem;
  const p = of instanceof Problem ? of : undefined;
  const detail = p ? (p.status === 0 ? t.unreachable : p.message || t.missing) : of instanceof Error ? of.message : String(of);
  return (
    <div role="alert" className={style.problem}>
      <AlertTriangle size={18} aria-hidden />
      <div>
        <p className={style.title}>{t.title}</p>
        <p>{detail}</p>
        {p && p.errors.length > 0 && (
          <ul>
            {p.errors.map((e) => (
              <li key={`${e.location}${e.message}`}>
                {e.location && <code>{e.location}</code>} {e.message}
              </li>
            ))}
          </ul>
        )}
        {p?.request && (
          <p className={style.request}>
            {t.request} <code>{p.request}</code>
          </p>
        )}
        {(again || dismiss) && (
          <div className="row">
            {again && <Button onClick={again}>{t.again}</Button>}
            {dismiss && (
              <Button kind="quiet" onClick={dismiss}>
                {t.dismiss}
              </Button>
            )}
          </div>
        )}
      </div>
    </div>
  );
}

/** What will be here, why it is not yet, and what to do about it. */
export function Empty({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={style.empty}>
      <h2>{title}</h2>
      {children && <div className="secondary">{children}</div>}
      {action}
    </div>
  );
}

/** Grey lines where text will be; nothing for the first 300 ms. */
export function Skeleton({ lines = 3 }: { lines?: number }) {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return (
    <div className={style.skeleton} role="status" aria-label={strings.ui.loading}>
      {late && Array.from({ length: lines }, (_, i) => `line ${i}`).map((line) => <span key={line} />)}
    </div>
  );
}

/** What a query has: its data, its error, or that it is on its way. Old data stays while newer is fetched. */
export function Loaded<T>({
  query,
  lines,
  children,
}: {
  query: { data: T | undefined; error: unknown; refetch: () => unknown };
  lines?: number;
  children: (data: T) => ReactNode;
}) {
  if (query.data === undefined)
    return query.error ? <ProblemBox of={query.error} again={() => query.refetch()} /> : <Skeleton lines={lines ?? 3} />;
  return (
    <>
      {query.error ? <ProblemBox of={query.error} again={() => query.refetch()} /> : null}
      {children(query.data)}
    </>
  );
}

/** How much of something is done; without a total, that it goes on. */
export function Progress({ label, done, total }: { label: string; done?: number | undefined; total?: number | undefined }) {
  const known = done !== undefined && total !== undefined && total > 0;
  return <progress className={style.progress} aria-label={label} {...(known ? { value: done, max: total } : {})} />;
}

/** A sentence that matters, beside the content. */
export function Note({ tone = "info", children }: { tone?: "info" | "warn" | "ok" | "bad"; children: ReactNode }) {
  return <div className={`${style.note} ${style[tone]}`}>{children}</div>;
}
