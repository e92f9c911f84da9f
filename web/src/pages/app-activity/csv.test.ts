import { expect, test } from "vitest";
import { csv, field } from "./csv";

test.each([
  ["plain", "plain"],
  ["a,b", '"a,b"'],
  ['a"b', '"a""b"'],
  ["=1+1", "'=1+1"],
  ["\u200b=1", "'\u200b=1"],
  ["\tx", "'\tx"],
  ["-1", "'-1"],
])("%j is written %s", (raw, want) => expect(field(raw)).toBe(want));

test("details are one field", () => {
  const got = csv([
    { seq: 1, at: "2026-01-01T00:00:00Z", actor: "usr_1", verb: "a.b", subject: "", outcome: "ok", details: { name: 'x,"y"' } },
  ]);
  expect(got.split("\r\n")[1]).toBe('1,2026-01-01T00:00:00Z,usr_1,a.b,,ok,"{""name"":""x,\\""y\\""""}"');
});
