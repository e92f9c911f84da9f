import { Pause, Play, X } from "lucide-react";
import { useState } from "react";
import type { Schemas } from "../../api/client";
import { strings } from "../../strings";
import { plain } from "../../strings/apart";
import { Button, IconButton } from "../../ui/Button";
import { Confirm } from "../../ui/Dialog";
import { Select, TextField } from "../../ui/Field";
import { bytes, duration } from "../../ui/format";
import { Status } from "../../ui/Status";
import { Note, ProblemBox, Progress } from "../../ui/states";
import { Bytes, Name } from "../../ui/values";
import { cancel, choose, type Item, pause, resume } from "./queue";
import style from "./Submit.module.css";
import { speed, timeLeft } from "./speed";
import { Verdict } from "./Verdict";

const t = strings.submit;

// The tone of each phase; those of other states do not know them.
const tones = {
  checking: "mute",
  unknown: "warn",
  problem: "bad",
  ready: "info",
  queued: "mute",
  sending: "info",
  paused: "warn",
  lost: "warn",
  signedOut: "warn",
  failed: "bad",
  sent: "ok",
} as const;

function face(i: Item): keyof typeof tones {
  if (i.phase !== "ready") return i.phase;
  if (i.checking) return "checking";
  if (!i.dataset || !i.date) return "unknown";
  return i.problem ? "problem" : "ready";
}

/** A file of the queue: what it is for, how far it is, and what was thought of it. */
export function Row({ item, datasets, correct }: { item: Item; datasets: Schemas["Dataset"][]; correct: (files: File[]) => void }) {
  const [asking, setAsking] = useState(false);
  const { key, file, phase } = item;
  const title = datasets.find((d) => d.id === item.dataset)?.title ?? item.dataset;
  const going = phase === "sending" || phase === "queued" || phase === "lost";
  const stoppable = going || phase === "paused" || phase === "signedOut";
  const shown = face(item);
  return (
    <li className={style.row} aria-label={plain(file.name)}>
      <div className={style.line}>
        <div className={style.file}>
          <span className={style.fileName}>
            <Name of={file.name} />
          </span>
          <span className={style.what}>
            <Bytes of={file.size} />
            {phase !== "ready" && (
              <>
                {" · "}
                <bdi>{title}</bdi> · {item.date}
              </>
            )}
          </span>
        </div>
        {phase !== "sent" && (
          <Status state={shown} tone={tones[shown]}>
            {t.phase[shown]}
          </Status>
        )}
        <div className="row">
          {(phase === "sending" || phase === "queued") && (
            <Button icon={<Pause size={16} aria-hidden />} onClick={() => pause(key)}>
              {t.pause}
            </Button>
          )}
          {(phase === "paused" || phase === "lost" || phase === "signedOut") && (
            <Button icon={<Play size={16} aria-hidden />} onClick={() => resume(key)}>
              {t.resume}
            </Button>
          )}
          {phase === "failed" && <Button onClick={() => resume(key)}>{t.again}</Button>}
          {stoppable && (
            <Button kind="quiet" onClick={() => setAsking(true)}>
              {t.cancel}
            </Button>
          )}
          {!stoppable && <IconButton label={t.removeNamed(file.name)} icon={<X size={16} />} onClick={() => void cancel(key)} />}
        </div>
      </div>
      {phase === "ready" && <Choice item={item} datasets={datasets} />}
      {item.problem && phase === "ready" && <Note tone="bad">{item.problem}</Note>}
      {phase === "ready" && <ProblemBox of={item.error} again={() => void choose(key, { dataset: item.dataset, date: item.date })} />}
      {(stoppable || phase === "failed") && <Transfer item={item} />}
      {phase === "failed" && <ProblemBox of={item.error} />}
      {phase === "sent" && item.submission && <Verdict id={item.submission} name={file.name} correct={correct} />}
      <Confirm open={asking} onClose={() => setAsking(false)} title={t.cancelTitle} verb={t.cancel} act={() => cancel(key)}>
        {t.cancelText}
      </Confirm>
    </li>
  );
}

function Choice({ item, datasets }: { item: Item; datasets: Schemas["Dataset"][] }) {
  const { key, dataset, date } = item;
  const known = datasets.some((d) => d.id === dataset);
  return (
    <div className={style.choice}>
      <Select
        label={t.dataset}
        value={dataset}
        onChange={(d) => void choose(key, { dataset: d, date })}
        options={[
          ...(dataset === "" ? [{ value: "", label: t.chooseDataset }] : []),
          ...(dataset !== "" && !known ? [{ value: dataset, label: dataset }] : []),
          ...datasets.map((d) => ({ value: d.id, label: d.title || d.id })),
        ]}
      />
      <TextField
        label={t.date}
        value={date}
        placeholder={t.dateHint}
        inputMode="numeric"
        maxLength={10}
        autoComplete="off"
        onChange={(d) => void choose(key, { dataset, date: d.trim() })}
      />
    </div>
  );
}

function Transfer({ item }: { item: Item }) {
  const { file, offset, samples, phase } = item;
  const rate = speed(samples);
  const left = timeLeft(samples, file.size);
  return (
    <div className={style.transfer}>
      <Progress label={t.progress(file.name)} done={offset} total={file.size} />
      <p>
        <span>
          <Bytes of={offset} /> {t.of} <Bytes of={file.size} />
        </span>
        {phase === "sending" && rate !== undefined && <span className="num">{t.rate(bytes(rate))}</span>}
        {phase === "sending" && left !== undefined && <span className="num">{t.left(duration(Math.max(left, 1000)))}</span>}
        {phase === "lost" && <span>{t.lostHint}</span>}
        {phase === "paused" && <span>{t.pausedHint}</span>}
        {phase === "signedOut" && <span>{t.signedOutHint}</span>}
      </p>
    </div>
  );
}
