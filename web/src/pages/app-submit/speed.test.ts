import { expect, test } from "vitest";
import { sampled, speed, timeLeft } from "./speed";

test("the speed is that of the last seconds", () => {
  let samples = sampled([], 0, 0);
  expect(speed(samples)).toBeUndefined();
  samples = sampled(samples, 1000, 1000);
  expect([speed(samples), timeLeft(samples, 3000)]).toEqual([1000, 2000]);
  for (let second = 2; second <= 30; second++) samples = sampled(samples, second * 1000, 1000 + second);
  expect(speed(samples)).toBe(1);
  expect(samples.length).toBeLessThan(12);
});

test("after going back to what is safe it is measured anew", () => {
  let samples = sampled(sampled([], 0, 0), 1000, 5000);
  samples = sampled(samples, 2000, 1000);
  expect(samples).toEqual([
    { at: 0, bytes: 0 },
    { at: 2000, bytes: 1000 },
  ]);
});
