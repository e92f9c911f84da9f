import { expect, test } from "vitest";
import { type Freshness, grid, worst } from "./grid";

const fresh = (kind: Freshness["kind"], name: string, tenant: string | undefined, state: Freshness["state"]): Freshness => ({
  kind,
  name,
  state,
  lag_seconds: 0,
  declared: false,
  ...(tenant && { tenant }),
});

test("a tenant's own sources are one column, with the worst of them", () => {
  const all = [
    fresh("stream", "events", undefined, "fresh"),
    fresh("fact", "fact_event", "ten_a", "fresh"),
    fresh("source", "src_p", "ten_a", "late"),
    fresh("source", "src_own", "ten_a", "fresh"),
    fresh("source", "api", "ten_a", "silent"),
    fresh("source", "src_p", "ten_b", "fresh"),
  ];
  const g = grid(all, new Map([["src_p", "backend"]]), { own: "Own", api: "API" });
  expect(g.tenants).toEqual(["ten_a", "ten_b"]);
  expect(g.columns.map((c) => c.label)).toEqual(["fact_event", "backend", "Own"]);
  expect(worst(g.at("ten_a", "own"))).toBe("silent");
  expect(g.at("ten_b", "own")).toEqual([]);
});
