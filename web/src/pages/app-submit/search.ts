/** What the page is opened for: a dataset and a date that files are for if their names do not say it. */
export type SubmitSearch = { dataset?: string; date?: string };

export function submitSearch(raw: Record<string, unknown>): SubmitSearch {
  return {
    ...(typeof raw.dataset === "string" && raw.dataset && { dataset: raw.dataset }),
    ...(typeof raw.date === "string" && /^\d{4}-\d\d-\d\d$/.test(raw.date) && { date: raw.date }),
  };
}
