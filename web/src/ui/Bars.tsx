import { useState } from "react";
import { strings } from "../strings";
import { plain } from "../strings/apart";
import style from "./Bars.module.css";
import { Button } from "./Button";
import { scaleOf } from "./bars";
import { PlainTable } from "./Table";

const t = strings.ui.bars;

/** Two values beside each other, as they are written; undefined: it is not known. */
export type Pair = { id: string; label: string; mine: string | undefined; theirs: string | undefined };

const value = (text: string | undefined) => (text === undefined ? undefined : Number(text));

/** For each thing two bars on one axis: one's own value and the others'. With a table that says the same. */
export function Bars({
  title,
  label,
  mine,
  theirs,
  missing,
  pairs,
}: {
  title: string;
  /** What the things are, as the head of the table's first column. */
  label: string;
  mine: string;
  theirs: string;
  /** Said in place of a value that is not known. */
  missing: { mine: string; theirs: string };
  pairs: Pair[];
}) {
  const [table, setTable] = useState(false);
  const scale = scaleOf(pairs.flatMap((p) => [value(p.mine), value(p.theirs)]));
  const bars = (p: Pair) =>
    [
      { text: p.mine, y: 2, className: style.mine },
      { text: p.theirs, y: 14, className: style.theirs },
    ].flatMap(({ text, y, className }) => (text === undefined ? [] : [{ ...scale.bar(Number(text)), y, className }]));
  return (
    <div className={style.figure}>
      <div className={style.head}>
        <div className={style.legend}>
          <span>
            <span className={`${style.swatch} ${style.mine}`} aria-hidden /> {mine}
          </span>
          <span>
            <span className={`${style.swatch} ${style.theirs}`} aria-hidden /> {theirs}
          </span>
        </div>
        <Button kind="quiet" aria-pressed={table} onClick={() => setTable(!table)}>
          {table ? t.picture : t.table}
        </Button>
      </div>
      {table ? (
        <PlainTable
          title={title}
          rows={pairs}
          id={(p) => p.id}
          columns={[
            { id: "label", title: label, cell: (p) => <bdi className="name">{p.label}</bdi> },
            { id: "mine", title: mine, end: true, cell: (p) => p.mine ?? missing.mine },
            { id: "theirs", title: theirs, end: true, cell: (p) => p.theirs ?? missing.theirs },
          ]}
        />
      ) : (
        <div role="img" aria-label={t.label(title, pairs.length, mine, theirs)} className={style.picture}>
          {pairs.map((p) => (
            <div key={p.id} className={style.row}>
              <bdi className={style.label} title={plain(p.label)}>
                {p.label}
              </bdi>
              <svg className={style.bar} viewBox="0 0 100 26" preserveAspectRatio="none" aria-hidden="true">
                {bars(p).map((b) => (
                  <rect key={b.y} x={b.x} y={b.y} width={b.width} height={10} className={b.className} />
                ))}
                <line x1={scale.zero} x2={scale.zero} y1={0} y2={26} className={style.axis} />
              </svg>
              <span className={`${style.values} num`}>
                <span>{p.mine ?? missing.mine}</span>
                <span>{p.theirs ?? missing.theirs}</span>
              </span>
            </div>
          ))}
        </div>
      )}
    </div>
  );
}
