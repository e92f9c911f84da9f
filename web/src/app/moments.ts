import { items, type Schemas } from "../api/client";

const hour = 3_600_000;

/** How long until what is shown becomes something else by time alone, which nobody tells; at most an hour. For refetchInterval. */
export function untilNext(moments: (string | undefined)[], now = Date.now()): number {
  const ahead = moments.flatMap((m) => (m && Date.parse(m) > now ? [Date.parse(m) - now + 1000] : []));
  return Math.min(hour, ...ahead);
}

/** The same for periods: files become overdue when they are due, and missing at the cut-off. */
export function untilPeriod(list: { items: Schemas["Period"][] | null } | undefined): number {
  return untilNext(items(list).flatMap((p) => [p.due_at, p.cut_off_at, p.reopened_until]));
}
