import type { Schemas } from "../../api/client";
import type { Pair } from "../../ui/Bars";

export type Column = Schemas["ResultColumn"];
export type Row = (string | null)[];

/** A measure that stands beside the recipient's own value of it, by the places of their columns. */
export type Shape = { measure: string; words: string; function: string; theirs: number; mine: number };

/** The measures of a table that can be drawn; none where it has no own values. */
export function shapes(columns: Column[]): Shape[] {
  return columns.flatMap((c, theirs) => {
    const mine = columns.findIndex((o) => o.role === "own" && o.measure === c.measure);
    if (c.role !== "measure" || mine < 0) return [];
    return [{ measure: c.measure ?? c.name, words: c.words ?? "", function: c.function ?? "", theirs, mine }];
  });
}

/** Whether some row has a value of all participants that is not shown. */
export function hides(columns: Column[], rows: Row[]): boolean {
  return columns.some((c, at) => c.role === "measure" && rows.some((row) => (row[at] ?? null) === null));
}

/** The groups that a row is a total over. */
export function totalOver(columns: Column[], row: Row): string[] {
  return (row[columns.findIndex((c) => c.role === "total")] ?? "").split(", ");
}

/** What a row is the cell of: the values of its groups, or the groups that it is a total over. */
export function labelOf(columns: Column[], row: Row, whole: string, none: string): string {
  const over = totalOver(columns, row);
  const parts = columns.flatMap((c, at) => (c.role === "group" ? [over.includes(c.name) ? `Σ ${c.name}` : (row[at] ?? none)] : []));
  return parts.length > 0 ? parts.join(" · ") : whole;
}

/** The cells as pairs of one's own value and the others'. */
export function pairs(columns: Column[], rows: Row[], s: Shape, whole: string, none: string): Pair[] {
  return rows.map((row, at) => ({
    id: String(at),
    label: labelOf(columns, row, whole, none),
    mine: row[s.mine] ?? undefined,
    theirs: row[s.theirs] ?? undefined,
  }));
}
