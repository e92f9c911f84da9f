import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

const at = typeof location === "undefined" ? "http://localhost" : location.origin;

/** The public API, with the session's cookie. Every page goes through it. */
export const api = createClient<paths>({ baseUrl: at, credentials: "same-origin" });

/** What the API refused, in its own words; status 0 means that it was not reached. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly type: string,
    detail: string,
    readonly request?: string,
    readonly errors: { location?: string; message?: string }[] = [],
  ) {
    super(detail);
  }
}

type Answer<T> = { data?: T; error?: unknown; response: Response };

/** Returns what the API answered, or throws a Problem. */
export async function call<T>(request: Promise<Answer<T>>): Promise<T> {
  let answer: Answer<T>;
  try {
    answer = await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Problem(0, "unreachable", "");
  }
  if (answer.response.ok) return answer.data as T;
  throw problemOf(answer.response, answer.error);
}

/** Reads an error answer of the API, also where it is not one of its own (a proxy's page). */
export function problemOf(response: Response, body: unknown): Problem {
  const p = (body && typeof body === "object" ? body : {}) as Partial<Schemas["Problem"]>;
  const request = response.headers.get("Request-Id") ?? p.instance;
  return new Problem(
    response.status,
    (p.type ?? "").replace("urn:tributary:", ""),
    p.detail ?? response.statusText,
    request,
    p.errors ?? [],
  );
}

/** The things of a page of a list. */
export function items<T>(list: { items: T[] | null } | undefined): T[] {
  return list?.items ?? [];
}
