import { queryOptions } from "@tanstack/react-query";
import { api, call, type Schemas } from "../../api/client";

/** All analyses at their current versions; there are few. */
export const allAnalyses = queryOptions({
  queryKey: ["analysis", "all"],
  queryFn: async ({ signal }): Promise<Schemas["Analysis"][]> => {
    const list = await call(api.GET("/api/v1/analyses", { signal, params: { query: { limit: 500 } } }));
    return list.items ?? [];
  },
});

/** All datasets at their current versions; there are few. */
export const allDatasets = queryOptions({
  queryKey: ["dataset", "all"],
  queryFn: async ({ signal }): Promise<Schemas["Dataset"][]> => {
    const list = await call(api.GET("/api/v1/datasets", { signal, params: { query: { limit: 500 } } }));
    return list.items ?? [];
  },
});
