import { Link } from "@tanstack/react-router";
import { api, call, type Schemas } from "../../api/client";
import { go } from "../../app/go";
import { pageAt } from "../../app/nav";
import { strings } from "../../strings";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Name } from "../../ui/values";
import { Decision, widened } from "./Decision";

const t = strings.participation;

const columns: Column<Schemas["Analysis"]>[] = [
  {
    id: "name",
    title: t.name,
    value: (a) => a.title || a.id,
    cell: (a) => (
      <Link to={pageAt("app", "analyses", a.id)}>
        <Name of={a.title || a.id} />
      </Link>
    ),
  },
  {
    id: "decision",
    title: t.decision,
    value: (a) => (widened(a) ? t.decisions.widened : (a.decision ?? "open")),
    cell: (a) => <Decision of={a} />,
  },
  { id: "datasets", title: t.datasets, cell: (a) => <Name of={(a.datasets ?? []).join(", ")} /> },
  {
    id: "organisations",
    title: t.organisations,
    value: (a) => a.organisations?.accepted,
    cell: (a) => a.organisations && `${t.accepted(a.organisations.accepted)}, ${t.verified(a.organisations.verified)}`,
  },
  { id: "version", title: t.version, end: true, cell: (a) => a.version },
];

/** The analyses that there are, with what one's organisation has decided. */
export function Analyses() {
  const list = useList({
    name: "analyses",
    key: ["analysis"],
    command: ["analysis", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/analyses", { signal, params: { query } })),
  });
  return (
    <Page title={t.title} lead={t.lead}>
      <DataTable
        list={list}
        title={t.list}
        columns={columns}
        id={(a) => a.id}
        open={(a) => go(pageAt("app", "analyses", a.id))}
        noSearch
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  );
}
