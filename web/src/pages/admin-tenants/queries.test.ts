import { expect, test } from "vitest";
import { listed, slugOf } from "./queries";

test("a slug is made of a name's letters and digits", () => {
  expect([
    slugOf("Acme Retail"),
    slugOf("  Café Zürich & Söhne, Ltd. "),
    slugOf("24/7 Help"),
    slugOf("日本"),
    slugOf(`${"a".repeat(39)} b`),
  ]).toEqual(["acme-retail", "cafe-zurich-sohne-ltd", "help", "", "a".repeat(39)]);
});

test("a list may have commas and spaces anywhere", () => {
  expect([listed(" a, b ,,c "), listed(" ")]).toEqual([["a", "b", "c"], []]);
});
