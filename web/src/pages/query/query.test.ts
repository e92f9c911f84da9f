import { expect, test } from "vitest";
import { objects, shown } from "./answer";
import { forget, history, remember } from "./history";

const asked = (sql: string) => ({ sql, at: "2026-11-21T00:00:00Z", rows: 1, ms: 1 });

test("what is asked is remembered for its user alone, each once and the newest first", () => {
  remember("usr_a", asked("SELECT 1"));
  remember("usr_a", asked("SELECT 2"));
  remember("usr_a", asked("SELECT 1"));
  expect(history("usr_a").map((h) => h.sql)).toEqual(["SELECT 1", "SELECT 2"]);
  expect(history("usr_b")).toEqual([]);
  for (let n = 0; n < 100; n++) remember("usr_a", asked(`SELECT ${n}`));
  expect(history("usr_a")).toHaveLength(50);
  expect(forget("usr_a")).toEqual([]);
  expect(history("usr_a")).toEqual([]);
  localStorage.setItem("query.history.usr_a", "{");
  expect(history("usr_a")).toEqual([]);
});

test("values are shown as they are", () => {
  expect([null, "a", 1.5, true, { a: [1] }].map(shown)).toEqual([undefined, "a", "1.5", "true", '{"a":[1]}']);
  const answer = { columns: [{ name: "a", kind: "text" as const }], rows: [["x"], null], truncated: false };
  expect(objects(answer)).toEqual([{ a: "x" }, { a: undefined }]);
});
