import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";
import { strings } from "../../strings";
import { Status } from "../../ui/Status";
import { Note, ProblemBox } from "../../ui/states";
import { type StreamEvent, useTail } from "./tail";

const t = strings.events.sources;

/** Waits for the first event of a source, and says when it has come, or why it went to quarantine. */
export function FirstEvent({ of: source }: { of: Schemas["Source"] }) {
  const [first, setFirst] = useState<StreamEvent>();
  const tail = useTail("events", "", source.created_at, first === undefined);
  const came = tail.events.findLast((e) => e.source === source.id);
  useEffect(() => setFirst((before) => before ?? came), [came]);
  const held = useQuery({
    queryKey: ["quarantine", "first", source.id],
    enabled: first === undefined,
    refetchInterval: 2000,
    queryFn: ({ signal }) => call(api.GET("/api/v1/quarantine", { signal, params: { query: { source: source.id, limit: 1 } } })),
  });
  const stopped = items(held.data)[0];
  return (
    <div role="status">
      {first ? (
        <Note tone="ok">{t.first(first.type)}</Note>
      ) : tail.state === "refused" ? (
        <ProblemBox of={new Error(strings.events.streams.refused)} again={tail.again} />
      ) : stopped ? (
        <Note tone="warn">
          {t.firstHeld} <bdi>{stopped.details}</bdi>
        </Note>
      ) : (
        <p className="row">
          <Status state="waiting">{t.waiting}</Status> <span className="secondary">{t.waitingHint}</span>
        </p>
      )}
    </div>
  );
}
