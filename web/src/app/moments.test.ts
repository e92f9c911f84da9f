import { expect, test } from "vitest";
import { untilNext } from "./moments";

test("it is asked again just after the next moment, and within an hour", () => {
  const now = Date.parse("2026-11-21T12:00:00Z");
  expect(untilNext(["2026-11-21T11:59:00Z", undefined, "2026-11-21T12:10:00Z", "2026-11-21T12:05:00Z"], now)).toBe(301_000);
  expect(untilNext(["2026-11-21T11:00:00Z", "2027-11-21T12:00:00Z"], now)).toBe(3_600_000);
  expect(untilNext([], now)).toBe(3_600_000);
});
