import { type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import { strings } from "../strings";
import { plain } from "../strings/apart";
import style from "./Matrix.module.css";
import { Nothing } from "./values";

export type MatrixCell = { state: string; title: string };

type Props = {
  title: string;
  corner: string;
  rows: { id: string; head: ReactNode; name: string }[];
  columns: { id: string; head: ReactNode; name: string }[];
  cell: (row: string, column: string) => MatrixCell | undefined;
  open: (row: string, column: string) => void;
};

/** States of rows by columns, each in words. The arrows move in it, Enter opens a cell. */
export function Matrix({ title, corner, rows, columns, cell, open }: Props) {
  const [at, setAt] = useState<[number, number]>([0, 0]);
  const table = useRef<HTMLTableElement>(null);
  const row = Math.min(at[0], rows.length - 1);
  const column = Math.min(at[1], columns.length - 1);
  const move = (event: KeyboardEvent) => {
    const to: Record<string, [number, number]> = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, columns.length - 1],
      PageUp: [0, column],
      PageDown: [rows.length - 1, column],
    };
    const next = to[event.key];
    if (!next) return;
    event.preventDefault();
    const r = Math.max(0, Math.min(next[0], rows.length - 1));
    const c = Math.max(0, Math.min(next[1], columns.length - 1));
    setAt([r, c]);
    table.current?.querySelector<HTMLElement>(`[data-at="${r}-${c}"]`)?.focus();
  };
  return (
    <div className={style.scroll}>
      {/* biome-ignore lint/a11y/noNoninteractiveElementToInteractiveRole: a grid is a table that the arrows move in */}
      <table ref={table} className={style.matrix} role="grid" onKeyDown={move}>
        <caption className="visually-hidden">{title}</caption>
        <thead>
          <tr>
            <th scope="col">{corner}</th>
            {columns.map((c) => (
              <th key={c.id} scope="col">
                {c.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((r, i) => (
            <tr key={r.id}>
              <th scope="row">{r.head}</th>
              {columns.map((c, j) => {
                const x = cell(r.id, c.id);
                return (
                  <td key={c.id}>
                    <button
                      type="button"
                      className={style.cell}
                      data-state={x?.state}
                      data-at={`${i}-${j}`}
                      tabIndex={i === row && j === column ? 0 : -1}
                      title={x && plain(x.title)}
                      aria-label={plain(`${r.name}, ${c.name}: ${x ? x.title : strings.ui.matrix.nothing}`)}
                      onFocus={() => setAt([i, j])}
                      onClick={() => x && open(r.id, c.id)}
                    >
                      {x ? (strings.ui.status[x.state] ?? x.state) : <Nothing />}
                    </button>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
