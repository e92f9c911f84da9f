import { expect, test } from "vitest";
import { local } from "./NextTimes";

test("a time is shown as clocks in its own zone show it", () => {
  expect(local("2026-12-06T06:00:00+01:00")).toBe("Sun 2026-12-06 06:00");
});
