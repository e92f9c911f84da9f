import { useLocation } from "@tanstack/react-router";
import { useRef } from "react";

/**
 * The token of the link that a page was opened with. It is behind the #, which browsers keep to
 * themselves, so that no log has it; it stays while the page gives way to the next.
 */
export function useLinkToken(page: string): string {
  const at = useLocation();
  const token = useRef("");
  if (at.pathname === page) token.current = at.hash;
  return token.current;
}
