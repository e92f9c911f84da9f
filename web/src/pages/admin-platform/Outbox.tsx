import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { listQuery, useListState } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable, usePageSize } from "../../ui/Table";
import { Id, Num, Time } from "../../ui/values";
import { TenantLink } from "../admin/actors";

const t = strings.platform.outbox;

const columns: Column<Schemas["Mail"]>[] = [
  { id: "created_at", title: t.columns.created, sort: true, cell: (m) => <Time at={m.created_at} /> },
  { id: "kind", title: t.columns.kind, filter: "text", cell: (m) => <code>{m.kind}</code> },
  { id: "tenant", title: t.columns.tenant, cell: (m) => (m.tenant ? <TenantLink id={m.tenant} /> : t.provider) },
  { id: "user", title: t.columns.user, cell: (m) => <Id of={m.user} /> },
  {
    id: "state",
    title: t.columns.state,
    filter: ["waiting", "sent", "failed"].map((value) => ({ value, label: strings.ui.status[value] ?? value })),
    cell: (m) => <Status state={m.state} />,
  },
  { id: "attempts", title: t.columns.attempts, end: true, cell: (m) => <Num of={m.attempts} /> },
  { id: "settled_at", title: t.columns.settled, cell: (m) => <Time at={m.settled_at} /> },
  { id: "error", title: t.columns.error, cell: (m) => m.error && <bdi>{m.error}</bdi> },
];

/** That mails exist, and nothing in them. */
export function Outbox() {
  const [state, change] = useListState();
  const limit = usePageSize("outbox", state);
  const query = useQuery({
    queryKey: ["outbox", "list", state, limit],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET("/api/v1/outbox", { signal, params: { query: listQuery(state, limit) } })),
  });
  return (
    <Page title={t.title} lead={t.lead}>
      <DataTable
        name="outbox"
        title={t.title}
        columns={columns}
        query={query}
        state={state}
        change={change}
        id={(m) => m.id}
        noSearch
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  );
}
