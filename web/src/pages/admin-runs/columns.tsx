import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Elapsed } from "../../ui/Elapsed";
import { Status } from "../../ui/Status";
import type { Column } from "../../ui/Table";
import { Id, Name, Num, Time, Took } from "../../ui/values";
import { Actor } from "../admin/actors";

const t = strings.runs;

export type Run = Schemas["Run"];

export const states = ["queued", "running", "succeeded", "withheld", "skipped", "failed", "cancelled"] as const;

/** Whether a run has not come to its end. */
export function going(run: { state: string }): boolean {
  return run.state === "queued" || run.state === "running";
}

/** What lists of runs show of each. */
export const columns: Column<Run>[] = [
  {
    id: "analysis",
    title: t.analysis,
    sort: true,
    filter: "text",
    cell: (r) => (
      <Link to="/admin/runs/$id" params={{ id: r.id }}>
        <Name of={r.analysis} />
      </Link>
    ),
  },
  { id: "date", title: t.date, sort: true, filter: "text", cell: (r) => <span className="num">{r.date}</span> },
  {
    id: "state",
    title: t.state,
    filter: states.map((s) => ({ value: s, label: strings.ui.status[s] ?? s })),
    cell: (r) => <Status state={r.state} />,
  },
  { id: "reason", title: t.reason, filter: "text", cell: (r) => <Name of={going(r) ? r.stage : r.reason} /> },
  { id: "created_at", title: t.created, sort: true, cell: (r) => <Time at={r.created_at} /> },
  {
    id: "took",
    title: t.took,
    value: (r) => (r.started_at && r.finished_at ? (Date.parse(r.finished_at) - Date.parse(r.started_at)) / 1000 : undefined),
    end: true,
    cell: (r) => (r.state === "running" ? <Elapsed from={r.started_at} /> : <Took from={r.started_at} to={r.finished_at} />),
  },
  { id: "participants", title: t.participants, filter: "number", end: true, cell: (r) => <Num of={r.participants} /> },
  { id: "started_by", title: t.startedBy, filter: "text", cell: (r) => <Actor of={r.started_by} /> },
  { id: "finished_at", title: t.finished, sort: true, hidden: true, cell: (r) => <Time at={r.finished_at} /> },
  { id: "id", title: t.id, filter: "exact", hidden: true, cell: (r) => <Id of={r.id} /> },
];
