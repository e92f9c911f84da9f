import type { LucideIcon } from "lucide-react";

/** A page in the sidebar: where it is, its name, its icon, and the letter that goes there after G. */
export type Entry = { to: string; name: string; icon: LucideIcon; key?: string };

/** Something that the palette does: what it is called, the address that does it, and whether it takes an admin. */
export type Action = { name: string; to: string; admin?: boolean };

export type Group = { name?: string; entries: Entry[] };

/** The path of a page by its parts, as a link takes it. */
export function pageAt(...parts: string[]): string {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}
