import { useNavigate } from "@tanstack/react-router";
import { useCallback } from "react";

/** Changes a part of what stands behind the question mark; undefined takes it away. */
export function useAddress(): (change: Record<string, unknown>) => void {
  const navigate = useNavigate();
  return useCallback(
    (change) => void navigate({ to: ".", search: (before: Record<string, unknown>) => ({ ...before, ...change }) } as never),
    [navigate],
  );
}

/** Reads some names of an address as plain text; for validateSearch of a route. */
export function textSearch<K extends string>(...names: K[]): (raw: Record<string, unknown>) => Partial<Record<K, string>> {
  return (raw) => {
    const found: Partial<Record<K, string>> = {};
    for (const name of names) {
      const value = raw[name];
      if (typeof value === "string" && value !== "") found[name] = value;
    }
    return found;
  };
}
