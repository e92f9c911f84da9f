/** The part of the address that says which version is shown. */
export function analysisSearch(raw: Record<string, unknown>): { version?: number } {
  const version = Number(raw.version);
  return Number.isInteger(version) && version > 0 ? { version } : {};
}
