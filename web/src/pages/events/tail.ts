import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { api, call, items, type Schemas } from "../../api/client";

export type StreamEvent = Schemas["StreamEvent"];

/** How many events stand in the page. */
export const shownEvents = 1000;

/** How far back it looks at first, and how many events it then takes at most. */
const before = 10 * 60_000;
const mostBefore = 200;

/** How it stands: "refused" is for good, until it is asked for anew. */
export type TailState = "opening" | "live" | "lost" | "refused";

/** An event's name: for ever there is one of each tenant, source, origin and id. */
export function keyOf(e: StreamEvent): string {
  return JSON.stringify([e.tenant, e.source, e.origin ?? "", e.id]);
}

/** Adds events that came, the newest first, each once, and as many as are shown. */
export function withNewer(had: StreamEvent[], came: StreamEvent[]): StreamEvent[] {
  const known = new Set(had.map(keyOf));
  const fresh = came.filter((e) => {
    const key = keyOf(e);
    return !known.has(key) && known.add(key);
  });
  if (fresh.length === 0) return had;
  // What was before the tail began may come after what it told.
  return [...fresh.reverse(), ...had].sort((a, b) => Date.parse(b.received) - Date.parse(a.received)).slice(0, shownEvents);
}

type Tail = {
  /** The newest first. */
  events: StreamEvent[];
  state: TailState;
  /** How many have come since it was paused. */
  waiting: number;
  paused: boolean;
  pause: (on: boolean) => void;
  clear: () => void;
  /** What the server said is missing on the way. */
  missing: string | undefined;
  /** There was more before it began than is shown. */
  more: boolean;
  again: () => void;
};

/** The events of a stream as they come, and what came in the minutes before; while it is paused they wait. */
export function useTail(stream: string, tenant: string, newest: string | undefined, on = true): Tail {
  const [events, setEvents] = useState<StreamEvent[]>([]);
  const [state, setState] = useState<TailState>("opening");
  const [missing, setMissing] = useState<string>();
  const [more, setMore] = useState(false);
  const [paused, setPaused] = useState(false);
  const [tries, again] = useReducer((n: number) => n + 1, 0);
  const [waiting, setWaiting] = useState(0);
  const held = useRef<StreamEvent[]>([]);
  const holds = useRef(false);
  const from = useRef(newest);
  from.current = newest;
  const known = newest !== undefined;

  const take = useCallback((came: StreamEvent[]) => {
    if (!holds.current) return setEvents((had) => withNewer(had, came));
    held.current = [...held.current, ...came].slice(-shownEvents);
    setWaiting((n) => n + came.length);
  }, []);

  // biome-ignore lint/correctness/useExhaustiveDependencies: again opens it anew
  useEffect(() => {
    if (!on) return;
    setEvents([]);
    setMissing(undefined);
    setMore(false);
    setState("opening");
    held.current = [];
    setWaiting(0);
    const abort = new AbortController();
    const query = new URLSearchParams(tenant ? { tenant } : {});
    const source = new EventSource(`/api/v1/streams/${encodeURIComponent(stream)}/tail?${query}`);
    // Events come in crowds; the page is drawn once for each.
    let crowd: StreamEvent[] = [];
    let frame = 0;
    source.onopen = () => setState("live");
    source.onerror = () => setState(source.readyState === EventSource.CLOSED ? "refused" : "lost");
    source.addEventListener("event", (event) => {
      crowd.push(JSON.parse((event as MessageEvent<string>).data) as StreamEvent);
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        const came = crowd;
        crowd = [];
        take(came);
      });
    });
    source.addEventListener("missing", (event) => {
      setMissing((JSON.parse((event as MessageEvent<string>).data) as { message: string }).message);
    });
    if (known) {
      const since = new Date(Date.parse(from.current || new Date().toISOString()) - before).toISOString();
      const params = { path: { id: stream }, query: { since, limit: mostBefore, ...(tenant && { tenant }) } };
      call(api.GET("/api/v1/streams/{id}/events", { signal: abort.signal, params }))
        .then((page) => (page.next ? setMore(true) : setEvents((had) => withNewer(had, items(page)))))
        .catch(() => undefined); // what comes from now on is seen all the same
    }
    return () => {
      abort.abort();
      cancelAnimationFrame(frame);
      source.close();
    };
  }, [stream, tenant, on, known, take, tries]);

  const pause = useCallback((on: boolean) => {
    holds.current = on;
    setPaused(on);
    if (on) return;
    const came = held.current;
    held.current = [];
    setWaiting(0);
    setEvents((had) => withNewer(had, came));
  }, []);
  const clear = useCallback(() => setEvents([]), []);
  return { events, state, waiting, paused, pause, clear, missing, more, again };
}
