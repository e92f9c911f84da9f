import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { api, call, type Schemas } from "../../api/client";
import { isAdmin, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Name, Time } from "../../ui/values";
import { useAddress } from "../admin/address";
import { CreateTenant } from "./CreateTenant";

const t = strings.tenants;

const tiers = ["basic", "standard", "premium", "platinum"].map((tier) => ({ value: tier, label: tier }));
const states = ["onboarding", "active", "suspended", "offboarding", "erased"].map((state) => ({
  value: state,
  label: strings.ui.status[state] ?? state,
}));

const columns: Column<Schemas["Tenant"]>[] = [
  {
    id: "name",
    title: t.name,
    sort: true,
    filter: "text",
    cell: (x) => (
      <Link to="/admin/tenants/$id" params={{ id: x.id }}>
        <Name of={x.name} />
      </Link>
    ),
  },
  { id: "slug", title: t.slug, sort: true, filter: "text", cell: (x) => <code>{x.slug}</code> },
  { id: "organisation", title: t.organisation, filter: "text", cell: (x) => <Name of={x.organisation_name} /> },
  { id: "tier", title: t.tier, filter: tiers, cell: (x) => x.tier },
  { id: "state", title: t.state, filter: states, cell: (x) => <Status state={x.state} /> },
  { id: "created_at", title: t.created, sort: true, cell: (x) => <Time at={x.created_at} /> },
];

export function Tenants() {
  const list = useList({
    name: "tenants",
    key: ["tenant"],
    command: ["tenant", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/tenants", { signal, params: { query } })),
  });
  const admin = isAdmin(useMe());
  const navigate = useNavigate();
  const { create } = useSearch({ from: "/admin/tenants" });
  const add = useAddress();
  return (
    <Page
      title={t.title}
      lead={t.lead}
      actions={
        admin && (
          <Button kind="primary" onClick={() => add({ create: "yes" })}>
            {t.create}
          </Button>
        )
      }
    >
      <DataTable
        list={list}
        title={t.title}
        columns={columns}
        id={(x) => x.id}
        open={(x) => navigate({ to: "/admin/tenants/$id", params: { id: x.id } })}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      {create && <CreateTenant onClose={() => add({ create: undefined })} />}
    </Page>
  );
}
