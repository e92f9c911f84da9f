import { useQuery } from "@tanstack/react-query";
import { useSearch } from "@tanstack/react-router";
import { useState } from "react";
import { api, call } from "../../api/client";
import { useMe } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Code } from "../../ui/Code";
import { Select } from "../../ui/Field";
import { Time } from "../../ui/values";
import { useAddress } from "../admin/address";
import { AnswerCard } from "./AnswerCard";
import type { Answer } from "./answer";
import { useAsking } from "./asking";
import { type Asked, forget, history, remember } from "./history";
import { NamedForm, NamedList, namedQueries, SaveQuery } from "./Named";
import style from "./Query.module.css";
import { Tables } from "./Tables";

const t = strings.query;

const limits = ["100", "1000", "10000", "100000"];

/** Asks the warehouse: in SQL, or what has a name. A tenant asks its own rows. */
export function Query() {
  const who = useMe();
  const staff = !who.tenant;
  const { named } = useSearch({ strict: false }) as { named?: string };
  const address = useAddress();
  const one = useQuery(namedQueries).data?.find((q) => q.id === named);
  const [asked, setAsked] = useState(() => history(who.id));
  const [sql, setSQL] = useState(asked[0]?.sql ?? t.example);
  const { asking, ask, cancel } = useAsking();
  const back = () => address({ named: undefined });
  const runNamed = (values: Record<string, string>) => {
    const name = one?.id ?? "";
    ask(
      ["query", "run", name, ...Object.entries(values).map(([k, v]) => `${k}=${v}`)],
      (signal) =>
        call(
          api.POST("/api/v1/queries/named/{id}/run", { signal, params: { path: { id: name } }, body: { parameters: values } }),
        ) as Promise<Answer>,
      () => undefined,
    );
  };
  const run = (rows: string) =>
    ask(
      ["query", ...(rows === "1000" ? [] : [`--rows=${rows}`]), sql],
      (signal) => call(api.POST("/api/v1/query", { signal, body: { sql, rows: Number(rows) } })) as Promise<Answer>,
      (answer, ms) => setAsked(remember(who.id, { sql, at: new Date().toISOString(), rows: answer.rows?.length ?? 0, ms: Math.round(ms) })),
    );
  const edit = (source: string) => {
    setSQL(source);
    back();
  };
  return (
    <div className="columns">
      <div className="stack">
        {one ? (
          <NamedForm key={one.id} of={one} staff={staff} run={runNamed} edit={edit} back={back} />
        ) : (
          <Editor sql={sql} setSQL={setSQL} run={run} {...(staff && { saved: (name) => address({ named: name }) })} />
        )}
        <AnswerCard of={asking} cancel={cancel} />
      </div>
      <div className="stack">
        <NamedList chosen={one?.id} choose={(name) => address({ named: name })} />
        {!one && (
          <>
            <Tables write={(name) => setSQL((before) => `${before}${/[\s(,.]$/.test(before) || before === "" ? "" : " "}${name}`)} />
            <Before of={asked} use={setSQL} clear={() => setAsked(forget(who.id))} />
          </>
        )}
      </div>
    </div>
  );
}

type EditorProps = {
  sql: string;
  setSQL: (sql: string) => void;
  run: (rows: string) => void;
  /** Goes to what was saved; without it nothing can be. */
  saved?: (name: string) => void;
};

function Editor({ sql, setSQL, run, saved }: EditorProps) {
  const [rows, setRows] = useState("1000");
  const [saving, setSaving] = useState(false);
  const empty = sql.trim() === "";
  return (
    <Card>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault();
          run(rows);
        }}
      >
        <Code label={t.sql} value={sql} onChange={setSQL} rows={10} run={() => !empty && run(rows)} />
        <div className={style.bar}>
          <Button type="submit" kind="primary" disabled={empty}>
            {t.run}
          </Button>
          <Select label={t.rows} value={rows} onChange={setRows} options={limits.map((value) => ({ value, label: value }))} />
          {saved && (
            <Button disabled={empty} onClick={() => setSaving(true)}>
              {t.save}
            </Button>
          )}
          <span className="secondary">{t.runHint}</span>
        </div>
      </form>
      {saving && saved && <SaveQuery sql={sql} onClose={() => setSaving(false)} done={saved} />}
    </Card>
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
        <section className={`stack ${style.side}`} aria-label={t.historyList} tabIndex={0}>
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
