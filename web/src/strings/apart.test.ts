import { expect, test } from "vitest";
import { plain, sentences } from "./apart";

test("a name turns nothing around", () => {
  const words = sentences({ page: { remove: (name: string, n: number) => `Remove ${name} (${n})?`, title: "Files" }, list: ["a"] });
  expect(words.page.remove("plain.csv", 2)).toBe("Remove plain.csv (2)?");
  expect(words.page.remove("a\u2069\u202Egnp.exe", 2)).toBe("Remove agnp.exe (2)?");
  expect(words.page.remove("שלום\u2069", 2)).toBe("Remove \u2068שלום\u2069 (2)?");
  expect([words.page.title, words.list, plain("\u200Fx")]).toEqual(["Files", ["a"], "x"]);
});
