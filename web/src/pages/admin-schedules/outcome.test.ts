import { expect, test } from "vitest";
import { outcome } from "./outcome";

const firing = (...states: string[]) => ({
  id: "x",
  at: "",
  cause: "cron",
  fired_at: "",
  runs: states.map((state, i) => ({ id: `run_${i}`, analysis: "a", date: "2026-10-01", state })),
});

test("a firing is as good as its worst run", () => {
  expect(outcome(firing("succeeded", "failed", "succeeded"))).toEqual({ state: "failed", words: "1 of 3 failed" });
  expect(outcome(firing("succeeded", "succeeded"))).toEqual({ state: "succeeded", words: "2 succeeded" });
  expect(outcome(firing())).toEqual({ state: "skipped", words: "no run" });
});
