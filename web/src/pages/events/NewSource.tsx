import { useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Checkbox, TextField } from "../../ui/Field";
import { Note, ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { FirstEvent } from "./FirstEvent";
import { HowTo } from "./HowTo";

const t = strings.events.sources;

/** Makes a source, shows its key once, and waits with who puts it in until an event comes. */
export function NewSource({ staff, onClose }: { staff: boolean; onClose: () => void }) {
  const [name, setName] = useState("");
  const [field, setField] = useState("context.groupId");
  const [strict, setStrict] = useState(false);
  const [made, setMade] = useState<Schemas["Source"]>();
  const { busy, error, submit } = useSubmit(async () => {
    const source = await call(api.POST("/api/v1/sources", { body: { name, strict, ...(staff && { tenant_field: field }) } }));
    await queries.invalidateQueries({ queryKey: ["key", "source"] });
    setMade(source);
  });
  return (
    <Dialog open onClose={onClose} title={made ? t.madeTitle(made.name) : t.create} drawer={made !== undefined}>
      {made ? (
        <div className="stack">
          <Note tone="warn">{t.madeOnce}</Note>
          <Copy text={made.key ?? ""} label={t.made} />
          <HowTo writeKey={made.key ?? ""} />
          <FirstEvent of={made} />
          <div>
            <Button kind="primary" onClick={onClose}>
              {t.done}
            </Button>
          </div>
        </div>
      ) : (
        <form className="stack" onSubmit={submit}>
          <TextField label={t.name} hint={t.nameHint} value={name} onChange={setName} autoComplete="off" maxLength={100} required />
          {staff && (
            <TextField label={t.field} hint={t.fieldHint} value={field} onChange={setField} autoComplete="off" maxLength={1000} required />
          )}
          <Checkbox label={t.strict} hint={t.strictHint} checked={strict} onChange={setStrict} />
          <ProblemBox of={error} />
          <div>
            <Button type="submit" kind="primary" busy={busy}>
              {t.create}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
