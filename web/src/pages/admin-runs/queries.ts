import { queryOptions, useQuery } from "@tanstack/react-query";
import { api, call } from "../../api/client";

/** One run, with its snapshot and progress. */
export const run = (id: string) =>
  queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => call(api.GET("/api/v1/runs/{id}", { signal, params: { path: { id } } })),
  });

export const useRun = (id: string) => useQuery(run(id));
