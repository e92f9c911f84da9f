import { useQuery } from "@tanstack/react-query";
import { api, call } from "../../api/client";
import { untilPeriod } from "../../app/moments";

/** How one's organisation stands in the periods that are open, and the last closed one of each dataset. */
export function usePeriods() {
  return useQuery({
    queryKey: ["period", "list", "own"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/periods", { signal, params: { query: { limit: 200 } } })),
    refetchInterval: (q) => untilPeriod(q.state.data),
  });
}

/** One's own organisation as a tenant. */
export function useOwnTenant() {
  return useQuery({ queryKey: ["tenant", "own"], queryFn: ({ signal }) => call(api.GET("/api/v1/tenant", { signal })) });
}
