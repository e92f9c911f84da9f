import { expect, test } from "vitest";
import { complaints } from "./complaints";

test("what is wrong is told by line", () => {
  expect(
    complaints("The tracking plan is not right: line 3: a.b: its type must be one of string, integer; line 9: a: is there twice."),
  ).toEqual([
    { line: 3, text: "a.b: its type must be one of string, integer" },
    { line: 9, text: "a: is there twice" },
  ]);
  expect(complaints("The tracking plan cannot be read: line 2: mapping values are not allowed in this context")).toEqual([
    { line: 2, text: "mapping values are not allowed in this context" },
  ]);
  expect(complaints("The tracking plan cannot be read: line 2: field typo not known\nline 4: field x not known.")).toEqual([
    { line: 2, text: "field typo not known" },
    { line: 4, text: "field x not known" },
  ]);
  expect(complaints("The tracking plan has more than one document.")).toEqual([{ text: "The tracking plan has more than one document." }]);
});
