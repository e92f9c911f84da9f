import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { listQuery, useListState } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable, usePageSize } from "../../ui/Table";
import { Name, Time } from "../../ui/values";

const t = strings.tenants;

const columns: Column<Schemas["Tenant"]>[] = [
  { id: "name", title: t.name, cell: (x) => <Name of={x.name} /> },
  { id: "slug", title: t.slug, cell: (x) => <code>{x.slug}</code> },
  { id: "organisation", title: t.organisation, cell: (x) => <Name of={x.organisation_name} /> },
  { id: "tier", title: t.tier, cell: (x) => x.tier },
  { id: "state", title: t.state, cell: (x) => <Status state={x.state} /> },
  { id: "created_at", title: t.created, cell: (x) => <Time at={x.created_at} /> },
];

export function Tenants() {
  const [state, change] = useListState();
  const limit = usePageSize("tenants", state);
  const query = useQuery({
    queryKey: ["tenant", "list", state, limit],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET("/api/v1/tenants", { signal, params: { query: listQuery(state, limit) } })),
  });
  return (
    <Page title={t.title}>
      <DataTable
        name="tenants"
        title={t.title}
        columns={columns}
        query={query}
        state={state}
        change={change}
        id={(x) => x.id}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
    </Page>
  );
}
