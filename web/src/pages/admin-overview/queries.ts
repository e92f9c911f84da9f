import { queryOptions } from "@tanstack/react-query";
import { api, call, items, type Schemas } from "../../api/client";
import { warningsOf } from "./attention";

// What the overview looks at: the newest of each, so that it stays quick however much there is.
const newest = 500;

const minute = 60_000;

export const newestFiles = queryOptions({
  queryKey: ["submission", "newest"],
  queryFn: ({ signal }) => call(api.GET("/api/v1/submissions", { signal, params: { query: { limit: newest } } })),
});

export const newestRuns = queryOptions({
  queryKey: ["run", "newest"],
  queryFn: ({ signal }) => call(api.GET("/api/v1/runs", { signal, params: { query: { limit: newest } } })),
});

export const newestResults = queryOptions({
  queryKey: ["result", "newest"],
  queryFn: ({ signal }) => call(api.GET("/api/v1/results", { signal, params: { query: { limit: newest } } })),
});

export const tenants = queryOptions({
  queryKey: ["tenant", "newest"],
  queryFn: ({ signal }) => call(api.GET("/api/v1/tenants", { signal, params: { query: { limit: newest } } })),
});

export const rejectedFiles = queryOptions({
  queryKey: ["submission", "rejected"],
  queryFn: ({ signal }) => call(api.GET("/api/v1/submissions", { signal, params: { query: { state: "rejected", limit: 100 } } })),
});

const periods = (state: "missing" | "rejected") =>
  queryOptions({
    queryKey: ["period", state],
    refetchInterval: minute, // a file becomes missing by time alone
    queryFn: ({ signal }) => call(api.GET("/api/v1/periods", { signal, params: { query: { state, limit: newest } } })),
  });

export const missingPeriods = periods("missing");
export const rejectedPeriods = periods("rejected");

export const schedules = queryOptions({
  queryKey: ["schedule", "newest"],
  queryFn: ({ signal }) => call(api.GET("/api/v1/schedules", { signal, params: { query: { limit: 100 } } })),
});

/** The last firing of each schedule. */
export const lastFirings = (of: Schemas["Schedule"][]) =>
  queryOptions({
    queryKey: ["schedule", "last", of.map((s) => s.id)],
    queryFn: async ({ signal }) => {
      const firings = new Map<string, Schemas["Firing"] | undefined>();
      await Promise.all(
        of.slice(0, 20).map(async (s) => {
          const path = { id: s.id };
          const list = await call(api.GET("/api/v1/schedules/{id}/firings", { signal, params: { path, query: { limit: 1 } } }));
          firings.set(s.id, items(list)[0]);
        }),
      );
      return firings;
    },
  });

/** What the server says should be seen to while it works. */
export const warnings = queryOptions({
  queryKey: ["warning"],
  refetchInterval: minute,
  queryFn: async ({ signal }) => warningsOf(await (await fetch("/readyz", { signal })).text()),
});

/** Whether the key file was ever exported, as the audit log has it. */
export const keyExports = queryOptions({
  queryKey: ["audit", "keys.export"],
  queryFn: ({ signal }) => call(api.GET("/api/v1/audit", { signal, params: { query: { provider: true, verb: "keys.export", limit: 1 } } })),
});
