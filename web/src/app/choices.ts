import type { Schemas } from "../api/client";
import { strings } from "../strings";
import { plain } from "../strings/apart";

const t = strings.people;

/** Something to choose by what it is called. */
export type Choice = { value: string; label: string };

/** Who may have acted, by id: people, keys, and the server; none where there are no people. */
export function choicesOf(users: Schemas["User"][], keys: Schemas["APIKey"][]): Choice[] {
  if (users.length === 0) return [];
  const people = users.map((u) => ({ value: u.id, label: plain(u.name ? `${u.name}, ${u.email}` : u.email) }));
  const programs = keys.map((k) => ({ value: k.id, label: plain(t.key(k.name ? `${k.name}, ${k.hint}` : k.hint)) }));
  const byLabel = (a: Choice, b: Choice) => a.label.localeCompare(b.label);
  return [...people.sort(byLabel), ...programs.sort(byLabel), { value: "tributary", label: t.server }];
}
