import { useEffect, useState } from "react";
import { api } from "../api/client";
import { Listener, type State } from "./listener";
import { queries } from "./session";

/**
 * Keeps what is shown in step with the server: each change that it tells makes the queries of that kind fetch again. A query's
 * first key is the kind of thing it shows; other kinds that it shows something of are in its meta, as also. Returns how the
 * connection stands.
 */
export function useLive(): State {
  const [state, setState] = useState<State>("live");
  useEffect(() => {
    const listener = new Listener({
      open: (address) => new EventSource(address),
      changed: (kinds) => {
        const shows = (kind: unknown) => typeof kind === "string" && kinds.has(kind);
        void queries.invalidateQueries({ predicate: (q) => shows(q.queryKey[0]) || [q.meta?.also].flat().some(shows) });
      },
      // Who is signed in is not among the things that change.
      all: (before) => void queries.invalidateQueries({ predicate: (q) => q.queryKey[0] !== "me" && q.state.dataUpdatedAt < before }),
      signedIn: async () => (await api.GET("/api/v1/me")).response.status !== 401,
      state: setState,
    });
    const shown = () => (document.visibilityState === "visible" ? listener.start() : listener.rest());
    document.addEventListener("visibilitychange", shown);
    shown();
    return () => {
      document.removeEventListener("visibilitychange", shown);
      listener.stop();
    };
  }, []);
  return state;
}
