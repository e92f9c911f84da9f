import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Note } from "../../ui/states";
import { Time } from "../../ui/values";

const t = strings.tenants;

/** The recorded steps of a tenant's onboarding. */
export function Steps({ of: saga }: { of: Schemas["Saga"] }) {
  return (
    <div>
      {saga.error ? (
        <div className="inset">
          <Note tone="bad">
            {t.saga.failed} {saga.error}
          </Note>
        </div>
      ) : (
        <p className="inset secondary" role="status">
          {saga.finished_at ? t.saga.done : t.saga.running}
        </p>
      )}
      <PlainTable
        title={t.saga.title}
        rows={saga.steps ?? []}
        id={(s, at) => `${s.step}${at}`}
        columns={[
          { id: "step", title: t.saga.step, cell: (s) => s.step },
          { id: "state", title: t.state, cell: (s) => <Status state={s.state}>{t.steps[s.state] ?? s.state}</Status> },
          { id: "at", title: t.saga.at, cell: (s) => <Time at={s.at} exact /> },
        ]}
      />
    </div>
  );
}
