import { useNavigate, useSearch } from "@tanstack/react-router";
import { useCallback } from "react";

// Stands in the address where the drawer is open and no analysis is chosen; no analysis is called so.
const nothing = "-";

/** Reads the drawer's part of any address: the analyses that are chosen. */
export function runSearch(raw: Record<string, unknown>): { run?: string[] } {
  const run = ([] as unknown[]).concat(raw.run ?? []).filter((r): r is string => typeof r === "string" && r !== "");
  return run.length > 0 ? { run } : {};
}

/** The drawer in which analyses are run: it is over any page, and in its address. */
export function useRunDrawer(): {
  shown: boolean;
  chosen: string[];
  open: (analysis?: string) => void;
  choose: (analyses: string[]) => void;
  close: () => void;
} {
  const { run } = useSearch({ strict: false }) as { run?: string[] };
  const navigate = useNavigate();
  const set = useCallback(
    (next: string[] | undefined, replace: boolean) =>
      navigate({ to: ".", replace, search: (before: Record<string, unknown>) => ({ ...before, run: next }) } as never),
    [navigate],
  );
  const choose = useCallback((analyses: string[]) => void set(analyses.length > 0 ? analyses : [nothing], true), [set]);
  return {
    shown: run !== undefined,
    chosen: (run ?? []).filter((r) => r !== nothing),
    open: (analysis) => void set([analysis ?? nothing], false),
    choose,
    close: () => void set(undefined, true),
  };
}
