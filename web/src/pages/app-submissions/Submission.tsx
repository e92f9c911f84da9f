import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { Download, Trash2, Undo2 } from "lucide-react";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { sends } from "../../app/access";
import { go } from "../../app/go";
import { Actor } from "../../app/people";
import { isAdmin, queries, useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button, buttonClass } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Confirm } from "../../ui/Dialog";
import { exactNumber } from "../../ui/format";
import { Menu } from "../../ui/Menu";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { PreviewTable } from "../../ui/PreviewTable";
import { Status } from "../../ui/Status";
import { Loaded, Note } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { Bytes, Id, Name, Num, Time } from "../../ui/values";
import { Punctual } from "./parts";
import { Receipts } from "./Receipts";
import style from "./Submission.module.css";

const t = strings.submissions;

type Sub = Schemas["Submission"];

/** One file: what became of it. */
export function Submission() {
  const { id } = useParams({ from: "/app/submissions/$id" });
  const query = useQuery({
    queryKey: ["submission", "one", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions/{id}", { signal, params: { path: { id } } })),
  });
  const s = query.data;
  return (
    <Page
      title={s?.name ?? t.title}
      above={<Link to="/app/submissions">{t.title}</Link>}
      lead={s && <Lead of={s} />}
      actions={s && <Actions of={s} />}
    >
      <Loaded query={query} lines={8}>
        {(s) => (
          <div className="columns">
            <div className="stack">
              <Verdict of={s} />
              <Preview of={s} />
              <Receipts of={s} />
            </div>
            <div className="stack">
              <File of={s} />
              <Versions of={s} />
            </div>
          </div>
        )}
      </Loaded>
    </Page>
  );
}

function Lead({ of: s }: { of: Sub }) {
  return (
    <span className="row">
      <Status state={s.state} />
      <Name of={s.dataset} />
      <span className="num">{s.date}</span>
      {s.late && <Punctual of={s} />}
      {s.deleted_at && <Status state="deleted">{t.bytesGone}</Status>}
    </span>
  );
}

function Actions({ of: s }: { of: Sub }) {
  const who = useMe();
  const admin = isAdmin(who);
  const sender = sends(who);
  const [asked, setAsked] = useState<"withdraw" | "delete">();
  const path = { params: { path: { id: s.id } } };
  const done = async (text: string) => {
    await queries.invalidateQueries({ queryKey: ["submission"] });
    told(text);
  };
  const takenBack = s.state === "withdrawn" || s.state === "superseded";
  const more = [
    ...(takenBack || !sender ? [] : [{ label: t.withdraw, icon: <Undo2 size={16} />, act: () => setAsked("withdraw") }]),
    ...(s.deleted_at || !admin ? [] : [{ label: t.remove, icon: <Trash2 size={16} />, danger: true, act: () => setAsked("delete") }]),
  ];
  return (
    <>
      {more.length > 0 && <Menu items={more} />}
      {!s.deleted_at && (
        <a className={buttonClass()} href={`/api/v1/submissions/${encodeURIComponent(s.id)}/content`} download={s.name}>
          <Download size={16} aria-hidden /> {t.download}
        </a>
      )}
      {sender && (
        <Button kind="primary" onClick={() => go(`/app/submit?${new URLSearchParams({ dataset: s.dataset, date: s.date })}`)}>
          {t.corrected}
        </Button>
      )}
      <Confirm
        open={asked === "withdraw"}
        onClose={() => setAsked(undefined)}
        title={t.withdrawTitle}
        verb={t.withdraw}
        act={async () => {
          await call(api.POST("/api/v1/submissions/{id}/withdraw", path));
          await done(t.withdrawn);
        }}
      >
        {t.withdrawText}
      </Confirm>
      <Confirm
        open={asked === "delete"}
        onClose={() => setAsked(undefined)}
        title={t.removeTitle}
        verb={t.remove}
        typed={s.date}
        act={async () => {
          await call(api.DELETE("/api/v1/submissions/{id}", path));
          await done(t.removed);
        }}
      >
        {t.removeText}
      </Confirm>
    </>
  );
}

function Verdict({ of: s }: { of: Sub }) {
  const tone = s.state === "rejected" ? "bad" : s.state === "accepted" ? "ok" : "info";
  const problems = s.problems ?? [];
  const notes = s.notes ?? [];
  return (
    <>
      <Note tone={tone}>{t.fate[s.state]}</Note>
      {problems.length > 0 && (
        <Card title={t.problems} aside={<span className="secondary">{t.problemsOf(problems.length, s.error_count ?? 0)}</span>} flush>
          <PlainTable
            title={t.problems}
            rows={problems}
            id={(_, at) => String(at)}
            columns={[
              { id: "row", title: t.row, end: true, cell: (p) => (p.row ? <Num of={p.row} /> : t.whole) },
              { id: "column", title: t.column, cell: (p) => <Name of={p.column} /> },
              { id: "code", title: t.code, cell: (p) => <code>{p.code}</code> },
              { id: "message", title: t.reason, cell: (p) => <bdi className={style.hash}>{p.message}</bdi> },
            ]}
          />
        </Card>
      )}
      {notes.length > 0 && (
        <Card title={t.notes}>
          <ul className={style.notes}>
            {notes.map((n) => (
              <li key={n}>
                <bdi>{n}</bdi>
              </li>
            ))}
          </ul>
        </Card>
      )}
    </>
  );
}

function File({ of: s }: { of: Sub }) {
  return (
    <Card title={t.facts}>
      <Facts
        of={[
          [t.columns.received, <Time key="r" at={s.received_at} exact />],
          [t.columns.by, <Actor key="b" id={s.submitted_by} />],
          [t.columns.channel, t.channels[s.channel] ?? s.channel],
          [t.columns.size, <Bytes key="s" of={s.size} />],
          [t.columns.rows, s.rows !== undefined && t.rowsAndColumns(exactNumber(s.rows), exactNumber(s.columns ?? 0))],
          [t.columns.revision, <Num key="v" of={s.revision} />],
          [t.contract, <Name key="c" of={t.contractOf(s.dataset, s.dataset_version)} />],
          [t.due, s.due_at && <Time at={s.due_at} exact />],
          [t.cutOff, s.cut_off_at && <Time at={s.cut_off_at} exact />],
          [t.columns.late, s.due_at && <Punctual of={s} />],
          [t.validated, s.validated_at && <Time at={s.validated_at} exact />],
          [t.closed, s.closed_at && <Time at={s.closed_at} exact />],
          [t.duplicate, s.duplicate_of && <SubmissionLink id={s.duplicate_of} />],
          [t.deletes, !s.deleted_at && (s.deletes_at ? <Time at={s.deletes_at} exact /> : t.keptForever)],
          [
            t.deleted,
            s.deleted_at && (
              <>
                <Time at={s.deleted_at} exact />, {t.deletedFor[s.deleted_for ?? ""]}
              </>
            ),
          ],
          [t.sha256, s.sha256 && <code className={style.hash}>{s.sha256}</code>],
          [
            t.commitment,
            <span key="k" title={t.commitmentHint}>
              <code className={style.hash}>{s.commitment}</code>
            </span>,
          ],
          ["ID", <Id key="i" of={s.id} />],
        ]}
      />
      {s.held && <Note tone="warn">{t.held}</Note>}
    </Card>
  );
}

function SubmissionLink({ id }: { id: string }) {
  return (
    <Link to="/app/submissions/$id" params={{ id }}>
      <Id of={id} />
    </Link>
  );
}

function Versions({ of: s }: { of: Sub }) {
  const query = useQuery({
    queryKey: ["submission", "list", "versions", s.dataset, s.date],
    queryFn: ({ signal }) =>
      call(api.GET("/api/v1/submissions", { signal, params: { query: { dataset: s.dataset, date: s.date, limit: 100 } } })),
  });
  return (
    <Card title={t.versions} flush>
      <Loaded query={query}>
        {(list) => (
          <PlainTable
            title={t.versions}
            rows={items(list).sort((a, b) => b.revision - a.revision)}
            id={(x) => x.id}
            columns={[
              { id: "revision", title: t.columns.revision, end: true, cell: (x) => <Num of={x.revision} /> },
              {
                id: "name",
                title: t.columns.name,
                cell: (x) =>
                  x.id === s.id ? (
                    t.thisOne
                  ) : (
                    <Link to="/app/submissions/$id" params={{ id: x.id }}>
                      <Name of={x.name} />
                    </Link>
                  ),
              },
              { id: "state", title: t.columns.state, cell: (x) => <Status state={x.state} /> },
              { id: "received", title: t.columns.received, cell: (x) => <Time at={x.received_at} /> },
            ]}
          />
        )}
      </Loaded>
    </Card>
  );
}

function Preview({ of: s }: { of: Sub }) {
  const [open, setOpen] = useState(false);
  const query = useQuery({
    queryKey: ["preview", s.id, s.state],
    enabled: open,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions/{id}/preview", { signal, params: { path: { id: s.id } } })),
  });
  if (s.deleted_at) return null;
  if (!open)
    return (
      <Card title={t.preview}>
        <div className="stack">
          <p className="secondary">{t.previewHint}</p>
          <div>
            <Button onClick={() => setOpen(true)}>{t.previewShow}</Button>
          </div>
        </div>
      </Card>
    );
  return (
    <Card title={t.preview} flush>
      <div className="inset">
        <Loaded query={query} lines={8}>
          {(p) => <PreviewTable title={t.preview} preview={p} problems={s.problems ?? []} />}
        </Loaded>
      </div>
    </Card>
  );
}
