import { queryOptions } from "@tanstack/react-query";
import { api, call, Problem, type Schemas } from "../../api/client";
import { shows } from "./glance";

/** One tenant, with how it is. */
export const tenant = (id: string) =>
  queryOptions({
    queryKey: ["tenant", id],
    meta: { also: shows },
    queryFn: ({ signal }) => call(api.GET("/api/v1/tenants/{id}", { signal, params: { path: { id }, query: { health: true } } })),
  });

/** The steps of its onboarding; while they go on it asks again. */
export const onboarding = (id: string) =>
  queryOptions({
    queryKey: ["tenant", id, "onboarding"],
    queryFn: ({ signal }) => call(api.GET("/api/v1/tenants/{id}/onboarding", { signal, params: { path: { id } } })),
    refetchInterval: (query) => (query.state.data && !query.state.data.finished_at && !query.state.data.error ? 1000 : false),
  });

/** How its end goes; null while there is none. */
export const offboarding = (id: string) =>
  queryOptions({
    queryKey: ["tenant", id, "offboarding"],
    queryFn: async ({ signal }): Promise<Schemas["Offboarding"] | null> => {
      try {
        return await call(api.GET("/api/v1/tenants/{id}/receipt", { signal, params: { path: { id } } }));
      } catch (error) {
        if (error instanceof Problem && error.status === 404) return null;
        throw error;
      }
    },
  });

/** Texts with commas between them, as a list. */
export const listed = (text: string): string[] =>
  text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** A slug made of a name: what letters and digits it has, with hyphens between words. */
export const slugOf = (name: string): string =>
  name
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+|-+$/g, "")
    .slice(0, 40)
    .replace(/-+$/, "");
