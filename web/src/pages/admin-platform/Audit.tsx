import { useSearch } from "@tanstack/react-router";
import { api, call, items, type Schemas } from "../../api/client";
import type { Choice } from "../../app/choices";
import { strings } from "../../strings";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Checkbox } from "../../ui/Field";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Sealed } from "../../ui/Sealed";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Id, Nothing, Num, Time } from "../../ui/values";
import { Actor, TenantLink, tenantValue, useActors, useTenants } from "../admin/actors";
import { useAddress } from "../admin/address";

const t = strings.platform.audit;

type Entry = Schemas["AuditEntry"];

const key = (e: Entry) => `${e.tenant ?? "provider"}:${e.seq}`;

const columns = (tenants: ReturnType<typeof useTenants>, actors: Choice[]): Column<Entry>[] => [
  { id: "at", title: t.columns.at, sort: true, cell: (e) => <Time at={e.at} exact /> },
  {
    id: "tenant_name",
    title: t.columns.tenant,
    filter: "text",
    value: (e) => (e.tenant ? tenantValue(tenants, e.tenant) : t.provider),
    cell: (e) => (e.tenant ? <TenantLink id={e.tenant} /> : t.provider),
  },
  { id: "actor", title: t.columns.actor, filter: actors.length > 0 ? actors : "text", cell: (e) => <Actor of={e.actor} /> },
  { id: "verb", title: t.columns.verb, filter: "text", cell: (e) => <code>{e.verb}</code> },
  { id: "subject", title: t.columns.subject, filter: "text", cell: (e) => (e.subject ? <Id of={e.subject} /> : <Nothing />) },
  { id: "outcome", title: t.columns.outcome, filter: "text", cell: (e) => <Status state={e.outcome} /> },
  {
    id: "tenant",
    title: strings.exchanged.slug,
    hidden: true,
    filter: "text",
    value: (e) => tenants.get(e.tenant ?? "")?.slug,
    cell: (e) => <Id of={tenants.get(e.tenant ?? "")?.slug} />,
  },
  { id: "seq", title: t.columns.seq, hidden: true, end: true, cell: (e) => <Num of={e.seq} /> },
];

/** The audit log of the provider and of all tenants, by what staff may see of it. */
export function Audit() {
  const { provider, open } = useSearch({ from: "/admin/audit" });
  const add = useAddress();
  const own = provider !== undefined;
  const list = useList({
    name: "audit",
    key: ["audit", own],
    command: ["audit", "list", ...(own ? ["--provider"] : [])],
    fetch: (query, signal) => call(api.GET("/api/v1/audit", { signal, params: { query: { ...query, ...(own && { provider: true }) } } })),
  });
  const opened = items(list.query.data).find((e) => key(e) === open);
  return (
    <Page title={t.title} lead={t.lead}>
      <Card title={t.verify}>
        <div className="stack">
          <p className="secondary">{t.verifyText}</p>
          <Copy text="tributary audit verify --all --write-pin pins" />
        </div>
      </Card>
      <DataTable
        list={list}
        title={t.title}
        columns={columns(useTenants(), useActors())}
        id={key}
        open={(e) => add({ open: key(e) })}
        tools={<Checkbox label={t.own} checked={own} onChange={(on) => add({ provider: on ? "yes" : undefined, after: undefined })} />}
        empty={<Empty title={t.empty} />}
      />
      <Dialog open={opened !== undefined} onClose={() => add({ open: undefined })} title={t.open(opened?.seq ?? 0)} drawer>
        {opened && <One of={opened} />}
      </Dialog>
    </Page>
  );
}

function One({ of: e }: { of: Entry }) {
  return (
    <div className="stack">
      <Facts
        of={[
          [t.columns.at, <Time key="t" at={e.at} exact />],
          [t.columns.tenant, e.tenant ? <TenantLink key="c" id={e.tenant} /> : t.provider],
          [t.columns.actor, <Actor key="a" of={e.actor} />],
          [t.columns.verb, <code key="v">{e.verb}</code>],
          [t.columns.subject, <Id key="s" of={e.subject} />],
          [t.columns.outcome, e.outcome],
        ]}
      />
      {e.sealed && <Sealed>{t.sealed}</Sealed>}
      {e.details && (
        <Facts
          of={Object.entries(e.details).map(([name, value]) => [
            name,
            <bdi key={name}>{typeof value === "string" ? value : JSON.stringify(value)}</bdi>,
          ])}
        />
      )}
    </div>
  );
}
