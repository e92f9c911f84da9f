import type { Schemas } from "../api/client";
import { type Bytes, concat, field, fromBase64, keysOf, number, type PublicKey, same, sha256, signed, toHex } from "./bytes";

export type AuditRecord = Schemas["AuditRecord"];
export type Checkpoint = Schemas["Checkpoint"];

/** Something that is wrong with the audit log, in the words that the strings have for it. */
export type Finding = { what: "entry" | "checkpoint" | "key"; seq: number; problem: Problem };

export type Problem =
  | "another chain"
  | "missing"
  | "does not follow"
  | "changed"
  | "not vouched"
  | "format"
  | "not signed so"
  | "unknown key"
  | "signature"
  | "proof"
  | "order";

/** What verifying found. Without findings, everything up to the last entry is as it was written and signed. */
export type Report = {
  chain: string;
  entries: number;
  head: string;
  checkpoints: number;
  /** The last entry that a checkpoint vouches for. */
  covered: number;
  /** The last checkpoint, to be written down. */
  pin: { seq: number; hash: string } | undefined;
  findings: Finding[];
};

/** Where the records come from. */
export type Source = {
  keys(): Promise<PublicKey[]>;
  /** All checkpoints, in any order. */
  checkpoints(): Promise<Checkpoint[]>;
  /** Records behind a number; none: that was the last. */
  records(after: number): Promise<AuditRecord[]>;
  /** How many entries are verified. */
  progress(entries: number): void;
};

const zeros: Bytes = new Uint8Array(32);

/**
 * Verifies a chain as docs/formats/audit.md says: each entry's number, hash and link to the one before, each checkpoint's form, link
 * and signature, and that each proof leads from the chain's head to what was signed. The server's word is taken for nothing but
 * its public keys.
 */
export async function verifyChain(chain: string, from: Source): Promise<Report> {
  const report: Report = { chain, entries: 0, head: toHex(zeros), checkpoints: 0, covered: 0, pin: undefined, findings: [] };
  // Checkpoints first: what they vouch for is then among the entries, whatever is added meanwhile.
  const points = (await from.checkpoints()).sort((a, b) => a.seq - b.seq);
  const heads = await verifyCheckpoints(report, points, await keysOf(await from.keys()));
  let prev = zeros;
  for (;;) {
    const page = await from.records(report.entries);
    if (page.length === 0) break;
    for (const r of page) {
      const hash = await entryHash(r);
      const problem = entryProblem(r, report, prev, hash, heads);
      if (problem) {
        report.findings.push({ what: "entry", seq: report.entries + 1, problem });
        return report; // those behind it cannot be judged
      }
      if (heads.delete(r.seq)) report.covered = r.seq;
      report.entries = r.seq;
      report.head = toHex(hash);
      prev = hash;
    }
    from.progress(report.entries);
  }
  for (const seq of [...heads.keys()].sort((a, b) => a - b)) report.findings.push({ what: "entry", seq, problem: "missing" });
  return report;
}

function entryProblem(r: AuditRecord, report: Report, prev: Bytes, hash: Bytes, heads: Map<number, Bytes>): Problem | undefined {
  const head = heads.get(r.seq);
  if (r.tenant !== report.chain) return "another chain";
  if (r.seq !== report.entries + 1) return "missing";
  if (!same(fromBase64(r.prev), prev)) return "does not follow";
  if (!same(fromBase64(r.hash), hash)) return "changed";
  if (head && !same(head, hash)) return "not vouched";
  return undefined;
}

/** The hash of what an entry says. */
export function entryHash(r: AuditRecord): Promise<Bytes> {
  return sha256(
    concat(
      field("tributary audit entry v1"),
      field(r.tenant),
      number(r.seq),
      number(r.at),
      field(r.actor),
      field(r.verb),
      field(r.subject),
      field(r.outcome),
      field(fromBase64(r.details)),
      field(fromBase64(r.prev)),
    ),
  );
}

// Returns the heads of the chain that the checkpoints vouch for.
async function verifyCheckpoints(report: Report, points: Checkpoint[], keys: Map<string, CryptoKey>): Promise<Map<number, Bytes>> {
  const heads = new Map<number, Bytes>();
  let prev = zeros;
  let last = 0;
  for (const [at, p] of points.entries()) {
    const seq = at + 1;
    const body = fromBase64(p.body);
    const hash = await sha256(body);
    const problem = await checkpointProblem(p, seq, prev, hash, keys);
    if (problem) {
      report.findings.push({ what: "checkpoint", seq, problem });
      if (p.seq !== seq) return heads; // those behind it are not in their places
    } else if (p.own) {
      if (p.own.tenant !== report.chain) report.findings.push({ what: "checkpoint", seq, problem: "another chain" });
      else if (p.own.seq <= last) report.findings.push({ what: "checkpoint", seq, problem: "order" });
      else {
        last = p.own.seq;
        heads.set(last, fromBase64(p.own.hash));
      }
    }
    prev = hash;
    report.checkpoints = seq;
    report.pin = { seq, hash: toHex(hash) };
  }
  return heads;
}

async function checkpointProblem(
  p: Checkpoint,
  seq: number,
  prev: Bytes,
  hash: Bytes,
  keys: Map<string, CryptoKey>,
): Promise<Problem | undefined> {
  const body = fromBase64(p.body);
  const b = readCheckpoint(body);
  const key = keys.get(p.key);
  if (!b) return "format";
  if (b.seq !== seq) return "missing";
  if (!same(b.prev, prev)) return "does not follow";
  if (
    p.seq !== b.seq ||
    p.heads !== b.heads ||
    Date.parse(p.at) !== b.at ||
    !same(fromBase64(p.root), b.root) ||
    !same(fromBase64(p.hash), hash)
  )
    return "not signed so";
  if (!key) return "unknown key";
  if (!(await signed(key, fromBase64(p.signature), body))) return "signature";
  if (p.own && !same(await climb(p.own, b.heads), b.root)) return "proof";
  return undefined;
}

// From the chain's head up to the root.
async function climb(own: NonNullable<Checkpoint["own"]>, leaves: number): Promise<Bytes> {
  const path = own.path ?? [];
  if (leaves < 1 || path.length > Math.ceil(Math.log2(leaves))) return zeros;
  let node = await sha256(concat(new Uint8Array([0]), field(own.tenant), number(own.seq), field(fromBase64(own.hash))));
  for (const step of path) {
    const sibling = fromBase64(step.hash);
    node = await sha256(step.left ? concat(new Uint8Array([1]), sibling, node) : concat(new Uint8Array([1]), node, sibling));
  }
  return node;
}

const sizes = ["tributary audit checkpoint v1".length, 8, 8, 8, 32, 32];

/** Reads a checkpoint's body, which has to be in the format to the last byte; undefined: it is not. */
export function readCheckpoint(
  body: Bytes,
): { seq: number; at: number /** in milliseconds */; heads: number; root: Bytes; prev: Bytes } | undefined {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const fields: Bytes[] = [];
  let at = 0;
  for (const size of sizes) {
    if (at + 4 + size > body.length || view.getUint32(at) !== size) return undefined;
    fields.push(body.slice(at + 4, at + 4 + size));
    at += 4 + size;
  }
  const [format, seq, time, heads, root, prev] = fields;
  if (at !== body.length || !format || !seq || !time || !heads || !root || !prev) return undefined;
  if (new TextDecoder().decode(format) !== "tributary audit checkpoint v1") return undefined;
  const n = (raw: Bytes) => Number(new DataView(raw.buffer).getBigInt64(0));
  return { seq: n(seq), at: Math.floor(n(time) / 1000), heads: n(heads), root, prev };
}
