import type { Schemas } from "../../api/client";
import { strings } from "../../strings";

const t = strings.overview;

/** Something that somebody should see to: how bad, what in words, why, and where. */
export type Matter = { id: string; state: string; words: string; why?: string | undefined; to: string; search?: Record<string, string> };

type Known = {
  missing: Schemas["Period"][];
  rejected: Schemas["Submission"][];
  unsettled: Schemas["Period"][]; // periods whose file is not accepted, though one was sent
  runs: Schemas["Run"][];
  schedules: Schemas["Schedule"][];
  firings: Map<string, Schemas["Firing"] | undefined>;
  warnings: string[];
  names: Map<string, string>;
};

const bad = ["failed", "withheld", "skipped"];

/** What needs attention, the worst first. A run that a later one for the same date made good is not among it, nor is a file that was corrected. */
export function attention(known: Known): Matter[] {
  return [
    ...known.warnings.map((w): Matter => ({ id: `warning ${w}`, state: "waiting", words: w, to: "/admin" })),
    ...troubled(known.runs),
    ...rejected(known),
    ...missing(known),
    ...idle(known),
  ];
}

function troubled(runs: Schemas["Run"][]): Matter[] {
  const settled = new Set<string>();
  const list: Matter[] = [];
  // The newest first: whatever a later run settled is of no concern.
  for (const r of runs) {
    const what = `${r.analysis} ${r.date}`;
    if (settled.has(what)) continue;
    settled.add(what);
    if (bad.includes(r.state)) {
      const words = t.run(r.analysis, r.date, strings.ui.status[r.state] ?? r.state);
      list.push({ id: r.id, state: r.state, words, why: r.reason, to: `/admin/runs/${r.id}` });
    }
  }
  return list;
}

function rejected({ rejected: files, missing: gaps, unsettled, names }: Known): Matter[] {
  const seen = new Set<string>();
  const list: Matter[] = [];
  for (const s of files) {
    const what = `${s.tenant} ${s.dataset} ${s.date}`;
    const open = [...gaps, ...unsettled].find(
      (p) => p.tenant === s.tenant && p.dataset === s.dataset && p.date <= s.date && s.date <= p.end,
    );
    if (seen.has(what) || !open) continue;
    seen.add(what);
    const words = t.rejected(s.dataset, open.label);
    list.push({
      id: s.id,
      state: "rejected",
      words,
      why: names.get(s.tenant) ?? s.tenant_slug,
      to: "/admin/submissions",
      search: { open: s.id },
    });
  }
  return list;
}

function missing({ missing: gaps, names }: Known): Matter[] {
  const groups = new Map<string, Schemas["Period"][]>();
  for (const p of gaps) groups.set(`${p.dataset} ${p.date}`, [...(groups.get(`${p.dataset} ${p.date}`) ?? []), p]);
  return [...groups].flatMap(([id, of]): Matter[] => {
    const first = of[0];
    if (!first) return [];
    const who = of.slice(0, 5).map((p) => names.get(p.tenant) ?? p.tenant_slug);
    return [
      {
        id,
        state: "missing",
        words: t.missing(first.dataset, first.label, of.length),
        why: who.join(", ") + (of.length > 5 ? `, ${t.attentionMore(of.length - 5)}` : ""),
        to: "/admin/submissions",
        search: { view: "periods", dataset: first.dataset },
      },
    ];
  });
}

function idle({ schedules, firings }: Known): Matter[] {
  return schedules.flatMap((s): Matter[] => {
    const to = `/admin/schedules/${s.id}`;
    if (s.state === "active" && (s.next ?? []).length === 0) return [{ id: s.id, state: "failed", words: t.never(s.id), to }];
    const last = firings.get(s.id);
    if (s.state === "active" && last?.note && (last.runs ?? []).length === 0)
      return [{ id: s.id, state: "skipped", words: t.unfired(s.id), why: last.note, to }];
    return [];
  });
}

/** The warnings in what /readyz says. */
export function warningsOf(text: string): string[] {
  return text
    .split("\n")
    .flatMap((l) => (l.startsWith("warning: ") ? [l.slice("warning: ".length)] : l.startsWith("not ready: ") ? [l] : []));
}
