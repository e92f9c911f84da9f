import { expect, test, vi } from "vitest";
import { Problem } from "../api/client";
import type { ListQuery } from "./list";
import { walk } from "./pages";

// A list of so many numbers, whose cursors are numbers too.
const numbers = (all: number) => async (q: ListQuery) => {
  const from = Number(q.after ?? 0);
  const items = Array.from({ length: Math.min(q.limit, all - from) }, (_, i) => from + i);
  const end = from + items.length;
  return { items, ...(end < all && { next: String(end) }) };
};

const walked = async (all: number, most: number) => {
  const rows: number[] = [];
  const more = await walk(numbers(all), {}, (page) => void rows.push(...page), most, new AbortController().signal);
  return [rows.length, rows.at(-1), more];
};

test("a walk takes every page, and no more rows than it may", async () => {
  expect(await walked(0, 10)).toEqual([0, undefined, false]);
  expect(await walked(1200, 5000)).toEqual([1200, 1199, false]);
  expect(await walked(1000, 1000)).toEqual([1000, 999, false]);
  expect(await walked(1001, 1000)).toEqual([1000, 999, true]);
  expect(await walked(1200, 700)).toEqual([700, 699, true]);
});

test("it asks for what the list shows", async () => {
  const asked: ListQuery[] = [];
  const fetch = async (q: ListQuery) => {
    asked.push(q);
    return { items: [], ...(asked.length < 2 && { next: "n", searched: 5000 }) };
  };
  await walk(fetch, { search: "x", sort: "-date" }, () => undefined, 10, new AbortController().signal);
  expect(asked).toEqual([
    { search: "x", sort: "-date", limit: 500 },
    { search: "x", sort: "-date", limit: 500, after: "n" },
  ]);
});

test("it waits where it is asked to, and ends where it is told to", async () => {
  vi.useFakeTimers();
  let asked = 0;
  const busy = async () => {
    if (asked++ < 3) throw new Problem(429, "too-many", "");
    return { items: [1] };
  };
  const done = walk(busy, {}, () => undefined, 10, new AbortController().signal);
  await vi.advanceTimersByTimeAsync(3000);
  expect(await done).toBe(false);
  asked = -100;
  const abort = new AbortController();
  const cancelled = walk(busy, {}, () => undefined, 10, abort.signal);
  const refused = expect(cancelled).rejects.toThrow();
  abort.abort();
  await vi.advanceTimersByTimeAsync(1000);
  await refused;
  vi.useRealTimers();
});
