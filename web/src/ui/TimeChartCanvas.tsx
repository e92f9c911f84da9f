import { useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { strings } from "../strings";
import { day, moment } from "./format";
import type { TimeChartProps } from "./TimeChart";
import style from "./TimeChart.module.css";

const t = strings.ui.chart;
const height = 240;

// Steps of an axis that counts.
const whole = [1, 2, 5].flatMap((n) => Array.from({ length: 12 }, (_, e) => n * 10 ** e)).sort((a, b) => a - b);

/** The drawing of a TimeChart. */
export default function TimeChartCanvas({ at, series, step, bars, zoom, label }: TimeChartProps & { label: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [tip, setTip] = useState("");
  const theme = useThemeName();
  const zoomed = useRef(zoom);
  zoomed.current = zoom;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another theme has other colours
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    const css = getComputedStyle(document.documentElement);
    const colour = (name: string) => css.getPropertyValue(name).trim();
    const when = (s: number) => (step === "day" ? day(new Date(s * 1000)) : moment(new Date(s * 1000)));
    const first = series[0];
    // A bar stands around its moment, and is drawn whole at both ends.
    const half = bars ? Math.max(0, ((at[1] ?? 0) - (at[0] ?? 0)) / 2) : 0;
    const plot = new uPlot(
      {
        width: el.clientWidth || 600,
        height,
        legend: { show: false },
        cursor: { drag: { x: true, y: false, setScale: zoomed.current === undefined }, points: { size: 7 } },
        padding: [null, 40, null, null], // half of a day's label beyond the last moment
        scales: {
          x: { time: true, range: (_, min, max) => [min - half, max + half] },
          y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] },
        },
        axes: [
          {
            stroke: colour("--text-2"),
            grid: { show: false },
            ticks: { stroke: colour("--line") },
            space: 80,
            values: (_, splits, __, ___, gap) =>
              splits.map((s) => {
                const text = moment(new Date(s * 1000));
                return gap >= 86_400 ? text.slice(0, 10) : text.slice(5, 16);
              }),
          },
          {
            stroke: colour("--text-2"),
            grid: { stroke: colour("--line"), width: 1 },
            ticks: { show: false },
            size: 64,
            ...(bars && { incrs: whole }),
            values: (_, splits) => splits.map((v) => (first ? first.write(v) : String(v))),
          },
        ],
        series: [
          {},
          ...series.map((s, i) => ({
            label: s.name,
            stroke: colour(`--chart-${i + 1}`),
            width: 2,
            ...(bars && uPlot.paths.bars
              ? { fill: colour(`--chart-${i + 1}`), paths: uPlot.paths.bars({ size: [0.6, 48] }), points: { show: false } }
              : { points: { show: at.length < 60, size: 6 } }),
          })),
        ],
        hooks: {
          setCursor: [
            (u) => {
              const i = u.cursor.idx;
              if (i === null || i === undefined) return setTip("");
              const values = series.map((s) => {
                const v = s.values[i];
                return `${s.name} ${v === null || v === undefined ? "–" : s.write(v)}`;
              });
              setTip(`${when(at[i] ?? 0)}: ${values.join(", ")}`);
            },
          ],
          setSelect: [
            (u) => {
              if (!zoomed.current || u.select.width < 4) return;
              const from = u.posToVal(u.select.left, "x");
              const to = u.posToVal(u.select.left + u.select.width, "x");
              u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
              zoomed.current(new Date(from * 1000), new Date(to * 1000));
            },
          ],
        },
      },
      // A bar of nothing is not drawn, or it would be a line on the ground.
      [at, ...series.map((s) => (bars ? s.values.map((v) => v || null) : s.values))],
      el,
    );
    const size = new ResizeObserver(() => plot.setSize({ width: el.clientWidth, height }));
    size.observe(el);
    return () => {
      size.disconnect();
      plot.destroy();
    };
  }, [at, series, step, bars, theme]);
  return (
    <>
      <div ref={box} role="img" aria-label={label} className={style.canvas} />
      <p className={style.tip} aria-hidden>
        {tip || (zoom ? t.drag : "")}
      </p>
    </>
  );
}

function useThemeName(): string {
  const [theme, setTheme] = useState(() => document.documentElement.dataset.theme ?? "");
  useEffect(() => {
    const look = new MutationObserver(() => setTheme(document.documentElement.dataset.theme ?? ""));
    look.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => look.disconnect();
  }, []);
  return theme;
}
