import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { untilNext, untilPeriod } from "../../app/moments";
import { queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Facts } from "../../ui/Card";
import { Confirm, Dialog } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { moment } from "../../ui/format";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { Id, Time } from "../../ui/values";
import { Actor, TenantLink } from "../admin/actors";
import { useAddress } from "../admin/address";
import { readMoment } from "./matrix";

const t = strings.exchanged.periods;

type Props = { dataset: string; date: string; tenant: string; close: () => void };

/** How one tenant stands in one period of a dataset, and whether what it sends late counts. */
export function PeriodDrawer({ dataset, date, tenant, close }: Props) {
  const address = useAddress();
  const may = useMe().role === "system_admin";
  const own = useQuery({
    queryKey: ["period", dataset, date, tenant],
    queryFn: ({ signal }) => call(api.GET("/api/v1/periods", { signal, params: { query: { dataset, date, tenant, limit: 1 } } })),
    refetchInterval: (q) => untilPeriod(q.state.data),
  });
  const all = useQuery({
    queryKey: ["period", dataset, date],
    queryFn: ({ signal }) => call(api.GET("/api/v1/periods/{id}/{date}", { signal, params: { path: { id: dataset, date } } })),
    refetchInterval: (q) => untilNext([q.state.data?.due_at, q.state.data?.cut_off_at]),
  });
  const label = all.data?.label ?? date;
  return (
    <Dialog open onClose={close} title={t.drawer(label)} drawer>
      <Loaded query={all} lines={8}>
        {(summary) => {
          const p = items(own.data)[0];
          const reopenings = (summary.reopenings ?? []).filter((r) => r.tenant === tenant);
          const closed = summary.cut_off_at !== undefined && Date.parse(summary.cut_off_at) < Date.now();
          const current = reopenings.find((r) => !r.closed_at && Date.parse(r.until) > Date.now());
          return (
            <div className="stack">
              <Facts
                of={[
                  [t.tenant, <TenantLink key="t" id={tenant} slug={p?.tenant_slug} />],
                  [t.dataset, <bdi key="d">{dataset}</bdi>],
                  [t.facts, p && <Status key="s" state={p.state} />],
                  [t.due, summary.due_at && <Time key="du" at={summary.due_at} exact />],
                  [t.cutOff, summary.cut_off_at && <Time key="c" at={summary.cut_off_at} exact />],
                  [t.received, p?.received_at && <Time key="r" at={p.received_at} exact />],
                  [t.reopenedUntil, current && <Time key="u" at={current.until} exact />],
                  [
                    t.submission,
                    p?.submission && (
                      <button
                        type="button"
                        key="f"
                        className="link"
                        onClick={() => address({ view: undefined, period: undefined, open: p.submission })}
                      >
                        <Id of={p.submission} />
                      </button>
                    ),
                  ],
                ]}
              />
              <Standing of={summary} />
              {may && (current ? <Close dataset={dataset} date={date} tenant={tenant} /> : null)}
              {may && !current && closed && <Reopen dataset={dataset} date={date} tenant={tenant} />}
              {!closed && <Note>{t.notYet}</Note>}
              {reopenings.length > 0 && <History of={reopenings} />}
            </div>
          );
        }}
      </Loaded>
    </Dialog>
  );
}

function Standing({ of }: { of: Schemas["PeriodSummary"] }) {
  return (
    <div className="stack tight">
      <h3>{t.standing}</h3>
      <p className="row">
        {Object.entries(of.tenants)
          .filter(([, n]) => n > 0)
          .map(([state, n]) => (
            <Status key={state} state={state}>{`${n} ${strings.ui.status[state] ?? state}`}</Status>
          ))}
      </p>
    </div>
  );
}

function Reopen({ dataset, date, tenant }: Omit<Props, "close">) {
  const [until, setUntil] = useState(() => moment(new Date(Date.now() + 3 * 86_400_000)).slice(0, 16));
  const [reason, setReason] = useState("");
  const at = readMoment(until);
  const { busy, error, submit } = useSubmit(async () => {
    if (!at) return;
    await call(
      api.POST("/api/v1/periods/{id}/{date}/reopen", {
        params: { path: { id: dataset, date } },
        body: { tenant, reason, until: at.toISOString() },
      }),
    );
    told(t.reopened);
    await queries.invalidateQueries({ queryKey: ["period"] });
  });
  return (
    <form className="stack" onSubmit={submit}>
      <h3>{t.reopen}</h3>
      <p className="secondary">{t.reopenText}</p>
      <TextField label={t.until} hint={t.untilHint} value={until} onChange={setUntil} error={at ? undefined : t.untilBad} required />
      <TextField label={t.reason} value={reason} onChange={setReason} required />
      <ProblemBox of={error} />
      <div>
        <Button type="submit" kind="primary" busy={busy} disabled={!at || reason.trim() === ""}>
          {t.open}
        </Button>
      </div>
    </form>
  );
}

function Close({ dataset, date, tenant }: Omit<Props, "close">) {
  const [asks, setAsks] = useState(false);
  return (
    <div>
      <Button onClick={() => setAsks(true)}>{t.close}</Button>
      <Confirm
        open={asks}
        onClose={() => setAsks(false)}
        title={t.closeTitle}
        verb={t.close}
        act={async () => {
          await call(api.POST("/api/v1/periods/{id}/{date}/close", { params: { path: { id: dataset, date } }, body: { tenant } }));
          told(t.closed);
          await queries.invalidateQueries({ queryKey: ["period"] });
        }}
      >
        <p>{t.closeText}</p>
      </Confirm>
    </div>
  );
}

function History({ of }: { of: Schemas["Reopening"][] }) {
  return (
    <div className="stack tight">
      <h3>{t.history}</h3>
      <PlainTable
        title={t.history}
        rows={of}
        id={(r) => r.id}
        columns={[
          { id: "until", title: t.until, cell: (r) => <Time at={r.until} exact /> },
          { id: "reason", title: t.reason, cell: (r) => <bdi className="wraps">{r.reason}</bdi> },
          { id: "by", title: t.by, cell: (r) => <Actor of={r.created_by} /> },
          { id: "closed", title: t.ended, cell: (r) => <Time at={r.closed_at} /> },
        ]}
      />
    </div>
  );
}
