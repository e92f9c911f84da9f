import type { Schemas } from "../../api/client";

type Received = Schemas["ReceivedReport"];
type Runs = Schemas["RunsReport"];

/** The moments of a report's buckets, in seconds since 1970. */
export function moments(report: { buckets: { from: string }[] | null }): number[] {
  return (report.buckets ?? []).map((b) => Date.parse(b.from) / 1000);
}

/** Sums of one figure by bucket. */
export function perBucket<T extends { bucket: number }>(count: number, items: T[] | null, figure: (x: T) => number): number[] {
  const sums = Array.from({ length: count }, () => 0);
  for (const x of items ?? []) sums[x.bucket] = (sums[x.bucket] ?? 0) + figure(x);
  return sums;
}

/** Sums of what was received by group, the greatest first. */
export function byGroup(report: Received): { group: string; slug: string | undefined; figures: Figures }[] {
  const groups = new Map<string, { group: string; slug: string | undefined; figures: Figures }>();
  for (const x of report.items ?? []) {
    const g = groups.get(x.by ?? "") ?? { group: x.by ?? "", slug: x.tenant_slug, figures: { ...none } };
    for (const key of Object.keys(none) as (keyof Figures)[]) g.figures[key] += x[key];
    groups.set(x.by ?? "", g);
  }
  return [...groups.values()].sort((a, b) => b.figures.files - a.figures.files);
}

const none = { files: 0, accepted: 0, rejected: 0, withdrawn: 0, undecided: 0, bytes: 0 };
export type Figures = typeof none;

/** How long the runs of the most run analyses took, by bucket; null where none ended. A chart tells six lines apart. */
export function durations(report: Runs): { name: string; values: (number | null)[] }[] {
  const most = [...(report.totals ?? [])].sort((a, b) => b.runs - a.runs).slice(0, 6);
  return most.map((total) => {
    const values: (number | null)[] = (report.buckets ?? []).map(() => null);
    for (const x of report.items ?? []) if (x.analysis === total.analysis && x.max_seconds > 0) values[x.bucket] = x.p95_seconds;
    return { name: total.analysis, values };
  });
}

/** Runs that ended without results. */
export function without(outcomes: Record<string, number> | null | undefined): number {
  return ["failed", "withheld", "skipped", "cancelled"].reduce((sum, state) => sum + (outcomes?.[state] ?? 0), 0);
}

/** The first and last day of a range of so many days that ends today. */
export function lastDays(n: number, today: Date): { from: string; to: string } {
  const iso = (d: Date) => `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, "0")}-${String(d.getDate()).padStart(2, "0")}`;
  const first = new Date(today.getFullYear(), today.getMonth(), today.getDate() - n + 1);
  return { from: iso(first), to: iso(today) };
}
