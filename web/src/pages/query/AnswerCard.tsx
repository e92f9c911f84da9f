import { Download, Terminal } from "lucide-react";
import { useState } from "react";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Copy } from "../../ui/Copy";
import { command } from "../../ui/command";
import { line, mark } from "../../ui/csv";
import { Dialog } from "../../ui/Dialog";
import { Elapsed } from "../../ui/Elapsed";
import { duration, moment } from "../../ui/format";
import { Menu } from "../../ui/Menu";
import { save } from "../../ui/save";
import { Note, ProblemBox, Progress } from "../../ui/states";
import { told } from "../../ui/Toasts";
import { type Answer, drawnRows, numeric, objects, shown } from "./answer";
import type { Asking } from "./asking";
import style from "./Query.module.css";

const t = strings.query;

/** What came of a question: rows with their types, to be looked at and taken away. */
export function AnswerCard({
  of: { began, answer, ms = 0, error, cancelled, command: words },
  cancel,
}: {
  of: Asking;
  cancel: () => void;
}) {
  return (
    <Card title={t.answer} aside={answer && words && <Away of={answer} words={words} />}>
      <div className="stack" aria-live="polite">
        {began ? (
          <Running since={began} cancel={cancel} />
        ) : error ? (
          <ProblemBox of={error} />
        ) : cancelled ? (
          <p className="secondary">{t.cancelled}</p>
        ) : answer ? (
          <p className="secondary num">
            {t.took(t.rowsOf(answer.rows?.length ?? 0), duration(ms))}. {answer.cached && t.cached}
          </p>
        ) : (
          <p className="secondary">{t.answerHint}</p>
        )}
        {answer?.truncated && <Note tone="warn">{t.truncated}</Note>}
        {answer && <Rows of={answer} />}
      </div>
    </Card>
  );
}

function Running({ since, cancel }: { since: string; cancel: () => void }) {
  return (
    <div className="stack">
      <Progress label={t.running} />
      <div className="row">
        <span>
          {t.running} <Elapsed from={since} />
        </span>
        <Button onClick={cancel}>{t.cancel}</Button>
      </div>
    </div>
  );
}

function Rows({ of: answer }: { of: Answer }) {
  const columns = answer.columns ?? [];
  const rows = answer.rows ?? [];
  if (rows.length === 0) return <p>{t.none}</p>;
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard */}
      <section className={style.scroll} aria-label={t.answerRows} tabIndex={0}>
        <table className={style.table}>
          <caption className="visually-hidden">{t.answerRows}</caption>
          <thead>
            <tr>
              {columns.map((c, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: names may stand there twice
                <th key={at} scope="col" className={numeric(c.kind) ? style.end : undefined}>
                  <bdi>{c.name}</bdi> <small>{c.kind}</small>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.slice(0, drawnRows).map((row, at) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
              <tr key={at}>
                {columns.map((c, column) => {
                  const text = shown(row?.[column]);
                  return (
                    // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place
                    <td key={column} className={numeric(c.kind) ? style.end : undefined}>
                      {text === undefined ? <span className={style.none}>{t.empty}</span> : <bdi dir="auto">{text}</bdi>}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {rows.length > drawnRows && <p className="secondary">{t.drawn(drawnRows)}</p>}
    </>
  );
}

// What one can do with an answer: take it away, or the command that asks the same.
function Away({ of: answer, words }: { of: Answer; words: string[] }) {
  const [kept, setKept] = useState<string>();
  const name = `answer-${moment(new Date()).replace(/[ :]/g, "-")}`;
  const csv = () => {
    const head = line((answer.columns ?? []).map((c) => c.name));
    save(`${name}.csv`, [mark, head, ...(answer.rows ?? []).map((r) => line((r ?? []) as string[]))], "text/csv;charset=utf-8");
  };
  const copy = async () => {
    const text = command(words);
    try {
      await navigator.clipboard.writeText(text);
      told(t.copied);
    } catch {
      setKept(text); // a page without a clipboard of its own
    }
  };
  return (
    <>
      <Menu
        label={t.more}
        items={[
          { label: t.csv, icon: <Download size={16} />, act: csv },
          {
            label: t.json,
            icon: <Download size={16} />,
            act: () => save(`${name}.json`, JSON.stringify(objects(answer), undefined, 1), "application/json"),
          },
          { label: t.command, icon: <Terminal size={16} />, act: () => void copy() },
        ]}
      />
      <Dialog open={kept !== undefined} onClose={() => setKept(undefined)} title={t.commandTitle}>
        <Copy text={kept ?? ""} label={t.commandTitle} />
      </Dialog>
    </>
  );
}
