import { useCallback, useSyncExternalStore } from "react";

// What a user likes to see, kept by this browser.
const listeners = new Set<() => void>();

function read(name: string): string | null {
  return localStorage.getItem(`preference.${name}`);
}

/** A choice of the user's, and a function that changes it everywhere it is used. */
export function usePreference<T>(name: string, fallback: T): [T, (value: T) => void] {
  const raw = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => read(name),
  );
  const set = useCallback(
    (value: T) => {
      localStorage.setItem(`preference.${name}`, JSON.stringify(value));
      for (const listener of listeners) listener();
    },
    [name],
  );
  return [parse(raw, fallback), set];
}

const parsed = new Map<string, unknown>();

// The same text gives the same object, so that a render can compare it.
function parse<T>(raw: string | null, fallback: T): T {
  if (raw === null) return fallback;
  if (!parsed.has(raw)) {
    try {
      parsed.set(raw, JSON.parse(raw));
    } catch {
      return fallback;
    }
  }
  return parsed.get(raw) as T;
}
