import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { Pause, Pencil, Play, Trash2 } from "lucide-react";
import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { go } from "../../app/go";
import { queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Confirm, Dialog } from "../../ui/Dialog";
import { useList } from "../../ui/list";
import { Menu } from "../../ui/Menu";
import { Page } from "../../ui/Page";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { told } from "../../ui/Toasts";
import { Id, Nothing, Time } from "../../ui/values";
import { Actor } from "../admin/actors";
import { useAddress } from "../admin/address";
import { NextTimes } from "./NextTimes";
import { ScheduleForm } from "./ScheduleForm";

const t = strings.schedules;

type Schedule = Schemas["Schedule"];

export function SchedulePage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { edit } = useSearch({ strict: false }) as { edit?: string };
  const address = useAddress();
  const query = useQuery({
    queryKey: ["schedule", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/schedules/{id}", { signal, params: { path: { id } } })),
  });
  const may = useMe().role === "system_admin";
  return (
    <Page title={id} above={<Link to="/admin/schedules">{t.above}</Link>} actions={may && query.data && <Actions of={query.data} />}>
      <Loaded query={query} lines={6}>
        {(s) => (
          <>
            {s.state === "paused" && <Note tone="warn">{t.paused}</Note>}
            <div className="columns even">
              <Card title={t.facts}>
                <Facts
                  of={[
                    [t.state, <Status key="s" state={s.state} />],
                    [
                      t.analyses,
                      <ul key="a">
                        {(s.analyses ?? []).map((a) => (
                          <li key={a}>
                            <Link to="/admin/analyses/$id" params={{ id: a }}>
                              <bdi>{a}</bdi>
                            </Link>
                          </li>
                        ))}
                      </ul>,
                    ],
                    [t.cron, <code key="c">{s.cron}</code>],
                    [t.zone, s.zone],
                    [t.dates, s.date_offset_days === undefined ? t.closed : t.daysBefore(s.date_offset_days)],
                    [t.createdBy, <Actor key="b" of={s.created_by} />],
                    [t.modified, <Time key="m" at={s.modified_at} />],
                  ]}
                />
              </Card>
              <Card title={t.nextFive}>
                {(s.next ?? []).length > 0 ? (
                  <NextTimes of={s.next ?? []} zone={s.zone} />
                ) : (
                  <p className="secondary">{s.state === "paused" ? t.nextNone : t.never}</p>
                )}
              </Card>
            </div>
            <h2>{t.firings}</h2>
            <Firings of={s} />
            <Dialog open={may && edit !== undefined} onClose={() => address({ edit: undefined })} title={t.edit} drawer>
              <ScheduleForm of={s} done={() => address({ edit: undefined })} />
            </Dialog>
          </>
        )}
      </Loaded>
    </Page>
  );
}

const firingColumns: Column<Schemas["Firing"]>[] = [
  { id: "at", title: t.at, cell: (f) => <Time at={f.at} exact /> },
  { id: "fired_at", title: t.firedAt, hidden: true, cell: (f) => <Time at={f.fired_at} exact /> },
  { id: "cause", title: t.cause, cell: (f) => (f.cause === "cron" ? t.causeCron : <span title={f.cause}>{t.causeReopening}</span>) },
  {
    id: "runs",
    title: t.runs,
    cell: (f) =>
      (f.runs ?? []).length === 0 ? (
        t.noRuns
      ) : (
        <ul className="stack tight">
          {(f.runs ?? []).map((r) => (
            <li key={r.id} className="row">
              <Link to="/admin/runs/$id" params={{ id: r.id }}>
                <bdi>{strings.runs.of(r.analysis, r.date)}</bdi>
              </Link>
              {r.state ? <Status state={r.state} /> : <Id of={r.id} />}
            </li>
          ))}
        </ul>
      ),
  },
  {
    id: "note",
    title: t.note,
    cell: (f) => {
      const reasons = [f.note, ...(f.runs ?? []).filter((r) => r.state !== "succeeded").map((r) => r.reason)].filter(Boolean);
      return reasons.length > 0 ? <bdi className="wraps">{reasons.join(" ")}</bdi> : <Nothing />;
    },
  },
];

function Firings({ of }: { of: Schedule }) {
  const list = useList({
    name: "firings",
    key: ["schedule", of.id, "firings"],
    command: ["schedule", "firings", of.id],
    fetch: (query, signal) => call(api.GET("/api/v1/schedules/{id}/firings", { signal, params: { path: { id: of.id }, query } })),
  });
  return (
    <DataTable
      list={list}
      title={t.firings}
      columns={firingColumns}
      id={(f) => f.id}
      noSearch
      empty={
        <Card>
          <p className="secondary">{t.firingsEmpty}</p>
        </Card>
      }
    />
  );
}

function Actions({ of }: { of: Schedule }) {
  const address = useAddress();
  const [deletes, setDeletes] = useState(false);
  const path = { params: { path: { id: of.id } } };
  const refreshed = () => queries.invalidateQueries({ queryKey: ["schedule"] });
  const turn = useMutation({
    mutationFn: () =>
      of.state === "active" ? call(api.POST("/api/v1/schedules/{id}/pause", path)) : call(api.POST("/api/v1/schedules/{id}/resume", path)),
    onSuccess: (now) => {
      told(now.state === "paused" ? t.paused : t.resumed);
      return refreshed();
    },
  });
  return (
    <>
      <Button
        icon={of.state === "active" ? <Pause size={16} aria-hidden /> : <Play size={16} aria-hidden />}
        busy={turn.isPending}
        onClick={() => turn.mutate()}
      >
        {of.state === "active" ? t.pause : t.resume}
      </Button>
      <Button kind="primary" icon={<Pencil size={16} aria-hidden />} onClick={() => address({ edit: "1" })}>
        {t.edit}
      </Button>
      <Menu items={[{ label: t.delete, icon: <Trash2 size={16} />, danger: true, act: () => setDeletes(true) }]} />
      <ProblemBox of={turn.error} dismiss={() => turn.reset()} />
      <Confirm
        open={deletes}
        onClose={() => setDeletes(false)}
        title={t.deleteTitle(of.id)}
        verb={t.delete}
        typed={of.id}
        act={async () => {
          await call(api.DELETE("/api/v1/schedules/{id}", path));
          told(t.deleted);
          go("/admin/schedules");
          await refreshed();
        }}
      >
        <p>{t.deleteText}</p>
      </Confirm>
    </>
  );
}
