/** A line of a comparison: in both texts, only in the new one, or only in the old one. */
export type DiffLine = { kind: "same" | "added" | "removed"; text: string };

/** How many pairs of lines are looked at; beyond that all of the middle counts as other. */
const most = 4_000_000;

/** Compares texts line by line: a longest common part, behind what they begin and before what they end with. */
export function difference(before: string, after: string): DiffLine[] {
  const a = before.split("\n");
  const b = after.split("\n");
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head++;
  let tail = 0;
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail++;
  const same = (lines: string[]): DiffLine[] => lines.map((text) => ({ kind: "same", text }));
  return [
    ...same(a.slice(0, head)),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail)),
  ];
}

function middle(a: string[], b: string[]): DiffLine[] {
  const removed = (text: string): DiffLine => ({ kind: "removed", text });
  const added = (text: string): DiffLine => ({ kind: "added", text });
  if (a.length * b.length > most) return [...a.map(removed), ...b.map(added)];
  // common[i][j] is how many lines a from i on and b from j on have in common.
  const width = b.length + 1;
  const common = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number) => common[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const out: DiffLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if (a[i] === b[j]) {
      out.push({ kind: "same", text: a[i++] ?? "" });
      j++;
    } else if (at(i + 1, j) >= at(i, j + 1)) out.push(removed(a[i++] ?? ""));
    else out.push(added(b[j++] ?? ""));
  }
  return [...out, ...a.slice(i).map(removed), ...b.slice(j).map(added)];
}

/** A comparison without what is the same and far from what is not. */
export type DiffPart = DiffLine | { kind: "skipped"; lines: number };

const around = 3;

/** Leaves out lines that are the same, but for a few around each that is not. */
export function shortened(lines: DiffLine[]): DiffPart[] {
  const near = new Set<number>();
  lines.forEach((l, n) => {
    if (l.kind !== "same") for (let m = n - around; m <= n + around; m++) near.add(m);
  });
  const out: DiffPart[] = [];
  lines.forEach((l, n) => {
    const last = out.at(-1);
    if (near.has(n)) out.push(l);
    else if (last?.kind === "skipped") last.lines++;
    else out.push({ kind: "skipped", lines: 1 });
  });
  return out;
}
