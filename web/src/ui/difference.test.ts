import { expect, test } from "vitest";
import { difference, shortened } from "./difference";

const said = (before: string, after: string) =>
  difference(before, after).map((l) => `${{ same: " ", added: "+", removed: "-" }[l.kind]}${l.text}`);

test("what was added and taken away is told line by line", () => {
  expect(said("a\nb\nc", "a\nx\nc")).toEqual([" a", "-b", "+x", " c"]);
  expect(said("a\nb\nc\nd", "b\nc\ne\nd")).toEqual(["-a", " b", " c", "+e", " d"]);
  expect(said("", "a")).toEqual(["-", "+a"]);
  expect(said("a\na", "a\na\na")).toEqual([" a", " a", "+a"]);
  expect(said("a\nb", "a\nb")).toEqual([" a", " b"]);
});

test("what is far from a change is left out", () => {
  const many = Array.from({ length: 20 }, (_, n) => `line ${n}`);
  const parts = shortened(difference(many.join("\n"), [...many.slice(0, 10), "new", ...many.slice(10)].join("\n")));
  expect(parts.map((p) => (p.kind === "skipped" ? p.lines : p.text))).toEqual([
    7,
    "line 7",
    "line 8",
    "line 9",
    "new",
    "line 10",
    "line 11",
    "line 12",
    7,
  ]);
});
