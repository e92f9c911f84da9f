import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { api, call, items, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { buttonClass } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { type Column, PlainTable } from "../../ui/PlainTable";
import { Empty, Loaded } from "../../ui/states";
import { Name } from "../../ui/values";
import style from "./Submit.module.css";

const t = strings.submit.datasets;

/** All datasets. */
export function useDatasets(): UseQueryResult<Schemas["ListDataset"]> {
  return useQuery({
    queryKey: ["dataset", "list"],
    staleTime: 60_000,
    queryFn: ({ signal }) => call(api.GET("/api/v1/datasets", { signal, params: { query: { limit: 500 } } })),
  });
}

const columns: Column<Schemas["Column"]>[] = [
  { id: "name", title: t.column, cell: (c) => <Name of={c.name} /> },
  { id: "type", title: t.type, cell: (c) => [c.type, c.unit].filter(Boolean).join(", ") + (c.scale ? ` (${c.scale})` : "") },
  { id: "required", title: t.required, cell: (c) => (c.required ? t.yes : t.no) },
  { id: "rules", title: t.rules, cell: (c) => <bdi>{[c.description, ...(c.rules ?? [])].filter(Boolean).join("; ")}</bdi> },
];

/** What can be sent: each dataset with its contract in words and a template. */
export function Datasets({
  query,
  chosen,
}: {
  query: UseQueryResult<Schemas["ListDataset"]>;
  chosen: { dataset?: string; date?: string };
}) {
  return (
    <Card title={t.title} flush>
      <Loaded query={query}>
        {(list) =>
          items(list).length === 0 ? (
            <Empty title={t.empty}>{t.emptyHint}</Empty>
          ) : (
            <ul>
              {items(list).map((d) => (
                <li key={d.id} className={`${style.dataset} ${style.datasetHead}`}>
                  <details open={d.id === chosen.dataset}>
                    <summary>
                      <strong>
                        <Name of={d.title || d.id} />
                      </strong>{" "}
                      <bdi className="secondary">{d.description}</bdi>
                    </summary>
                    <div className={style.contract}>
                      <ul className={style.words}>
                        {d.words?.map((w) => (
                          <li key={w}>
                            <bdi>{w}</bdi>
                          </li>
                        ))}
                      </ul>
                      <PlainTable title={t.columns(d.title || d.id)} columns={columns} rows={d.columns ?? []} id={(c) => c.name} />
                    </div>
                  </details>
                  <a
                    className={buttonClass()}
                    href={template(d.id, d.id === chosen.dataset ? chosen.date : undefined)}
                    download
                    aria-label={t.templateOf(d.title || d.id)}
                  >
                    <Download size={16} aria-hidden /> {t.template}
                  </a>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  );
}

/** Where a dataset's template is. */
export function template(dataset: string, date?: string): string {
  return `/api/v1/datasets/${encodeURIComponent(dataset)}/template${date ? `?date=${date}` : ""}`;
}
