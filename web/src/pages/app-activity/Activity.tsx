import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, items } from "../../api/client";
import { Actor } from "../../app/people";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Facts } from "../../ui/Card";
import { Dialog } from "../../ui/Dialog";
import { listQuery, useListState } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { save } from "../../ui/save";
import { Empty, Note, ProblemBox } from "../../ui/states";
import { type Column, DataTable, usePageSize } from "../../ui/Table";
import { told } from "../../ui/Toasts";
import { Id, Name, Nothing, Num, Time } from "../../ui/values";
import style from "./Activity.module.css";
import { csv, type Entry } from "./csv";
import type { ActivitySearch } from "./search";
import { Verify } from "./Verify";

const t = strings.activity;

const columns: Column<Entry>[] = [
  { id: "seq", title: t.columns.seq, end: true, hidden: true, cell: (e) => <Num of={e.seq} /> },
  { id: "at", title: t.columns.at, sort: true, cell: (e) => <Time at={e.at} exact /> },
  { id: "actor", title: t.columns.actor, filter: "text", cell: (e) => <Actor id={e.actor} /> },
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

const midnight = (day: string, later = 0) => new Date(new Date(`${day}T00:00:00`).getTime() + later).toISOString();

/** The tenant's audit log. */
export function Activity() {
  const [state, change] = useListState();
  const { from, to, entry } = useSearch({ from: "/app/activity" });
  const navigate = useNavigate({ from: "/app/activity" });
  const limit = usePageSize("activity", state);
  const span = { ...(from && { from: midnight(from) }), ...(to && { to: midnight(to, 86_400_000) }) };
  const query = useQuery({
    queryKey: ["audit", "list", state, limit, from, to],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET("/api/v1/audit", { signal, params: { query: { ...listQuery(state, limit), ...span } } })),
  });
  const set = (next: Partial<ActivitySearch>) => navigate({ search: (before: ActivitySearch) => ({ ...before, ...next }), replace: true });
  const opened = items(query.data).find((e) => e.seq === entry);
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
    <Page title={t.title} lead={t.lead} actions={<Export query={{ ...listQuery(state, 500), ...span }} />}>
      <Verify />
      <DataTable
        name="activity"
        title={t.title}
        columns={columns}
        query={query}
        state={state}
        change={change}
        id={(e) => String(e.seq)}
        open={(e) => set({ entry: e.seq })}
        tools={
          <>
            {date(t.from, from, "from")}
            {date(t.to, to, "to")}
          </>
        }
        empty={
          from || to ? (
            <div className="row">
              {date(t.from, from, "from")}
              {date(t.to, to, "to")}
              <p>{strings.ui.table.none}</p>
            </div>
          ) : (
            <Empty title={t.empty}>{t.emptyHint}</Empty>
          )
        }
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

// All pages of what is shown, as one file.
function Export({ query }: { query: { limit: number; after?: string; from?: string; to?: string } }) {
  const [count, setCount] = useState<number>();
  const [error, setError] = useState<unknown>();
  const run = async () => {
    setError(undefined);
    setCount(0);
    try {
      const all: Entry[] = [];
      for (let after: string | undefined = ""; after !== undefined; ) {
        const { after: _, ...rest } = query;
        const page: { items: Entry[] | null; next?: string } = await call(
          api.GET("/api/v1/audit", { params: { query: { ...rest, ...(after && { after }) } } }),
        );
        all.push(...items(page));
        setCount(all.length);
        after = page.next;
      }
      save("activity.csv", csv(all), "text/csv;charset=utf-8");
      told(t.exported);
    } catch (e) {
      setError(e);
    } finally {
      setCount(undefined);
    }
  };
  return (
    <>
      <Button kind="primary" busy={count !== undefined} onClick={run}>
        {count ? t.exporting(count) : t.export}
      </Button>
      <ProblemBox of={error} dismiss={() => setError(undefined)} />
    </>
  );
}
