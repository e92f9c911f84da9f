import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { api, call, items } from "../../api/client";
import { go } from "../../app/go";
import { strings } from "../../strings";
import { Card } from "../../ui/Card";
import { useList } from "../../ui/list";
import { Page } from "../../ui/Page";
import { Empty, Loaded } from "../../ui/states";
import { DataTable, PlainTable } from "../../ui/Table";
import { Views } from "../../ui/Views";
import { byDate } from "./byDate";
import { columns } from "./columns";
import { RunButton } from "./RunButton";

const t = strings.runs;

export function Runs() {
  const { view } = useSearch({ strict: false }) as { view?: string };
  return (
    <Page title={t.title} lead={t.lead} actions={<RunButton />}>
      <Views
        label={t.views.label}
        views={[
          { label: t.views.list, current: view !== "dates", search: {} },
          { label: t.views.dates, current: view === "dates", search: { view: "dates" } },
        ]}
      />
      {view === "dates" ? <Dates /> : <List />}
    </Page>
  );
}

function List() {
  const list = useList({
    name: "runs",
    key: ["run"],
    command: ["run", "list"],
    fetch: (query, signal) => call(api.GET("/api/v1/runs", { signal, params: { query } })),
  });
  return (
    <DataTable
      list={list}
      title={t.title}
      columns={columns}
      id={(r) => r.id}
      open={(r) => go(`/admin/runs/${r.id}`)}
      empty={<Empty title={t.empty}>{t.emptyHint}</Empty>}
    />
  );
}

const newest = 200;

// The runs of one date together, as a closing of a period looks at them.
function Dates() {
  const query = useQuery({
    queryKey: ["run", "dates"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/runs", { signal, params: { query: { limit: newest } } })),
  });
  return (
    <Loaded query={query} lines={8}>
      {(list) => (
        <>
          {byDate(items(list)).map(([date, of]) => (
            <Card key={date} title={date} flush>
              <PlainTable
                title={date}
                columns={columns.filter((c) => c.id !== "date" && !c.hidden)}
                rows={of}
                id={(r) => r.id}
                open={(r) => go(`/admin/runs/${r.id}`)}
              />
            </Card>
          ))}
          {items(list).length === 0 ? (
            <p className="secondary">{t.emptyDates}</p>
          ) : (
            list.next && <p className="secondary">{t.latestDates(newest)}</p>
          )}
        </>
      )}
    </Loaded>
  );
}
