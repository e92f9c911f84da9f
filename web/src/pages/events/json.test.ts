import { expect, test } from "vitest";
import { jsonText } from "./json";

test("what turns text around is named, and it is the same JSON", () => {
  const of = { a: "x\u202egnp.exe\u2066 ze\u200bro", b: [1, null], c: "שלום" };
  const text = jsonText(of);
  expect(text).not.toMatch(/[\u200b\u202e\u2066]/);
  expect(text).toContain("\\u202e");
  expect(JSON.parse(text)).toEqual(of);
});
