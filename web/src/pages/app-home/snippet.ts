/** What a snippet is filled with. */
export type Values = { server: string; host: string; login: string; dataset: string; date: string; name: string };

/** A word as a shell takes it. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** A connection by SFTP, and the line that sends a file in it. The address is the one the server listens on, whose host says nothing outside of it. */
export function sftpSnippet(v: Values, address: string, named: boolean): string {
  const colon = address.lastIndexOf(":");
  const port = address.slice(colon + 1);
  const own = address.slice(0, colon).replace(/^\[|\]$/g, "");
  const host = ["", "0.0.0.0", "::", "127.0.0.1", "::1"].includes(own) ? v.host : own;
  const folder = named ? "/input/" : `/input/${v.dataset}/${v.date}/`;
  const at = host.includes(":") ? `[${host}]` : host;
  return `sftp -P ${port} ${v.login}@${at}\nput ${quoted(v.name)} ${folder}`;
}

/** One file by HTTP. */
export function apiSnippet(v: Values): string {
  const query = new URLSearchParams({ dataset: v.dataset, date: v.date, name: v.name });
  return [
    `curl --fail-with-body "${v.server}/api/v1/submissions?${query}"`,
    `-H "Authorization: Bearer $TRIBUTARY_TOKEN"`,
    `-H "Content-Type: application/octet-stream" --data-binary ${quoted(`@${v.name}`)}`,
  ].join(" \\\n  ");
}

/** One file by the command line, which waits for the verdict. */
export function cliSnippet(v: Values): string {
  return `export TRIBUTARY_SERVER=${quoted(v.server)}\ntributary submit --dataset ${quoted(v.dataset)} --date ${v.date} ${quoted(v.name)}`;
}
