import { strings } from "../../strings";
import { difference, shortened } from "../../ui/difference";
import style from "./Difference.module.css";

const t = strings.plan;

const signs = { same: " ", added: "+", removed: "−" };

/** What one text has and another has not, line by line. */
export function Difference({ before, after }: { before: string; after: string }) {
  const lines = difference(before, after);
  const count = (kind: string) => lines.filter((l) => l.kind === kind).length;
  if (count("same") === lines.length) return <p className="secondary">{t.same}</p>;
  return (
    <div className="stack">
      <p>{t.summary(count("added"), count("removed"))}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
      <section className={style.lines} aria-label={t.lines} tabIndex={0}>
        {shortened(lines).map((l, n) =>
          l.kind === "skipped" ? (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
            <div key={n} className={style.skipped}>
              {t.unchanged(l.lines)}
            </div>
          ) : (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its place
            <div key={n} className={style.line} data-kind={l.kind}>
              <span aria-hidden>{signs[l.kind]} </span>
              {l.kind !== "same" && <span className="visually-hidden">{l.kind === "added" ? t.added : t.removed} </span>}
              <bdi>{l.text}</bdi>
            </div>
          ),
        )}
      </section>
    </div>
  );
}
