import type { Schemas } from "../api/client";
import { strings } from "../strings";
import { plain } from "../strings/apart";
import style from "./PreviewTable.module.css";

const t = strings.submit.preview;

/** The first rows of a file, as text whatever they hold; the cells that were refused are marked. */
export function PreviewTable({
  title,
  preview,
  problems = [],
}: {
  title: string;
  preview: Schemas["Preview"];
  problems?: Schemas["FileError"][];
}) {
  const columns = preview.columns ?? [];
  const rows = preview.rows ?? [];
  const wrong = new Map(problems.map((p) => [`${p.row ?? 0} ${p.column ?? ""}`, p.message]));
  return (
    <div className="stack">
      {rows.length > 0 ? (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
        <section className={style.scroll} aria-label={title} tabIndex={0}>
          <table className={style.table}>
            <caption className="visually-hidden">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{t.row}</th>
                {columns.map((c, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: names may stand there twice
                  <th key={at} scope="col">
                    <bdi>{c}</bdi>
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row, at) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: a row is its place
                <tr key={at} className={wrong.has(`${at + 1} `) ? style.wrong : undefined}>
                  <th scope="row">{at + 1}</th>
                  {(row ?? []).map((value, column) => (
                    <Cell
                      // biome-ignore lint/suspicious/noArrayIndexKey: a cell is its place
                      key={column}
                      value={value}
                      message={wrong.get(`${at + 1} ${columns[column]}`)}
                    />
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      ) : (
        <p className="secondary">{t.none}</p>
      )}
      {(preview.more || preview.hidden > 0 || (preview.stopped && rows.length > 0)) && (
        <p className="secondary">
          {preview.stopped && `${t.stopped} `}
          {preview.more && `${t.more} `}
          {preview.hidden > 0 && t.hidden(preview.hidden)}
        </p>
      )}
    </div>
  );
}

function Cell({ value, message }: { value: string | null | undefined; message: string | undefined }) {
  return (
    <td className={message ? style.wrong : undefined} title={message && plain(message)}>
      {value === null || value === undefined ? <span className={style.none}>{t.noValue}</span> : <bdi dir="auto">{value}</bdi>}
      {message && <span className="visually-hidden"> ({t.wrong})</span>}
    </td>
  );
}
