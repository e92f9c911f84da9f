import { Link } from "@tanstack/react-router";
import { items, type Schemas } from "../../api/client";
import { sends } from "../../app/access";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { buttonClass } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { type Column, PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Empty, Loaded } from "../../ui/states";
import { Name, Time } from "../../ui/values";
import { useDatasets } from "../app-submit/Datasets";
import { useOwnTenant, usePeriods } from "./facts";
import style from "./Home.module.css";
import { byUrgency, fileName, owed } from "./steps";

const t = strings.home.due;

/** The files that are owed, by when. */
export function Due() {
  const sender = sends(useMe());
  const periods = usePeriods();
  const datasets = items(useDatasets().data);
  const id = useOwnTenant().data?.external_ids?.[0];
  const of = (p: Schemas["Period"]) => datasets.find((d) => d.id === p.dataset);
  const title = (p: Schemas["Period"]) => of(p)?.title || p.dataset;
  const columns: Column<Schemas["Period"]>[] = [
    {
      id: "dataset",
      title: t.dataset,
      cell: (p) => (
        <span className={style.due}>
          <span>
            <Name of={title(p)} /> <span className="num">{p.label}</span>
          </span>
          {owed(p) && (
            <small>
              {t.file} <bdi>{fileName(of(p), p.date, id) ?? t.sendTo}</bdi>
            </small>
          )}
        </span>
      ),
    },
    { id: "state", title: t.state, cell: (p) => <Status state={p.state} /> },
    {
      id: "due",
      title: t.due,
      cell: (p) => (
        <span className={style.due}>
          <Time at={p.due_at} />
          {owed(p) && p.reopened_until ? (
            <small>
              {t.reopened} <Time at={p.reopened_until} exact />
            </small>
          ) : (
            owed(p) &&
            p.cut_off_at &&
            p.cut_off_at !== p.due_at && (
              <small>
                {t.cutOff} <Time at={p.cut_off_at} />
              </small>
            )
          )}
        </span>
      ),
    },
    {
      id: "send",
      title: t.send,
      end: true,
      acts: true,
      cell: (p) =>
        sender &&
        owed(p) && (
          <Link
            to="/app/submit"
            search={{ dataset: p.dataset, date: p.date }}
            className={buttonClass()}
            aria-label={t.sendFor(title(p), p.label)}
          >
            {t.send}
          </Link>
        ),
    },
  ];
  return (
    <Card title={t.title} flush>
      <Loaded query={periods}>
        {(list) => {
          const rows = byUrgency(items(list));
          if (rows.length === 0) return <Empty title={t.empty}>{t.emptyHint}</Empty>;
          return (
            <>
              {!rows.some(owed) && <p className={style.done}>{t.done}</p>}
              <PlainTable title={t.table} columns={columns} rows={rows} id={(p) => `${p.dataset} ${p.date}`} />
            </>
          );
        }}
      </Loaded>
    </Card>
  );
}
