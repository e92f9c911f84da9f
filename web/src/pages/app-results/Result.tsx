import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Download } from "lucide-react";
import { useEffect } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Bars } from "../../ui/Bars";
import { Button, buttonClass } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Select } from "../../ui/Field";
import { day } from "../../ui/format";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox, Skeleton } from "../../ui/states";
import { Id, Name, Time } from "../../ui/values";
import style from "./Result.module.css";
import { type Column, hides, pairs, type Row, shapes, totalOver } from "./shape";

const t = strings.results;

const pageOfRows = 200;
const drawn = 40;

type Res = Schemas["Result"];

/** One result: its rows, a picture of them, and how it was made. */
export function Result() {
  const { id } = useParams({ from: "/app/results/$id" });
  const query = useQuery({
    queryKey: ["result", "one", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/results/{id}", { signal, params: { path: { id } } })),
  });
  const r = query.data;
  return (
    <Page
      title={r?.name ?? t.title}
      above={<Link to="/app/results">{t.title}</Link>}
      lead={
        r && (
          <span className="row">
            <Status state={r.state} />
            <Name of={r.analysis} />
            <span className="num">{r.date}</span>
          </span>
        )
      }
      actions={r?.state === "available" && <Downloads of={r} />}
    >
      <Loaded query={query} lines={8}>
        {(r) => (
          <>
            <Notes of={r} />
            <div className="columns">
              <div className="stack">{r.state === "available" && <Rows of={r} />}</div>
              <Made of={r} />
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Downloads({ of: r }: { of: Res }) {
  const href = `/api/v1/results/${encodeURIComponent(r.id)}/content`;
  return (
    <>
      <a className={buttonClass()} href={`${href}?format=parquet`} download={`${r.name}.parquet`}>
        {t.downloadParquet}
      </a>
      <a className={buttonClass("primary")} href={`${href}?format=csv`} download={`${r.name}.csv`}>
        <Download size={16} aria-hidden /> {t.downloadCSV}
      </a>
    </>
  );
}

function Notes({ of: r }: { of: Res }) {
  return (
    <>
      {r.recalled_at && (
        <Note tone="bad">
          {t.recalled(day(new Date(r.recalled_at)))}
          <p className={style.reason}>
            <bdi>{r.recall_reason}</bdi>
          </p>
        </Note>
      )}
      {r.state === "deleted" && <Note tone="warn">{t.gone}</Note>}
      {r.mark && <Note tone="warn">{r.mark}</Note>}
      {r.suppressed > 0 && <Note>{t.hidden(r.suppressed)}</Note>}
    </>
  );
}

function Rows({ of: r }: { of: Res }) {
  const query = useInfiniteQuery({
    queryKey: ["rows", r.id],
    staleTime: Number.POSITIVE_INFINITY, // a result never changes, and each reading is in the audit log
    initialPageParam: "",
    queryFn: ({ signal, pageParam }) =>
      call(
        api.GET("/api/v1/results/{id}/rows", {
          signal,
          params: { path: { id: r.id }, query: { limit: pageOfRows, ...(pageParam && { after: pageParam }) } },
        }),
      ),
    getNextPageParam: (last) => last.next ?? null,
  });
  const seen = query.data !== undefined && !r.downloaded_at;
  useEffect(() => {
    if (seen) void queries.invalidateQueries({ queryKey: ["result"] });
  }, [seen]);
  if (!query.data) return query.error ? <ProblemBox of={query.error} again={() => query.refetch()} /> : <Skeleton lines={8} />;
  const columns = (query.data.pages[0]?.columns ?? []) as Column[];
  const rows = query.data.pages.flatMap((p) => p.rows ?? []) as Row[];
  return (
    <>
      <Picture columns={columns} rows={rows} />
      <Card title={t.table} aside={<span className="secondary">{t.rowsOf(rows.length, r.rows)}</span>} flush>
        {rows.length === 0 ? (
          <p className={`${style.more} secondary`}>{t.rowsNone}</p>
        ) : (
          <PlainTable
            title={t.table}
            rows={rows}
            id={(_, at) => String(at)}
            columns={columns.map((c, at) => ({
              id: c.name,
              title: <Head of={c} />,
              end: isNumber(c),
              cell: (row: Row) => <Cell column={c} value={row[at]} over={totalOver(columns, row)} />,
            }))}
          />
        )}
        {hides(columns, rows) && <p className={`${style.more} secondary`}>{t.hiddenWhy}</p>}
        {query.error && <ProblemBox of={query.error} />}
        {query.hasNextPage && (
          <div className={style.more}>
            <Button busy={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
              {strings.ui.more}
            </Button>
          </div>
        )}
      </Card>
    </>
  );
}

const isNumber = (c: Column) => c.role === "measure" || c.role === "own";

function Head({ of: c }: { of: Column }) {
  return (
    <span className={style.head} title={c.words}>
      <Name of={c.name} />
      <small>{t.roles[c.role]}</small>
    </span>
  );
}

function Cell({ column, value, over }: { column: Column; value: string | null | undefined; over: string[] }) {
  if (value !== null && value !== undefined) return <Name of={value || " "} />;
  if (column.role === "total") return "";
  if (column.role === "group" && over.includes(column.name)) return <span className="secondary">{t.total}</span>;
  return <span className={style.hidden}>{column.role === "measure" ? t.hiddenCell : t.noValue}</span>;
}

function Picture({ columns, rows }: { columns: Column[]; rows: Row[] }) {
  const able = shapes(columns);
  const { measure } = useSearch({ from: "/app/results/$id" });
  const navigate = useNavigate({ from: "/app/results/$id" });
  const shape = able.find((s) => s.measure === measure) ?? able[0];
  if (!shape || rows.length === 0) return null;
  const title = t.picture(shape.measure);
  return (
    <Card title={title}>
      <div className="stack">
        {able.length > 1 && (
          <Select
            label={t.measure}
            value={shape.measure}
            onChange={(next) => navigate({ search: { measure: next }, replace: true })}
            options={able.map((s) => ({ value: s.measure, label: s.measure }))}
          />
        )}
        {shape.words && (
          <p className="secondary">
            <bdi>{`${shape.words[0]?.toUpperCase()}${shape.words.slice(1)}.`}</bdi> {rows.length > drawn && t.pictureOf(drawn)}
          </p>
        )}
        <Bars
          title={title}
          label={t.cell}
          mine={t.mine}
          theirs={t.theirs[shape.function] ?? shape.measure}
          missing={{ mine: t.noValue, theirs: t.hiddenCell }}
          pairs={pairs(columns, rows.slice(0, drawn), shape, t.whole, t.noValue)}
        />
      </div>
    </Card>
  );
}

function Made({ of: r }: { of: Res }) {
  return (
    <Card title={t.made}>
      <div className="stack">
        <Facts
          of={[
            [t.definition, <Name key="d" of={t.definitionOf(r.analysis, r.version)} />],
            [t.columns.created, <Time key="c" at={r.created_at} exact />],
            [t.organisations, t.organisationsOf(r.organisations, r.organisations_verified)],
            [
              t.inputs,
              r.inputs && (
                <ul title={t.inputsHint}>
                  {r.inputs.map((i) => (
                    <li key={i.submission}>
                      <Link to="/app/submissions/$id" params={{ id: i.submission }}>
                        <Name of={i.dataset} />
                      </Link>
                    </li>
                  ))}
                </ul>
              ),
            ],
            [t.run, <Id key="r" of={r.run} />],
            [t.deletes, r.deletes_at || r.deleted_at ? <Time key="k" at={r.deleted_at ?? r.deletes_at} exact /> : t.forever],
            [t.firstOpened, <Time key="o" at={r.downloaded_at} exact />],
            ["ID", <Id key="i" of={r.id} />],
          ]}
        />
        {r.held && <Note tone="warn">{t.held}</Note>}
        <p className="secondary">{t.openedNote}</p>
      </div>
    </Card>
  );
}
