import { useQueries } from "@tanstack/react-query";
import { api, call, items, type Schemas } from "../../api/client";

type Period = Schemas["Period"];

/** How tenants stand in the periods of some datasets, the newest ones. */
export function usePeriodsOf(datasets: string[]): Period[] {
  const found = useQueries({
    queries: datasets.map((dataset) => ({
      queryKey: ["period", "of", dataset],
      queryFn: ({ signal }: { signal: AbortSignal }) =>
        call(api.GET("/api/v1/periods", { signal, params: { query: { dataset, limit: 500 } } })),
    })),
  });
  return found.flatMap((q) => items(q.data));
}

export type PeriodChoice = { date: string; label: string; there: number; missing: number; closed: boolean };

/** The periods that can be run, the newest first, with how many files are there and how many are not. */
export function periodChoices(states: Period[]): PeriodChoice[] {
  const found = new Map<string, PeriodChoice>();
  for (const p of states) {
    const c = found.get(p.date) ?? { date: p.date, label: p.label, there: 0, missing: 0, closed: false };
    if (p.state === "accepted" || p.state === "late") c.there++;
    else c.missing++;
    c.closed ||= c.there > 0;
    found.set(p.date, c);
  }
  return [...found.values()].sort((a, b) => b.date.localeCompare(a.date));
}
