import { inside } from "../../app/address";

const key = "tributary-next";

/** Keeps where to go after signing in while the browser is at the issuer, in this tab alone. */
export function keepNext(next: string | undefined): void {
  if (next) sessionStorage.setItem(key, next);
  else sessionStorage.removeItem(key);
}

/** Where to go, once: an address within these pages, whatever was kept. */
export function takeNext(): string | undefined {
  const next = sessionStorage.getItem(key) ?? undefined;
  sessionStorage.removeItem(key);
  return inside(next);
}
