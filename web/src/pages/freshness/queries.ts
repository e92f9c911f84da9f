import { queryOptions } from "@tanstack/react-query";
import { api, call, items } from "../../api/client";

/** How new everything is that one may see. It changes with time alone too, so it is asked for again and again. */
export const freshness = queryOptions({
  queryKey: ["freshness"],
  refetchInterval: 30_000,
  queryFn: async ({ signal }) => items(await call(api.GET("/api/v1/freshness", { signal }))),
});
