import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { command } from "../../ui/command";
import { Select } from "../../ui/Field";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Loaded } from "../../ui/states";
import { Views } from "../../ui/Views";
import { Bytes, Num, Time } from "../../ui/values";
import { useTenantNames } from "../admin/actors";
import { useAddress } from "../admin/address";
import { Past } from "../events/Past";
import { streams } from "../events/queries";
import { Tail } from "../events/Tail";

const t = strings.events.streams;

/** The durable streams: what they keep, and their events as they come. */
export function Streams() {
  const { stream = "events", tenant = "", view } = useSearch({ from: "/admin/streams" });
  const address = useAddress();
  const query = useQuery(streams);
  const choose = (s: string) => address({ stream: s, after: undefined, since: undefined });
  const at = { stream, ...(tenant && { tenant }) };
  return (
    <Page title={t.title} lead={t.lead}>
      <Card title={t.all} flush>
        <Loaded query={query} lines={5}>
          {(all) => <All of={all} chosen={stream} choose={choose} />}
        </Loaded>
      </Card>
      <div className="row filters">
        <Select label={t.stream} value={stream} onChange={choose} options={Object.keys(t.what).map((value) => ({ value, label: value }))} />
        <Tenants value={tenant} onChange={(id) => address({ tenant: id || undefined, after: undefined })} />
      </div>
      <Views
        label={t.views.label}
        views={[
          { label: t.views.live, current: view !== "past", search: at },
          { label: t.views.past, current: view === "past", search: { ...at, view: "past" } },
        ]}
      />
      {view === "past" ? (
        <Past stream={stream} tenant={tenant} staff />
      ) : (
        <>
          <Tail key={`${stream} ${tenant}`} stream={stream} tenant={tenant} staff />
          <Card title={t.command}>
            <Copy label="tributary stream tail" text={command(["stream", "tail", stream, ...(tenant ? [`--tenant=${tenant}`] : [])])} />
          </Card>
        </>
      )}
    </Page>
  );
}

function Tenants({ value, onChange }: { value: string; onChange: (id: string) => void }) {
  const names = [...useTenantNames()].map(([id, name]) => ({ value: id, label: name })).sort((a, b) => a.label.localeCompare(b.label));
  if (names.length === 0) return null; // an analyst knows them by id alone
  return <Select label={t.tenant} value={value} onChange={onChange} options={[{ value: "", label: t.everyTenant }, ...names]} />;
}

function All({ of, chosen, choose }: { of: Schemas["Stream"][]; chosen: string; choose: (id: string) => void }) {
  return (
    <PlainTable
      title={t.all}
      rows={of}
      id={(s) => s.id}
      open={(s) => choose(s.id)}
      columns={[
        {
          id: "id",
          title: t.stream,
          cell: (s) => (
            <button type="button" className="link" aria-pressed={s.id === chosen} onClick={() => choose(s.id)}>
              {s.id}
            </button>
          ),
        },
        { id: "what", title: t.whatTitle, cell: (s) => t.what[s.id] },
        { id: "days", title: t.kept, cell: (s) => t.days(s.days) },
        { id: "last_at", title: t.newest, cell: (s) => (s.last_at ? <Time at={s.last_at} /> : t.never) },
        { id: "messages", title: t.blocks, end: true, cell: (s) => <Num of={s.messages ?? 0} /> },
        { id: "bytes", title: t.bytes, end: true, cell: (s) => <Bytes of={s.bytes ?? 0} /> },
      ]}
    />
  );
}
