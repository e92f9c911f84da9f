import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";

export type Operator = "is" | "not" | "contains";
export type Filter = { column: string; operator: Operator; value: string };

/** How a list is looked at; it is in the page's address, so that a copied address shows the same. */
export type ListState = { search: string; sort: string; filters: Filter[]; after: string; limit: number | undefined };

/** The part of a page's address that its list reads and writes. */
export type ListSearch = { search?: string; sort?: string; filter?: string[]; after?: string; limit?: number };

const text = (v: unknown) => (typeof v === "string" && v !== "" ? v : undefined);

/** Reads a list's part of an address; for validateSearch of a route. */
export function listSearch(raw: Record<string, unknown>): ListSearch {
  const filter = ([] as unknown[]).concat(raw.filter ?? []).filter((f): f is string => typeof f === "string");
  const limit = Number(raw.limit);
  const found: ListSearch = {};
  const search = text(raw.search);
  const sort = text(raw.sort);
  const after = text(raw.after);
  if (search) found.search = search;
  if (sort) found.sort = sort;
  if (after) found.after = after;
  if (filter.length > 0) found.filter = filter;
  if (Number.isInteger(limit) && limit > 0 && limit <= 500) found.limit = limit;
  return found;
}

/** A filter as the API and the address write it: COLUMN:OPERATOR:VALUE. */
export function writeFilter(f: Filter): string {
  return `${f.column}:${f.operator}:${f.value}`;
}

/** Reads one; undefined if it is not one. */
export function readFilter(raw: string): Filter | undefined {
  const [column, operator, ...rest] = raw.split(":");
  if (!column || (operator !== "is" && operator !== "not" && operator !== "contains")) return undefined;
  return { column, operator, value: rest.join(":") };
}

/** What a request for the list asks the API for. */
export function listQuery(
  state: ListState,
  limit: number,
): { limit: number; after?: string; search?: string; sort?: string; filter?: string[] } {
  return {
    limit,
    ...(state.after && { after: state.after }),
    ...(state.search && { search: state.search }),
    ...(state.sort && { sort: state.sort }),
    ...(state.filters.length > 0 && { filter: state.filters.map(writeFilter) }),
  };
}

/** The list's state from the page's address, and a function that changes it there. Whatever changes, the list begins anew. */
export function useListState(): [ListState, (change: Partial<ListState>) => void] {
  const search = useSearch({ strict: false }) as ListSearch;
  const navigate = useNavigate();
  const state = useMemo<ListState>(
    () => ({
      search: search.search ?? "",
      sort: search.sort ?? "",
      filters: (search.filter ?? []).map(readFilter).filter((f) => f !== undefined),
      after: search.after ?? "",
      limit: search.limit,
    }),
    [search],
  );
  const change = useCallback(
    (next: Partial<ListState>) => {
      const all = { ...state, after: "", ...next };
      navigate({
        to: ".",
        replace: next.after === undefined,
        search: (before: Record<string, unknown>) => ({
          ...before,
          search: all.search || undefined,
          sort: all.sort || undefined,
          filter: all.filters.length > 0 ? all.filters.map(writeFilter) : undefined,
          after: all.after || undefined,
          limit: all.limit,
        }),
      } as never);
    },
    [navigate, state],
  );
  return [state, change];
}
