import { useRouter } from "@tanstack/react-router";
import { useEffect } from "react";

/** Whoever has gone to another page goes on at its heading, with keys and a screen reader, unless it has them elsewhere already. */
export function useHeading(): void {
  const router = useRouter();
  useEffect(
    () =>
      router.subscribe("onRendered", ({ fromLocation, pathChanged }) => {
        if (!fromLocation || !pathChanged || document.activeElement?.closest("main, [role=dialog]")) return;
        document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
      }),
    [router],
  );
}
