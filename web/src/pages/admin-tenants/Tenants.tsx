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
import { Bytes, Id, Name, Num, Time } from "../../ui/values";
import { useAddress } from "../admin/address";
import { tiers as allTiers, CreateTenant, types } from "./CreateTenant";
import { glance, shows } from "./glance";
import { HealthState } from "./Health";

const t = strings.tenants;

const tiers = allTiers.map((tier) => ({ value: tier, label: tier }));
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
  { id: "health", title: t.health.title, value: healthValue, cell: (x) => <HealthState of={x} /> },
  { id: "state", title: t.state, filter: states, cell: (x) => <Status state={x.state} /> },
  {
    id: "last_submission",
    title: t.health.lastSubmission,
    value: (x) => x.health?.last_submission,
    cell: (x) => <Last at={x.health?.last_submission} />,
  },
  {
    id: "last_sign_in",
    title: t.health.lastSignIn,
    value: (x) => x.health?.last_sign_in,
    cell: (x) => <Last at={x.health?.last_sign_in} />,
  },
  {
    id: "results_waiting",
    title: t.health.waiting,
    end: true,
    value: (x) => x.health?.results_waiting,
    cell: (x) => <Num of={x.health?.results_waiting} />,
  },
  { id: "tier", title: t.tier, filter: tiers, cell: (x) => x.tier },
  { id: "slug", title: t.slug, sort: true, filter: "text", cell: (x) => <code>{x.slug}</code> },
  {
    id: "organisation",
    title: t.organisation,
    hidden: true,
    filter: "text",
    value: (x) => x.organisation_name,
    cell: (x) => <Name of={x.organisation_name} />,
  },
  { id: "created_at", title: t.created, sort: true, cell: (x) => <Time at={x.created_at} /> },
  {
    id: "missing",
    title: t.health.missing,
    hidden: true,
    end: true,
    value: (x) => x.health?.missing,
    cell: (x) => <Num of={x.health?.missing} />,
  },
  {
    id: "rejected",
    title: t.health.rejected,
    hidden: true,
    end: true,
    value: (x) => x.health?.rejected,
    cell: (x) => <Num of={x.health?.rejected} />,
  },
  { id: "users", title: t.health.users, hidden: true, end: true, value: (x) => x.health?.users, cell: (x) => <Num of={x.health?.users} /> },
  {
    id: "open_uploads",
    title: t.health.uploads,
    hidden: true,
    end: true,
    value: (x) => x.health?.open_uploads,
    cell: (x) => <Num of={x.health?.open_uploads} />,
  },
  {
    id: "stored_bytes",
    title: t.health.stored,
    hidden: true,
    end: true,
    value: (x) => x.health?.stored_bytes,
    cell: (x) => <Bytes of={x.health?.stored_bytes} />,
  },
  { id: "type", title: t.type, hidden: true, filter: types.map((type) => ({ value: type, label: type })), cell: (x) => x.type },
  { id: "industry", title: t.industry, hidden: true, filter: "text", cell: (x) => <Name of={x.industry} /> },
  { id: "id", title: strings.exchanged.id, hidden: true, filter: "exact", cell: (x) => <Id of={x.id} /> },
];

function Last({ at }: { at: string | undefined }) {
  return at ? <Time at={at} /> : <span className="secondary">{t.health.never}</span>;
}

function healthValue(x: Schemas["Tenant"]): string | undefined {
  const found = glance(x);
  return found && [found.words, ...found.more].join(", ");
}

export function Tenants() {
  const list = useList({
    name: "tenants",
    key: ["tenant"],
    also: shows,
    command: ["tenant", "list", "--health"],
    fetch: (query, signal) => call(api.GET("/api/v1/tenants", { signal, params: { query: { ...query, health: true } } })),
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
      {admin && create && <CreateTenant onClose={() => add({ create: undefined })} />}
    </Page>
  );
}
