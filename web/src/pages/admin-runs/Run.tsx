import { useMutation, useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { RotateCcw, Square } from "lucide-react";
import { useState } from "react";
import { api, call, items } from "../../api/client";
import { may } from "../../app/access";
import { go } from "../../app/go";
import { queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { Elapsed } from "../../ui/Elapsed";
import { TextField } from "../../ui/Field";
import { number } from "../../ui/format";
import { LogView } from "../../ui/LogView";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Sealed } from "../../ui/Sealed";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox, Progress } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Id, Name, Num, Time, Took } from "../../ui/values";
import { Actor, TenantLink } from "../admin/actors";
import { going, type Run } from "./columns";
import { type Progress as Told, useRunLog, wholeLog } from "./follow";
import { ManifestCard } from "./ManifestCard";
import { useRun } from "./queries";
import { RunButton } from "./RunButton";

const t = strings.runs;

export function RunPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const query = useRun(id);
  const run = query.data;
  return (
    <Page
      title={run ? t.of(run.analysis, run.date) : t.title}
      above={<Link to="/admin/runs">{t.above}</Link>}
      actions={run && <Actions run={run} />}
    >
      <Loaded query={query} lines={8}>
        {(r) => <Shown run={r} />}
      </Loaded>
    </Page>
  );
}

function Shown({ run }: { run: Run }) {
  const sees = may(useMe(), "/admin/results");
  const { lines, progress } = useRunLog(run.id, !going(run));
  const state = going(run) ? (progress?.state ?? run.state) : run.state;
  return (
    <>
      {going(run) ? <Now run={run} progress={progress} /> : <Why run={run} />}
      <div className="columns">
        <div className="stack">
          <Card title={t.log}>
            {lines.length === 0 ? (
              <p className="secondary">{t.logEmpty}</p>
            ) : (
              <LogView label={t.logOf(run.id)} lines={lines} name={`${run.id}.log`} download={() => wholeLog(run.id)} />
            )}
          </Card>
          {sees && <Outputs run={run} />}
          <Inputs run={run} />
        </div>
        <div className="stack">
          <Card title={t.facts}>
            <Facts
              of={[
                [t.state, <Status key="s" state={state} />],
                [
                  t.analysis,
                  <Link key="a" to="/admin/analyses/$id" params={{ id: run.analysis }}>
                    <bdi>{run.analysis}</bdi>
                  </Link>,
                ],
                [t.version, <Num key="v" of={run.version} />],
                [t.date, <span key="d">{run.date}</span>],
                [t.startedBy, <Actor key="b" of={run.started_by} />],
                [t.created, <Time key="c" at={run.created_at} exact />],
                [t.queuedFor, run.started_at && <Took key="q" from={run.created_at} to={run.started_at} />],
                [
                  t.took,
                  run.started_at &&
                    (run.finished_at ? (
                      <Took key="t" from={run.started_at} to={run.finished_at} />
                    ) : (
                      <Elapsed key="t" from={run.started_at} />
                    )),
                ],
                [t.through, run.through && <Time key="th" at={run.through} exact />],
                [t.participants, <Num key="p" of={run.participants} />],
                [t.results, run.results !== undefined && t.resultsOf(run.results, run.recalled ?? 0)],
                [t.release, run.release && <Id key="r" of={run.release} />],
                [t.id, <Id key="i" of={run.id} />],
              ]}
            />
          </Card>
          <ManifestCard run={run} />
        </div>
      </div>
    </>
  );
}

// What it is doing, while it is.
function Now({ run, progress }: { run: Run; progress: Told | undefined }) {
  const stage = (progress?.stage || run.stage) ?? (run.state === "queued" ? t.running.waiting : "");
  const done = progress?.done ?? run.done;
  const total = progress?.total ?? run.total;
  return (
    <Card>
      <div className="stack" aria-live="polite">
        <div className="row">
          <Status state={progress?.state ?? run.state} />
          <span>{stage}</span>
          {total ? <span className="secondary num">{t.running.of(number(done ?? 0), number(total))}</span> : null}
        </div>
        <Progress label={stage || t.running.stage} done={done} total={total} />
        <p className="secondary">
          {t.running.soFar} <Elapsed from={run.started_at ?? run.created_at} />
        </p>
      </div>
    </Card>
  );
}

const tones = { succeeded: "ok", withheld: "warn", skipped: "warn", failed: "bad" } as const;

function Why({ run }: { run: Run }) {
  const tone = tones[run.state as keyof typeof tones] ?? "info";
  return (
    <>
      <Note tone={tone}>
        <strong>{t.whyTitle[run.state] ?? run.state}</strong>
        {run.reason && (
          <>
            : <bdi>{run.reason}</bdi>
          </>
        )}{" "}
        {t.whyMore[run.state]}
      </Note>
      {run.recalled_at && (
        <Note tone="bad">
          <strong>{t.recalledTitle}</strong> <Time at={run.recalled_at} />: <bdi>{run.recall_reason}</bdi>
        </Note>
      )}
    </>
  );
}

function Inputs({ run }: { run: Run }) {
  const sees = may(useMe(), "/admin/submissions");
  const inputs = run.inputs ?? [];
  return (
    <Card title={t.inputs} flush={inputs.length > 0}>
      {inputs.length === 0 ? (
        <p className="secondary">{t.inputsNone}</p>
      ) : (
        <PlainTable
          title={t.inputs}
          rows={inputs}
          id={(i) => i.submission}
          columns={[
            { id: "tenant", title: t.tenant, cell: (i) => <TenantLink id={i.tenant} slug={i.tenant_slug} /> },
            {
              id: "dataset",
              title: t.dataset,
              cell: (i) => (
                <Link to="/admin/datasets/$id" params={{ id: i.dataset }}>
                  <Name of={i.dataset} />
                </Link>
              ),
            },
            {
              id: "file",
              title: t.file,
              cell: (i) =>
                sees ? (
                  <Link to="/admin/submissions" search={{ open: i.submission }}>
                    <Id of={i.submission} />
                  </Link>
                ) : (
                  <Id of={i.submission} />
                ),
            },
            { id: "commitment", title: t.commitment, cell: (i) => <Name of={i.commitment} /> },
          ]}
        />
      )}
      <Padded>{t.inputsHint}</Padded>
    </Card>
  );
}

function Padded({ children }: { children: string }) {
  return (
    <div className="inset">
      <Sealed>{children}</Sealed>
    </div>
  );
}

function Outputs({ run }: { run: Run }) {
  const query = useQuery({
    queryKey: ["result", "of", run.id],
    enabled: run.release !== undefined,
    queryFn: ({ signal }) =>
      call(
        api.GET("/api/v1/results", {
          signal,
          params: { query: { limit: 500, filter: [`release:is:${run.release}`] } },
        }),
      ),
  });
  if (!run.release)
    return (
      <Card title={t.outputs}>
        <p className="secondary">{t.outputsNone}</p>
      </Card>
    );
  return (
    <Card title={t.outputs} aside={<Link to={`/admin/results?filter=release:is:${run.release}` as string}>{t.outputsList}</Link>} flush>
      <Loaded query={query}>
        {(list) => (
          <PlainTable
            title={t.outputs}
            rows={items(list)}
            id={(r) => r.id}
            columns={[
              { id: "tenant", title: t.tenant, cell: (r) => <TenantLink id={r.tenant} slug={r.tenant_slug} /> },
              { id: "name", title: t.name, cell: (r) => <Name of={r.name} /> },
              { id: "state", title: t.state, cell: (r) => <Status state={r.state} /> },
              { id: "rows", title: t.rows, end: true, cell: (r) => <Num of={r.rows} /> },
              { id: "suppressed", title: t.suppressed, end: true, cell: (r) => <Num of={r.suppressed} /> },
              { id: "downloaded", title: t.downloaded, cell: (r) => <Time at={r.downloaded_at} /> },
            ]}
          />
        )}
      </Loaded>
      <Padded>{t.outputsHint}</Padded>
    </Card>
  );
}

function Actions({ run }: { run: Run }) {
  const may = useMe().role === "system_admin";
  const [asks, setAsks] = useState<"cancel" | "recall">();
  const [reason, setReason] = useState("");
  const retry = useMutation({
    mutationFn: () => call(api.POST("/api/v1/runs/{id}/retry", { params: { path: { id: run.id } } })),
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["run"] });
      told(t.retried);
      go(`/admin/runs/${made.id}`);
    },
  });
  if (!may) return null;
  const path = { params: { path: { id: run.id } } };
  const done = () => queries.invalidateQueries({ queryKey: ["run"] }).then(() => queries.invalidateQueries({ queryKey: ["result"] }));
  return (
    <>
      {run.state === "succeeded" && run.release && !run.recalled_at && (
        <Button kind="danger" onClick={() => setAsks("recall")}>
          {t.recall}
        </Button>
      )}
      {going(run) ? (
        <Button kind="primary" icon={<Square size={16} aria-hidden />} onClick={() => setAsks("cancel")}>
          {t.cancel}
        </Button>
      ) : run.state === "succeeded" ? (
        <RunButton analysis={run.analysis}>{t.again}</RunButton>
      ) : (
        <Button kind="primary" icon={<RotateCcw size={16} aria-hidden />} busy={retry.isPending} onClick={() => retry.mutate()}>
          {t.again}
        </Button>
      )}
      <ProblemBox of={retry.error} dismiss={() => retry.reset()} />
      <Confirm
        open={asks === "cancel"}
        onClose={() => setAsks(undefined)}
        title={t.cancelTitle}
        verb={t.cancelVerb}
        act={() => call(api.POST("/api/v1/runs/{id}/cancel", path)).then(done)}
      >
        <p>{t.cancelText}</p>
      </Confirm>
      <Confirm
        open={asks === "recall"}
        onClose={() => setAsks(undefined)}
        title={t.recallTitle}
        verb={t.recallVerb}
        typed={run.analysis}
        act={() => call(api.POST("/api/v1/runs/{id}/recall", { ...path, body: { reason } })).then(done)}
      >
        <div className="stack">
          <p>{t.recallText}</p>
          <TextField label={t.recallReason} value={reason} onChange={setReason} required />
        </div>
      </Confirm>
    </>
  );
}
