import { useRef, useState } from "react";
import { api, call, items } from "../../api/client";
import { useMe } from "../../app/session";
import { able } from "../../proof/bytes";
import { type Checkpoint, type Report, verifyChain } from "../../proof/chain";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { exactNumber } from "../../ui/format";
import { Note, ProblemBox, Progress } from "../../ui/states";
import style from "./Activity.module.css";

const t = strings.activity.verify;

/** Verifies the tenant's whole chain in this browser, and says what was checked. */
export function Verify() {
  const chain = useMe().tenant ?? "";
  const [busy, setBusy] = useState<{ done: number; all: number }>();
  const [report, setReport] = useState<Report>();
  const [error, setError] = useState<unknown>();
  const stop = useRef<AbortController>(undefined);
  const run = async () => {
    const control = new AbortController();
    stop.current = control;
    setReport(undefined);
    setError(undefined);
    setBusy({ done: 0, all: 0 });
    try {
      if (!(await able())) throw new Error(strings.submissions.unable);
      setReport(await verify(chain, control.signal, setBusy));
    } catch (e) {
      if (!control.signal.aborted) setError(e);
    } finally {
      setBusy(undefined);
    }
  };
  return (
    <Card
      title={t.title}
      aside={
        busy ? (
          <Button onClick={() => stop.current?.abort()}>{t.cancel}</Button>
        ) : (
          <Button onClick={run}>{report ? t.again : t.start}</Button>
        )
      }
    >
      <div className="stack">
        <p className="secondary">{t.text}</p>
        {busy && (
          <div className="stack">
            <Progress label={t.progress} done={busy.all ? busy.done : undefined} total={busy.all || undefined} />
            <p role="status" className="num">
              {busy.done ? t.running(busy.done, Math.max(busy.all, busy.done)) : t.fetching}
            </p>
          </div>
        )}
        <ProblemBox of={error} again={run} />
        {report && <Found of={report} />}
        <details>
          <summary>{t.cli}</summary>
          <Copy text={`export TRIBUTARY_SERVER=${location.origin}\ntributary --token-file FILE audit verify --write-pin pins`} />
        </details>
      </div>
    </Card>
  );
}

function Found({ of: r }: { of: Report }) {
  const bad = r.findings.length > 0;
  return (
    <div className="stack" role="status">
      <Note tone={bad ? "bad" : "ok"}>{bad ? t.bad : t.good(r.entries, r.covered)}</Note>
      {bad && (
        <ul>
          {r.findings.map((f) => (
            <li key={`${f.what}${f.seq}${f.problem}`}>{t.finding[f.what](f.seq, t.problems[f.problem])}</li>
          ))}
        </ul>
      )}
      <Facts
        of={[
          [t.entries, exactNumber(r.entries)],
          [t.checkpoints, exactNumber(r.checkpoints)],
          [
            t.head,
            <code key="h" className={style.hash}>
              {r.head}
            </code>,
          ],
        ]}
      />
      {r.pin && !bad && (
        <div className="stack">
          <p className="secondary">{t.pinHint}</p>
          <Copy label={t.pin} text={`${r.pin.seq} ${r.pin.hash}`} />
        </div>
      )}
    </div>
  );
}

// Fetches the raw records page by page, so that a long chain is never in memory as a whole.
async function verify(chain: string, signal: AbortSignal, progress: (at: { done: number; all: number }) => void): Promise<Report> {
  const newest = await call(api.GET("/api/v1/audit", { signal, params: { query: { limit: 1 } } }));
  const all = items(newest)[0]?.seq ?? 0;
  return verifyChain(chain, {
    keys: async () => items(await call(api.GET("/api/v1/audit/keys", { signal }))),
    checkpoints: async () => {
      const points: Checkpoint[] = [];
      for (let after: string | undefined = ""; after !== undefined; ) {
        const page: { items: Checkpoint[] | null; next?: string } = await call(
          api.GET("/api/v1/audit/checkpoints", { signal, params: { query: { limit: 500, ...(after && { after }) } } }),
        );
        points.push(...items(page));
        after = page.next;
      }
      return points;
    },
    records: async (after) => items(await call(api.GET("/api/v1/audit/raw", { signal, params: { query: { after, limit: 2000 } } }))),
    progress: (done) => progress({ done, all }),
  });
}
