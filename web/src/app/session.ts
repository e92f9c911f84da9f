import { QueryClient, queryOptions, useSuspenseQuery } from "@tanstack/react-query";
import { api, call, Problem, type Schemas } from "../api/client";
import { strings } from "../strings";
import { savePreferences } from "../ui/preferences";
import { failed } from "../ui/Toasts";

export type Me = Schemas["Me"];

/** Everything that was fetched. What the API refused is not asked for again by itself; a server that was away is. */
export const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (times, error) => error instanceof Problem && (error.status === 0 || error.status >= 502) && times < 3,
    },
  },
});

/** Who is signed in; null: nobody. Where somebody was, what is known of them stays: see watchSession. */
export const me = queryOptions({
  queryKey: ["me"],
  staleTime: 60_000,
  queryFn: async ({ signal }): Promise<Me | null> => {
    try {
      return await call(api.GET("/api/v1/me", { signal }));
    } catch (error) {
      if (error instanceof Problem && error.status === 401 && !queries.getQueryData(["me"])) return null;
      throw error;
    }
  },
});

/** Whether it was refused to say who is signed in because their tenant is suspended; anybody else is told. */
export function suspended(error: unknown): error is Problem {
  return error instanceof Problem && error.status === 403;
}

/** Who is signed in, asked for if it is not known: null for nobody, "suspended" for somebody whose tenant is. */
export async function whoIs(): Promise<Me | null | "suspended"> {
  try {
    return await queries.ensureQueryData(me);
  } catch (error) {
    if (suspended(error)) return "suspended";
    throw error;
  }
}

/** Who is signed in, on a page that only somebody who is sees. */
export function useMe(): Me {
  const { data } = useSuspenseQuery(me);
  if (!data) throw new Problem(401, "unauthenticated", "");
  return data;
}

/** The start page of somebody: the tenants' portal, or the provider's. */
export function homeOf(who: Me): "/app" | "/admin" {
  return who.tenant ? "/app" : "/admin";
}

/** Whether somebody may do what only admins do. */
export function isAdmin(who: Me): boolean {
  return who.role === "tenant_admin" || who.role === "system_admin";
}

/** Ends the session, and forgets everything that was fetched in it; where that fails it says so. */
export async function signOut(): Promise<void> {
  await savePreferences();
  try {
    await call(api.DELETE("/api/v1/sessions/{id}", { params: { path: { id: "current" } } }));
  } catch (error) {
    const p = error instanceof Problem ? error : undefined;
    if (p?.status !== 401) {
      failed(strings.app.notSignedOut, (p?.status !== 0 && p?.message) || strings.app.notReached);
      return;
    }
  }
  queries.clear();
  location.assign("/login");
}
