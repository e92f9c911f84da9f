import { ArrowDown, ArrowUp, ChevronLeft, ChevronRight, ChevronsUpDown, Columns3, Filter as FilterIcon, Search, X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { strings } from "../strings";
import { Button, IconButton } from "./Button";
import { Checkbox, Select, TextField } from "./Field";
import { number } from "./format";
import { ListMenu } from "./ListMenu";
import { type Filter, type List, type Operator, usePageSize } from "./list";
import { type Column, Row } from "./PlainTable";
import { Popover } from "./Popover";
import { usePreference } from "./preferences";
import { ProblemBox, Skeleton } from "./states";
import style from "./Table.module.css";

export { type Column, PlainTable } from "./PlainTable";

const t = strings.ui.table;

type Props<T> = {
  list: List<T>;
  /** What the list is of, for screen readers. */
  title: string;
  columns: Column<T>[];
  id: (row: T) => string;
  /** What Enter and a press on a row do; a cell should hold the link too. */
  open?: (row: T) => void;
  /** Shown instead where there is nothing and no filter. */
  empty: ReactNode;
  /** Without the field that searches in all columns. */
  noSearch?: boolean;
  /** Beside the filters. */
  tools?: ReactNode;
  /** The tools leave something out, so that a list without rows is not one that is empty. */
  narrowed?: boolean;
};

/** A list that the server filters, sorts and pages. Which columns and how many rows is remembered for the user. */
export function DataTable<T>({ list, title, columns, id, open, empty, noSearch, tools, narrowed }: Props<T>) {
  const { name, query, state, change } = list;
  const [hidden, setHidden] = usePreference<string[]>(
    `columns.${name}`,
    columns.filter((c) => c.hidden).map((c) => c.id),
  );
  const shown = columns.filter((c) => !hidden.includes(c.id));
  const rows = query.data?.items ?? [];
  const filtered = narrowed || state.search !== "" || state.filters.length > 0;
  if (query.data && rows.length === 0 && !filtered && !state.after) return <>{empty}</>;
  return (
    <div className={style.list}>
      <div className={style.tools}>
        {!noSearch && <SearchField value={state.search} onChange={(search) => change({ search })} />}
        <Filters columns={columns} filters={state.filters} change={(filters) => change({ filters })} />
        {tools && <div className={style.more}>{tools}</div>}
        <span className={style.grow} />
        <ColumnChoice columns={columns} hidden={hidden} change={setHidden} />
        <ListMenu list={list} columns={shown.filter((c) => c.value !== null)} />
      </div>
      {query.error ? <ProblemBox of={query.error} again={() => query.refetch()} /> : null}
      {query.data === undefined ? (
        query.error ? null : (
          <Skeleton lines={8} />
        )
      ) : (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
        <section className={style.scroll} aria-label={title} tabIndex={0}>
          <table className={style.table} aria-busy={query.isFetching} data-before={query.isPlaceholderData || undefined}>
            <caption className="visually-hidden">{title}</caption>
            <thead>
              <tr>
                {shown.map((c) => (
                  <Head key={c.id} column={c} sort={state.sort} change={(sort) => change({ sort })} />
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={id(row)} open={open && (() => open(row))}>
                  {shown.map((c) => (
                    <td key={c.id} className={c.end ? style.end : undefined}>
                      {c.cell(row)}
                    </td>
                  ))}
                </Row>
              ))}
            </tbody>
          </table>
          {rows.length === 0 && <p className={style.none}>{query.data.searched ? t.noneYet : t.none}</p>}
        </section>
      )}
      {query.data?.searched ? (
        <p className={style.none} role="status">
          {t.searched(number(query.data.searched))}{" "}
          <Button kind="quiet" onClick={() => change({ after: query.data?.next ?? "" })}>
            {t.searchOn}
          </Button>
        </p>
      ) : null}
      <Pager list={list} />
    </div>
  );
}

function Head<T>({ column, sort, change }: { column: Column<T>; sort: string; change: (sort: string) => void }) {
  const up = sort === column.id;
  const down = sort === `-${column.id}`;
  const className = column.end ? style.end : undefined;
  if (!column.sort) {
    return (
      <th scope="col" className={className}>
        {column.title}
      </th>
    );
  }
  return (
    <th scope="col" className={className} aria-sort={up ? "ascending" : down ? "descending" : "none"}>
      <button
        type="button"
        className={style.sort}
        onClick={() => change(down ? column.id : `-${column.id}`)}
        title={t.sortBy(column.title)}
      >
        {column.title}
        {up && <ArrowUp size={14} aria-hidden />}
        {down && <ArrowDown size={14} aria-hidden />}
        {!up && !down && <ChevronsUpDown size={14} className={style.unsorted} aria-hidden />}
      </button>
    </th>
  );
}

/** Searches when one has stopped typing for a moment. */
function SearchField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  const last = useRef(value);
  useEffect(() => {
    if (value !== last.current) {
      last.current = value;
      setTyped(value);
    }
  }, [value]);
  useEffect(() => {
    if (typed === last.current) return;
    const timer = setTimeout(() => {
      last.current = typed;
      onChange(typed);
    }, 250);
    return () => clearTimeout(timer);
  }, [typed, onChange]);
  return (
    <label className={style.search}>
      <Search size={16} aria-hidden />
      <span className="visually-hidden">{t.search}</span>
      <input type="search" data-filter placeholder={t.search} value={typed} onChange={(e) => setTyped(e.target.value)} />
    </label>
  );
}

function Filters<T>({ columns, filters, change }: { columns: Column<T>[]; filters: Filter[]; change: (filters: Filter[]) => void }) {
  const able = columns.filter((c) => c.filter);
  const [column, setColumn] = useState(able[0]?.id ?? "");
  const [operator, setOperator] = useState<Operator>("contains");
  const [value, setValue] = useState("");
  const [open, setOpen] = useState(false);
  if (able.length === 0) return null;
  const chosen = able.find((c) => c.id === column) ?? able[0];
  const values = Array.isArray(chosen?.filter) ? chosen.filter : undefined;
  const current = values && !values.some((v) => v.value === value) ? (values[0]?.value ?? "") : value;
  const operators: Operator[] = chosen?.filter === "text" ? ["contains", "is", "not"] : ["is", "not"];
  const by = operators.includes(operator) ? operator : (operators[0] ?? "is");
  const title = (id: string) => columns.find((c) => c.id === id)?.title ?? id;
  const label = (f: Filter) => {
    const choices = columns.find((c) => c.id === f.column)?.filter;
    return (Array.isArray(choices) && choices.find((v) => v.value === f.value)?.label) || f.value;
  };
  return (
    <>
      <Popover
        open={open}
        onOpenChange={setOpen}
        named
        label={t.addFilter}
        face={
          <>
            <FilterIcon size={16} aria-hidden /> {t.filter}
          </>
        }
      >
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault();
            if (!chosen || current === "") return;
            change([...filters, { column: chosen.id, operator: by, value: current }]);
            setValue("");
            setOpen(false);
          }}
        >
          <Select
            label={t.column}
            value={chosen?.id ?? ""}
            onChange={setColumn}
            options={able.map((c) => ({ value: c.id, label: c.title }))}
          />
          <Select
            label={t.operator}
            value={by}
            onChange={(o) => setOperator(o as Operator)}
            options={operators.map((o) => ({ value: o, label: t[o] }))}
          />
          {values ? (
            <Select label={t.value} value={current} onChange={setValue} options={values} />
          ) : (
            <TextField
              label={t.value}
              value={value}
              onChange={setValue}
              {...(chosen?.filter === "number" && { inputMode: "numeric", pattern: "-?[0-9]+" })}
            />
          )}
          <Button type="submit" kind="primary" disabled={current === ""}>
            {t.apply}
          </Button>
        </form>
      </Popover>
      {filters.map((f, i) => (
        <span key={`${f.column}${f.operator}${f.value}`} className={style.chip}>
          <span>
            {title(f.column)} {t[f.operator]}{" "}
            <strong>
              <bdi>{label(f)}</bdi>
            </strong>
          </span>
          <IconButton
            label={t.removeFilter(title(f.column))}
            icon={<X size={14} />}
            onClick={() => change(filters.filter((_, at) => at !== i))}
          />
        </span>
      ))}
      {filters.length > 1 && (
        <Button kind="quiet" onClick={() => change([])}>
          {t.clear}
        </Button>
      )}
    </>
  );
}

function ColumnChoice<T>({ columns, hidden, change }: { columns: Column<T>[]; hidden: string[]; change: (hidden: string[]) => void }) {
  return (
    <Popover label={t.columns} face={<Columns3 size={16} aria-hidden />}>
      <div className="stack">
        <p className="secondary">{t.columnsHint}</p>
        {columns.map((c) => (
          <Checkbox
            key={c.id}
            label={c.title}
            checked={!hidden.includes(c.id)}
            disabled={!hidden.includes(c.id) && hidden.length >= columns.length - 1}
            onChange={(on) => change(on ? hidden.filter((h) => h !== c.id) : [...hidden, c.id])}
          />
        ))}
      </div>
    </Popover>
  );
}

const sizes = [25, 50, 100, 250, 500];

function Pager<T>({ list: { name, state, change, query } }: { list: List<T> }) {
  const next = query.data?.next;
  const [size, setSize] = usePageSize(name);
  const [before, setBefore] = useState<string[]>([]); // the cursors of the pages before this one
  const id = useId();
  useEffect(() => {
    if (!state.after) setBefore([]);
  }, [state.after]);
  if (!next && !state.after && (state.limit ?? size) === 50) return null;
  return (
    <div className={style.pager}>
      <label htmlFor={id}>{t.rows}</label>
      <select
        id={id}
        value={state.limit ?? size}
        onChange={(e) => {
          setSize(Number(e.target.value));
          change({ limit: undefined });
        }}
      >
        {sizes.map((s) => (
          <option key={s}>{s}</option>
        ))}
      </select>
      <span className={style.grow} />
      <IconButton
        label={t.previous}
        icon={<ChevronLeft size={16} />}
        disabled={!state.after}
        onClick={() => {
          change({ after: before.at(-1) ?? "" });
          setBefore(before.slice(0, -1));
        }}
      />
      {(before.length > 0 || !state.after) && <span className="num">{t.page(before.length + 1)}</span>}
      <IconButton
        label={t.next}
        icon={<ChevronRight size={16} />}
        disabled={!next}
        onClick={() => {
          setBefore([...before, state.after]);
          change({ after: next ?? "" });
        }}
      />
    </div>
  );
}
