import { useQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { CalendarPlus } from "lucide-react";
import { api, call, items, type Schemas } from "../../api/client";
import { go } from "../../app/go";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Empty } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { Name, Nothing, Time } from "../../ui/values";
import { useAddress } from "../admin/address";
import { local } from "./NextTimes";
import { outcome } from "./outcome";
import { ScheduleForm } from "./ScheduleForm";

const t = strings.schedules;

type Schedule = Schemas["Schedule"];

const columns: Column<Schedule>[] = [
  {
    id: "id",
    title: t.name,
    cell: (s) => (
      <Link to="/admin/schedules/$id" params={{ id: s.id }}>
        <bdi>{s.id}</bdi>
      </Link>
    ),
  },
  { id: "state", title: t.state, cell: (s) => <Status state={s.state} /> },
  { id: "analyses", title: t.analyses, cell: (s) => <Name of={(s.analyses ?? []).join(", ")} /> },
  {
    id: "cron",
    title: t.cron,
    value: (s) => `${s.cron} ${s.zone}`,
    cell: (s) => (
      <>
        <code>{s.cron}</code> <span className="secondary">{s.zone}</span>
      </>
    ),
  },
  { id: "next", title: t.next, value: (s) => s.next?.[0]?.local, cell: (s) => <Next of={s} /> },
  { id: "last", title: t.last, value: null, cell: (s) => <Last of={s} /> },
  { id: "created_at", title: strings.tenants.created, hidden: true, cell: (s) => <Time at={s.created_at} /> },
];

// Five times are there to be read; the list shows the first, and the others on hover and on the schedule's page.
function Next({ of }: { of: Schedule }) {
  const next = of.next ?? [];
  const first = next[0];
  if (!first) return of.state === "paused" ? <Nothing /> : <Status state="failed">{t.never}</Status>;
  return (
    <span title={next.map((n) => `${local(n.local)} ${of.zone}`).join("\n")}>
      <span className="num">{local(first.local)}</span>
    </span>
  );
}

/** What a schedule's last firing came to. */
export function Last({ of }: { of: Schedule }) {
  const query = useQuery({
    queryKey: ["schedule", of.id, "last"],
    queryFn: ({ signal }) =>
      call(api.GET("/api/v1/schedules/{id}/firings", { signal, params: { path: { id: of.id }, query: { limit: 1 } } })),
  });
  const firing = items(query.data)[0];
  if (!firing) return <span className="secondary">{query.data ? t.lastNone : ""}</span>;
  const { state, words } = outcome(firing);
  return (
    <span className="row">
      <Status state={state}>{words}</Status> <Time at={firing.fired_at} />
    </span>
  );
}

export function Schedules() {
  const may = useMe().role === "system_admin";
  const { create } = useSearch({ strict: false }) as { create?: string };
  const address = useAddress();
  const list = useList({
    name: "schedules",
    key: ["schedule"],
    command: ["schedule", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/schedules", { signal, params: { query } })),
  });
  const button = may && (
    <Button kind="primary" icon={<CalendarPlus size={16} aria-hidden />} onClick={() => address({ create: "1" })}>
      {t.create}
    </Button>
  );
  return (
    <Page title={t.title} lead={t.lead} actions={button}>
      <DataTable
        list={list}
        title={t.title}
        columns={columns}
        id={(s) => s.id}
        open={(s) => go(`/admin/schedules/${s.id}`)}
        noSearch
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      <Dialog open={may && create !== undefined} onClose={() => address({ create: undefined })} title={t.create} drawer>
        <ScheduleForm done={() => address({ create: undefined })} />
      </Dialog>
    </Page>
  );
}
