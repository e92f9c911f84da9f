import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { command, listCommand } from "./command";
import type { Filter } from "./list";

const is = (column: string, value: string): Filter => ({ column, operator: "is", value });
const state = { search: "", sort: "", filters: [] as Filter[], after: "x", limit: 25 };

test("a list's command has its search, filters and order", () => {
  expect(listCommand(["tenant", "list", "--health"], state)).toBe("tributary tenant list --health");
  expect(
    listCommand(["run", "list"], { ...state, search: "mean value", sort: "-date", filters: [is("state", "failed"), is("id", "run_1")] }),
  ).toBe("tributary run list --search='mean value' --filter=state:is:failed --filter=id:is:run_1 --sort=-date");
});

test.each([
  "",
  "plain",
  "it's",
  "'; rm -rf ~; '",
  "$(id) `id` $HOME",
  "a\nb\r\tc",
  "\u001b[2J\u0003",
  "a\u202egnp.exe\u2066",
  "\\' \\n !! !x",
  "\u0007!x'\\",
  "~root",
  "=ls",
  "*?[a]{b,c}",
  "-n --all",
  "#no & no | no > no",
  "zürich 東京 🏔️",
  "\u2028x",
])("a shell reads %j as it is", (text) => {
  const typed = command([`--search=${text}`, `--filter=name:is:${text}`]).replace(/^tributary/, "printf '%s\\0'");
  expect(typed).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}]/u);
  const got = execFileSync("bash", ["-c", typed]).toString();
  expect(got).toBe(`--search=${text}\0--filter=name:is:${text}\0`);
});
