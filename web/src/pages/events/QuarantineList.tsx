import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { plain } from "../../strings/apart";
import { Button } from "../../ui/Button";
import { Facts } from "../../ui/Card";
import { Confirm, Dialog } from "../../ui/Dialog";
import { Checkbox, Select } from "../../ui/Field";
import { useList } from "../../ui/list";
import { Empty, Loaded, ProblemBox } from "../../ui/states";
import { type Column, DataTable } from "../../ui/Table";
import { told } from "../../ui/Toasts";
import { Id, Name, Nothing, Time } from "../../ui/values";
import { TenantLink } from "../admin/actors";
import { useAddress } from "../admin/address";
import { Json } from "./Json";
import { allSources } from "./queries";

const t = strings.events.quarantine;

type Held = Schemas["HeldEvent"];
type Reason = Held["reason"];

const reasons = Object.keys(t.reasons) as Reason[];
const typeOf = (h: Held) => (h.event as { type?: string } | undefined)?.type;
const changed = () => queries.invalidateQueries({ queryKey: ["quarantine"] });

/** Which events of quarantine are meant, by the page's address. */
function useWhich() {
  const { reason, source } = useSearch({ strict: false }) as { reason?: string; source?: string };
  return {
    ...(reasons.includes(reason as Reason) && { reason: reason as Reason }),
    ...(source && { source }),
  };
}

/** The names of sources, by id. */
function useSourceNames(): Map<string, string> {
  const all = useQuery(allSources).data ?? [];
  return new Map([...all.map((s) => [s.id, s.name] as const), ["api", strings.events.api]]);
}

/** What is in quarantine: by reason and source, looked at, judged again and removed, one or many at a time. */
export function QuarantineList() {
  const staff = !useMe().tenant;
  const { open } = useSearch({ strict: false }) as { open?: string };
  const which = useWhich();
  const address = useAddress();
  const names = useSourceNames();
  const [chosen, setChosen] = useState<string[]>([]);
  const [dropping, setDropping] = useState<string[]>();
  const list = useList({
    name: "quarantine",
    key: ["quarantine", which],
    command: ["quarantine", "list", ...Object.entries(which).map(([name, value]) => `--${name}=${value}`)],
    every: 5000,
    fetch: ({ limit, after }, signal) =>
      call(api.GET("/api/v1/quarantine", { signal, params: { query: { limit, ...(after && { after }), ...which } } })),
  });
  const rows = items(list.query.data);
  const here = chosen.filter((id) => rows.some((h) => h.id === id));
  const show = (id: string | undefined) => address({ open: id });
  const narrow = (by: { reason?: string | undefined; source?: string | undefined }) => address({ ...by, after: undefined });
  const columns: Column<Held>[] = [
    {
      id: "chosen",
      title: t.chooseTitle,
      value: null,
      cell: (h) => (
        <input
          type="checkbox"
          aria-label={plain(t.choose(typeOf(h) ?? h.id))}
          checked={here.includes(h.id)}
          onChange={(e) => setChosen(e.target.checked ? [...here, h.id] : here.filter((id) => id !== h.id))}
        />
      ),
    },
    {
      id: "details",
      title: t.details,
      cell: (h) => (
        <button type="button" className="link" onClick={() => show(h.id)}>
          <bdi className="wraps">{h.details}</bdi>
        </button>
      ),
    },
    { id: "reason", title: t.reason, value: (h) => t.reasons[h.reason], cell: (h) => t.reasons[h.reason] ?? h.reason },
    { id: "type", title: t.type, value: typeOf, cell: (h) => <Name of={typeOf(h)} /> },
    {
      id: "source",
      title: t.source,
      value: (h) => names.get(h.source) ?? h.source,
      cell: (h) => <Name of={names.get(h.source) ?? h.source} />,
    },
    { id: "received_at", title: t.received, cell: (h) => <Time at={h.received_at} /> },
    ...(staff
      ? [
          {
            id: "tenant",
            title: strings.events.tenant,
            hidden: true,
            cell: (h: Held) => (h.tenant ? <TenantLink id={h.tenant} /> : <Nothing />),
          },
        ]
      : []),
    { id: "id", title: t.id, hidden: true, cell: (h) => <Id of={h.id} /> },
  ];
  return (
    <>
      <div className="row filters">
        <Select
          label={t.reason}
          value={which.reason ?? ""}
          onChange={(reason) => narrow({ reason: reason || undefined })}
          options={[{ value: "", label: t.everyReason }, ...reasons.map((value) => ({ value, label: t.reasons[value] ?? value }))]}
        />
        <Select
          label={t.source}
          value={which.source ?? ""}
          onChange={(source) => narrow({ source: source || undefined })}
          options={[{ value: "", label: t.everySource }, ...[...names].map(([value, label]) => ({ value, label: plain(label) }))]}
        />
      </div>
      <DataTable
        list={list}
        title={t.title}
        columns={columns}
        id={(h) => h.id}
        open={(h) => show(h.id)}
        noSearch
        narrowed={Object.keys(which).length > 0}
        tools={
          <>
            <Checkbox
              label={here.length > 0 ? t.chosen(here.length) : t.choosePage}
              checked={rows.length > 0 && here.length === rows.length}
              onChange={(on) => setChosen(on ? rows.map((h) => h.id) : [])}
            />
            {here.length > 0 && <Acts of={here} done={() => setChosen([])} drop={() => setDropping(here)} />}
          </>
        }
        empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
      />
      <Dialog open={open !== undefined} onClose={() => show(undefined)} title={t.of} drawer>
        {open && <One id={open} names={names} close={() => show(undefined)} drop={() => setDropping([open])} />}
      </Dialog>
      <Confirm
        open={dropping !== undefined}
        onClose={() => setDropping(undefined)}
        title={t.dropTitle(dropping?.length ?? 0)}
        verb={t.dropVerb}
        act={async () => {
          const ids = dropping ?? [];
          try {
            for (const id of ids) await call(api.DELETE("/api/v1/quarantine/{id}", { params: { path: { id } } }));
          } finally {
            await changed();
          }
          show(undefined);
          setChosen([]);
          told(t.dropped(ids.length));
        }}
      >
        <p>{t.dropText}</p>
      </Confirm>
    </>
  );
}

/** Judges events again one by one, and says how many were taken in. */
async function replay(ids: string[]): Promise<void> {
  let kept = 0;
  try {
    for (const id of ids) {
      const verdict = await call(api.POST("/api/v1/quarantine/{id}/replay", { params: { path: { id } } }));
      if (verdict.result !== "drop" && verdict.result !== "retry") kept++;
    }
  } finally {
    await changed();
  }
  told(t.replayed(kept, ids.length - kept));
}

function Acts({ of, done, drop }: { of: string[]; done: () => void; drop: () => void }) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  const again = async () => {
    setBusy(true);
    setError(undefined);
    await replay(of).then(done, setError);
    setBusy(false);
  };
  return (
    <>
      <Button busy={busy} onClick={again}>
        {t.replay}
      </Button>
      <Button kind="danger" disabled={busy} onClick={drop}>
        {t.drop}
      </Button>
      <ProblemBox of={error} dismiss={() => setError(undefined)} />
    </>
  );
}

function One({ id, names, close, drop }: { id: string; names: Map<string, string>; close: () => void; drop: () => void }) {
  const query = useQuery({
    queryKey: ["quarantine", "one", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/quarantine/{id}", { signal, params: { path: { id } } })),
  });
  return (
    <Loaded query={query}>
      {(h) => (
        <div className="stack">
          <Facts
            of={[
              [t.details, <bdi key="d">{h.details}</bdi>],
              [t.reason, t.reasons[h.reason] ?? h.reason],
              [t.type, <Name key="t" of={typeOf(h)} />],
              [t.source, <Name key="s" of={names.get(h.source) ?? h.source} />],
              [t.received, <Time key="r" at={h.received_at} exact />],
              [t.id, <Id key="i" of={h.id} />],
            ]}
          />
          {h.event !== undefined && (
            <section className="stack tight">
              <h3>{t.event}</h3>
              <Json of={h.event} label={t.event} />
            </section>
          )}
          {h.raw && (
            <section className="stack tight">
              <h3>{t.raw}</h3>
              <Json of={h.raw} label={t.raw} />
            </section>
          )}
          <div className="row">
            <Acts of={[id]} done={close} drop={drop} />
          </div>
        </div>
      )}
    </Loaded>
  );
}

/** Judges all again that the page's filters leave; asks first. */
export function ReplayAll() {
  const which = useWhich();
  const names = useSourceNames();
  const [asks, setAsks] = useState(false);
  const words = [which.reason && t.reasons[which.reason], which.source && (names.get(which.source) ?? which.source)].filter(Boolean);
  return (
    <>
      <Button kind="primary" onClick={() => setAsks(true)}>
        {t.replayAll}
      </Button>
      <Confirm
        open={asks}
        onClose={() => setAsks(false)}
        title={t.replayAll}
        verb={t.replay}
        act={async () => {
          const done = await call(api.POST("/api/v1/quarantine/replay", { body: which }));
          await changed();
          told(t.replayed(done.kept, done.left));
        }}
      >
        <p>{t.replayAllText(words.join(", ") || t.everyReason)}</p>
      </Confirm>
    </>
  );
}
