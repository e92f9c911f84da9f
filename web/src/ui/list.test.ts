import { expect, test } from "vitest";
import { inside, parseSearch, writeSearch } from "../app/address";
import { listSearch, readFilter, writeFilter } from "./list";

test("a list's state survives its way through the address", () => {
  const search = listSearch(parseSearch("?search=a%26b&sort=-name&filter=state%3Ais%3Aactive&filter=name%3Acontains%3Ax%3Ay&limit=100"));
  expect(search).toEqual({ search: "a&b", sort: "-name", filter: ["state:is:active", "name:contains:x:y"], limit: 100 });
  expect(listSearch(parseSearch(writeSearch(search)))).toEqual(search);
});

test("what is no list's state is left out", () => {
  expect(listSearch({ limit: "-3", sort: ["a", "b"], filter: [1] })).toEqual({});
  expect(readFilter("state")).toBeUndefined();
  expect(readFilter("state:like:a")).toBeUndefined();
});

test("a filter's value may have colons", () => {
  expect(readFilter(writeFilter({ column: "name", operator: "not", value: "a:b:" }))).toEqual({
    column: "name",
    operator: "not",
    value: "a:b:",
  });
});

test("one is sent to pages of ours only after signing in", () => {
  expect([inside("/app/results?x=1"), inside("/admin")]).toEqual(["/app/results?x=1", "/admin"]);
  for (const bad of ["//evil.example", "https://evil.example", "/appendix", "/login", "javascript:alert(1)", "/\\evil.example", undefined])
    expect(inside(bad)).toBeUndefined();
});
