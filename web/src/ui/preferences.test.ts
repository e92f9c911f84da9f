import { beforeEach, expect, test } from "vitest";
import { choose, preference, readPreferences, savePreferences } from "./preferences";

const kept = new Map<string, string>();
globalThis.localStorage = {
  getItem: (k: string) => kept.get(k) ?? null,
  setItem: (k: string, v: string) => void kept.set(k, v),
} as Storage;

let next = 0;
const somebody = () => `usr_${next++}`;

beforeEach(() => kept.clear());

test("with an account it is read once, shown at once, and saved together", async () => {
  let reads = 0;
  const written: unknown[] = [];
  const account = {
    read: async () => {
      reads++;
      return { "rows.tenants": 25 };
    },
    write: async (change: unknown) => written.push(change),
  };
  const who = somebody();
  await Promise.all([readPreferences(who, account), readPreferences(who, account)]);
  expect(reads).toBe(1);
  expect(preference("rows.tenants")).toBe(25);
  choose("rows.tenants", 100);
  choose("columns.tenants", ["slug"]);
  expect(preference("rows.tenants")).toBe(100);
  await savePreferences();
  await savePreferences();
  expect(written).toEqual([{ "rows.tenants": 100, "columns.tenants": ["slug"] }]);
  expect(kept.size).toBe(0);
});

test("what could not be saved is saved with the next change", async () => {
  let fails = true;
  const written: unknown[] = [];
  const account = {
    read: async () => ({}),
    write: async (change: unknown) => {
      if (fails) throw new Error("away");
      written.push(change);
    },
  };
  await readPreferences(somebody(), account);
  choose("a", 1);
  await savePreferences();
  fails = false;
  choose("b", 2);
  await savePreferences();
  expect(written).toEqual([{ a: 1, b: 2 }]);
});

test("without an account the browser keeps it", async () => {
  const account = {
    read: async () => {
      throw new Error("nobody is signed in");
    },
    write: async () => expect.unreachable(),
  };
  await readPreferences(somebody(), account);
  choose("shortcuts", false);
  expect(preference("shortcuts")).toBe(false);
  expect(kept.get("preference.shortcuts")).toBe("false");
  kept.set("preference.broken", "{");
  expect(preference("broken")).toBeUndefined();
});
