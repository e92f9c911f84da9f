import { useCallback, useEffect, useRef, useState } from "react";
import type { Answer } from "./answer";

/** How a question stands: what it was, since when it runs or how long it took, and what came of it. */
export type Asking = {
  began?: string;
  answer?: Answer;
  /** The command that asks the same. */
  command?: string[];
  ms?: number;
  error?: unknown;
  cancelled?: boolean;
};

/** Asks one question at a time: another one, cancel, or leaving the page ends the one that runs, at the server too. */
export function useAsking(): {
  asking: Asking;
  ask: (command: string[], fetch: (signal: AbortSignal) => Promise<Answer>, done: (answer: Answer, ms: number) => void) => void;
  cancel: () => void;
} {
  const [asking, setAsking] = useState<Asking>({});
  const running = useRef<AbortController>(undefined);
  useEffect(() => () => running.current?.abort(), []);
  const ask = useCallback<ReturnType<typeof useAsking>["ask"]>(async (command, fetch, done) => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    const from = performance.now();
    setAsking((before) => ({ ...before, began: new Date().toISOString(), error: undefined, cancelled: false }));
    try {
      const answer = await fetch(abort.signal);
      const ms = performance.now() - from;
      setAsking({ answer, ms, command });
      done(answer, ms);
    } catch (error) {
      if (!abort.signal.aborted) setAsking({ error });
    }
  }, []);
  const cancel = useCallback(() => {
    running.current?.abort();
    setAsking({ cancelled: true });
  }, []);
  return { asking, ask, cancel };
}
