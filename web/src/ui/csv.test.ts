import { expect, test } from "vitest";
import { field, line } from "./csv";

test.each([
  ["plain", "plain"],
  ["a,b", '"a,b"'],
  ['a"b', '"a""b"'],
  ["a\r\nb", '"a\r\nb"'],
  [" a", '" a"'],
  ["=1+1", "'=1+1"],
  ["+1", "'+1"],
  ["-1", "'-1"],
  ["@SUM(A1)", "'@SUM(A1)"],
  ["\t=1", "'\t=1"],
  ["\r=1", '"\'\r=1"'],
  ['=HYPERLINK("x","y")', '"\'=HYPERLINK(""x"",""y"")"'],
  ["\u200b=1", "'\u200b=1"],
  ["＝1", "'＝1"],
  ["a=1", "a=1"],
])("%j is written %s", (raw, want) => expect(field(raw)).toBe(want));

test("numbers stay numbers, and what is not there is empty", () => {
  expect(line([-5, 0.25, 0, true, null, undefined, ""])).toBe("-5,0.25,0,true,,,\r\n");
});

test("what has parts is one field", () => {
  expect(field({ name: 'x,"y"' })).toBe('"{""name"":""x,\\""y\\""""}"');
  expect(field(["a", "b"])).toBe('"a, b"');
  expect(field(["=a"])).toBe("'=a");
  expect(field([{ id: "run_1" }])).toBe('"{""id"":""run_1""}"');
});
