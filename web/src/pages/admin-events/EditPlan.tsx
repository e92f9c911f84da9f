import { useId, useState } from "react";
import { Problem, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Code } from "../../ui/Code";
import { ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { complaints } from "./complaints";
import { Difference } from "./Difference";
import { apply } from "./plans";

const t = strings.plan;

const example = `events:
  - type: checkout.completed
    description: Somebody has paid.
    owner: payments
    fields:
      - {name: amount, type: number, required: true}
      - {name: currency, type: string, required: true, allowed: [EUR, USD]}
`;

/** Writes the plan anew, and says by line what of it is wrong. */
export function EditPlan({ current, close }: { current: Schemas["Plan"] | null; close: () => void }) {
  const [yaml, setYaml] = useState(current?.source ?? example);
  const [at, setAt] = useState<{ line: number }>();
  const hint = useId();
  const { busy, error, submit } = useSubmit(async () => {
    const made = await apply(yaml);
    await queries.invalidateQueries({ queryKey: ["plan"] });
    told(made.changed ? t.appliedNew(made.version) : t.appliedSame);
    close();
  });
  const wrong = error instanceof Problem && error.status === 422 ? complaints(error.message) : [];
  return (
    <form className="stack" onSubmit={submit}>
      <Card title={t.editTitle}>
        <div className="stack">
          <Code
            label={t.edit}
            value={yaml}
            onChange={setYaml}
            rows={24}
            wrong={wrong.flatMap((w) => w.line ?? [])}
            at={at}
            describedBy={hint}
          />
          {wrong.length > 0 ? (
            <div role="alert" className="stack tight">
              <h3>{t.wrong}</h3>
              <ul className="stack tight">
                {wrong.map((w) => (
                  <li key={`${w.line} ${w.text}`}>
                    {w.line !== undefined && (
                      <button type="button" className="link" onClick={() => setAt({ line: w.line ?? 1 })}>
                        {t.line(w.line)}
                      </button>
                    )}{" "}
                    <bdi>{w.text}</bdi>
                  </li>
                ))}
              </ul>
            </div>
          ) : (
            <ProblemBox of={error} />
          )}
          <p id={hint} className="secondary">
            {t.applyHint}
          </p>
          <div className="row">
            <Button type="submit" kind="primary" busy={busy}>
              {t.apply}
            </Button>
            <Button onClick={close}>{strings.ui.cancel}</Button>
          </div>
        </div>
      </Card>
      {current && (
        <Card title={t.views.changes}>
          <Difference before={current.source ?? ""} after={yaml} />
        </Card>
      )}
    </form>
  );
}
