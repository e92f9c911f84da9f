import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { useListState } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Popover } from "../../ui/Popover";
import { Sealed } from "../../ui/Sealed";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable, usePageSize } from "../../ui/Table";
import { Id, Nothing, Time } from "../../ui/values";
import { Actor, TenantLink, useTenantNames } from "../admin/actors";
import { useAddress } from "../admin/address";

const t = strings.platform.audit;

type Entry = Schemas["AuditEntry"];

const key = (e: Entry) => `${e.tenant ?? "provider"}:${e.seq}`;

const columns: Column<Entry>[] = [
  { id: "at", title: t.columns.at, cell: (e) => <Time at={e.at} exact /> },
  { id: "tenant", title: t.columns.tenant, cell: (e) => (e.tenant ? <TenantLink id={e.tenant} /> : t.provider) },
  { id: "actor", title: t.columns.actor, cell: (e) => <Actor of={e.actor} /> },
  { id: "verb", title: t.columns.verb, cell: (e) => <code>{e.verb}</code> },
  { id: "subject", title: t.columns.subject, cell: (e) => (e.subject ? <Id of={e.subject} /> : <Nothing />) },
  {
    id: "outcome",
    title: t.columns.outcome,
    cell: (e) => <Status state={e.outcome} />,
  },
];

/** The audit log of the provider and of all tenants, by what staff may see of it. */
export function Audit() {
  const [state, change] = useListState();
  const { tenant, actor, verb, subject, open } = useSearch({ from: "/admin/audit" });
  const add = useAddress();
  const limit = usePageSize("audit", state);
  const chain = tenant === "provider" ? { provider: true } : tenant ? { tenant } : {};
  const wanted = {
    limit,
    ...(state.after && { after: state.after }),
    ...chain,
    ...(actor && { actor }),
    ...(verb && { verb }),
    ...(subject && { subject }),
  };
  const query = useQuery({
    queryKey: ["audit", "list", wanted],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET("/api/v1/audit", { signal, params: { query: wanted } })),
  });
  const opened = items(query.data).find((e) => key(e) === open);
  const tools = <Narrow of={{ tenant, actor, verb, subject }} change={(next) => add({ ...next, after: undefined })} />;
  return (
    <Page title={t.title} lead={t.lead}>
      <Card title={t.verify}>
        <div className="stack">
          <p className="secondary">{t.verifyText}</p>
          <Copy text="tributary audit verify --all --write-pin pins" />
        </div>
      </Card>
      <DataTable
        name="audit"
        title={t.title}
        columns={columns}
        query={query}
        state={state}
        change={change}
        id={key}
        open={(e) => add({ open: key(e) })}
        noSearch
        tools={tools}
        empty={
          <Card>
            <div className="row">{tools}</div>
            <Empty title={t.empty} />
          </Card>
        }
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

type Narrowed = { tenant?: string | undefined; actor?: string | undefined; verb?: string | undefined; subject?: string | undefined };

function Narrow({ of, change }: { of: Narrowed; change: (next: Narrowed) => void }) {
  const names = useTenantNames();
  const [open, setOpen] = useState(false);
  const [next, setNext] = useState<Narrowed>(of);
  const set = (part: Narrowed) => setNext({ ...next, ...part });
  const some = Object.values(of).filter((v) => v).length;
  return (
    <>
      <Popover
        open={open}
        onOpenChange={setOpen}
        named
        label={strings.ui.table.filter}
        face={some ? `${strings.ui.table.filter} (${some})` : strings.ui.table.filter}
      >
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            change({
              tenant: next.tenant || undefined,
              actor: next.actor || undefined,
              verb: next.verb || undefined,
              subject: next.subject || undefined,
            });
            setOpen(false);
          }}
        >
          <Select
            label={t.tenant}
            value={next.tenant ?? ""}
            onChange={(tenant) => set({ tenant })}
            options={[
              { value: "", label: t.all },
              { value: "provider", label: t.provider },
              ...[...names].map(([value, label]) => ({ value, label })),
            ]}
          />
          <TextField label={t.actor} value={next.actor ?? ""} onChange={(actor) => set({ actor })} optional />
          <TextField label={t.verb} value={next.verb ?? ""} onChange={(verb) => set({ verb })} optional />
          <TextField label={t.subject} value={next.subject ?? ""} onChange={(subject) => set({ subject })} optional />
          <Button type="submit" kind="primary">
            {strings.ui.table.apply}
          </Button>
        </form>
      </Popover>
      {some > 0 && (
        <Button kind="quiet" onClick={() => change({ tenant: undefined, actor: undefined, verb: undefined, subject: undefined })}>
          {strings.ui.table.clear}
        </Button>
      )}
    </>
  );
}
