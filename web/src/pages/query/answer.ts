import type { Schemas } from "../../api/client";
import { jsonLine } from "../events/json";

export type Answer = Schemas["QueryAnswer"];

/** How many rows are drawn. */
export const drawnRows = 500;

/** A value as a cell shows it; undefined: there is none. */
export function shown(value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value === "string") return value;
  return typeof value === "object" ? jsonLine(value) : String(value);
}

/** Kinds that stand at the right of their column. */
export const numeric = (kind: string) => kind === "integer" || kind === "number" || kind === "decimal";

/** The answer as a list of objects, for who goes on with it. A name that is there twice keeps the last of its values. */
export function objects(answer: Answer): Record<string, unknown>[] {
  const names = (answer.columns ?? []).map((c) => c.name);
  return (answer.rows ?? []).map((row) => Object.fromEntries(names.map((name, at) => [name, row?.[at]])));
}
