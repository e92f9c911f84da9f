import { useEffect, useState } from "react";
import { Problem } from "../api/client";
import { fetchAgain, inTurn } from "./fresh";
import { Listener, type State } from "./listener";
import { me, queries } from "./session";

/** How old figures about other things may be. */
const overview = 2000;

/**
 * Keeps what is shown in step with the server: each change that it tells makes the queries of that kind fetch again. A query's
 * first key is the kind of thing it shows; other kinds, of which it shows figures, are in its meta as also, and those may be
 * two seconds old. Returns how the connection stands.
 */
export function useLive(): State {
  const [state, setState] = useState<State>("live");
  useEffect(() => {
    const kind = inTurn((kind: string) => fetchAgain(queries, { queryKey: [kind] }));
    let others = new Set<string>();
    const overviews = inTurn((_: "all") => {
      const of = others;
      others = new Set();
      return fetchAgain(queries, { predicate: (q) => [q.meta?.also].flat().some((kind) => of.has(kind as string)) });
    });
    let later: ReturnType<typeof setTimeout> | undefined;
    const listener = new Listener({
      open: (address) => new EventSource(address),
      changed: (kinds) => {
        for (const k of kinds) {
          kind(k);
          others.add(k);
        }
        later ??= setTimeout(() => {
          later = undefined;
          overviews("all");
        }, overview);
      },
      // Who is signed in is not among the things that change.
      all: (before) => void fetchAgain(queries, { predicate: (q) => q.queryKey[0] !== "me" && q.state.dataUpdatedAt < before }),
      signedIn: () =>
        queries.fetchQuery({ ...me, staleTime: 0 }).then(
          () => true,
          (error) => !(error instanceof Problem && error.status === 401),
        ),
      state: setState,
    });
    const shown = () => (document.visibilityState === "visible" ? listener.start() : listener.rest());
    document.addEventListener("visibilitychange", shown);
    shown();
    return () => {
      document.removeEventListener("visibilitychange", shown);
      listener.stop();
      clearTimeout(later);
    };
  }, []);
  return state;
}
