import { useQueries } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { strings } from "../../strings";
import { Figure } from "../../ui/Card";
import { exactNumber, number } from "../../ui/format";
import { Nothing } from "../../ui/values";
import style from "./Overview.module.css";
import { newestFiles, newestResults, newestRuns, tenants } from "./queries";

const t = strings.overview.figures;

const week = 7 * 86_400_000;

// How many of a list's newest part are what is asked for; a plus says that there may be more.
function counted<T>(list: { items: T[] | null; next?: string } | undefined, fits: (x: T) => boolean): ReactNode {
  if (!list) return <Nothing />;
  const all = list.items ?? [];
  const n = all.filter(fits).length;
  return <span title={exactNumber(n)}>{list.next && n === all.length ? t.atLeast(number(n)) : number(n)}</span>;
}

/** How much there is and goes on. */
export function Figures() {
  const [who, files, runs, results] = useQueries({ queries: [tenants, newestFiles, newestRuns, newestResults] });
  const since = new Date(Date.now() - week).toISOString();
  const recent = (at: string) => at >= since;
  const n = <T,>(list: { items: T[] | null } | undefined, fits: (x: T) => boolean) => (list?.items ?? []).filter(fits).length;
  return (
    <div className={style.figures}>
      <Figure
        name={t.tenants}
        value={<Link to="/admin/tenants">{counted(who.data, () => true)}</Link>}
        note={t.active(n(who.data, (x) => x.state === "active"))}
      />
      <Figure
        name={t.files}
        value={<Link to="/admin/submissions">{counted(files.data, (s) => recent(s.received_at))}</Link>}
        note={t.rejected(n(files.data, (s) => recent(s.received_at) && s.state === "rejected"))}
      />
      <Figure
        name={t.runs}
        value={<Link to="/admin/runs">{counted(runs.data, (r) => recent(r.created_at))}</Link>}
        note={t.failed(n(runs.data, (r) => recent(r.created_at) && ["failed", "withheld", "skipped"].includes(r.state)))}
      />
      <Figure
        name={t.results}
        value={<Link to="/admin/results">{counted(results.data, (r) => recent(r.created_at))}</Link>}
        note={<Link to="/admin/results">{t.all}</Link>}
      />
    </div>
  );
}
