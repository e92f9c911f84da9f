import { QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { fetchAgain, inTurn } from "./fresh";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("a page whose answers take longer than changes are apart is never far behind, and nothing is broken off", async () => {
  const queries = new QueryClient();
  let truth = 0;
  let broken = 0;
  const seen: number[] = [];
  const observer = new QueryObserver(queries, {
    queryKey: ["user", "list"],
    queryFn: async ({ signal }) => {
      signal.addEventListener("abort", () => broken++);
      const answer = truth;
      await new Promise((resolve) => setTimeout(resolve, 700));
      return answer;
    },
  });
  const stop = observer.subscribe(({ data }) => data !== undefined && seen.at(-1) !== data && seen.push(data));
  const changed = inTurn((kind: string) => fetchAgain(queries, { queryKey: [kind] }));
  for (; truth < 27; truth++) {
    changed("user");
    await vi.advanceTimersByTimeAsync(300);
  }
  changed("user");
  expect(seen.length).toBeGreaterThan(4);
  await vi.advanceTimersByTimeAsync(3000);
  expect(seen.at(-1)).toBe(27); // also what changed last
  expect(broken).toBe(0);
  stop();
});

test("what is asked for while it is done is done once more, and other things do not wait for it", async () => {
  const done: string[] = [];
  const ask = inTurn(async (what: string) => {
    done.push(what);
    await new Promise((resolve) => setTimeout(resolve, 100));
    if (done.length === 1) throw new Error("refused");
  });
  for (const what of ["a", "a", "b", "a"]) ask(what);
  await vi.advanceTimersByTimeAsync(1000);
  expect(done).toEqual(["a", "b", "a"]);
});
