// Characters that turn the direction of text around, and that end such a turn.
const turning = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const rightToLeft = /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

/** A name without what would turn around the text that it stands in. */
export function plain(name: string): string {
  return name.replace(turning, "");
}

/** The same for the middle of a sentence, kept apart where it runs from right to left. */
function apart(name: string): string {
  const text = plain(name);
  return rightToLeft.test(text) ? `\u2068${text}\u2069` : text;
}

/** The same words, whose sentences keep the names that they are given apart. */
export function sentences<T>(words: T): T {
  if (typeof words === "function") {
    const say = words as unknown as (...given: unknown[]) => unknown;
    return ((...given: unknown[]) => say(...given.map((g) => (typeof g === "string" ? apart(g) : g)))) as T;
  }
  if (typeof words !== "object" || words === null || Array.isArray(words)) return words;
  return Object.fromEntries(Object.entries(words).map(([name, word]) => [name, sentences(word)])) as T;
}
