import { expect, test } from "vitest";
import { grid, readMoment } from "./matrix";

const p = (tenant: string, date: string, state: "missing" | "accepted") => ({
  tenant: `ten_${tenant}`,
  tenant_slug: tenant,
  dataset: "d",
  date,
  end: date,
  label: date.slice(0, 7),
  state,
});

test("tenants are laid out by periods, and who is missing is listed, the newest first", () => {
  const g = grid(
    [p("b", "2026-10-01", "missing"), p("a", "2026-10-01", "accepted"), p("a", "2026-09-01", "missing"), p("a", "2026-08-01", "accepted")],
    new Map([["ten_b", "Aaa"]]),
    2,
  );
  expect(g.tenants.map((x) => x.slug)).toEqual(["a", "b"]);
  expect(g.periods.map((x) => x.label)).toEqual(["2026-09", "2026-10"]);
  expect(g.at("ten_a", "2026-09-01")?.state).toBe("missing");
  expect(g.at("ten_b", "2026-09-01")).toBeUndefined();
  expect(g.missing.map((m) => [m.label, m.tenants.map((x) => x.tenant_slug)])).toEqual([
    ["2026-10", ["b"]],
    ["2026-09", ["a"]],
  ]);
});

test("a moment is read as it was written, and nothing else is", () => {
  expect(readMoment("2026-12-01 18:30")?.getTime()).toBe(new Date(2026, 11, 1, 18, 30).getTime());
  expect([readMoment("1.12.2026"), readMoment("2026-02-30 10:00"), readMoment("2026-12-01 25:00")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});
