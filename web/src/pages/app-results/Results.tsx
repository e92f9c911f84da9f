import { Link } from "@tanstack/react-router";
import { api, call, type Schemas } from "../../api/client";
import { go } from "../../app/go";
import { strings } from "../../strings";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Id, Name, Num, Time } from "../../ui/values";

const t = strings.results;

const columns: Column<Schemas["Result"]>[] = [
  { id: "analysis", title: t.columns.analysis, sort: true, filter: "text", cell: (x) => <Name of={x.analysis} /> },
  { id: "date", title: t.columns.date, sort: true, filter: "text", cell: (x) => <span className="num">{x.date}</span> },
  {
    id: "name",
    title: t.columns.name,
    filter: "text",
    cell: (x) => (
      <Link to="/app/results/$id" params={{ id: x.id }}>
        <Name of={x.name} />
      </Link>
    ),
  },
  {
    id: "state",
    title: t.columns.state,
    filter: ["available", "recalled", "deleted"].map((value) => ({ value, label: strings.ui.status[value] ?? value })),
    cell: (x) => <Status state={x.state} />,
  },
  { id: "rows", title: t.columns.rows, filter: "number", end: true, cell: (x) => <Num of={x.rows} /> },
  { id: "suppressed", title: t.columns.suppressed, end: true, cell: (x) => <Num of={x.suppressed} /> },
  {
    id: "marked",
    title: t.columns.marked,
    cell: (x) =>
      x.marked ? (
        <Status state="marked" tone="warn">
          {t.marked}
        </Status>
      ) : (
        t.full
      ),
  },
  {
    id: "downloaded_at",
    title: t.columns.news,
    cell: (x) =>
      x.downloaded_at ? (
        <Time at={x.downloaded_at} />
      ) : x.state === "available" ? (
        <Status state="new" tone="info">
          {t.fresh}
        </Status>
      ) : (
        t.neverOpened
      ),
  },
  { id: "run", title: t.columns.run, hidden: true, filter: "exact", cell: (x) => <Id of={x.run} /> },
  { id: "release", title: t.columns.release, hidden: true, filter: "exact", cell: (x) => <Id of={x.release} /> },
  { id: "id", title: "ID", hidden: true, filter: "exact", cell: (x) => <Id of={x.id} /> },
  { id: "created_at", title: t.columns.created, sort: true, cell: (x) => <Time at={x.created_at} /> },
];

/** What the tenant has received. */
export function Results() {
  const list = useList({
    name: "results",
    key: ["result"],
    command: ["result", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/results", { signal, params: { query } })),
  });
  return (
    <Page title={t.title} lead={t.lead}>
      <DataTable
        list={list}
        title={t.title}
        columns={columns}
        id={(x) => x.id}
        open={(x) => go(`/app/results/${encodeURIComponent(x.id)}`)}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  );
}
