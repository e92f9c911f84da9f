import { useSyncExternalStore } from "react";

const listeners = new Set<() => void>();

/** The theme of the page; public/theme.js has set it before the first paint. */
export function useTheme(): ["light" | "dark", () => void] {
  const theme = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => (document.documentElement.dataset.theme === "dark" ? "dark" : "light"),
  );
  return [theme, switchTheme];
}

/** Changes to the other theme, and remembers it. */
export function switchTheme(): void {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  localStorage.setItem("theme", next);
  for (const listener of listeners) listener();
}
