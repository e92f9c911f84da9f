import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Facts } from "../../ui/Card";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { useList } from "../../ui/list";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Bytes, Id, Num, Time } from "../../ui/values";
import { TenantLink, tenantValue, useTenantNames, useTenants } from "../admin/actors";
import { useAddress } from "../admin/address";

const t = strings.archive;

type Archived = Schemas["Archived"];

/** Which part of the archive is looked at, by the page's address. */
export function useWhich(): { tenant?: string; stream?: string; from?: string; to?: string } {
  const { tenant, stream, from, to } = useSearch({ strict: false }) as Record<string, string | undefined>;
  return { ...(tenant && { tenant }), ...(stream && { stream }), ...(from && { from }), ...(to && { to }) };
}

/** The archive's objects; a tenant sees its own. */
export function ArchiveList({ staff }: { staff: boolean }) {
  const which = useWhich();
  const address = useAddress();
  const known = useTenants();
  const names = [...useTenantNames()].map(([value, label]) => ({ value, label })).sort((a, b) => a.label.localeCompare(b.label));
  const [open, setOpen] = useState<Archived>();
  const list = useList({
    name: "archive",
    key: ["archive", which],
    command: ["archive", "list", ...Object.entries(which).map(([name, value]) => `--${name}=${value}`)],
    every: 60_000,
    fetch: ({ limit, after }, signal) =>
      call(api.GET("/api/v1/archive", { signal, params: { query: { limit, ...(after && { after }), ...which } } })),
  });
  const narrow = (by: Record<string, string>) =>
    address({ ...Object.fromEntries(Object.entries(by).map(([k, v]) => [k, v || undefined])), after: undefined });
  const columns: Column<Archived>[] = [
    {
      id: "day",
      title: t.day,
      cell: (a) => (
        <button type="button" className="link num" onClick={() => setOpen(a)}>
          {a.day}
        </button>
      ),
    },
    ...(staff
      ? [
          {
            id: "tenant",
            title: t.tenant,
            value: (a: Archived) => (a.tenant ? tenantValue(known, a.tenant) : strings.events.provider),
            cell: (a: Archived) => (a.tenant ? <TenantLink id={a.tenant} /> : strings.events.provider),
          },
        ]
      : []),
    { id: "stream", title: t.stream, cell: (a) => a.stream },
    { id: "events", title: t.events, end: true, cell: (a) => <Num of={a.events} /> },
    { id: "bytes", title: t.size, end: true, cell: (a) => <Bytes of={a.bytes} /> },
    { id: "sealed_bytes", title: t.sealed, end: true, hidden: true, cell: (a) => <Bytes of={a.sealed_bytes} /> },
    { id: "parts", title: t.parts, end: true, hidden: true, cell: (a) => <Num of={a.parts} /> },
    { id: "created_at", title: t.created, cell: (a) => <Time at={a.created_at} /> },
    { id: "id", title: t.id, hidden: true, cell: (a) => <Id of={a.id} /> },
  ];
  return (
    <>
      <div className="row filters narrow">
        {staff && names.length > 0 && (
          <Select
            label={t.tenant}
            value={which.tenant ?? ""}
            onChange={(tenant) => narrow({ tenant })}
            options={[{ value: "", label: t.everyTenant }, ...names]}
          />
        )}
        <Select
          label={t.stream}
          value={which.stream ?? ""}
          onChange={(stream) => narrow({ stream })}
          options={[
            { value: "", label: t.everyStream },
            ...Object.keys(strings.events.streams.what).map((value) => ({ value, label: value })),
          ]}
        />
        <TextField label={t.from} type="date" value={which.from ?? ""} onChange={(from) => narrow({ from })} />
        <TextField label={t.to} type="date" value={which.to ?? ""} onChange={(to) => narrow({ to })} />
      </div>
      <DataTable
        list={list}
        title={t.title}
        columns={columns}
        id={(a) => a.id}
        open={setOpen}
        noSearch
        narrowed={Object.keys(which).length > 0}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      <Dialog open={open !== undefined} onClose={() => setOpen(undefined)} title={open ? t.of(open.day, open.stream) : ""} drawer>
        {open && (
          <Facts
            of={[
              [t.tenant, staff && (open.tenant ? <TenantLink key="t" id={open.tenant} /> : strings.events.provider)],
              [t.day, open.day],
              [t.stream, open.stream],
              [t.events, <Num key="e" of={open.events} />],
              [t.size, <Bytes key="b" of={open.bytes} />],
              [t.sealed, <Bytes key="s" of={open.sealed_bytes} />],
              [t.parts, <Num key="p" of={open.parts} />],
              [t.blocks, `${open.first_block} – ${open.last_block}`],
              [t.digest, <Id key="d" of={open.digest} />],
              [t.sha256, <Id key="h" of={open.sha256} />],
              [t.created, <Time key="c" at={open.created_at} exact />],
              [t.id, <Id key="i" of={open.id} />],
            ]}
          />
        )}
      </Dialog>
    </>
  );
}
