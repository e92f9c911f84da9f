import { expect, test } from "vitest";
import { byGroup, durations, lastDays, perBucket, without } from "./figures";

const file = (bucket: number, by: string, files: number) => ({
  bucket,
  by,
  files,
  accepted: files,
  rejected: 0,
  withdrawn: 0,
  undecided: 0,
  bytes: 10,
});
const span = { from: "", to: "", zone: "UTC", each: "day" as const, as_of: "" };
const bucket = (label: string) => ({ label, from: `${label}T00:00:00Z`, to: "", partial: false });
const buckets = [bucket("2026-11-01"), bucket("2026-11-02"), bucket("2026-11-03")];

test("figures are summed by bucket and by group", () => {
  const items = [file(0, "a", 2), file(2, "a", 3), file(2, "b", 7)];
  expect(perBucket(3, items, (x) => x.files)).toEqual([2, 0, 10]);
  expect(byGroup({ ...span, buckets, items }).map((g) => [g.group, g.figures.files, g.figures.bytes])).toEqual([
    ["b", 7, 10],
    ["a", 5, 20],
  ]);
});

test("durations have a gap where nothing ran", () => {
  const figures = (n: number, runs: number, p95: number) => ({
    bucket: n,
    analysis: "a",
    runs,
    outcomes: { succeeded: runs },
    p50_seconds: 1,
    p95_seconds: p95,
    max_seconds: p95,
  });
  const report = { ...span, buckets, items: [figures(0, 1, 4), figures(2, 1, 6)], totals: [figures(-1, 2, 6)] };
  expect(durations(report)).toEqual([{ name: "a", values: [4, null, 6] }]);
  expect(without({ succeeded: 3, failed: 1, skipped: 2 })).toBe(3);
});

test("a range ends today", () => {
  expect(lastDays(7, new Date(2026, 10, 3))).toEqual({ from: "2026-10-28", to: "2026-11-03" });
});
