import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Circle, CircleCheck } from "lucide-react";
import type { ReactNode } from "react";
import { items } from "../../api/client";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { usePreference } from "../../ui/preferences";
import { Progress } from "../../ui/states";
import { allAnalyses, allDatasets } from "../admin-analyses/queries";
import style from "./Overview.module.css";
import { keyExports, newestFiles, newestRuns, schedules, tenants } from "./queries";

const t = strings.overview.checklist;

type Step = { name: string; done: boolean | undefined; how: ReactNode };

/** What a new provider does first. It ticks by what there is, not by presses, until it is hidden. */
export function Checklist() {
  const [hidden, hide] = usePreference("checklist.hidden", false);
  const may = useMe().role === "system_admin";
  if (hidden || !may) return null;
  return <Steps hide={() => hide(true)} />;
}

function Steps({ hide }: { hide: () => void }) {
  const some = (list: { items: unknown[] | null } | undefined) => list && items(list).length > 0;
  const datasets = useQuery(allDatasets).data;
  const analyses = useQuery(allAnalyses).data;
  const steps: Step[] = [
    {
      name: t.tenant,
      done: some(useQuery(tenants).data),
      how: (
        <>
          {t.tenantHow} <Link to="/admin/tenants">{strings.tenants.title}</Link>
        </>
      ),
    },
    {
      name: t.definitions,
      done: datasets && analyses && datasets.length > 0 && analyses.length > 0,
      how: (
        <>
          {t.definitionsHow}
          <Copy text={`${strings.analyses.datasetCommand}\n${strings.analyses.applyCommand}`} />
        </>
      ),
    },
    { name: t.file, done: some(useQuery(newestFiles).data), how: t.fileHow },
    { name: t.run, done: some(useQuery(newestRuns).data), how: t.runHow },
    {
      name: t.schedule,
      done: some(useQuery(schedules).data),
      how: (
        <>
          {t.scheduleHow} <Link to="/admin/schedules">{strings.schedules.title}</Link>
        </>
      ),
    },
    {
      name: t.keys,
      done: some(useQuery(keyExports).data),
      how: (
        <>
          {t.keysHow}
          <Copy text="tributary keys export --recipient AGE1… -o keys.age" />
        </>
      ),
    },
  ];
  const done = steps.filter((s) => s.done).length;
  return (
    <Card title={t.title} aside={<span className="secondary">{t.progress(done, steps.length)}</span>}>
      <div className="stack">
        <Progress label={t.title} done={done} total={steps.length} />
        {done === steps.length && <p>{t.all}</p>}
        <ol className={style.steps}>
          {steps.map((s) => (
            <li key={s.name} className={style.step} data-done={s.done || undefined}>
              {s.done ? (
                <CircleCheck size={18} role="img" aria-label={strings.ui.status.done} />
              ) : (
                <Circle size={18} role="img" aria-label={strings.ui.status.open} />
              )}
              <div>
                <span>{s.name}</span>
                {s.done === false && <div className="secondary stack tight">{s.how}</div>}
              </div>
            </li>
          ))}
        </ol>
        <div>
          <Button kind="quiet" onClick={hide}>
            {t.hide}
          </Button>
        </div>
      </div>
    </Card>
  );
}
