/** What a run's signed manifest says, as far as it is shown. */
export type Manifest = {
  cells: number;
  organisations: number;
  organisations_verified: number;
  values_released: number;
  values_suppressed: Record<string, number>;
  /** How much of each measure was shown; older releases do not say. */
  utility: { measure: string; cells: number; shown: number; value_percent: number }[];
  /** What was tried on a release with totals. */
  attack?: { hidden: number; unbounded?: number; witnesses: number; intervals: number; narrowest_percent?: number };
  software: string;
  sandbox: string;
  definition_sha256: string;
  snapshot_sha256: string;
  released_at: string;
  /** How many values were hidden, by whichever rule. */
  hidden: number;
};

/** Reads the statement that was signed: JSON in base64. */
export function readManifest(body: string): Manifest {
  const bytes = Uint8Array.from(atob(body), (c) => c.charCodeAt(0));
  const m = JSON.parse(new TextDecoder().decode(bytes)) as Manifest;
  m.values_suppressed ??= {};
  m.utility ??= [];
  return { ...m, hidden: Object.values(m.values_suppressed).reduce((sum, n) => sum + n, 0) };
}
