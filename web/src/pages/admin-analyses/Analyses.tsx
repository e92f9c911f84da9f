import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import type { Schemas } from "../../api/client";
import { go } from "../../app/go";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { Page } from "../../ui/Page";
import { type Column, PlainTable } from "../../ui/PlainTable";
import { Empty, Loaded } from "../../ui/states";
import { Name, Num, Time } from "../../ui/values";
import { RunButton } from "../admin-runs/RunButton";
import { allAnalyses, allDatasets } from "./queries";

const t = strings.analyses;

const columns: Column<Schemas["Analysis"]>[] = [
  {
    id: "title",
    title: t.name,
    cell: (a) => (
      <Link to="/admin/analyses/$id" params={{ id: a.id }}>
        <Name of={a.title || a.id} />
      </Link>
    ),
  },
  { id: "id", title: t.id, cell: (a) => <code>{a.id}</code> },
  { id: "version", title: t.version, end: true, cell: (a) => <Num of={a.version} /> },
  { id: "datasets", title: t.datasets, cell: (a) => <DatasetLinks of={a.datasets} /> },
  {
    id: "accepted",
    title: t.accepted,
    cell: (a) => t.organisations(a.organisations?.accepted ?? 0, a.organisations?.verified ?? 0),
  },
  { id: "created_at", title: t.applied, cell: (a) => <Time at={a.created_at} /> },
];

/** Datasets by their names, each a link. */
export function DatasetLinks({ of }: { of: string[] | null | undefined }) {
  return (
    <span className="row">
      {(of ?? []).map((d) => (
        <Link key={d} to="/admin/datasets/$id" params={{ id: d }}>
          <Name of={d} />
        </Link>
      ))}
    </span>
  );
}

const datasetColumns: Column<Schemas["Dataset"]>[] = [
  {
    id: "title",
    title: t.name,
    cell: (d) => (
      <Link to="/admin/datasets/$id" params={{ id: d.id }}>
        <Name of={d.title || d.id} />
      </Link>
    ),
  },
  { id: "id", title: t.id, cell: (d) => <code>{d.id}</code> },
  { id: "version", title: t.version, end: true, cell: (d) => <Num of={d.version} /> },
  { id: "cadence", title: t.cadence, cell: (d) => d.cadence },
  { id: "columns", title: t.columns, end: true, cell: (d) => <Num of={(d.columns ?? []).length} /> },
  { id: "created_at", title: t.applied, cell: (d) => <Time at={d.created_at} /> },
];

export function Analyses() {
  const analyses = useQuery(allAnalyses);
  const datasets = useQuery(allDatasets);
  return (
    <Page title={t.title} lead={t.lead} actions={<RunButton />}>
      <Card title={t.title} flush>
        <Loaded query={analyses}>
          {(all) =>
            all.length === 0 ? (
              <Empty title={t.empty} action={<Copy text={t.applyCommand} />}>
                {t.emptyHint}
              </Empty>
            ) : (
              <PlainTable title={t.title} columns={columns} rows={all} id={(a) => a.id} open={(a) => go(`/admin/analyses/${a.id}`)} />
            )
          }
        </Loaded>
      </Card>
      <Card title={t.catalogue} flush>
        <Loaded query={datasets}>
          {(all) =>
            all.length === 0 ? (
              <div className="inset stack">
                <p className="secondary">{t.datasetEmpty}</p>
                <Copy text={t.datasetCommand} />
              </div>
            ) : (
              <PlainTable
                title={t.catalogue}
                columns={datasetColumns}
                rows={all}
                id={(d) => d.id}
                open={(d) => go(`/admin/datasets/${d.id}`)}
              />
            )
          }
        </Loaded>
      </Card>
    </Page>
  );
}
