import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback, useMemo } from "react";
import { usePreference } from "./preferences";

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

/** What a request for a page of a list asks the API for. */
export type ListQuery = { limit: number; after?: string; search?: string; sort?: string; filter?: string[] };

export function listQuery(state: ListState, limit: number): ListQuery {
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

/** A page of a list as the API answers it. */
export type ListPage<T> = { items: T[] | null; next?: string; searched?: number };

/** Fetches a page of a list. */
type Fetch<T> = (query: ListQuery, signal: AbortSignal) => Promise<ListPage<T>>;

/** A list as it is looked at: the page that is shown, and how to fetch others. */
export type List<T> = {
  name: string;
  state: ListState;
  change: (change: Partial<ListState>) => void;
  query: { data: ListPage<T> | undefined; error: unknown; isFetching: boolean; isPlaceholderData: boolean; refetch: () => unknown };
  fetch: Fetch<T>;
  command: string[];
};

type Options<T> = {
  /** The key under which its look is remembered. */
  name: string;
  /** The kind of thing it lists, then what else than its state it depends on. */
  key: [kind: string, ...unknown[]];
  /** Other kinds of things of which a change changes what it shows. */
  also?: string[];
  /** The command that lists the same: its words, and its flags but for those that all lists have. */
  command: string[];
  fetch: Fetch<T>;
  /** Of things whose changes nobody tells: how often it asks again, in milliseconds. */
  every?: number;
};

/** A list of the API's, looked at as the page's address says. The page before stays until the next is there. */
export function useList<T>({ name, key: [kind, ...rest], also, command, fetch, every = 0 }: Options<T>): List<T> {
  const [state, change] = useListState();
  const [size] = usePageSize(name);
  const asked = listQuery(state, state.limit ?? size);
  const query = useQuery({
    queryKey: [kind, "list", ...rest, asked],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => fetch(asked, signal),
    refetchInterval: every || false,
    ...(also && { meta: { also } }),
  });
  return { name, state, change, query, fetch, command };
}

/** How many rows a page of a list has, as the user chose, and a function that changes it. */
export function usePageSize(name: string): [number, (size: number) => void] {
  return usePreference(`rows.${name}`, 50);
}
