import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { api, call } from "../../api/client";
import { may } from "../../app/access";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { buttonClass } from "../../ui/Button";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Loaded, Note } from "../../ui/states";
import { Views } from "../../ui/Views";
import { Id, Name, Num, Time } from "../../ui/values";
import { Actor } from "../admin/actors";
import { allAnalyses, allDatasets } from "./queries";

const t = strings.analyses;

export function DatasetPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { version } = useSearch({ strict: false }) as { version?: string };
  const all = useQuery(allDatasets);
  const analyses = useQuery(allAnalyses);
  const query = useQuery({
    queryKey: ["dataset", id, version],
    queryFn: ({ signal }) =>
      call(api.GET("/api/v1/datasets/{id}", { signal, params: { path: { id }, query: version ? { version: Number(version) } : {} } })),
  });
  const sees = may(useMe(), "/admin/submissions");
  const current = all.data?.find((d) => d.id === id)?.version ?? 1;
  const used = (analyses.data ?? []).filter((a) => a.datasets?.includes(id));
  return (
    <Page
      title={query.data?.title || id}
      above={<Link to="/admin/analyses">{t.datasetAbove}</Link>}
      lead={query.data?.description && <bdi>{query.data.description}</bdi>}
      actions={
        sees && (
          <Link to="/admin/submissions" search={{ view: "periods", dataset: id }} className={buttonClass("primary")}>
            {t.periods}
          </Link>
        )
      }
    >
      {current > 1 && (
        <Views
          label={t.versions}
          views={Array.from({ length: Math.min(current, 20) }, (_, i) => current - i).map((v) => ({
            label: t.versionOf(v),
            current: v === (version ? Number(version) : current),
            search: v === current ? {} : { version: String(v) },
          }))}
        />
      )}
      <Loaded query={query} lines={8}>
        {(d) => (
          <>
            {d.version !== current && <Note tone="warn">{t.older(current)}</Note>}
            <div className="columns">
              <div className="stack">
                <Card title={t.columns} flush>
                  <PlainTable
                    title={t.columns}
                    rows={d.columns ?? []}
                    id={(c) => c.name}
                    columns={[
                      { id: "name", title: t.column, cell: (c) => <Name of={c.name} /> },
                      { id: "type", title: t.type, cell: (c) => (c.scale ? `${c.type}, ${c.scale}` : c.type) },
                      { id: "unit", title: t.unit, cell: (c) => <bdi>{c.unit}</bdi> },
                      { id: "required", title: t.required, cell: (c) => (c.required ? t.yes : "") },
                      { id: "rules", title: t.rules, cell: (c) => <bdi className="wraps">{(c.rules ?? []).join("; ")}</bdi> },
                    ]}
                  />
                </Card>
                <Card title={t.contract}>
                  <ul className="stack tight bullets">
                    {(d.words ?? []).map((w) => (
                      <li key={w}>
                        <bdi>{w}</bdi>
                      </li>
                    ))}
                  </ul>
                </Card>
                {d.source && (
                  <Card title={t.source}>
                    <Copy text={d.source} label={t.sourceLabel(d.id)} />
                  </Card>
                )}
              </div>
              <div className="stack">
                <Card title={t.facts}>
                  <Facts
                    of={[
                      [t.id, <code key="i">{d.id}</code>],
                      [t.version, <Num key="v" of={d.version} />],
                      [t.cadence, d.cadence],
                      [t.fileName, d.file_name && <code key="f">{d.file_name}</code>],
                      [t.retention, d.retention_days ? t.days(d.retention_days) : t.asLong],
                      [
                        t.usedBy,
                        <ul key="u">
                          {used.map((a) => (
                            <li key={a.id}>
                              <Link to="/admin/analyses/$id" params={{ id: a.id }}>
                                <bdi>{a.title || a.id}</bdi>
                              </Link>
                            </li>
                          ))}
                        </ul>,
                      ],
                      [t.applied, <Time key="a" at={d.created_at} exact />],
                      [t.appliedBy, <Actor key="b" of={d.created_by} />],
                      [t.hash, <Id key="h" of={d.hash} />],
                    ]}
                  />
                </Card>
                <Card title={t.applyTitle}>
                  <div className="stack">
                    <p className="secondary">{t.applyText}</p>
                    <Copy text={t.datasetCommand} />
                  </div>
                </Card>
              </div>
            </div>
          </>
        )}
      </Loaded>
    </Page>
  );
}
