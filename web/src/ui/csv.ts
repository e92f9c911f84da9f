/** What a cell of a list holds, for a file. */
export type Value = string | number | boolean | null | undefined | readonly unknown[] | object;

// A spreadsheet takes what begins so for a formula, also behind what it does not show.
const formula = /^[\s\p{C}]*[=+\-@＝＋－＠﹦﹢﹣﹫−]|^\p{Cc}/u;

/** One field of a CSV after RFC 4180: quoted where it must be, and never a formula for a spreadsheet. Numbers stay numbers. */
export function field(value: Value): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  const raw = typeof value === "string" ? value : Array.isArray(value) ? value.map(plain).join(", ") : JSON.stringify(value);
  const text = formula.test(raw) ? `'${raw}` : raw;
  return /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const plain = (v: unknown) => (typeof v === "string" ? v : JSON.stringify(v));

/** A line of a CSV, with its end. */
export function line(values: Value[]): string {
  return `${values.map(field).join(",")}\r\n`;
}

/** What a spreadsheet needs before the first line to read it as UTF-8. */
export const mark = "\ufeff";
