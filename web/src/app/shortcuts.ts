import { useEffect } from "react";
import { usePreference } from "../ui/preferences";
import { go } from "./go";
import type { Group } from "./nav";
import { switchTheme } from "./theme";

function typing(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) || target.closest('[role="dialog"]') !== null)
  );
}

/** The keys that work on every page. Those of a single letter can be turned off, and do nothing while one is typing. */
export function useShortcuts(groups: Group[], act: { palette: () => void; help: () => void }): void {
  const [singles] = usePreference("shortcuts", true);
  useEffect(() => {
    const never = Number.NEGATIVE_INFINITY; // a page's own time begins at zero
    let afterG = never;
    const key = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        act.palette();
        return;
      }
      if (!singles || event.metaKey || event.ctrlKey || event.altKey || typing(event.target)) return;
      const letter = event.key.toLowerCase();
      if (event.timeStamp - afterG < 1500) {
        afterG = never;
        const entry = groups.flatMap((g) => g.entries).find((e) => e.key === letter);
        if (entry) {
          event.preventDefault();
          go(entry.to);
        }
        return;
      }
      switch (event.key) {
        case "g":
          afterG = event.timeStamp;
          return;
        case "/":
          document.querySelector<HTMLElement>("[data-filter]")?.focus();
          break;
        case "?":
          act.help();
          break;
        case "t":
          switchTheme();
          break;
        case "j":
        case "k":
          if (document.activeElement?.matches("[data-row]")) return;
          document.querySelector<HTMLElement>("[data-row]")?.focus();
          break;
        default:
          return;
      }
      event.preventDefault();
    };
    addEventListener("keydown", key);
    return () => removeEventListener("keydown", key);
  }, [groups, act, singles]);
}
