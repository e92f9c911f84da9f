import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, call, items } from "../api/client";
import { allAnalyses } from "../pages/admin-analyses/queries";
import { strings } from "../strings";
import { may } from "./access";
import { pageAt } from "./nav";
import { useMe } from "./session";

const t = strings.app.palette;

/** How many things of a kind are shown. */
const few = 5;

/** A thing that was found: what it is called, what it is, and where. */
export type Found = { label: string; hint: string; to: string };

/** Whether every word of a text is in a label. */
export function fits(label: string, text: string): boolean {
  const within = label.toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => within.includes(word));
}

/** A text once nobody has typed for a moment. */
function useSettled(text: string): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), 200);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}

/** The few things of each kind that a text names: tenants, analyses, and a tenant's files and results. What is asked for ends with the next letter. */
export function useFound(typed: string): { found: Found[]; busy: boolean; away: boolean } {
  const who = useMe();
  const text = typed.trim();
  const settled = useSettled(text);
  const asks = settled === text && text.length > 1;
  const query = { search: text, limit: few };
  const portal = who.tenant ? "app" : "admin";

  const tenants = useQuery({
    queryKey: ["tenant", "find", text],
    enabled: asks && !who.tenant && may(who, "/admin/tenants"),
    queryFn: ({ signal }) => call(api.GET("/api/v1/tenants", { signal, params: { query } })),
    select: (list) => items(list).map((x) => ({ label: x.name, hint: t.kinds.tenant, to: pageAt(portal, "tenants", x.id) })),
  });
  const analyses = useQuery({
    ...allAnalyses,
    enabled: asks,
    select: (all) =>
      all
        .filter((a) => fits(`${a.title} ${a.id}`, text))
        .slice(0, few)
        .map((a) => ({ label: a.title || a.id, hint: t.kinds.analysis, to: pageAt(portal, "analyses", a.id) })),
  });
  const submissions = useQuery({
    queryKey: ["submission", "find", text],
    enabled: asks && !!who.tenant,
    queryFn: ({ signal }) => call(api.GET("/api/v1/submissions", { signal, params: { query } })),
    select: (list) =>
      items(list).map((x) => ({ label: x.name, hint: `${t.kinds.submission}, ${x.date}`, to: pageAt(portal, "submissions", x.id) })),
  });
  const results = useQuery({
    queryKey: ["result", "find", text],
    enabled: asks && !!who.tenant,
    queryFn: ({ signal }) => call(api.GET("/api/v1/results", { signal, params: { query } })),
    select: (list) =>
      items(list).map((x) => ({ label: x.name, hint: `${t.kinds.result}, ${x.date}`, to: pageAt(portal, "results", x.id) })),
  });
  const all = [tenants, analyses, submissions, results];
  return {
    found: asks ? all.flatMap((q) => q.data ?? []) : [],
    busy: text.length > 1 && (!asks || all.some((q) => q.isFetching && !q.data)),
    away: asks && all.some((q) => q.error && !q.data),
  };
}
