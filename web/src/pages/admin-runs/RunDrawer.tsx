import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Checkbox, Select, TextField } from "../../ui/Field";
import { Status } from "../../ui/Status";
import { Loaded, Note, ProblemBox, Progress } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { Name } from "../../ui/values";
import { allAnalyses } from "../admin-analyses/queries";
import { ScheduleForm } from "../admin-schedules/ScheduleForm";
import { going, type Run } from "./columns";
import { DryRun } from "./DryRun";
import { useRunDrawer } from "./drawer";
import { periodChoices, usePeriodsOf } from "./periods";
import { run } from "./queries";

const t = strings.runs.drawer;

/** Runs one or several analyses: now for a date, or by a schedule. It opens over any page. */
export default function RunDrawer() {
  const { chosen, choose, close } = useRunDrawer();
  const [started, setStarted] = useState<string[]>();
  return (
    <Dialog open onClose={close} title={t.title} drawer>
      {started ? (
        <Started ids={started} more={() => setStarted(undefined)} />
      ) : (
        <Choice chosen={chosen} choose={choose} started={setStarted} close={close} />
      )}
    </Dialog>
  );
}

type ChoiceProps = { chosen: string[]; choose: (a: string[]) => void; started: (ids: string[]) => void; close: () => void };

function Choice({ chosen, choose, started, close }: ChoiceProps) {
  const analyses = useQuery(allAnalyses);
  const [by, setBy] = useState<"now" | "schedule">("now");
  return (
    <Loaded query={analyses}>
      {(all) =>
        all.length === 0 ? (
          <div className="stack">
            <p>{t.none}</p>
            <Copy text="tributary analysis apply -f FILE.yaml" />
          </div>
        ) : (
          <div className="stack">
            <fieldset className="choices">
              <legend>{t.which}</legend>
              {all.map((a) => (
                <Checkbox
                  key={a.id}
                  label={<Name of={a.title || a.id} />}
                  hint={t.accepted(a.organisations?.accepted ?? 0)}
                  checked={chosen.includes(a.id)}
                  onChange={(on) => choose(on ? [...chosen, a.id] : chosen.filter((c) => c !== a.id))}
                />
              ))}
            </fieldset>
            <fieldset className="choices">
              <legend>{t.when}</legend>
              <div className="row">
                {(["now", "schedule"] as const).map((w) => (
                  <label key={w} className="row">
                    <input type="radio" name="when" checked={by === w} onChange={() => setBy(w)} /> {t[w]}
                  </label>
                ))}
              </div>
            </fieldset>
            {by === "schedule" ? (
              <ScheduleForm analyses={chosen} done={close} />
            ) : (
              <NowForm chosen={chosen} datasets={datasetsOf(all, chosen)} started={started} />
            )}
          </div>
        )
      }
    </Loaded>
  );
}

function datasetsOf(all: Schemas["Analysis"][], chosen: string[]): string[] {
  return [...new Set(all.filter((a) => chosen.includes(a.id)).flatMap((a) => a.datasets ?? []))].sort();
}

const other = "other";

function NowForm({ chosen, datasets, started }: { chosen: string[]; datasets: string[]; started: (ids: string[]) => void }) {
  const periods = periodChoices(usePeriodsOf(datasets));
  const [picked, setPicked] = useState<string>();
  const [typed, setTyped] = useState("");
  const [planned, setPlanned] = useState<{ analyses: string[]; date: string }>();
  const choice = picked ?? periods.find((p) => p.closed)?.date ?? periods[0]?.date ?? other;
  const date = choice === other ? typed : choice;
  const { busy, error, submit } = useSubmit(async () => {
    const made = await call(api.POST("/api/v1/runs", { body: { analyses: chosen, date } }));
    void queries.invalidateQueries({ queryKey: ["run"] });
    started(items(made).map((r) => r.id));
  });
  return (
    <form className="stack" onSubmit={submit}>
      <Select
        label={t.period}
        value={choice}
        onChange={setPicked}
        options={[
          ...periods.map((p) => ({ value: p.date, label: `${p.label} (${t.states(p.there, p.missing)})` })),
          { value: other, label: t.other },
        ]}
      />
      {choice === other && (
        <TextField
          label={t.date}
          hint={t.dateHint}
          value={typed}
          onChange={setTyped}
          placeholder="2026-10-01"
          pattern="\d{4}-\d{2}-\d{2}"
          required
        />
      )}
      <ProblemBox of={error} />
      <div className="row">
        <Button type="submit" kind="primary" busy={busy} disabled={chosen.length === 0 || date === ""}>
          {t.run(chosen.length)}
        </Button>
        <Button disabled={chosen.length === 0 || date === ""} onClick={() => setPlanned({ analyses: chosen, date })}>
          {t.dry}
        </Button>
      </div>
      <p className="secondary">{t.dryHint}</p>
      {planned && <DryRun analyses={planned.analyses} date={planned.date} />}
    </form>
  );
}

// What was started, live to its end.
function Started({ ids, more }: { ids: string[]; more: () => void }) {
  const runs = useQueries({ queries: ids.map(run) });
  return (
    <div className="stack">
      <Note>{t.startedHint}</Note>
      <ul className="stack" aria-label={t.started}>
        {runs.map((q, i) => (
          <li key={ids[i]}>{q.data ? <One of={q.data} /> : <ProblemBox of={q.error} />}</li>
        ))}
      </ul>
      <div>
        <Button onClick={more}>{t.more}</Button>
      </div>
    </div>
  );
}

function One({ of }: { of: Run }) {
  return (
    <div className="stack tight">
      <div className="row">
        <Link to="/admin/runs/$id" params={{ id: of.id }}>
          <bdi>{strings.runs.of(of.analysis, of.date)}</bdi>
        </Link>
        <Status state={of.state} />
      </div>
      {going(of) ? (
        <Progress label={of.stage ?? of.state} done={of.done} total={of.total} />
      ) : (
        <p className="secondary">
          <bdi>{of.reason}</bdi>
        </p>
      )}
    </div>
  );
}
