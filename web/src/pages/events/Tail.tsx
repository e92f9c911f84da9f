import { useQuery } from "@tanstack/react-query";
import { Pause, Play } from "lucide-react";
import { useDeferredValue, useMemo, useState } from "react";
import { strings } from "../../strings";
import { Button } from "../../ui/Button";
import { Card } from "../../ui/Card";
import { Dialog } from "../../ui/Dialog";
import { TextField } from "../../ui/Field";
import { PlainTable } from "../../ui/PlainTable";
import { Status } from "../../ui/Status";
import { Empty, Note, ProblemBox } from "../../ui/states";
import { EventFacts } from "./EventFacts";
import { eventColumns } from "./eventColumns";
import style from "./events.module.css";
import { streams } from "./queries";
import { keyOf, type StreamEvent, shownEvents, type TailState, useTail } from "./tail";

const t = strings.events.streams;

/** How many rows are drawn; the others are found by their words. */
const drawn = 100;

/** Whether each word is somewhere in what an event is called and about. */
export function says(e: StreamEvent, words: string[]): boolean {
  const text = [e.type, e.subject, e.user, e.anonymous, e.channel, e.id].join(" ").toLowerCase();
  return words.every((w) => text.includes(w));
}

/** A stream as it comes: filtered by words, paused, and each event whole. */
export function Tail({ stream, tenant, staff }: { stream: string; tenant: string; staff: boolean }) {
  const query = useQuery(streams);
  const newest = query.data && (query.data.find((s) => s.id === stream)?.last_at ?? "");
  const tail = useTail(stream, tenant, newest);
  const [typed, setTyped] = useState("");
  const words = useDeferredValue(typed.trim().toLowerCase());
  const fitting = useMemo(() => tail.events.filter((e) => says(e, words.split(/\s+/))), [tail.events, words]);
  const [open, setOpen] = useState<StreamEvent>();
  const columns = useMemo(() => eventColumns(staff, setOpen).filter((c) => !c.hidden), [staff]);
  return (
    <Card flush>
      <div className={style.tools}>
        <div className={style.find}>
          <TextField label={t.type} placeholder={t.typeHint} type="search" value={typed} onChange={setTyped} data-filter />
        </div>
        <Button
          icon={tail.paused ? <Play size={16} aria-hidden /> : <Pause size={16} aria-hidden />}
          onClick={() => tail.pause(!tail.paused)}
        >
          {tail.paused ? t.resume : t.pause}
        </Button>
        <Button kind="quiet" onClick={tail.clear} disabled={tail.events.length === 0}>
          {t.clear}
        </Button>
        <Stands state={tail.state} paused={tail.paused} waiting={tail.waiting} />
      </div>
      {tail.state === "refused" && (
        <div className="inset">
          <ProblemBox of={new Error(t.refused)} again={tail.again} />
        </div>
      )}
      {tail.missing && (
        <div className="inset">
          <Note tone="warn">{tail.missing}</Note>
        </div>
      )}
      {tail.more && <p className="inset secondary">{t.more}</p>}
      {tail.events.length === 0 ? (
        <Empty title={t.none}>{t.noneHint}</Empty>
      ) : fitting.length === 0 ? (
        <p className="inset secondary">{t.noneFits(tail.events.length)}</p>
      ) : (
        <PlainTable title={strings.events.title} columns={columns} rows={fitting.slice(0, drawn)} id={keyOf} open={setOpen} />
      )}
      {fitting.length > drawn && <p className="inset secondary">{t.drawn(drawn, fitting.length)}</p>}
      {tail.events.length === shownEvents && <p className="inset secondary">{t.kept1000(shownEvents)}</p>}
      <Dialog open={open !== undefined} onClose={() => setOpen(undefined)} title={open?.type ?? ""} drawer>
        {open && <EventFacts of={open} />}
      </Dialog>
    </Card>
  );
}

function Stands({ state, paused, waiting }: { state: TailState; paused: boolean; waiting: number }) {
  if (paused) return <Status state="paused">{t.paused(waiting)}</Status>;
  if (state === "live") return <Status state="ok">{t.live}</Status>;
  if (state === "lost") return <Status state="waiting">{t.lost}</Status>;
  return null;
}
