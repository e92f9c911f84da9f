// What is not seen, or turns the text around it: JSON can name it instead.
const unseen = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

const named = (text: string | undefined) => (text ?? "").replace(unseen, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** The same as JSON that reads as what it is, whatever its texts hold. */
export function jsonText(of: unknown): string {
  return named(JSON.stringify(of, undefined, 2));
}

/** The beginning of it in one line. */
export function jsonLine(of: unknown): string {
  return named(JSON.stringify(of).slice(0, 200));
}
