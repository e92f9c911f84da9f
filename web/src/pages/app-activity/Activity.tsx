import { useNavigate, useSearch } from "@tanstack/react-router";
import { api, call, items, type Schemas } from "../../api/client";
import type { Choice } from "../../app/choices";
import { Actor, useActors } from "../../app/people";
import { strings } from "../../strings";
import { Facts } from "../../ui/Card";
import { Dialog } from "../../ui/Dialog";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty, Note } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Id, Name, Nothing, Num, Time } from "../../ui/values";
import style from "./Activity.module.css";
import type { ActivitySearch } from "./search";
import { Verify } from "./Verify";

const t = strings.activity;

type Entry = Schemas["AuditEntry"];

const columns = (actors: Choice[]): Column<Entry>[] => [
  { id: "seq", title: t.columns.seq, end: true, hidden: true, cell: (e) => <Num of={e.seq} /> },
  { id: "at", title: t.columns.at, sort: true, cell: (e) => <Time at={e.at} exact /> },
  { id: "actor", title: t.columns.actor, filter: actors.length > 0 ? actors : "text", cell: (e) => <Actor id={e.actor} /> },
  { id: "verb", title: t.columns.verb, filter: "text", cell: (e) => <code>{e.verb}</code> },
  { id: "subject", title: t.columns.subject, filter: "text", cell: (e) => (e.subject ? <Name of={e.subject} /> : <Nothing />) },
  {
    id: "outcome",
    title: t.columns.outcome,
    filter: "text",
    cell: (e) => <Status state={e.outcome} />,
  },
  {
    id: "details",
    title: t.columns.details,
    cell: (e) => (e.details ? <bdi className={style.details}>{brief(e.details)}</bdi> : <Nothing />),
  },
];

const brief = (details: Record<string, unknown>) =>
  Object.entries(details)
    .filter(([, v]) => v !== null && v !== "")
    .map(([name, v]) => `${name} ${plain(v)}`)
    .join(", ");

const plain = (v: unknown) => (typeof v === "string" ? v : JSON.stringify(v));

// Where a day begins in the user's zone, or one some days later.
function midnight(day: string, later = 0): string {
  const at = new Date(`${day}T00:00:00`);
  at.setDate(at.getDate() + later);
  return at.toISOString();
}

/** The tenant's audit log. */
export function Activity() {
  const { from, to, entry } = useSearch({ from: "/app/activity" });
  const navigate = useNavigate({ from: "/app/activity" });
  const span = { ...(from && { from: midnight(from) }), ...(to && { to: midnight(to, 1) }) };
  const list = useList({
    name: "activity",
    key: ["audit", span],
    command: ["audit", "list", ...Object.entries(span).map(([bound, at]) => `--${bound}=${at}`)],
    fetch: (query, signal) => call(api.GET("/api/v1/audit", { signal, params: { query: { ...query, ...span } } })),
  });
  const set = (next: Partial<ActivitySearch>) => navigate({ search: (before: ActivitySearch) => ({ ...before, ...next }), replace: true });
  const opened = items(list.query.data).find((e) => e.seq === entry);
  const date = (label: string, value: string | undefined, key: "from" | "to") => (
    <label className="row">
      <span className="secondary">{label}</span>
      <input
        type="date"
        className={style.date}
        value={value ?? ""}
        onChange={(e) => set({ [key]: e.target.value || undefined, after: undefined })}
      />
    </label>
  );
  return (
    <Page title={t.title} lead={t.lead}>
      <Verify />
      <DataTable
        list={list}
        title={t.title}
        columns={columns(useActors())}
        id={(e) => String(e.seq)}
        open={(e) => set({ entry: e.seq })}
        tools={
          <>
            {date(t.from, from, "from")}
            {date(t.to, to, "to")}
          </>
        }
        narrowed={from !== undefined || to !== undefined}
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      <Dialog open={opened !== undefined} onClose={() => set({ entry: undefined })} title={t.entry(entry ?? 0)} drawer>
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
          [t.columns.at, <Time key="a" at={e.at} exact />],
          [t.columns.actor, <Actor key="w" id={e.actor} />],
          ["ID", <Id key="i" of={e.actor} />],
          [t.columns.verb, <code key="v">{e.verb}</code>],
          [t.columns.subject, <Id key="s" of={e.subject} />],
          [t.columns.outcome, e.outcome],
        ]}
      />
      {e.sealed && <Note tone="warn">{t.sealed}</Note>}
      {e.damaged && <Note tone="bad">{t.damaged}</Note>}
      {e.details ? (
        <Facts
          of={Object.entries(e.details).map(([name, value]) => [
            name,
            <bdi key={name} className={style.raw}>
              {plain(value)}
            </bdi>,
          ])}
        />
      ) : (
        !e.sealed && <p className="secondary">{t.noDetails}</p>
      )}
    </div>
  );
}
