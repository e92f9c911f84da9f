import { expect, test } from "vitest";
import { type StreamEvent, shownEvents, withNewer } from "./tail";

const event = (id: string, second: number, tenant = "ten_a"): StreamEvent => ({
  id,
  tenant,
  source: "src_a",
  specversion: "1.0",
  type: "t",
  time: new Date(second * 1000).toISOString(),
  received: new Date(second * 1000).toISOString(),
});
const ids = (list: StreamEvent[]) => list.map((e) => e.id);

test("what came last is first, and everything is there once", () => {
  const had = withNewer([], [event("a", 1), event("b", 2)]);
  expect(ids(had)).toEqual(["b", "a"]);
  expect(ids(withNewer(had, [event("b", 2), event("c", 3), event("c", 3)]))).toEqual(["c", "b", "a"]);
  expect(withNewer(had, [event("a", 1)])).toBe(had);
  expect(ids(withNewer(had, [event("z", 0)]))).toEqual(["b", "a", "z"]); // of the minutes before
  expect(withNewer(had, [event("a", 1, "ten_b")])).toHaveLength(3); // another tenant's of the same id
});

test("no more stay than are shown", () => {
  const many = Array.from({ length: shownEvents + 5 }, (_, n) => event(`e${n}`, n));
  const shown = withNewer([], many);
  expect(shown).toHaveLength(shownEvents);
  expect(shown[0]?.id).toBe(`e${shownEvents + 4}`);
});
