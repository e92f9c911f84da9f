import { type ListSearch, listSearch } from "../../ui/list";

/** The part of the address that this page reads. */
export type ActivitySearch = ListSearch & { from?: string; to?: string; entry?: number };

/** Reads it. */
export function activitySearch(raw: Record<string, unknown>): ActivitySearch {
  const found: ActivitySearch = listSearch(raw);
  if (typeof raw.from === "string" && /^\d{4}-\d\d-\d\d$/.test(raw.from)) found.from = raw.from;
  if (typeof raw.to === "string" && /^\d{4}-\d\d-\d\d$/.test(raw.to)) found.to = raw.to;
  if (Number.isInteger(Number(raw.entry)) && Number(raw.entry) > 0) found.entry = Number(raw.entry);
  return found;
}
