import { queryOptions } from "@tanstack/react-query";
import { api, call, Problem, type Schemas } from "../../api/client";
import { walk } from "../../ui/pages";

/** The versions of the tracking plan, the newest first. */
export const plans = queryOptions({
  queryKey: ["plan", "list"],
  queryFn: async ({ signal }) => {
    const all: Schemas["Plan"][] = [];
    const fetch = (query: { limit: number; after?: string }, signal: AbortSignal) =>
      call(api.GET("/api/v1/plans", { signal, params: { query } }));
    await walk(fetch, {}, (rows) => all.push(...rows), 1000, signal);
    return all;
  },
});

/** One version with its YAML; null: there is none yet. */
export const plan = (version: string) =>
  queryOptions({
    queryKey: ["plan", version],
    queryFn: async ({ signal }): Promise<Schemas["Plan"] | null> => {
      try {
        return await call(api.GET("/api/v1/plans/{id}", { signal, params: { path: { id: version } } }));
      } catch (error) {
        if (version === "current" && error instanceof Problem && error.status === 404) return null;
        throw error;
      }
    },
  });

/** Applies a plan, and says whether that made a version. */
export async function apply(yaml: string): Promise<Schemas["Plan"]> {
  return call(
    api.POST("/api/v1/plans", {
      body: yaml as never, // the types take YAML for a file
      bodySerializer: (b: unknown) => b as string,
      headers: { "Content-Type": "application/yaml" },
    }),
  );
}
