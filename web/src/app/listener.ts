/** How the connection stands: "ended" means that nobody is signed in any more, and is for good. */
export type State = "live" | "lost" | "ended";

/** What the listener uses of the browser, and tells. */
type World = {
  open(address: string): EventSource;
  /** Things of these kinds have changed. */
  changed(kinds: Set<string>): void;
  /** Anything that was fetched before this moment may have changed. */
  all(before: number): void;
  signedIn(): Promise<boolean>;
  state(state: State): void;
};

/** How long a connection may be away before it is said, how long changes are gathered, and how long a hidden page goes on listening. */
const patience = 5_000;
const gather = 300;
const hidden = 30_000;
const pauses = [2_000, 5_000, 15_000, 60_000];

/**
 * Listens to the server's changes. The browser reconnects by itself where the connection breaks, and goes on after the last
 * event; where the server refuses, the listener does. A page that is hidden lets its connection go, since a browser has few.
 */
export class Listener {
  private source?: EventSource;
  private place = "";
  private refusals = 0;
  private kinds = new Set<string>();
  private timers: { lost?: Timer; changed?: Timer; again?: Timer; rest?: Timer } = {};

  constructor(private readonly world: World) {}

  start(): void {
    clearTimeout(this.timers.rest);
    if (this.source || this.timers.again) return;
    const source = this.world.open(this.place ? `/api/v1/changes?after=${encodeURIComponent(this.place)}` : "/api/v1/changes");
    this.source = source;
    source.onopen = () => {
      clearTimeout(this.timers.lost);
      this.timers.lost = undefined;
      this.refusals = 0;
      this.world.state("live");
      if (!this.place) this.world.all(Date.now()); // what changed between fetching and listening nobody tells
    };
    source.onerror = () => this.failed();
    source.addEventListener("change", (event) => {
      const { data, lastEventId } = event as MessageEvent<string>;
      this.place = lastEventId;
      this.kinds.add((JSON.parse(data) as { kind: string }).kind);
      this.timers.changed ??= setTimeout(() => {
        const kinds = this.kinds;
        this.kinds = new Set();
        this.timers.changed = undefined;
        this.world.changed(kinds);
      }, gather);
    });
    source.addEventListener("reset", (event) => {
      this.place = (event as MessageEvent<string>).lastEventId;
      this.world.all(Date.now());
    });
  }

  /** Lets the connection go after a while; start takes it up again where it was. */
  rest(): void {
    clearTimeout(this.timers.rest);
    this.timers.rest = setTimeout(() => this.close(), hidden);
  }

  stop(): void {
    this.close();
    for (const timer of Object.values(this.timers)) clearTimeout(timer);
    this.timers = {};
  }

  private close(): void {
    clearTimeout(this.timers.again);
    clearTimeout(this.timers.lost);
    this.timers.again = this.timers.lost = undefined;
    this.source?.close();
    this.source = undefined;
  }

  private failed(): void {
    this.timers.lost ??= setTimeout(() => this.world.state("lost"), patience);
    if (this.source?.readyState !== 2) return; // it reconnects by itself
    this.source = undefined;
    const pause = pauses[Math.min(this.refusals++, pauses.length - 1)];
    this.timers.again = setTimeout(() => void this.again(), pause);
  }

  /** Connects again after a refusal, unless that was because nobody is signed in. */
  private async again(): Promise<void> {
    const good = await this.world.signedIn().catch(() => true); // a server that is away says nothing of it
    if (!this.timers.again) return; // stopped meanwhile
    this.timers.again = undefined;
    if (good) {
      this.start();
      return;
    }
    this.close();
    this.world.state("ended");
  }
}

type Timer = ReturnType<typeof setTimeout>;
