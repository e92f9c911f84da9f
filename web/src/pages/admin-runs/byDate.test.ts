import { expect, test } from "vitest";
import { byDate } from "./byDate";
import { readManifest } from "./manifest";

test("runs of one date stand together, the newest date first", () => {
  const list = [
    { date: "2026-09-01", id: 1 },
    { date: "2026-10-01", id: 2 },
    { date: "2026-09-01", id: 3 },
  ];
  expect(byDate(list).map(([date, of]) => [date, of.map((r) => r.id)])).toEqual([
    ["2026-10-01", [2]],
    ["2026-09-01", [1, 3]],
  ]);
});

test("a manifest is read from what is signed, and sums what was hidden", () => {
  const said = { cells: 3, values_released: 20, values_suppressed: { minimum: 3, dominance: 1 }, software: "tributary ü" };
  const body = btoa(String.fromCharCode(...new TextEncoder().encode(JSON.stringify(said))));
  const m = readManifest(body);
  expect([m.cells, m.software, m.hidden]).toEqual([3, "tributary ü", 4]);
});
