import { expect, test } from "vitest";
import { fits } from "./found";

test("a label fits a text when it has all of its words", () => {
  expect(fits("Run analyses", "an ru")).toBe(true);
  expect(fits("Run analyses", "RUN")).toBe(true);
  expect(fits("Run analyses", "")).toBe(true);
  expect(fits("Run analyses", "run tenants")).toBe(false);
});
