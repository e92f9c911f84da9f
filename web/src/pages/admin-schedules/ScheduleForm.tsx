import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useDeferredValue, useState } from "react";
import { api, call, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Checkbox, TextField } from "../../ui/Field";
import { zone } from "../../ui/format";
import { ProblemBox } from "../../ui/states";
import { useSubmit } from "../../ui/submit";
import { told } from "../../ui/Toasts";
import { Name } from "../../ui/values";
import { allAnalyses } from "../admin-analyses/queries";
import { NextTimes } from "./NextTimes";

const t = strings.schedules;

type Props = {
  /** The one that is changed; absent: a new one is made. */
  of?: Schemas["Schedule"];
  /** Chosen elsewhere, for a new one. */
  analyses?: string[];
  done: () => void;
};

/** Makes or changes a schedule, and shows when it would fire while one types. */
export function ScheduleForm({ of, analyses: given, done }: Props) {
  const [name, setName] = useState(of?.id ?? "");
  const [picked, setPicked] = useState<string[]>(of?.analyses ?? []);
  const [cron, setCron] = useState(of?.cron ?? "0 6 * * *");
  const [where, setWhere] = useState(of?.zone ?? zone());
  const [days, setDays] = useState(of?.date_offset_days === undefined ? "" : String(of.date_offset_days));
  const [offset, setOffset] = useState(of?.date_offset_days !== undefined);
  const analyses = given ?? picked;
  const { busy, error, submit } = useSubmit(async () => {
    const timing = { analyses, cron, zone: where };
    const before = offset ? { date_offset_days: Number(days) || 0 } : {};
    if (of) {
      const body = { ...timing, ...(offset ? before : { closed: true }) };
      await call(api.PATCH("/api/v1/schedules/{id}", { params: { path: { id: of.id } }, body }));
      told(t.saved);
    } else {
      await call(api.POST("/api/v1/schedules", { body: { id: name, ...timing, ...before } }));
      told(t.made);
    }
    void queries.invalidateQueries({ queryKey: ["schedule"] });
    done();
  });
  return (
    <form className="stack" onSubmit={submit}>
      {!of && (
        <TextField
          label={t.name}
          hint={t.nameHint}
          value={name}
          onChange={setName}
          pattern="[a-z0-9][a-z0-9_\-]*"
          maxLength={63}
          required
        />
      )}
      {!given && <Analyses picked={picked} pick={setPicked} />}
      <TextField label={t.cron} hint={t.cronHint} value={cron} onChange={setCron} spellCheck={false} required />
      <TextField label={t.zone} hint={t.zoneHint} value={where} onChange={setWhere} spellCheck={false} required />
      <Preview cron={cron} where={where} />
      <fieldset className="choices">
        <legend>{t.dates}</legend>
        <label className="radio">
          <input type="radio" name="dates" checked={!offset} onChange={() => setOffset(false)} /> {t.closed}
        </label>
        <label className="radio">
          <input type="radio" name="dates" checked={offset} onChange={() => setOffset(true)} /> {t.offset}
        </label>
      </fieldset>
      {offset && <TextField label={t.offsetDays} type="number" min={0} max={3660} value={days} onChange={setDays} required />}
      <ProblemBox of={error} />
      <div>
        <Button type="submit" kind="primary" busy={busy} disabled={analyses.length === 0}>
          {of ? t.save : t.create}
        </Button>
      </div>
    </form>
  );
}

function Analyses({ picked, pick }: { picked: string[]; pick: (analyses: string[]) => void }) {
  const { data } = useQuery(allAnalyses);
  return (
    <fieldset className="choices">
      <legend>{t.analyses}</legend>
      {(data ?? []).map((a) => (
        <Checkbox
          key={a.id}
          label={<Name of={a.title || a.id} />}
          checked={picked.includes(a.id)}
          onChange={(on) => pick(on ? [...picked, a.id] : picked.filter((p) => p !== a.id))}
        />
      ))}
    </fieldset>
  );
}

// When it would fire, asked a moment after one has typed.
function Preview({ cron, where }: { cron: string; where: string }) {
  const asked = useDeferredValue(`${cron}\n${where}`);
  const query = useQuery({
    queryKey: ["schedule", "times", asked],
    enabled: cron.trim() !== "",
    staleTime: 60_000,
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => call(api.GET("/api/v1/schedule-times", { signal, params: { query: { cron, zone: where } } })),
  });
  return (
    <div className="stack tight" aria-live="polite">
      <h3>{t.preview}</h3>
      {query.error ? (
        <p className="problem">{query.error instanceof Error ? query.error.message : ""}</p>
      ) : (
        <NextTimes of={query.data?.next ?? []} zone={where} />
      )}
    </div>
  );
}
