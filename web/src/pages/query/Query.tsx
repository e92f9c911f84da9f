import { useState } from "react";
import { api, call } from "../../api/client";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Code } from "../../ui/Code";
import { Select } from "../../ui/Field";
import { Time } from "../../ui/values";
import { AnswerCard } from "./AnswerCard";
import { useAsking } from "./asking";
import { type Asked, forget, history, remember } from "./history";
import style from "./Query.module.css";
import { Tables } from "./Tables";

const t = strings.query;

const limits = ["100", "1000", "10000", "100000"];

/** Asks the warehouse in SQL: the editor, what there is to ask, and what came of it. */
export function Query() {
  const user = useMe().id;
  const [asked, setAsked] = useState(() => history(user));
  const [sql, setSQL] = useState(asked[0]?.sql ?? t.example);
  const [rows, setRows] = useState("1000");
  const { asking, ask, cancel } = useAsking();
  const run = () => {
    if (sql.trim() === "") return;
    ask(
      ["query", ...(rows === "1000" ? [] : [`--rows=${rows}`]), sql],
      (signal) => call(api.POST("/api/v1/query", { signal, body: { sql, rows: Number(rows) } })),
      (answer, ms) => setAsked(remember(user, { sql, at: new Date().toISOString(), rows: answer.rows?.length ?? 0, ms: Math.round(ms) })),
    );
  };
  return (
    <div className="columns">
      <div className="stack">
        <Card>
          <form
            className="stack"
            onSubmit={(event) => {
              event.preventDefault();
              run();
            }}
          >
            <Code label={t.sql} value={sql} onChange={setSQL} rows={10} run={run} />
            <div className="row filters narrow">
              <Button type="submit" kind="primary" disabled={sql.trim() === ""}>
                {t.run}
              </Button>
              <Select label={t.rows} value={rows} onChange={setRows} options={limits.map((value) => ({ value, label: value }))} />
              <span className="secondary">{t.runHint}</span>
            </div>
          </form>
        </Card>
        <AnswerCard of={asking} cancel={cancel} />
      </div>
      <div className="stack">
        <Tables write={(name) => setSQL((before) => `${before}${/[\s(,.]$/.test(before) || before === "" ? "" : " "}${name}`)} />
        <Before of={asked} use={setSQL} clear={() => setAsked(forget(user))} />
      </div>
    </div>
  );
}

function Before({ of, use, clear }: { of: Asked[]; use: (sql: string) => void; clear: () => void }) {
  return (
    <Card
      title={t.history}
      aside={
        of.length > 0 && (
          <Button kind="quiet" onClick={clear}>
            {t.historyClear}
          </Button>
        )
      }
    >
      {of.length === 0 ? (
        <p className="secondary">{t.historyNone}</p>
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
        <section className={`stack ${style.side}`} aria-label={t.history} tabIndex={0}>
          {of.map((h) => (
            <div key={h.sql}>
              <button type="button" className={style.asked} title={t.use} onClick={() => use(h.sql)}>
                {h.sql}
              </button>
              <span className="secondary">
                {t.rowsOf(h.rows)}, <Time at={h.at} />
              </span>
            </div>
          ))}
        </section>
      )}
    </Card>
  );
}
