import { useQuery } from "@tanstack/react-query";
import { api, call } from "../../api/client";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { number } from "../../ui/format";
import { saveText } from "../../ui/LogView";
import { PlainTable } from "../../ui/PlainTable";
import { Loaded } from "../../ui/states";
import { Id, Name, Num, Time } from "../../ui/values";
import type { Run } from "./columns";
import { readManifest } from "./manifest";

const t = strings.runs;

/** What a run's release says about itself: what was hidden by which rule, and the signed statement. */
export function ManifestCard({ run }: { run: Run }) {
  const query = useQuery({
    queryKey: ["run", run.id, "manifest"],
    enabled: run.release !== undefined,
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => call(api.GET("/api/v1/runs/{id}/manifest", { signal, params: { path: { id: run.id } } })),
  });
  if (!run.release)
    return (
      <Card title={t.manifest}>
        <p className="secondary">{t.manifestNone}</p>
      </Card>
    );
  return (
    <Loaded query={query}>
      {(signed) => {
        const m = readManifest(signed.body);
        const hidden = Object.entries(m.values_suppressed);
        return (
          <>
            <Card title={t.suppression} flush={hidden.length > 0}>
              {hidden.length === 0 ? (
                <p>{t.suppressionNone}</p>
              ) : (
                <>
                  <p className="inset secondary">{t.suppressionOf(number(m.values_released), number(m.hidden))}</p>
                  <PlainTable
                    title={t.suppression}
                    rows={hidden}
                    id={([rule]) => rule}
                    columns={[
                      { id: "rule", title: t.rule, cell: ([rule]) => <span className="wraps">{t.rules[rule] ?? rule}</span> },
                      { id: "values", title: t.values, end: true, cell: ([, n]) => <Num of={n} /> },
                    ]}
                  />
                </>
              )}
            </Card>
            {m.utility.length > 0 && (
              <Card title={t.utility} flush>
                <p className="inset secondary">{t.utilityHint}</p>
                <PlainTable
                  title={t.utility}
                  rows={m.utility}
                  id={(u) => u.measure}
                  columns={[
                    { id: "measure", title: t.utilityColumns.measure, cell: (u) => <Name of={u.measure} /> },
                    { id: "cells", title: t.utilityColumns.cells, end: true, cell: (u) => t.shownOf(u.shown, u.cells) },
                    { id: "ofValue", title: t.utilityColumns.ofValue, end: true, cell: (u) => t.percent(u.value_percent) },
                  ]}
                />
              </Card>
            )}
            {m.attack && m.attack.hidden > 0 && (
              <Card title={t.attack}>
                <div className="stack">
                  <p className="secondary">{t.attackHint}</p>
                  <Facts
                    of={[
                      [t.attackHidden, <Num key="h" of={m.attack.hidden} />],
                      [t.attackUnbounded, m.attack.unbounded === undefined ? undefined : <Num key="u" of={m.attack.unbounded} />],
                      [t.attackWitnesses, <Num key="w" of={m.attack.witnesses} />],
                      [t.attackIntervals, <Num key="i" of={m.attack.intervals} />],
                      [t.attackNarrowest, m.attack.narrowest_percent === undefined ? undefined : t.percent(m.attack.narrowest_percent)],
                    ]}
                  />
                </div>
              </Card>
            )}
            <Card title={t.manifest}>
              <div className="stack">
                <p className="secondary">{t.manifestHint}</p>
                <Facts
                  of={[
                    [t.manifestFacts.cells, <Num key="c" of={m.cells} />],
                    [t.manifestFacts.organisations, t.manifestFacts.verified(m.organisations_verified, m.organisations)],
                    [t.manifestFacts.released, <Time key="r" at={m.released_at} exact />],
                    [t.manifestFacts.software, <bdi key="s">{m.software}</bdi>],
                    [t.manifestFacts.sandbox, m.sandbox],
                    [t.manifestFacts.definition, <Id key="d" of={m.definition_sha256} />],
                    [t.manifestFacts.snapshot, <Id key="n" of={m.snapshot_sha256} />],
                  ]}
                />
                <div>
                  <Button onClick={() => saveText(`${run.id}-manifest.json`, JSON.stringify(signed, null, 2), "application/json")}>
                    {t.manifestSave}
                  </Button>
                </div>
              </div>
            </Card>
          </>
        );
      }}
    </Loaded>
  );
}
