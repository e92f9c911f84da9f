import { queryOptions } from "@tanstack/react-query";
import { api, call, items, type Schemas } from "../../api/client";
import { walk } from "../../ui/pages";

/** The streams, as one may see them. How they grow nobody tells, so it is asked for. */
export const streams = queryOptions({
  queryKey: ["stream", "list"],
  refetchInterval: 10_000,
  queryFn: async ({ signal }) => items(await call(api.GET("/api/v1/streams", { signal }))),
});

/** All sources of one's tenant or of the provider, for their names. */
export const allSources = queryOptions({
  queryKey: ["key", "source", "all"],
  staleTime: 60_000,
  queryFn: async ({ signal }) => {
    const all: Schemas["Source"][] = [];
    const fetch = (query: { limit: number; after?: string }, signal: AbortSignal) =>
      call(api.GET("/api/v1/sources", { signal, params: { query } }));
    await walk(fetch, {}, (rows) => all.push(...rows), 5000, signal);
    return all;
  },
});
