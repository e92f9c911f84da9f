import { expect, test } from "vitest";
import { attention, warningsOf } from "./attention";

const nothing = { missing: [], rejected: [], unsettled: [], runs: [], schedules: [], firings: new Map(), warnings: [], names: new Map() };

const run = (id: string, state: "failed" | "succeeded" | "running", date = "2026-10-01") => ({
  id,
  analysis: "a",
  version: 1,
  date,
  state,
  participants: 1,
  started_by: "x",
  created_at: "",
  reason: "It broke.",
});

const period = (tenant: string) => ({
  tenant,
  tenant_slug: tenant,
  dataset: "d",
  date: "2026-10-01",
  end: "2026-10-31",
  label: "2026-10",
  state: "missing" as const,
});

test("a run that a later one made good needs no attention", () => {
  const runs = [run("run_3", "succeeded"), run("run_2", "failed"), run("run_1", "failed", "2026-09-01")]; // the newest first
  expect(attention({ ...nothing, runs }).map((m) => [m.id, m.why])).toEqual([["run_1", "It broke."]]);
});

test("who is missing is told by dataset and period, and a rejected file only while nothing better came", () => {
  const file = (tenant: string, date: string) => ({ id: `sub_${tenant}`, tenant, tenant_slug: tenant, dataset: "d", date }) as never;
  const found = attention({
    ...nothing,
    missing: [period("a"), period("b")],
    rejected: [file("b", "2026-10-01"), file("c", "2026-10-01")],
    names: new Map([["a", "Ay"]]),
  });
  expect(found.map((m) => m.words)).toEqual([
    "d, 2026-10: a file was rejected and no correction came",
    "d, 2026-10: 2 tenants are missing past the cut-off",
  ]);
  expect(found.map((m) => m.why)).toEqual(["b", "Ay, b"]);
});

test("what the server warns of is read from its readiness", () => {
  expect(warningsOf("ready\nwarning: the key was never exported\n")).toEqual(["the key was never exported"]);
});
