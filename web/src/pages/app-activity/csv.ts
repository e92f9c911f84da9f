import type { Schemas } from "../../api/client";

export type Entry = Schemas["AuditEntry"];

/** One field of a CSV: quoted where it must be, and never a formula for a spreadsheet. */
export function field(raw: string): string {
  const text = /^[\s\p{C}]*[=+\-@＝＋－＠﹦﹢﹣﹫−]|^\p{Cc}/u.test(raw) ? `'${raw}` : raw;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Entries as CSV after RFC 4180. */
export function csv(entries: Entry[]): string {
  const rows = entries.map((e) => [
    String(e.seq),
    e.at,
    e.actor,
    e.verb,
    e.subject,
    e.outcome,
    e.details ? JSON.stringify(e.details) : e.sealed ? "sealed" : "",
  ]);
  return [["seq", "at", "actor", "verb", "subject", "outcome", "details"], ...rows].map((r) => `${r.map(field).join(",")}\r\n`).join("");
}
