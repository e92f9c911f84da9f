import type { Schemas } from "../../api/client";
import { Time } from "../../ui/values";
import style from "./NextTimes.module.css";

/** When a schedule fires next, as clocks in its zone show it. */
export function NextTimes({ of, zone }: { of: Schemas["NextTime"][]; zone: string }) {
  return (
    <ol className={style.times}>
      {of.map((n) => (
        <li key={n.at}>
          <span className="num">{local(n.local)}</span>{" "}
          <span className="secondary">
            {zone}, <Time at={n.at} />
          </span>
        </li>
      ))}
    </ol>
  );
}

const weekdays = new Intl.DateTimeFormat("en", { weekday: "short", timeZone: "UTC" });

/** A moment as it was written in its zone: Sun 2026-12-06 06:00. */
export function local(at: string): string {
  const day = at.slice(0, 10);
  return `${weekdays.format(new Date(`${day}T00:00:00Z`))} ${day} ${at.slice(11, 16)}`;
}
