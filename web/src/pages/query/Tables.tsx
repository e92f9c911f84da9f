import { useQuery } from "@tanstack/react-query";
import { api, call, items } from "../../api/client";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { Loaded } from "../../ui/states";
import style from "./Query.module.css";

const t = strings.query;

/** The tables that can be asked, with their columns; a press on one writes its name. */
export function Tables({ write }: { write: (name: string) => void }) {
  const query = useQuery({
    queryKey: ["query", "tables"],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: ({ signal }) => call(api.GET("/api/v1/query/tables", { signal })),
  });
  return (
    <Card title={t.tables}>
      <div className="stack">
        <p className="secondary">{t.tablesHint}</p>
        <Loaded query={query}>
          {(list) => (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
            <section className={`${style.list} ${style.side}`} aria-label={t.tablesList} tabIndex={0}>
              {items(list).map((table) => (
                <details key={table.id}>
                  <summary>{table.id}</summary>
                  <ul aria-label={t.columnsOf(table.id)}>
                    {(table.columns ?? []).map((c) => (
                      <li key={c.name}>
                        <button type="button" className="link" onClick={() => write(c.name)}>
                          <code>{c.name}</code>
                        </button>
                        <span className="secondary">{c.kind}</span>
                      </li>
                    ))}
                  </ul>
                </details>
              ))}
            </section>
          )}
        </Loaded>
      </div>
    </Card>
  );
}
