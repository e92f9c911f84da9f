import { type ReactNode, useId } from "react";
import style from "./Card.module.css";

type Props = {
  title?: ReactNode /** Beside the title. */;
  aside?: ReactNode;
  children: ReactNode /** Without room around its content, for tables. */;
  flush?: boolean;
};

/** A part of a page, with its own heading. */
export function Card({ title, aside, children, flush }: Props) {
  const id = useId();
  // Around a table it is no landmark, because the table is.
  const Part = flush ? "div" : "section";
  return (
    <Part className={style.card} aria-labelledby={title && !flush ? id : undefined}>
      {(title || aside) && (
        <header className={style.head}>
          {title && <h2 id={id}>{title}</h2>}
          {aside}
        </header>
      )}
      <div className={flush ? style.flush : style.body}>{children}</div>
    </Part>
  );
}

/** Names and their values, a line each. */
export function Facts({ of }: { of: [name: string, value: ReactNode][] }) {
  return (
    <dl className={style.facts}>
      {of
        .filter(([, value]) => value !== undefined && value !== null && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}

/** A figure with what it counts. */
export function Figure({ name, value, note }: { name: string; value: ReactNode; note?: ReactNode }) {
  return (
    <section className={`${style.card} ${style.figure}`}>
      <h2>{name}</h2>
      <p className={`${style.value} num`}>{value}</p>
      {note && <p className="secondary">{note}</p>}
    </section>
  );
}
