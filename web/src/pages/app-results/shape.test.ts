import { expect, test } from "vitest";
import { type Column, hides, labelOf, pairs, shapes } from "./shape";

const columns = [
  { name: "Date", role: "date" },
  { name: "Tag", role: "group" },
  { name: "Value", role: "measure", measure: "Value", function: "mean", words: "the mean" },
  { name: "Rows", role: "measure", measure: "Rows", function: "count" },
  { name: "Id", role: "id" },
  { name: "YourValue", role: "own", measure: "Value" },
  { name: "YourRows", role: "own", measure: "Rows" },
] as Column[];

test("each measure is beside its own value", () => {
  expect(shapes(columns).map((s) => [s.measure, s.theirs, s.mine])).toEqual([
    ["Value", 2, 5],
    ["Rows", 3, 6],
  ]);
  expect(shapes(columns.slice(0, 5))).toEqual([]);
});

test("a hidden value is not zero", () => {
  const [shape] = shapes(columns);
  if (!shape) throw new Error("no shape");
  const got = pairs(columns, [["2026-01-01", null, null, "3", "x", "1.50", "2"]], shape, "all", "none");
  expect(got).toEqual([{ id: "0", label: "none", mine: "1.50", theirs: undefined }]);
});

test("a total says what it is over", () => {
  const totals = [
    { name: "Tag", role: "group" },
    { name: "Sub", role: "group" },
    { name: "TotalOver", role: "total" },
  ] as Column[];
  expect(labelOf(totals, ["a", null, "Sub"], "all", "none")).toBe("a · Σ Sub");
  expect(labelOf(totals, ["a", null, null], "all", "none")).toBe("a · none");
});

test("a value of all participants that is not there is hidden, and one's own that is not there is not", () => {
  expect(hides(columns, [["2026-01-05", "a", "1.0", "2", "x", null, null]])).toBe(false);
  expect(hides(columns, [["2026-01-05", "a", null, "2", "x", "1.0", "1"]])).toBe(true);
});
