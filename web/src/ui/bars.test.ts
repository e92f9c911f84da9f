import { expect, test } from "vitest";
import { scaleOf } from "./bars";

test("bars begin at zero, wherever that is", () => {
  const s = scaleOf([-50, 150, undefined]);
  expect(s.zero).toBe(25);
  expect(s.bar(150)).toEqual({ x: 25, width: 75 });
  expect(s.bar(-50)).toEqual({ x: 0, width: 25 });
  expect(s.bar(0).width).toBe(0);
});

test("of nothing, or of zeros, there is a scale too", () => {
  expect(scaleOf([]).bar(0)).toEqual({ x: 0, width: 0 });
  expect(scaleOf([0, 0]).zero).toBe(0);
});

test("what is small is seen", () => {
  expect(scaleOf([0.001, 1e9]).bar(0.001).width).toBe(0.4);
});
