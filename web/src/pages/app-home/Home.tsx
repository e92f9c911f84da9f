import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Upload } from "lucide-react";
import { api, call, items, type Schemas } from "../../api/client";
import { sends } from "../../app/access";
import { pageAt } from "../../app/nav";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { buttonClass } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Page } from "../../ui/Page";
import { type Column, PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Empty, Loaded } from "../../ui/states";
import { Name, Time } from "../../ui/values";
import { Checklist } from "./Checklist";
import { Due } from "./Due";
import style from "./Home.module.css";
import { Snippets } from "./Snippets";

const t = strings.home;

const last: Column<Schemas["Submission"]>[] = [
  {
    id: "name",
    title: t.submissions.file,
    cell: (s) => (
      <span className={style.due}>
        <Link to={pageAt("app", "submissions", s.id)}>
          <Name of={s.name} />
        </Link>
        <small>
          <Name of={s.dataset} />
        </small>
      </span>
    ),
  },
  { id: "state", title: t.submissions.state, cell: (s) => <Status state={s.state} /> },
  { id: "date", title: t.submissions.date, cell: (s) => <span className="num">{s.date}</span> },
  { id: "received_at", title: t.submissions.received, cell: (s) => <Time at={s.received_at} /> },
];

/** What a tenant's people see first: what is due, what became of what they sent, what there is for them. */
export function Home() {
  const sender = sends(useMe());
  const submissions = useQuery({
    queryKey: ["submission", "list", "last"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions", { signal, params: { query: { limit: 5 } } })),
  });
  const results = useQuery({
    queryKey: ["result", "list", "newest"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/results", { signal, params: { query: { limit: 5 } } })),
  });
  return (
    <Page
      title={t.title}
      actions={
        sender && (
          <Link to="/app/submit" className={buttonClass("primary")}>
            <Upload size={16} aria-hidden /> {t.send}
          </Link>
        )
      }
    >
      <div className={`columns ${style.columns}`}>
        <div className="stack">
          <Due />
          <Card title={t.submissions.title} aside={<Link to={pageAt("app", "submissions")}>{t.submissions.all}</Link>} flush>
            <Loaded query={submissions}>
              {(list) =>
                items(list).length === 0 ? (
                  <Empty title={t.submissions.empty}>{t.submissions.emptyHint}</Empty>
                ) : (
                  <PlainTable title={t.submissions.table} columns={last} rows={items(list)} id={(s) => s.id} />
                )
              }
            </Loaded>
          </Card>
        </div>
        <div className="stack">
          {sender && <Checklist submissions={submissions.data} results={results.data} />}
          <Card title={t.results.title} aside={<Link to={pageAt("app", "results")}>{t.results.all}</Link>} flush>
            <Loaded query={results}>
              {(list) =>
                items(list).length === 0 ? (
                  <Empty title={t.results.empty}>{t.results.emptyHint}</Empty>
                ) : (
                  <ul className={style.results}>
                    {items(list).map((r) => (
                      <li key={r.id}>
                        <Link to={pageAt("app", "results", r.id)}>
                          <Name of={r.analysis} /> {r.date}
                        </Link>
                        <span className="row">
                          {r.state !== "available" ? (
                            <Status state={r.state} />
                          ) : (
                            !r.downloaded_at && (
                              <Status state="new" tone="info">
                                {t.results.new}
                              </Status>
                            )
                          )}
                          <span className="secondary">
                            <Time at={r.created_at} />
                          </span>
                        </span>
                      </li>
                    ))}
                  </ul>
                )
              }
            </Loaded>
          </Card>
        </div>
      </div>
      {sender && <Snippets />}
    </Page>
  );
}
