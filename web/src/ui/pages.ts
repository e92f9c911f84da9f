import { Problem } from "../api/client";
import type { ListPage, ListQuery } from "./list";

/** How far a walk through a list is. */
export type Walked = { rows: number; searched: number };

/**
 * Walks through the pages of a list from its first, and gives each page's rows to take, until there are no more or at most
 * that many. Returns whether there were more. Where the API asks to be asked more slowly it waits.
 */
export async function walk<T>(
  fetch: (query: ListQuery, signal: AbortSignal) => Promise<ListPage<T>>,
  query: Omit<ListQuery, "limit" | "after">,
  take: (rows: T[], far: Walked) => void,
  most: number,
  signal: AbortSignal,
): Promise<boolean> {
  let rows = 0;
  for (let after = ""; ; ) {
    const page = await patiently(() => fetch({ ...query, limit: 500, ...(after && { after }) }, signal), signal);
    const found = (page.items ?? []).slice(0, most - rows);
    rows += found.length;
    take(found, { rows, searched: page.searched ?? 0 });
    if (found.length < (page.items ?? []).length) return true;
    if (!page.next) return false;
    if (rows >= most) return true;
    after = page.next;
  }
}

const tries = 10;

async function patiently<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Problem && error.status === 429 && n < tries)) throw error;
      await new Promise((resolve) => setTimeout(resolve, 1000));
      signal.throwIfAborted();
    }
  }
}
