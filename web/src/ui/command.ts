import { type ListState, writeFilter } from "./list";

/** A command as it is typed into a shell: what its words hold is theirs whatever it is. */
export function command(words: string[]): string {
  return ["tributary", ...words.map(word)].join(" ");
}

/** The command that lists what a list shows. */
export function listCommand(words: string[], { search, filters, sort }: ListState): string {
  return command([
    ...words,
    ...(search ? [`--search=${search}`] : []),
    ...filters.map((f) => `--filter=${writeFilter(f)}`),
    ...(sort ? [`--sort=${sort}`] : []),
  ]);
}

// A flag keeps its name readable, and has its value quoted.
function word(text: string): string {
  const flag = /^--[a-z-]+=/.exec(text)?.[0] ?? "";
  return flag + quote(text.slice(flag.length));
}

function quote(text: string): string {
  if (/^[\w@%+:,./-]+$/.test(text)) return text;
  // A terminal may act on a control character that is pasted, and what is not seen may turn the rest around.
  if (!unseen.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  return `$'${[...text].map((c) => (c === "'" || c === "\\" ? `\\${c}` : c === "!" || unseen.test(c) ? octal(c) : c)).join("")}'`;
}

const unseen = /[\p{C}\p{Zl}\p{Zp}]/u;

const octal = (c: string) => [...new TextEncoder().encode(c)].map((byte) => `\\${byte.toString(8).padStart(3, "0")}`).join("");
