import { useEffect, useState } from "react";
import { queries } from "./session";

/** What changed, as the server tells it. */
type Change = { kind: string; id: string };

/**
 * Keeps what is shown in step with the server: each change that it tells makes the queries of that kind fetch again. A query's
 * first key is the kind of thing it shows. Returns whether the connection stands.
 */
export function useLive(): boolean {
  const [connected, setConnected] = useState(true);
  useEffect(() => {
    const source = new EventSource("/api/v1/changes");
    let lost: ReturnType<typeof setTimeout> | undefined;
    source.onopen = () => {
      clearTimeout(lost);
      setConnected(true);
    };
    source.onerror = () => {
      lost ??= setTimeout(() => setConnected(false), 5000);
    };
    source.addEventListener("change", (event) => {
      const change = JSON.parse((event as MessageEvent<string>).data) as Change;
      void queries.invalidateQueries({ queryKey: [change.kind] });
    });
    return () => {
      clearTimeout(lost);
      source.close();
    };
  }, []);
  return connected;
}
