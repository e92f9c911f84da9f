import { useSyncExternalStore } from "react";
import { api, call, items as itemsOf, Problem, type Schemas } from "../../api/client";
import { queries } from "../../app/session";
import { type Samples, sampled } from "./speed";
import { begin, type Sending } from "./transfer";

/**
 * A file to be sent. It is ready once it is known what it is for; queued until there is room; then it is sending until it is sent,
 * and what stops that for a while is in its phase. A file of which the server said no has failed.
 */
export type Item = {
  key: string;
  file: File;
  dataset: string;
  date: string;
  /** What it is for is being asked. */
  checking: boolean;
  /** Why it cannot be sent as it is. */
  problem: string | undefined;
  phase: "ready" | "queued" | "sending" | "paused" | "lost" | "signedOut" | "failed" | "sent";
  /** Its upload on the server, once there is one. */
  upload: string | undefined;
  offset: number;
  samples: Samples;
  submission: string | undefined;
  error: unknown;
};

const atOnce = 3;

// It belongs to the whole portal: sending goes on while one looks at other pages.
let queue: Item[] = [];
let counter = 0;
const listeners = new Set<() => void>();
const sendings = new Map<string, Sending>();
const retries = new Map<string, ReturnType<typeof setTimeout>>();

function set(next: Item[]): void {
  queue = next;
  for (const listener of listeners) listener();
}

function change(key: string, with_: Partial<Item>): void {
  set(queue.map((i) => (i.key === key ? { ...i, ...with_ } : i)));
}

/** Goes on with what waits for somebody to be signed in. */
export function resumeAll(phase: Item["phase"] = "signedOut"): void {
  for (const i of queue) if (i.phase === phase) resume(i.key);
}

const find = (key: string) => queue.find((i) => i.key === key);

/** The files of this page, in the order in which they were chosen. */
export function useQueue(): Item[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => queue,
  );
}

/** What files are for if their names do not say it. */
export type Preset = { dataset?: string | undefined; date?: string | undefined };

/** Takes files that were chosen, and asks what they are for. One that is on its way already goes on. */
export async function add(files: File[], preset: Preset = {}, unfinished: Schemas["WebUpload"][] = []): Promise<void> {
  const known = new Set(queue.map((i) => i.upload));
  const fresh: Item[] = [];
  for (const file of files) {
    const going = unfinished.find((u) => !known.has(u.id) && same(u, file));
    known.add(going?.id);
    fresh.push({
      key: `file-${++counter}`,
      file,
      dataset: going?.dataset ?? "",
      date: going?.date ?? "",
      checking: !going,
      problem: undefined,
      phase: going ? "queued" : "ready",
      upload: going?.id,
      offset: going?.offset ?? 0,
      samples: [],
      submission: undefined,
      error: undefined,
    });
  }
  set([...queue, ...fresh]);
  pump();
  const asked = fresh.filter((i) => i.checking);
  for (let from = 0; from < asked.length; from += 200) await recognise(asked.slice(from, from + 200), preset);
}

/** Whether a file is the one that an upload is of, as far as can be told without reading all of it. */
export function same(u: Schemas["WebUpload"], file: File): boolean {
  const changed = localStorage.getItem(changedKey(u.id));
  return u.name === file.name && u.length === file.size && (changed === null || changed === String(file.lastModified));
}

const changedKey = (upload: string) => `upload.${upload}`;

// Asks what files are for: first by their names alone, then those that say nothing by what the page was opened for.
async function recognise(asked: Item[], preset: Preset): Promise<void> {
  const ask = (list: Item[], said: Preset) =>
    call(
      api.POST("/api/v1/uploads/recognise", {
        body: {
          files: list.map(({ file }) => ({
            name: file.name,
            size: file.size,
            ...(said.dataset && { dataset: said.dataset }),
            ...(said.date && { date: said.date }),
          })),
        },
      }),
    );
  try {
    const found = itemsOf(await ask(asked, {}));
    const rest = asked.filter((_, n) => !found[n]?.dataset);
    if (rest.length > 0 && (preset.dataset || preset.date)) {
      const more = itemsOf(await ask(rest, preset));
      for (const [n, i] of rest.entries()) {
        const answer = more[n];
        if (answer) found[asked.indexOf(i)] = answer;
      }
    }
    for (const [n, i] of asked.entries()) {
      const r = found[n];
      change(i.key, { checking: false, dataset: r?.dataset ?? "", date: r?.date ?? "", problem: r?.problem, error: undefined });
    }
  } catch (error) {
    for (const i of asked) change(i.key, { checking: false, error });
  }
}

/** Says by hand what a file is for. */
export async function choose(key: string, what: { dataset: string; date: string }): Promise<void> {
  change(key, { ...what, problem: undefined, error: undefined });
  if (!what.dataset || !/^\d{4}-\d\d-\d\d$/.test(what.date)) return;
  const item = find(key);
  if (!item) return;
  change(key, { checking: true });
  try {
    const body = { files: [{ name: item.file.name, size: item.file.size, ...what }] };
    const answer = itemsOf(await call(api.POST("/api/v1/uploads/recognise", { body })))[0];
    const now = find(key);
    if (now?.dataset === what.dataset && now.date === what.date) change(key, { checking: false, problem: answer?.problem });
  } catch (error) {
    change(key, { checking: false, error });
  }
}

/** Whether a file could be sent now. */
export function able(i: Item): boolean {
  return i.phase === "ready" && !i.checking && !i.problem && i.dataset !== "" && i.date !== "";
}

/** Sends all files that are ready, three at a time. */
export function sendAll(): void {
  set(queue.map((i) => (able(i) ? { ...i, phase: "queued", error: undefined } : i)));
  pump();
}

/** Stops sending a file; what has arrived stays there. */
export function pause(key: string): void {
  stop(key);
  change(key, { phase: "paused", samples: [] });
  pump();
}

/** Goes on with a file that was paused, whose connection was lost or that was refused. */
export function resume(key: string): void {
  clearTimeout(retries.get(key));
  change(key, { phase: "queued", error: undefined });
  pump();
}

/** Takes a file off the list, and what has arrived of it off the server. */
export async function cancel(key: string): Promise<void> {
  stop(key);
  const item = find(key);
  if (item?.upload && item.phase !== "sent") await dropUpload(item.upload);
  set(queue.filter((i) => i.key !== key));
  pump();
}

/** Ends an upload; that there is none any more is well. */
export async function dropUpload(id: string): Promise<void> {
  const params = { path: { id }, header: { "Tus-Resumable": "1.0.0" } };
  await call(api.DELETE("/api/v1/uploads/{id}", { params })).catch((error) => {
    if (!(error instanceof Problem && error.status === 404)) throw error;
  });
  localStorage.removeItem(changedKey(id));
  void queries.invalidateQueries({ queryKey: ["upload"] });
}

/** Takes off the list what is done with. */
export function clearDone(): void {
  set(queue.filter((i) => i.phase !== "sent"));
}

function stop(key: string): void {
  clearTimeout(retries.get(key));
  sendings.get(key)?.stop();
  sendings.delete(key);
}

// Begins files that wait, as long as there is room.
function pump(): void {
  for (let room = atOnce - queue.filter((i) => i.phase === "sending").length; room > 0; room--) {
    const next = queue.find((i) => i.phase === "queued");
    if (!next) return;
    change(next.key, { phase: "sending", samples: [] });
    start(next);
  }
}

function start(item: Item): void {
  const { key, file, dataset, date } = item;
  const mine = () => sendings.get(key) === sending; // not of an attempt that was stopped
  const sending: Sending = begin(
    file,
    { dataset, date, upload: item.upload },
    {
      made: (upload) => {
        if (!mine()) return;
        localStorage.setItem(changedKey(upload), String(file.lastModified));
        change(key, { upload });
      },
      progress: (bytes) => {
        const now = find(key);
        if (mine() && now) change(key, { offset: bytes, samples: sampled(now.samples, performance.now(), bytes) });
      },
      done: (submission) => {
        if (!mine()) return;
        sendings.delete(key);
        const upload = find(key)?.upload;
        if (upload) localStorage.removeItem(changedKey(upload));
        change(key, { phase: "sent", offset: file.size, submission });
        for (const kind of ["submission", "upload", "period"]) void queries.invalidateQueries({ queryKey: [kind] });
        pump();
      },
      failed: (problem) => {
        if (!mine()) return;
        sendings.delete(key);
        stopped(key, problem);
        pump();
      },
    },
  );
  sendings.set(key, sending);
  sending.start();
}

// Statuses after which the same request may do: the server or the connection was away for a moment.
const passing = [0, 408, 409, 423, 429, 500, 502, 503, 504];

function stopped(key: string, problem: Problem): void {
  const upload = find(key)?.upload;
  if (problem.status === 401) {
    change(key, { phase: "signedOut", samples: [] });
    void queries.invalidateQueries({ queryKey: ["me"] }); // it leads to the sign-in page
  } else if (problem.status === 404 && upload) {
    // It expired, or somebody ended it: from the beginning.
    localStorage.removeItem(changedKey(upload));
    change(key, { phase: "queued", upload: undefined, offset: 0, samples: [] });
  } else if (passing.includes(problem.status)) {
    change(key, { phase: "lost", samples: [], error: problem });
    retries.set(
      key,
      setTimeout(() => find(key)?.phase === "lost" && resume(key), 5000),
    );
  } else {
    change(key, { phase: "failed", samples: [], error: problem });
  }
}

if (typeof window !== "undefined") {
  addEventListener("online", () => resumeAll("lost"));
  addEventListener("focus", () => resumeAll()); // one has signed in again in another tab
  addEventListener("beforeunload", (event) => {
    if (queue.some((i) => i.phase === "sending" || i.phase === "queued")) event.preventDefault();
  });
}
