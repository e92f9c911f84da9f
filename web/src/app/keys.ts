import { queryOptions } from "@tanstack/react-query";
import { api, call, type Schemas } from "../api/client";
import { walk } from "../ui/pages";

/** All API keys of one's tenant or of the provider, the newest first: one that is not in sight could not be revoked. */
export const apiKeys = queryOptions({
  queryKey: ["key", "api", "all"],
  staleTime: 60_000,
  queryFn: async ({ signal }) => {
    const keys: Schemas["APIKey"][] = [];
    const fetch = (query: { limit: number; after?: string }, signal: AbortSignal) =>
      call(api.GET("/api/v1/api-keys", { signal, params: { query } }));
    const more = await walk(fetch, {}, (rows) => keys.push(...rows), 5000, signal);
    return { keys, more };
  },
});

/** Whether a key may still be used. */
export function living(k: Schemas["APIKey"]): boolean {
  return !k.revoked_at && !(k.expires_at && Date.parse(k.expires_at) < Date.now());
}
