import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useId, useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { able } from "../../proof/bytes";
import { checkReceipt, type Receipt } from "../../proof/receipt";
import { strings } from "../../strings";
import { Card, Facts } from "../../ui/Card";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox, Skeleton } from "../../ui/states";
import { Id, Name } from "../../ui/values";
import style from "./Submission.module.css";

const t = strings.submissions;

/** What proves how a file was used: for each release that it went into a signed receipt, checked here. */
export function Receipts({ of: s }: { of: Schemas["Submission"] }) {
  const query = useQuery({
    queryKey: ["submission", "receipts", s.id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions/{id}/receipts", { signal, params: { path: { id: s.id } } })),
  });
  return (
    <Card title={t.receipts} flush>
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <p className={`${style.receipt} secondary`}>{t.receiptsNone}</p>
          ) : (
            <div>
              {items(list).map((r) => (
                <One key={r.release} of={r} />
              ))}
            </div>
          )
        }
      </Loaded>
    </Card>
  );
}

function One({ of: r }: { of: Receipt }) {
  return (
    <article className={style.receipt}>
      <h3>
        <Name of={r.analysis} /> <span className="num">{r.date}</span>
      </h3>
      <p className="secondary">
        {t.receiptIn} <Id of={r.run} />. {t.receiptLeft}
      </p>
      <Results of={r} />
      <Facts
        of={[
          [t.organisations, t.verifiedOf(r.organisations, r.organisations_verified)],
          [
            t.manifest,
            <code key="m" className={style.hash}>
              {r.manifest}
            </code>,
          ],
          [t.signedBy, <Id key="k" of={r.signed.key} />],
        ]}
      />
      <Checks of={r} />
    </article>
  );
}

// What left the run for this tenant.
function Results({ of: r }: { of: Receipt }) {
  const query = useQuery({
    queryKey: ["result", "list", "of", r.analysis, r.date],
    queryFn: ({ signal }) =>
      call(api.GET("/api/v1/results", { signal, params: { query: { analysis: r.analysis, date: r.date, limit: 100 } } })),
  });
  const own = items(query.data).filter((x) => x.release === r.release);
  if (own.length === 0) return null;
  return (
    <ul>
      {own.map((x) => (
        <li key={x.id}>
          <Link to="/app/results/$id" params={{ id: x.id }}>
            <Name of={x.name} />
          </Link>
        </li>
      ))}
    </ul>
  );
}

function Checks({ of: r }: { of: Receipt }) {
  const id = useId();
  const [file, setFile] = useState<{ chosen: number; bytes: ArrayBuffer }>();
  const query = useQuery({
    queryKey: ["proof", r.submission, r.release, file?.chosen ?? 0],
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    queryFn: async ({ signal }) => {
      if (!(await able())) return null;
      return checkReceipt(r, items(await call(api.GET("/api/v1/audit/keys", { signal }))), file?.bytes);
    },
  });
  if (query.error) return <ProblemBox of={query.error} again={() => query.refetch()} />;
  if (query.data === undefined) return <Skeleton lines={2} />;
  if (query.data === null) return <Note tone="warn">{t.unable}</Note>;
  const bad = query.data.some((c) => c.ok === false);
  return (
    <div className="stack">
      <h4 className={style.small}>{t.checked}</h4>
      <ul className={style.checks}>
        {query.data.map((c) => (
          <li key={c.id}>
            <Status state={c.id} tone={c.ok ? "ok" : c.ok === undefined ? "warn" : "bad"}>
              {c.ok ? t.checkOk : c.ok === undefined ? t.checkNot : t.checkBad}
            </Status>
            {t.checks[c.id]}
          </li>
        ))}
      </ul>
      {bad && <Note tone="bad">{t.checkedBad}</Note>}
      <div className={style.file}>
        <label htmlFor={id}>{t.withFile}</label>
        <input
          id={id}
          type="file"
          onChange={async (e) => {
            const bytes = await e.target.files?.[0]?.arrayBuffer();
            if (bytes) setFile((before) => ({ chosen: (before?.chosen ?? 0) + 1, bytes }));
          }}
        />
        <span className="secondary">{t.withFileHint}</span>
      </div>
    </div>
  );
}
