import { beforeEach, expect, test } from "vitest";
import { keepNext, takeNext } from "./next";

beforeEach(() => sessionStorage.clear());

test("where to go is kept once", () => {
  keepNext("/admin/tenants?sort=name");
  expect(takeNext()).toBe("/admin/tenants?sort=name");
  expect(takeNext()).toBeUndefined();
  keepNext("/admin");
  keepNext(undefined);
  expect(takeNext()).toBeUndefined();
});

test("nothing leads out of these pages, whoever kept it", () => {
  for (const bad of ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/login", "/adminevil.example"]) {
    keepNext(bad);
    expect(takeNext()).toBeUndefined();
  }
});
