/** Runs by their business dates, the newest date first; within one the order stays. */
export function byDate<T extends { date: string }>(runs: T[]): [string, T[]][] {
  const dates = new Map<string, T[]>();
  for (const r of runs) dates.set(r.date, [...(dates.get(r.date) ?? []), r]);
  return [...dates].sort(([a], [b]) => b.localeCompare(a));
}
