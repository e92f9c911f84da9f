import { useEffect, useRef, useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { exactNumber } from "../../ui/format";
import { PlainTable } from "../../ui/PlainTable";
import { Note, ProblemBox, Progress } from "../../ui/states";
import { Id } from "../../ui/values";
import { TenantLink } from "../admin/actors";
import { useWhich } from "./ArchiveList";

const t = strings.archive;

type Verified = Schemas["VerifiedArchive"];

/** Has all objects read that the page's filters leave, some with each request, and says what is wrong. */
export function Verify() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button kind="primary" onClick={() => setOpen(true)}>
        {t.verify}
      </Button>
      {open && <Verifying onClose={() => setOpen(false)} />}
    </>
  );
}

function Verifying({ onClose }: { onClose: () => void }) {
  const which = useWhich();
  const [far, setFar] = useState<Verified>();
  const [done, setDone] = useState(false);
  const [error, setError] = useState<unknown>();
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const start = async () => {
    const abort = new AbortController();
    running.current = abort;
    setError(undefined);
    setDone(false);
    let all: Verified = { objects: 0, events: 0, bytes: 0, findings: [], next: "" };
    setFar(all);
    try {
      do {
        const body = { ...which, ...(all.next && { after: all.next }) };
        const some = await call(api.POST("/api/v1/archive/verify", { signal: abort.signal, body }));
        all = {
          objects: all.objects + some.objects,
          events: all.events + some.events,
          bytes: all.bytes + some.bytes,
          findings: [...(all.findings ?? []), ...(some.findings ?? [])],
          next: some.next,
        };
        setFar(all);
      } while (all.next);
      setDone(true);
    } catch (e) {
      if (!abort.signal.aborted) setError(e);
    }
  };
  const findings = far?.findings ?? [];
  return (
    <Dialog open onClose={onClose} title={t.verifyTitle}>
      <div className="stack">
        <p>{t.verifyText}</p>
        <ProblemBox of={error} />
        {far && !done && !error && <Progress label={t.verifyTitle} />}
        {far && (
          <div role="status">
            {done && findings.length === 0 ? (
              <Note tone="ok">{t.whole(exactNumber(far.objects), exactNumber(far.events))}</Note>
            ) : (
              t.verifying(exactNumber(far.objects))
            )}
          </div>
        )}
        {findings.length > 0 && (
          <>
            <Note tone="bad">{t.findings(findings.length)}</Note>
            <PlainTable
              title={t.problem}
              rows={findings}
              id={(f, at) => `${f.object} ${at}`}
              columns={[
                { id: "problem", title: t.problem, cell: (f) => <bdi className="wraps">{f.problem}</bdi> },
                { id: "tenant", title: t.tenant, cell: (f) => (f.tenant ? <TenantLink id={f.tenant} /> : strings.events.provider) },
                { id: "object", title: t.object, cell: (f) => <Id of={f.object} /> },
              ]}
            />
          </>
        )}
        <div className="row">
          {(!far || done || error !== undefined) && (
            <Button kind="primary" onClick={start}>
              {t.verify}
            </Button>
          )}
          <Button onClick={onClose}>{done ? strings.ui.close : strings.ui.cancel}</Button>
        </div>
      </div>
    </Dialog>
  );
}
