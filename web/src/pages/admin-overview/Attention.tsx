import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { items } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Status } from "../../ui/Status";
import { ProblemBox, Skeleton } from "../../ui/states";
import { useTenantNames } from "../admin/actors";
import { attention } from "./attention";
import style from "./Overview.module.css";
import { lastFirings, missingPeriods, newestRuns, rejectedFiles, rejectedPeriods, schedules, warnings } from "./queries";

const t = strings.overview;
const some = 8;

/** What somebody should see to, in words and with the way there. */
export function Attention() {
  const [gaps, unsettled, rejected, runs, set, warned] = useQueries({
    queries: [missingPeriods, rejectedPeriods, rejectedFiles, newestRuns, schedules, warnings],
  });
  const list = items(set.data);
  const firings = useQuery({ ...lastFirings(list), enabled: list.length > 0 });
  const names = useTenantNames();
  const [all, setAll] = useState(false);
  const asked = [gaps, unsettled, rejected, runs, set];
  const failed = asked.find((q) => q.error)?.error;
  const matters = attention({
    missing: items(gaps.data),
    unsettled: items(unsettled.data),
    rejected: items(rejected.data),
    runs: items(runs.data),
    schedules: list,
    firings: firings.data ?? new Map(),
    warnings: warned.data ?? [],
    names,
  });
  const shown = all ? matters : matters.slice(0, some);
  return (
    <Card title={t.attention} aside={matters.length > 0 && <span className="secondary num">{matters.length}</span>}>
      <ProblemBox of={failed} />
      {asked.some((q) => q.isPending) ? (
        <Skeleton lines={4} />
      ) : matters.length === 0 ? (
        !failed && <p className="secondary">{t.attentionNone}</p>
      ) : (
        <ul className={style.matters}>
          {shown.map((m) => (
            <li key={m.id} className={style.matter}>
              {m.to === "/admin" ? <Status state={m.state}>{t.warning}</Status> : <Status state={m.state} />}
              <div>
                {m.to === "/admin" ? (
                  <bdi>{m.words}</bdi>
                ) : (
                  <Link to={m.to} search={(m.search ?? {}) as never}>
                    <bdi>{m.words}</bdi>
                  </Link>
                )}
                {m.why && (
                  <p className={style.why}>
                    <bdi>{m.why}</bdi>
                  </p>
                )}
              </div>
            </li>
          ))}
        </ul>
      )}
      {matters.length > shown.length && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {t.attentionMore(matters.length - shown.length)}
        </Button>
      )}
    </Card>
  );
}
