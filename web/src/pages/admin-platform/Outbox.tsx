import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Id, Name, Num, Time } from "../../ui/values";
import { TenantLink, tenantValue, useTenants } from "../admin/actors";

const t = strings.platform.outbox;

const columns = (tenants: ReturnType<typeof useTenants>): Column<Schemas["Mail"]>[] => [
  { id: "created_at", title: t.columns.created, sort: true, cell: (m) => <Time at={m.created_at} /> },
  { id: "kind", title: t.columns.kind, filter: "text", cell: (m) => <code>{m.kind}</code> },
  {
    id: "tenant_name",
    title: t.columns.tenant,
    filter: "text",
    value: (m) => (m.tenant ? tenantValue(tenants, m.tenant) : t.provider),
    cell: (m) => (m.tenant ? <TenantLink id={m.tenant} /> : t.provider),
  },
  { id: "user", title: t.columns.user, filter: "exact", cell: (m) => <Id of={m.user} /> },
  {
    id: "state",
    title: t.columns.state,
    filter: ["waiting", "sent", "failed"].map((value) => ({ value, label: strings.ui.status[value] ?? value })),
    cell: (m) => <Status state={m.state} />,
  },
  { id: "attempts", title: t.columns.attempts, filter: "number", end: true, cell: (m) => <Num of={m.attempts} /> },
  { id: "settled_at", title: t.columns.settled, cell: (m) => <Time at={m.settled_at} /> },
  { id: "error", title: t.columns.error, filter: "text", cell: (m) => <Name of={m.error} /> },
  {
    id: "tenant",
    title: strings.exchanged.slug,
    hidden: true,
    filter: "text",
    value: (m) => tenants.get(m.tenant ?? "")?.slug,
    cell: (m) => <Id of={tenants.get(m.tenant ?? "")?.slug} />,
  },
  { id: "id", title: strings.exchanged.id, hidden: true, filter: "exact", cell: (m) => <Id of={m.id} /> },
];

/** That mails exist, and nothing in them. */
export function Outbox() {
  const list = useList({
    name: "outbox",
    key: ["outbox"],
    command: ["outbox", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/outbox", { signal, params: { query } })),
  });
  return (
    <Page title={t.title} lead={t.lead}>
      <DataTable
        list={list}
        title={t.title}
        columns={columns(useTenants())}
        id={(m) => m.id}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  );
}
