import { expect, test } from "vitest";
import { apiSnippet, cliSnippet, quoted, sftpSnippet } from "./snippet";

const v = {
  server: "https://data.example",
  host: "data.example",
  login: "acme.alice",
  dataset: "sales",
  date: "2026-10-01",
  name: "sales 2026-10-01.csv",
};

test("snippets have the tenant's own values", () => {
  expect(sftpSnippet(v, "0.0.0.0:2022", true)).toBe("sftp -P 2022 acme.alice@data.example\nput 'sales 2026-10-01.csv' /input/");
  expect(sftpSnippet(v, "[2001:db8::1]:2022", false)).toContain(
    "acme.alice@[2001:db8::1]\nput 'sales 2026-10-01.csv' /input/sales/2026-10-01/",
  );
  expect(apiSnippet(v)).toContain("https://data.example/api/v1/submissions?dataset=sales&date=2026-10-01&name=sales+2026-10-01.csv");
  expect(cliSnippet(v)).toContain("--dataset sales --date 2026-10-01 'sales 2026-10-01.csv'");
});

test("no name breaks out of its quotes", () => {
  expect(quoted("a'; rm -rf ~; '")).toBe(`'a'\\''; rm -rf ~; '\\'''`);
  expect(quoted("$(id)")).toBe("'$(id)'");
});
