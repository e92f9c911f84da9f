import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { items } from "../../api/client";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Elapsed } from "../../ui/Elapsed";
import { Status } from "../../ui/Status";
import { Loaded, Progress } from "../../ui/states";
import { Time } from "../../ui/values";
import { going } from "../admin-runs/columns";
import { useRun } from "../admin-runs/queries";
import style from "./Overview.module.css";
import { newestRuns, schedules } from "./queries";

const t = strings.overview;

/** The runs that go on, live, and what starts next. */
export function Now() {
  const query = useQuery(newestRuns);
  const next = items(useQuery(schedules).data)
    .flatMap((s) => (s.next?.[0] ? [{ id: s.id, at: s.next[0].at }] : []))
    .sort((a, b) => a.at.localeCompare(b.at))[0];
  return (
    <Card title={t.now}>
      <div className="stack">
        <Loaded query={query}>
          {(list) => {
            const running = items(list).filter(going);
            if (running.length === 0) return <p className="secondary">{t.nowNone}</p>;
            return (
              <ul className={style.running}>
                {running.map((r) => (
                  <Running key={r.id} id={r.id} />
                ))}
              </ul>
            );
          }}
        </Loaded>
        {next && (
          <p className="secondary">
            <Link to="/admin/schedules/$id" params={{ id: next.id }}>
              {t.nextRun(next.id)}
            </Link>{" "}
            <Time at={next.at} />
          </p>
        )}
      </div>
    </Card>
  );
}

function Running({ id }: { id: string }) {
  const { data: run } = useRun(id);
  if (!run) return null;
  return (
    <li className="stack tight">
      <div className="row">
        <Status state={run.state} />
        <Link to="/admin/runs/$id" params={{ id }}>
          <bdi>{strings.runs.of(run.analysis, run.date)}</bdi>
        </Link>
        <span className="secondary">{run.stage}</span>
        <Elapsed from={run.started_at ?? run.created_at} />
      </div>
      <Progress label={run.stage ?? run.state} done={run.done} total={run.total} />
    </li>
  );
}
