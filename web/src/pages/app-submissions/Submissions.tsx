import { Link } from "@tanstack/react-router";
import { api, call, type Schemas } from "../../api/client";
import { sends } from "../../app/access";
import { go } from "../../app/go";
import { Actor } from "../../app/people";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Bytes, Id, Name, Num, Time } from "../../ui/values";
import { Punctual } from "./parts";

const t = strings.submissions;
const states = ["received", "validating", "accepted", "rejected", "superseded", "withdrawn"];

export const columns: Column<Schemas["Submission"]>[] = [
  { id: "dataset", title: t.columns.dataset, sort: true, filter: "text", cell: (x) => <Name of={x.dataset} /> },
  { id: "date", title: t.columns.date, sort: true, filter: "text", cell: (x) => <span className="num">{x.date}</span> },
  {
    id: "name",
    title: t.columns.name,
    filter: "text",
    cell: (x) => (
      <Link to="/app/submissions/$id" params={{ id: x.id }}>
        <Name of={x.name} />
      </Link>
    ),
  },
  {
    id: "state",
    title: t.columns.state,
    filter: states.map((value) => ({ value, label: strings.ui.status[value] ?? value })),
    cell: (x) => <Status state={x.state} />,
  },
  { id: "revision", title: t.columns.revision, end: true, cell: (x) => <Num of={x.revision} /> },
  { id: "size", title: t.columns.size, sort: true, filter: "number", end: true, cell: (x) => <Bytes of={x.size} /> },
  { id: "rows", title: t.columns.rows, end: true, cell: (x) => <Num of={x.rows} /> },
  {
    id: "late",
    title: t.columns.late,
    value: (x) => (x.after_cut_off ? t.afterCutOff : x.late ? t.late : x.due_at ? t.inTime : undefined),
    cell: (x) => <Punctual of={x} />,
  },
  {
    id: "channel",
    title: t.columns.channel,
    filter: Object.entries(t.channels).map(([value, label]) => ({ value, label })),
    cell: (x) => t.channels[x.channel] ?? x.channel,
  },
  { id: "submitted_by", title: t.columns.by, hidden: true, filter: "exact", cell: (x) => <Actor id={x.submitted_by} /> },
  { id: "id", title: "ID", hidden: true, filter: "exact", cell: (x) => <Id of={x.id} /> },
  { id: "received_at", title: t.columns.received, sort: true, cell: (x) => <Time at={x.received_at} /> },
];

/** What the tenant has sent. */
export function Submissions() {
  const list = useList({
    name: "submissions",
    key: ["submission"],
    command: ["submission", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/submissions", { signal, params: { query } })),
  });
  const send = sends(useMe()) && (
    <Button kind="primary" onClick={() => go("/app/submit")}>
      {t.send}
    </Button>
  );
  return (
    <Page title={t.title} lead={t.lead} actions={send}>
      <DataTable
        list={list}
        title={t.title}
        columns={columns}
        id={(x) => x.id}
        open={(x) => go(`/app/submissions/${encodeURIComponent(x.id)}`)}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  );
}
