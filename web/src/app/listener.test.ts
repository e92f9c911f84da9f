import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Listener } from "./listener";

/** A connection that a test moves. */
class Source extends EventTarget {
  static opened: Source[] = [];
  readyState = 0;
  onopen?: () => void;
  onerror?: () => void;
  constructor(readonly address: string) {
    super();
    Source.opened.push(this);
  }
  close() {
    this.readyState = 2;
  }
  tell(type: string, data: unknown, lastEventId: string) {
    this.dispatchEvent(new MessageEvent(type, { data: JSON.stringify(data), lastEventId }));
  }
  refuse() {
    this.readyState = 2;
    this.onerror?.();
  }
}

const world = () => {
  const said: string[] = [];
  const w = {
    said,
    signed: true,
    open: (address: string) => new Source(address) as unknown as EventSource,
    changed: (kinds: Set<string>) => void said.push([...kinds].join("+")),
    all: () => void said.push("all"),
    signedIn: async () => w.signed,
    state: (state: string) => void said.push(state),
  };
  return w;
};

beforeEach(() => {
  vi.useFakeTimers();
  Source.opened = [];
});
afterEach(() => void vi.useRealTimers());

const last = () => Source.opened[Source.opened.length - 1] as Source;

test("changes that come together make each kind fetch once", () => {
  const w = world();
  new Listener(w).start();
  last().onopen?.();
  for (const [n, kind] of ["run", "run", "result", "run"].entries()) last().tell("change", { kind, id: "x" }, `e.${n}`);
  vi.advanceTimersByTime(400);
  last().tell("reset", {}, "e.9");
  expect(w.said).toEqual(["live", "all", "run+result", "all"]);
});

test("a connection that is away for long is said, and a short one is not", () => {
  const w = world();
  new Listener(w).start();
  last().onopen?.();
  last().onerror?.();
  vi.advanceTimersByTime(3000);
  last().onopen?.();
  vi.advanceTimersByTime(60_000);
  last().onerror?.();
  vi.advanceTimersByTime(6000);
  expect(w.said.filter((s) => s === "lost")).toHaveLength(1);
  expect(Source.opened).toHaveLength(1); // the browser reconnects
});

test("after a refusal it connects again where it was, at growing distances", async () => {
  const w = world();
  new Listener(w).start();
  last().onopen?.();
  last().tell("change", { kind: "run", id: "x" }, "e.7");
  for (const [n, pause] of [2000, 5000, 15_000].entries()) {
    last().refuse();
    await vi.advanceTimersByTimeAsync(pause - 100);
    expect(Source.opened).toHaveLength(n + 1);
    await vi.advanceTimersByTimeAsync(200);
    expect(last().address).toBe("/api/v1/changes?after=e.7");
  }
});

test("when nobody is signed in any more it says so and asks no more", async () => {
  const w = world();
  new Listener(w).start();
  w.signed = false;
  last().refuse();
  await vi.advanceTimersByTimeAsync(600_000);
  expect(w.said).toEqual(["ended"]);
  expect(Source.opened).toHaveLength(1);
});

test("a hidden page lets go, and goes on where it was when it is seen", () => {
  const w = world();
  const listener = new Listener(w);
  listener.start();
  last().onopen?.();
  last().tell("change", { kind: "run", id: "x" }, "e.3");
  listener.rest();
  vi.advanceTimersByTime(10_000);
  listener.start();
  vi.advanceTimersByTime(60_000);
  expect(last().readyState).not.toBe(2); // it was away for a moment only
  listener.rest();
  vi.advanceTimersByTime(60_000);
  expect(last().readyState).toBe(2);
  listener.start();
  expect(last().address).toBe("/api/v1/changes?after=e.3");
});
