import { queryOptions } from "@tanstack/react-query";
import { api, call, type Schemas } from "../../api/client";
import { homeOf, me, queries } from "../../app/session";

/** What can be done at this server before signing in. */
export const entrance = queryOptions({
  queryKey: ["entrance"],
  staleTime: 60_000,
  queryFn: ({ signal }) => call(api.GET("/api/v1/entrance", { signal })),
});

/** Where somebody goes who has just come in; undefined: they are not signed in, since nobody is from where they are. */
export async function arrive(joined: Schemas["Joined"]): Promise<"/app" | "/admin" | undefined> {
  queries.clear();
  if (!joined.signed_in) return undefined;
  const who = await queries.fetchQuery(me);
  return who ? homeOf(who) : undefined;
}
