import type { Schemas } from "../../api/client";

/** What is known of how far an organisation is. */
export type Known = {
  /** That one may use: one's own, and for admins their organisation's. */
  keys: number;
  analyses: Schemas["Analysis"][];
  sent: boolean;
  accepted: boolean;
  results: Schemas["Result"][];
};

export type Step = { id: "key" | "accept" | "send" | "accepted" | "result"; done: boolean };

/** The first steps, ticked by what the server knows. Who has sent files without a key needs none. */
export function steps(k: Known): Step[] {
  const all: Step[] = [
    { id: "key", done: k.keys > 0 },
    { id: "accept", done: k.analyses.some((a) => a.decision === "accepted") },
    { id: "send", done: k.sent },
    { id: "accepted", done: k.accepted },
    { id: "result", done: k.results.some((r) => r.downloaded_at !== undefined) },
  ];
  return all.filter((s) => s.id !== "key" || s.done || !k.sent);
}

// What needs somebody to do something comes first.
const urgency = ["overdue", "missing", "rejected", "due", "validating", "received", "late", "accepted"];

/** Periods in the order in which they matter: by state, then by when they are due. */
export function byUrgency(periods: Schemas["Period"][]): Schemas["Period"][] {
  return [...periods].sort((a, b) => urgency.indexOf(a.state) - urgency.indexOf(b.state) || (a.due_at ?? "").localeCompare(b.due_at ?? ""));
}

/** Whether a file of this period is still to be sent. */
export function owed(p: Schemas["Period"]): boolean {
  return urgency.indexOf(p.state) < 4;
}

/** What a file for a period is called, as far as its contract says. */
export function fileName(d: Schemas["Dataset"] | undefined, date: string, id: string | undefined): string | undefined {
  return d?.file_name
    ?.replaceAll("{dataset}", d.id)
    .replaceAll("{date}", date)
    .replaceAll("{participant}", id ?? "YOUR-ID");
}
