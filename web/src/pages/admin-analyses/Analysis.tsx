import { useQuery } from "@tanstack/react-query";
import { Link, useParams, useSearch } from "@tanstack/react-router";
import { api, call, items, type Schemas } from "../../api/client";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Card, Facts } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Loaded, Note } from "../../ui/states";
import { Views } from "../../ui/Views";
import { Id, Num, Time } from "../../ui/values";
import { Actor, TenantLink } from "../admin/actors";
import { RunButton } from "../admin-runs/RunButton";
import { DatasetLinks } from "./Analyses";
import { allAnalyses } from "./queries";

const t = strings.analyses;

type Analysis = Schemas["Analysis"];

export function AnalysisPage() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { version } = useSearch({ strict: false }) as { version?: string };
  const all = useQuery(allAnalyses);
  const query = useQuery({
    queryKey: ["analysis", id, version],
    queryFn: ({ signal }) =>
      call(api.GET("/api/v1/analyses/{id}", { signal, params: { path: { id }, query: version ? { version: Number(version) } : {} } })),
  });
  const current = all.data?.find((a) => a.id === id);
  const a = query.data;
  return (
    <Page
      title={a?.title || id}
      above={<Link to="/admin/analyses">{t.above}</Link>}
      lead={a?.description && <bdi>{a.description}</bdi>}
      actions={<RunButton analysis={id}>{t.run}</RunButton>}
    >
      {current && current.version > 1 && (
        <Views
          label={t.versions}
          views={Array.from({ length: Math.min(current.version, 20) }, (_, i) => current.version - i).map((v) => ({
            label: t.versionOf(v),
            current: v === (version ? Number(version) : current.version),
            search: v === current.version ? {} : { version: String(v) },
          }))}
        />
      )}
      <Loaded query={query} lines={8}>
        {(shown) => <Shown of={shown} current={current} />}
      </Loaded>
    </Page>
  );
}

function Shown({ of, current }: { of: Analysis; current: Analysis | undefined }) {
  const reads = useMe().role !== "analyst";
  const acceptances = useQuery({
    queryKey: ["analysis", of.id, "acceptances"],
    enabled: reads,
    queryFn: ({ signal }) => call(api.GET("/api/v1/analyses/{id}/acceptances", { signal, params: { path: { id: of.id } } })),
  });
  const decided = items(acceptances.data);
  return (
    <>
      {current && of.version !== current.version && <Note tone="warn">{t.older(current.version)}</Note>}
      <Warnings of={current ?? of} decided={decided} />
      <div className="columns">
        <div className="stack">
          <Card title={t.words}>
            <ul className="stack tight bullets">
              {(of.words ?? []).map((w) => (
                <li key={w}>
                  <bdi>{w}</bdi>
                </li>
              ))}
            </ul>
          </Card>
          {reads && (
            <Card title={t.acceptances} flush>
              <p className="inset secondary">{t.acceptancesHint}</p>
              <Loaded query={acceptances}>
                {() =>
                  decided.length === 0 ? (
                    <p className="inset">{t.acceptancesNone}</p>
                  ) : (
                    <PlainTable
                      title={t.acceptances}
                      rows={decided}
                      id={(d) => d.tenant}
                      columns={[
                        { id: "tenant", title: t.tenant, cell: (d) => <TenantLink id={d.tenant} slug={d.tenant_slug} /> },
                        { id: "decision", title: t.decision, cell: (d) => <Status state={d.decision} /> },
                        { id: "version", title: t.version, end: true, cell: (d) => <Num of={d.version} /> },
                        {
                          id: "covers",
                          title: t.covers,
                          cell: (d) => (d.decision === "accepted" ? (d.covers ? t.yes : t.no) : ""),
                        },
                        { id: "decided_at", title: t.decidedAt, cell: (d) => <Time at={d.decided_at} /> },
                      ]}
                    />
                  )
                }
              </Loaded>
            </Card>
          )}
          {of.source && (
            <Card title={t.source}>
              <Copy text={of.source} label={t.sourceLabel(of.id)} />
            </Card>
          )}
        </div>
        <div className="stack">
          <Card title={t.facts}>
            <Facts
              of={[
                [t.id, <code key="i">{of.id}</code>],
                [t.version, <Num key="v" of={of.version} />],
                [t.datasets, <DatasetLinks key="d" of={of.datasets} />],
                [t.accepted, t.organisations(of.organisations?.accepted ?? 0, of.organisations?.verified ?? 0)],
                [t.applied, <Time key="a" at={of.created_at} exact />],
                [t.appliedBy, <Actor key="b" of={of.created_by} />],
                [t.hash, <Id key="h" of={of.hash} />],
              ]}
            />
          </Card>
          <Card title={t.applyTitle}>
            <div className="stack">
              <p className="secondary">{t.applyText}</p>
              <Copy text={t.applyCommand} />
            </div>
          </Card>
        </div>
      </div>
    </>
  );
}

// What a provider should know before running it.
function Warnings({ of, decided }: { of: Analysis; decided: Schemas["Acceptance"][] }) {
  const stale = decided.filter((d) => d.decision === "accepted" && !d.covers).length;
  const accepted = of.organisations?.accepted ?? 0;
  const own = (of.words ?? []).filter((w) => w.startsWith("Warning: ")).map((w) => w.slice("Warning: ".length));
  const said = [accepted < 3 && t.warnFew(accepted), stale > 0 && t.warnStale(stale)];
  const warnings = [...said.filter((w) => typeof w === "string"), ...own];
  if (warnings.length === 0) return null;
  return (
    <Note tone="warn">
      <h2>{t.warnings}</h2>
      <ul>
        {warnings.map((w) => (
          <li key={w}>{w}</li>
        ))}
      </ul>
    </Note>
  );
}
