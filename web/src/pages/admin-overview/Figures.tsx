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

// How many of a list's newest part are what is asked for, as a link to the list; a plus says that there may be more.
function counted<T>(to: string, list: { items: T[] | null; next?: string } | undefined, fits: (x: T) => boolean): ReactNode {
  if (!list) return <Nothing />;
  const all = list.items ?? [];
  const n = all.filter(fits).length;
  return (
    <Link to={to} title={exactNumber(n)}>
      {list.next && n === all.length ? t.atLeast(number(n)) : number(n)}
    </Link>
  );
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
        value={counted("/admin/tenants", who.data, () => true)}
        note={t.active(n(who.data, (x) => x.state === "active"))}
      />
      <Figure
        name={t.files}
        value={counted("/admin/submissions", files.data, (s) => recent(s.received_at))}
        note={t.rejected(n(files.data, (s) => recent(s.received_at) && s.state === "rejected"))}
      />
      <Figure
        name={t.runs}
        value={counted("/admin/runs", runs.data, (r) => recent(r.created_at))}
        note={t.failed(n(runs.data, (r) => recent(r.created_at) && ["failed", "withheld", "skipped"].includes(r.state)))}
      />
      <Figure
        name={t.results}
        value={counted("/admin/results", results.data, (r) => recent(r.created_at))}
        note={<Link to="/admin/results">{t.all}</Link>}
      />
    </div>
  );
}
