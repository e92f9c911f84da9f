import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Status } from "../../ui/Status";
import { Nothing } from "../../ui/values";

const t = strings.submissions;

/** Whether a file came in time; nothing where nothing was due. */
export function Punctual({ of }: { of: Schemas["Submission"] }) {
  if (of.after_cut_off) return <Status state="late">{t.afterCutOff}</Status>;
  if (of.late) return <Status state="late">{t.late}</Status>;
  return of.due_at ? t.inTime : <Nothing />;
}
