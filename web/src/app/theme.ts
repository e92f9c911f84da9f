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
  chooseTheme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
}

/** What was chosen: a theme, or "" for the system's. */
export function chosenTheme(): string {
  return localStorage.getItem("theme") ?? "";
}

/** Chooses a theme and remembers it; "" is as the system has it. */
export function chooseTheme(choice: string): void {
  if (choice) localStorage.setItem("theme", choice);
  else localStorage.removeItem("theme");
  const dark = choice ? choice === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  for (const listener of listeners) listener();
}
