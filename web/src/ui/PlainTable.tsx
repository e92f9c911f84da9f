import type { KeyboardEvent, ReactNode } from "react";
import type { Value } from "./csv";
import { useNarrow } from "./narrow";
import style from "./Table.module.css";

export type Column<T> = {
  /** As the API names it, for sorting and filtering. */
  id: string;
  title: string;
  cell: (row: T) => ReactNode;
  /** What a file has of it, if not what the API has under this id; null: nothing, it is no data. */
  value?: ((row: T) => Value) | null;
  sort?: boolean;
  /** How it can be filtered: by a part of a text, by the whole of one, by a whole number, or by one of these values. */
  filter?: "text" | "exact" | "number" | { value: string; label: string }[];
  /** Not shown until it is chosen. */
  hidden?: boolean;
  /** For numbers. */
  end?: boolean;
  /** What can be done: on a narrow screen it is under the first cell, and not beyond the edge. */
  acts?: boolean;
};

/** What a column has of a row, for a file. */
export function dataOf<T>(column: Column<T>, row: T): Value {
  return column.value ? column.value(row) : (row as Record<string, Value>)[column.id];
}

/** A row that can be opened with the pointer anywhere, and by keyboard: J and K or the arrows move, Enter opens. */
export function Row({ open, children }: { open: (() => void) | undefined; children: ReactNode }) {
  if (!open) return <tr>{children}</tr>;
  const key = (event: KeyboardEvent<HTMLTableRowElement>) => {
    if (event.target !== event.currentTarget) return;
    const sibling = {
      j: "nextElementSibling",
      ArrowDown: "nextElementSibling",
      k: "previousElementSibling",
      ArrowUp: "previousElementSibling",
    }[event.key] as "nextElementSibling" | "previousElementSibling" | undefined;
    if (event.key === "Enter") open();
    else if (sibling) (event.currentTarget[sibling] as HTMLElement | null)?.focus();
    else return;
    event.preventDefault();
  };
  return (
    <tr
      tabIndex={-1}
      data-row
      className={style.openable}
      onKeyDown={key}
      onClick={(event) => {
        if (!(event.target as HTMLElement).closest("a, button, input, label") && !getSelection()?.toString()) open();
      }}
    >
      {children}
    </tr>
  );
}

/** A table of what is at hand whole, without filters and pages. */
export function PlainTable<T>({
  title,
  columns: all,
  rows,
  id,
  open,
}: {
  title: string;
  columns: (Omit<Column<T>, "title"> & { title: ReactNode })[];
  rows: T[];
  id: (row: T, at: number) => string;
  open?: (row: T) => void;
}) {
  const under = useNarrow() ? all.find((c) => c.acts) : undefined;
  const columns = all.filter((c) => c !== under);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
    <section className={style.scroll} aria-label={title} tabIndex={0}>
      <table className={style.table}>
        <caption className="visually-hidden">{title}</caption>
        <thead>
          <tr>
            {columns.map((c) => (
              <th key={c.id} scope="col" className={c.end ? style.end : undefined}>
                {c.title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <Row key={id(row, at)} open={open && (() => open(row))}>
              {columns.map((c, n) => (
                <td key={c.id} className={c.end ? style.end : undefined}>
                  {c.cell(row)}
                  {n === 0 && under && <div className={style.under}>{under.cell(row)}</div>}
                </td>
              ))}
            </Row>
          ))}
        </tbody>
      </table>
    </section>
  );
}
