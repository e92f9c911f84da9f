import type { QueryClient, QueryFilters } from "@tanstack/react-query";

/**
 * Fetches again what is shown of these. What is on its way already is waited for and fetched once more, since its answer may be older
 * than the change: nothing is broken off, so that a page whose answers take longer than changes are apart still gets them.
 */
export async function fetchAgain(queries: QueryClient, these: QueryFilters): Promise<void> {
  const going = new Set(queries.getQueryCache().findAll({ ...these, fetchStatus: "fetching" }));
  await queries.invalidateQueries(these, { cancelRefetch: false });
  if (going.size > 0) await queries.invalidateQueries({ predicate: (q) => going.has(q) }, { cancelRefetch: false });
}

/** Does something for one thing at a time: what is asked for while it is being done is done once more, after it. */
export function inTurn<T>(act: (what: T) => Promise<unknown>): (what: T) => void {
  const again = new Map<T, boolean>();
  const ask = (what: T) => {
    if (again.has(what)) {
      again.set(what, true);
      return;
    }
    again.set(what, false);
    act(what)
      .catch(() => undefined)
      .finally(() => {
        const more = again.get(what);
        again.delete(what);
        if (more) ask(what);
      });
  };
  return ask;
}
