import type { Schemas } from "../../api/client";
import { strings } from "../../strings";

const order = ["failed", "withheld", "skipped", "cancelled", "running", "queued", "succeeded"];

/** What a firing came to: the worst of its runs, or that there were none. */
export function outcome(firing: Schemas["Firing"]): { state: string; words: string } {
  const runs = firing.runs ?? [];
  const states = runs.map((r) => r.state ?? "");
  const worst = order.find((s) => states.includes(s));
  const t = strings.schedules;
  if (!worst) return runs.length > 0 ? { state: "mute", words: t.runsGone(runs.length) } : { state: "skipped", words: t.noRun };
  return { state: worst, words: t.outcome(runs.length, strings.ui.status[worst] ?? worst, states.filter((s) => s === worst).length) };
}
