import type { Schemas } from "../../api/client";
import { strings } from "../../strings";

const t = strings.tenants.health;

/** Kinds of things of which a change changes how a tenant is. */
export const shows = ["user", "submission", "upload", "period", "run", "result"];

/** How a tenant is at a glance: the gravest in a few words, and all that there is to say. */
export type Glance = { tone: "ok" | "warn" | "bad" | "info" | "mute"; words: string; more: string[] };

const day = 86_400_000;

/** After so many days without a file or a sign-in a tenant is quiet. */
const quiet = 30;

/** Judges a tenant by the figures that the API gives of it; undefined where it gives none. */
export function glance(of: Pick<Schemas["Tenant"], "state" | "health">): Glance | undefined {
  const h = of.health;
  if (of.state !== "active") return { tone: of.state === "onboarding" ? "info" : "mute", words: t.resting[of.state] ?? of.state, more: [] };
  if (!h) return undefined;
  const found: [Glance["tone"], string][] = [];
  if (h.missing > 0) found.push(["bad", t.missingOf(h.missing)]);
  if (h.rejected > 0) found.push(["warn", t.rejectedOf(h.rejected)]);
  const last = Math.max(...[h.last_sign_in, h.last_submission].map((at) => (at ? Date.parse(at) : 0)));
  const days = Math.floor((Date.parse(h.as_of) - last) / day);
  if (last === 0) found.push(["info", t.notStarted]);
  else if (days >= quiet) found.push(["warn", t.quietFor(days)]);
  const [first, ...others] = found;
  if (!first) return { tone: "ok", words: t.well, more: [] };
  return { tone: first[0], words: first[1], more: others.map(([, words]) => words) };
}
