/** Something that was asked. */
export type Asked = { sql: string; at: string; rows: number; ms: number };

const most = 50;

const key = (user: string) => `query.history.${user}`;

/** What somebody has asked in this browser, the newest first. */
export function history(user: string): Asked[] {
  try {
    const kept = JSON.parse(localStorage.getItem(key(user)) ?? "[]");
    return Array.isArray(kept) ? kept : [];
  } catch {
    return [];
  }
}

/** Remembers what was asked, once, however often it is asked. */
export function remember(user: string, asked: Asked): Asked[] {
  const kept = [asked, ...history(user).filter((h) => h.sql !== asked.sql)].slice(0, most);
  try {
    localStorage.setItem(key(user), JSON.stringify(kept));
  } catch {
    // a browser that has no more room remembers nothing more
  }
  return kept;
}

/** Forgets it all. */
export function forget(user: string): Asked[] {
  localStorage.removeItem(key(user));
  return [];
}
