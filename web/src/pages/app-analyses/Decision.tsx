import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Status } from "../../ui/Status";

const t = strings.participation.decisions;

/** What one's organisation has decided about an analysis, or that a newer version asks for more. */
export function Decision({ of }: { of: Schemas["Analysis"] }) {
  if (widened(of)) {
    return (
      <Status state="open" tone="warn">
        {t.widened}
      </Status>
    );
  }
  const decision = of.decision ?? "open";
  return <Status state={decision}>{t[decision]}</Status>;
}

/** Whether a yes to an earlier version does not cover this one. */
export function widened(a: Schemas["Analysis"]): boolean {
  return (a.widened ?? []).length > 0;
}
