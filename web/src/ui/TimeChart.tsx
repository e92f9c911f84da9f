import { lazy, Suspense, useState } from "react";
import { strings } from "../strings";
import { Button } from "./Button";
import { day, moment } from "./format";
import { Skeleton } from "./states";
import { PlainTable } from "./Table";
import style from "./TimeChart.module.css";

const t = strings.ui.chart;

// The drawing and its library are fetched when a chart is first shown.
const Canvas = lazy(() => import("./TimeChartCanvas"));

export type Series = { name: string; values: (number | null)[] /** How one value is written. */; write: (value: number) => string };

export type TimeChartProps = {
  title: string;
  /** Moments in seconds since 1970, rising; each series has a value for each. */
  at: number[];
  series: Series[];
  /** What a moment stands for: a day, or itself. */
  step: "day" | "moment";
  bars?: boolean;
  /** Told when a part was chosen by dragging. */
  zoom?: (from: Date, to: Date) => void;
};

/** The words for who does not see the drawing: least, greatest and last of each series. */
export function inWords({ title, series }: Pick<TimeChartProps, "title" | "series">): string {
  const parts = series.map((s) => {
    const known = s.values.filter((v) => v !== null);
    if (known.length === 0) return t.none(s.name);
    return t.range(s.name, s.write(Math.min(...known)), s.write(Math.max(...known)), s.write(known.at(-1) ?? 0));
  });
  return `${title}. ${parts.join(" ")}`;
}

/** Values over time, as lines or bars, and the same as a table. */
export function TimeChart(props: TimeChartProps) {
  const { title, at, series, step } = props;
  const [table, setTable] = useState(false);
  const when = (s: number) => (step === "day" ? day(new Date(s * 1000)) : moment(new Date(s * 1000)));
  return (
    <figure className={style.chart}>
      <figcaption className={style.head}>
        <ul className={style.legend}>
          {series.map((s, i) => (
            <li key={s.name}>
              <span className={style.key} data-series={i + 1} aria-hidden /> <bdi>{s.name}</bdi>
            </li>
          ))}
        </ul>
        <Button kind="quiet" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? t.asChart : t.asTable}
        </Button>
      </figcaption>
      {table ? (
        <div className={style.table}>
          <PlainTable
            title={title}
            rows={at.map((s, i) => ({ s, i })).reverse()}
            id={(r) => String(r.s)}
            columns={[
              { id: "at", title: step === "day" ? t.day : t.time, cell: (r) => <span className="num">{when(r.s)}</span> },
              ...series.map((s) => ({
                id: s.name,
                title: s.name,
                end: true,
                cell: (r: { i: number }) => {
                  const v = s.values[r.i];
                  return v === null || v === undefined ? "–" : s.write(v);
                },
              })),
            ]}
          />
        </div>
      ) : (
        <Suspense fallback={<Skeleton lines={6} />}>
          <Canvas {...props} label={inWords(props)} />
        </Suspense>
      )}
    </figure>
  );
}
