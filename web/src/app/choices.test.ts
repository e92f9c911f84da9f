import { expect, test } from "vitest";
import type { Schemas } from "../api/client";
import { choicesOf } from "./choices";

test("who acted is chosen by name and asked for by id", () => {
  const users = [
    { id: "usr_2", name: "Bob", email: "bob@a.example" },
    { id: "usr_1", name: "", email: "ada@a.example" },
  ] as Schemas["User"][];
  const keys = [{ id: "key_1", name: "nightly", hint: "x7q2" }] as Schemas["APIKey"][];
  expect(choicesOf(users, keys)).toEqual([
    { value: "usr_1", label: "ada@a.example" },
    { value: "usr_2", label: "Bob, bob@a.example" },
    { value: "key_1", label: "key nightly, x7q2" },
    { value: "tributary", label: "the server itself" },
  ]);
  expect(choicesOf([], [])).toEqual([]);
});
