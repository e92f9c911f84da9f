import type { Schemas } from "../../api/client";

type Period = Schemas["Period"];

export type Grid = {
  tenants: { id: string; slug: string }[];
  periods: { date: string; label: string; cutOff: string | undefined }[];
  at: (tenant: string, date: string) => Period | undefined;
  missing: { date: string; label: string; tenants: Period[] }[];
};

/** Lays how tenants stand out as tenants by periods: the periods from the oldest to the newest, the tenants by name. */
export function grid(states: Period[], names: Map<string, string>, most: number): Grid {
  const tenants = new Map<string, string>();
  const periods = new Map<string, { date: string; label: string; cutOff: string | undefined }>();
  const cells = new Map<string, Period>();
  for (const p of states) {
    tenants.set(p.tenant, p.tenant_slug);
    periods.set(p.date, { date: p.date, label: p.label, cutOff: p.cut_off_at });
    cells.set(`${p.tenant} ${p.date}`, p);
  }
  const name = (id: string, slug: string) => names.get(id) ?? slug;
  const shown = [...periods.values()].sort((a, b) => a.date.localeCompare(b.date)).slice(-most);
  return {
    tenants: [...tenants].map(([id, slug]) => ({ id, slug })).sort((a, b) => name(a.id, a.slug).localeCompare(name(b.id, b.slug))),
    periods: shown,
    at: (tenant, date) => cells.get(`${tenant} ${date}`),
    missing: [...shown]
      .reverse()
      .map((p) => ({ date: p.date, label: p.label, tenants: states.filter((s) => s.date === p.date && s.state === "missing") }))
      .filter((p) => p.tenants.length > 0),
  };
}

/** Reads a moment that somebody wrote in their own zone as YYYY-MM-DD HH:MM; undefined if it is not one. */
export function readMoment(text: string): Date | undefined {
  const m = /^(\d{4})-(\d{2})-(\d{2})[ T](\d{2}):(\d{2})$/.exec(text.trim());
  if (!m) return undefined;
  const [year, month, day, hour, minute] = m.slice(1).map(Number) as [number, number, number, number, number];
  const at = new Date(year, month - 1, day, hour, minute);
  return at.getMonth() === month - 1 && at.getDate() === day && at.getHours() === hour ? at : undefined;
}
