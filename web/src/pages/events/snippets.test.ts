import { expect, test } from "vitest";
import { collectorAt, snippetsOf } from "./snippets";

test("the collector is where its clients find it", () => {
  expect(collectorAt("http://127.0.0.1:8090", "tributary.example")).toBe("http://tributary.example:8090");
  expect(collectorAt("https://[::]:443", "tributary.example")).toBe("https://tributary.example");
  expect(collectorAt("http://192.0.2.7:8090", "tributary.example")).toBe("http://192.0.2.7:8090");
});

test("every client has the key and the address", () => {
  const all = snippetsOf({ key: "trw_1", collector: "https://events.example", server: "https://tributary.example" });
  for (const [name, text] of Object.entries(all)) {
    expect(text, name).toContain("trw_1");
    expect(text, name).toMatch(/https:\/\/(events|tributary)\.example/);
  }
});

test("without a collector there is only what the API takes", () => {
  expect(Object.keys(snippetsOf({ key: "trw_1", collector: "", server: "https://tributary.example" }))).toEqual(["curl"]);
});
