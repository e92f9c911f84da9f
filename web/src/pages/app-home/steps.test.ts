import { expect, test } from "vitest";
import type { Schemas } from "../../api/client";
import { byUrgency, fileName, steps } from "./steps";

test("steps tick by facts, and who sends without a key needs none", () => {
  const nothing = { keys: 0, analyses: [], sent: false, accepted: false, results: [] };
  expect(steps(nothing).filter((s) => s.done)).toEqual([]);
  expect(steps(nothing).map((s) => s.id)).toContain("key");
  expect(steps({ ...nothing, sent: true }).map((s) => s.id)).not.toContain("key");
  const result = { downloaded_at: "2026-11-21T12:00:00Z" } as Schemas["Result"];
  const all = {
    keys: 1,
    analyses: [{ decision: "accepted" } as Schemas["Analysis"]],
    sent: true,
    accepted: true,
    results: [result],
  };
  expect(steps(all).every((s) => s.done)).toBe(true);
});

test("what is to be done comes first", () => {
  const period = (state: Schemas["Period"]["state"], due_at: string) => ({ state, due_at }) as Schemas["Period"];
  const sorted = byUrgency([period("accepted", "1"), period("due", "3"), period("due", "2"), period("overdue", "4")]);
  expect(sorted.map((p) => `${p.state} ${p.due_at}`)).toEqual(["overdue 4", "due 2", "due 3", "accepted 1"]);
});

test("a file's name has its date and whose it is", () => {
  const d = { id: "sales", file_name: "{dataset}-{date}-{participant}.csv" } as Schemas["Dataset"];
  expect(fileName(d, "2026-10-01", "000100")).toBe("sales-2026-10-01-000100.csv");
  expect(fileName({ id: "sales" } as Schemas["Dataset"], "2026-10-01", undefined)).toBeUndefined();
});
