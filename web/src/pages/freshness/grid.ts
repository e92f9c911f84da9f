import type { Schemas } from "../../api/client";

export type Freshness = Schemas["Freshness"];

const order = ["broken", "silent", "late", "never", "fresh"];

/** The worst state of some things. */
export function worst(of: Freshness[]): string {
  return order.find((state) => of.some((f) => f.state === state)) ?? "never";
}

/** A column: facts and the provider's sources each by itself, and the sources of each tenant's own together. */
export type FreshColumn = { id: string; label: string };

type Grid = {
  tenants: string[];
  columns: FreshColumn[];
  at: (tenant: string, column: string) => Freshness[];
};

const own = "own";

/** Tenants by what they have; known names the provider's sources. */
export function grid(all: Freshness[], known: Map<string, string>, words: { own: string; api: string }): Grid {
  const cells = new Map<string, Freshness[]>();
  const facts = new Map<string, string>();
  const sources = new Map<string, string>();
  let owned = false;
  for (const f of all) {
    if (!f.tenant || f.kind === "stream" || f.kind === "model") continue;
    const isOwn = f.kind === "source" && !known.has(f.name);
    const column = isOwn ? own : `${f.kind} ${f.name}`;
    if (isOwn) owned = true;
    else if (f.kind === "source") sources.set(column, known.get(f.name) ?? f.name);
    else facts.set(column, f.name);
    const key = `${f.tenant} ${column}`;
    cells.set(key, [...(cells.get(key) ?? []), f]);
  }
  const sorted = (of: Map<string, string>) => [...of].map(([id, label]) => ({ id, label })).sort((a, b) => a.label.localeCompare(b.label));
  return {
    tenants: [...new Set(all.flatMap((f) => f.tenant ?? []))],
    columns: [...sorted(facts), ...sorted(sources), ...(owned ? [{ id: own, label: words.own }] : [])],
    at: (tenant, column) => cells.get(`${tenant} ${column}`) ?? [],
  };
}
