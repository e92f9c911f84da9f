/** Reads the part of an address behind the question mark: plain text, and what is there twice as a list. */
export function parseSearch(raw: string): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [key, value] of new URLSearchParams(raw)) {
    const before = found[key];
    found[key] = before === undefined ? value : ([] as unknown[]).concat(before, value);
  }
  return found;
}

/** Writes it, without what is not set. */
export function writeSearch(search: Record<string, unknown>): string {
  const out = new URLSearchParams();
  for (const [key, value] of Object.entries(search)) {
    for (const v of ([] as unknown[]).concat(value)) if (v !== undefined && v !== null && v !== "") out.append(key, String(v));
  }
  const text = out.toString();
  return text && `?${text}`;
}

/** Only an address within these pages, for where to go after signing in. */
export function inside(address: string | undefined): string | undefined {
  return address && /^\/(app|admin)([/?#]|$)/.test(address) ? address : undefined;
}
