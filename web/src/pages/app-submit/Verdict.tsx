import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useRef, useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { pageAt } from "../../app/nav";
import { strings } from "../../strings";
import { Button, buttonClass } from "../../ui/Button";
import { exactNumber } from "../../ui/format";
import { type Column, PlainTable } from "../../ui/PlainTable";
import { PreviewTable } from "../../ui/PreviewTable";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox } from "../../ui/states";
import { Name, Nothing } from "../../ui/values";

const t = strings.submit.verdict;

const columns: Column<Schemas["FileError"]>[] = [
  { id: "row", title: t.row, end: true, cell: (p) => (p.row ? exactNumber(p.row) : <Nothing />) },
  { id: "column", title: t.column, cell: (p) => <Name of={p.column} /> },
  { id: "message", title: t.reason, cell: (p) => <bdi>{p.message}</bdi> },
];

/** What became of a file that was sent: it waits for the verdict, and then says it. */
export function Verdict({ id, name, correct }: { id: string; name: string; correct: (files: File[]) => void }) {
  const [open, setOpen] = useState(false);
  const choosing = useRef<HTMLInputElement>(null);
  const query = useQuery({
    queryKey: ["submission", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions/{id}", { signal, params: { path: { id } } })),
    // The live stream tells sooner; this is for when it is away.
    refetchInterval: (q) => (q.state.data && settled(q.state.data.state) ? false : 30_000),
  });
  const s = query.data;
  if (!s)
    return query.error ? (
      <ProblemBox of={query.error} again={() => query.refetch()} />
    ) : (
      <div className="row">
        <Status state="received" />
      </div>
    );
  const problems = s.problems ?? [];
  return (
    <div className="stack" aria-live="polite">
      <div className="row">
        <Status state={s.state} />
        {!settled(s.state) && <span className="secondary">{t.waiting}</span>}
        {s.state === "accepted" && s.rows !== undefined && s.columns !== undefined && (
          <span>{t.acceptedRows(exactNumber(s.rows), exactNumber(s.columns))}</span>
        )}
        {s.state === "rejected" && <span>{t.rejected(exactNumber(s.error_count ?? problems.length))}</span>}
      </div>
      {s.notes?.map((n) => (
        <Note key={n} tone={s.late || s.after_cut_off ? "warn" : "info"}>
          {n}
        </Note>
      ))}
      {problems.length > 0 && (
        <PlainTable title={t.problems(name)} columns={columns} rows={problems} id={(p, at) => `${p.row} ${p.column} ${p.code} ${at}`} />
      )}
      {(s.error_count ?? 0) > problems.length && <p className="secondary">{t.shown(problems.length)}</p>}
      {settled(s.state) && (
        <div className="row">
          {s.state === "rejected" && (
            <>
              <Button onClick={() => choosing.current?.click()}>{t.correct}</Button>
              <input
                ref={choosing}
                type="file"
                hidden
                aria-label={t.correct}
                onChange={(e) => {
                  correct([...(e.target.files ?? [])]);
                  e.target.value = "";
                }}
              />
            </>
          )}
          <Button aria-expanded={open} onClick={() => setOpen(!open)}>
            {t.preview}
          </Button>
          <Link to={pageAt("app", "submissions", id)} className={buttonClass("quiet")}>
            {t.details}
          </Link>
        </div>
      )}
      {open && <Preview id={id} name={name} problems={problems} />}
    </div>
  );
}

function settled(state: Schemas["Submission"]["state"]): boolean {
  return state !== "received" && state !== "validating";
}

/** The first rows of a submission. Looking at them is in the tenant's audit log, so they are fetched once, when asked for. */
export function Preview({ id, name, problems }: { id: string; name: string; problems?: Schemas["FileError"][] }) {
  const p = strings.submit.preview;
  const query = useQuery({
    queryKey: ["preview", id],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions/{id}/preview", { signal, params: { path: { id } } })),
  });
  return (
    <Loaded query={query}>
      {(preview) => (
        <div className="stack">
          <p className="secondary">{preview.accepted ? p.accepted : p.sent}</p>
          <PreviewTable title={p.title(name)} preview={preview} problems={preview.accepted ? [] : (problems ?? [])} />
        </div>
      )}
    </Loaded>
  );
}
