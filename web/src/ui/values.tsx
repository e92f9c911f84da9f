import { useEffect, useState } from "react";
import { plain } from "../strings/apart";
import * as format from "./format";

/** A moment: how long ago, the exact time in the user's zone and in UTC on hover. With exact, the time itself. */
export function Time({ at, exact }: { at: string | undefined; exact?: boolean }) {
  const [now, setNow] = useState(() => new Date());
  useEffect(() => {
    if (exact) return;
    const timer = setInterval(() => setNow(new Date()), 30_000);
    return () => clearInterval(timer);
  }, [exact]);
  if (!at) return <Nothing />;
  const when = new Date(at);
  return (
    <time dateTime={at} title={`${format.moment(when)} ${format.zone()}\n${format.utc(when)}`} className="num">
      {exact ? format.moment(when) : format.relative(when, now)}
    </time>
  );
}

/** A size in binary units, all its digits on hover. */
export function Bytes({ of }: { of: number | undefined }) {
  if (of === undefined) return <Nothing />;
  return (
    <span className="num" title={format.exactBytes(of)}>
      {format.bytes(of)}
    </span>
  );
}

/** A number, short from a million on, all its digits on hover. */
export function Num({ of }: { of: number | undefined }) {
  if (of === undefined) return <Nothing />;
  return (
    <span className="num" title={format.exactNumber(of)}>
      {format.number(of)}
    </span>
  );
}

/** How long something took, from one moment to another. */
export function Took({ from, to }: { from: string | undefined; to: string | undefined }) {
  if (!from || !to) return <Nothing />;
  const ms = Date.parse(to) - Date.parse(from);
  return (
    <span className="num" title={`${format.exactNumber(ms)} ms`}>
      {format.duration(ms)}
    </span>
  );
}

/** A name that somebody typed: shown as text, without what would turn its surroundings around, and cut where it is very long. */
export function Name({ of }: { of: string | undefined }) {
  if (!of) return <Nothing />;
  const text = plain(of);
  return (
    <bdi className="name" title={text}>
      {text}
    </bdi>
  );
}

/** An id, to be copied by hand. */
export function Id({ of }: { of: string | undefined }) {
  return of ? <code className="id">{of}</code> : <Nothing />;
}

/** There is no value. */
export function Nothing() {
  return <span aria-hidden>–</span>;
}
