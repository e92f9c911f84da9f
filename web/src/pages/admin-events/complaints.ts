/** What is wrong in a line of a document, or, without a line, in all of it. */
export type Complaint = { line?: number; text: string };

/** Takes apart what the API says of a document that it refuses: "…: line 3: this; line 9: that." */
export function complaints(message: string): Complaint[] {
  const found = [...message.matchAll(/line (\d+): ([^;\n]*?)(?=\.?$|;|\n|, line \d)/gm)];
  if (found.length === 0) return [{ text: message }];
  return found.map(([, line, text = ""]) => ({ line: Number(line), text: text.trim() }));
}
