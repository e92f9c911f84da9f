import { useSyncExternalStore } from "react";

const narrow = typeof matchMedia === "function" ? matchMedia("(max-width: 640px)") : undefined;

const listen = (changed: () => void) => {
  narrow?.addEventListener("change", changed);
  return () => narrow?.removeEventListener("change", changed);
};

/** Whether the screen is as narrow as a phone's. */
export function useNarrow(): boolean {
  return useSyncExternalStore(listen, () => narrow?.matches ?? false);
}
