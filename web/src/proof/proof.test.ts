import { expect, test } from "vitest";
import { concat, field, fromHex, number, sha256, toHex } from "./bytes";
import { type AuditRecord, type Checkpoint, entryHash, readCheckpoint, type Source, verifyChain } from "./chain";
import { checkReceipt, type Receipt } from "./receipt";

// The vectors of docs/formats/audit.md.
const chain = "ten_0000000000000000000000000a";
const first = "c6945b939179dfeead246c254a76afdf8222f6647612bf6d40c7db724bf3dbfa";
const second = "9cdf52e17467de3a62a48ba5cc029a128fc19e573f4e000a626d4ea0bc88d78d";
const body =
  "0000001d74726962757461727920617564697420636865636b706f696e7420763100000008000000" +
  "00000000010000000800064bf53942970000000008000000000000000200000020354054da865903" +
  "e5ff50e2f1174da5fd998178084a00e981db1747b26f6cdc7b000000200000000000000000000000" +
  "000000000000000000000000000000000000000000";

const base64 = (raw: Uint8Array) => btoa(String.fromCharCode(...raw));
const hex = (raw: string) => base64(fromHex(raw));

const entry = (n: number, prev: string, hash: string): AuditRecord => ({
  tenant: chain,
  seq: n,
  at: 1772366400000000 + n - 1,
  actor: "usr_1",
  verb: "submission.receive",
  subject: `sub_${n - 1}`,
  outcome: "ok",
  details: hex(`020${n - 1}00`),
  prev: hex(prev),
  hash: hex(hash),
});
const records = () => [entry(1, "00".repeat(32), first), entry(2, first, second)];

async function world(change: { records?: AuditRecord[]; point?: Partial<Checkpoint> } = {}): Promise<Source> {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const id = toHex(await sha256(raw)).slice(0, 16);
  const bytes = fromHex(body);
  const point: Checkpoint = {
    seq: 1,
    at: new Date(1772366460000).toISOString(),
    heads: 2,
    root: hex("354054da865903e5ff50e2f1174da5fd998178084a00e981db1747b26f6cdc7b"),
    prev: hex("00".repeat(32)),
    body: base64(bytes),
    hash: base64(await sha256(bytes)),
    key: id,
    signature: base64(new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, bytes))),
    own: {
      tenant: chain,
      seq: 2,
      hash: hex(second),
      path: [{ left: true, hash: hex("3baa7d20c88fde231290aa519db4fefa8b2390d34f5badfff8c81eb1a50d04c2") }],
    },
    ...change.point,
  };
  return {
    keys: async () => [{ id, public_key: base64(raw) }],
    checkpoints: async () => [point],
    records: async (after) => (change.records ?? records()).slice(after),
    progress: () => {},
  };
}

test("an entry's hash is that of the format's vectors", async () => {
  for (const [i, want] of [first, second].entries()) expect(toHex(await entryHash(records()[i] as AuditRecord))).toBe(want);
});

test("a checkpoint is read to the last byte", () => {
  expect(readCheckpoint(fromHex(body))).toMatchObject({ seq: 1, heads: 2 });
  expect(readCheckpoint(fromHex(`${body}00`))).toBeUndefined();
  expect(readCheckpoint(fromHex(body.slice(2)))).toBeUndefined();
});

test("a whole chain is verified", async () => {
  const got = await verifyChain(chain, await world());
  expect(got.findings).toEqual([]);
  expect(got).toMatchObject({ entries: 2, covered: 2, checkpoints: 1, head: second });
});

test.each([
  ["an entry that was changed", { records: [{ ...entry(1, "00".repeat(32), first), outcome: "denied" }] }, "entry", 1, "changed"],
  ["an entry that was left out", { records: [entry(2, first, second)] }, "entry", 1, "missing"],
  ["an end that was cut off", { records: [entry(1, "00".repeat(32), first)] }, "entry", 2, "missing"],
  ["an entry of another chain", { records: [{ ...entry(1, "00".repeat(32), first), tenant: "ten_b" }] }, "entry", 1, "another chain"],
  ["a signature of something else", { point: { signature: base64(new Uint8Array(64)) } }, "checkpoint", 1, "signature"],
  ["an unknown key", { point: { key: "0000000000000000" } }, "checkpoint", 1, "unknown key"],
  ["another root than was signed", { point: { root: hex("00".repeat(32)) } }, "checkpoint", 1, "not signed so"],
  ["a proof that leads elsewhere", { point: { own: { tenant: chain, seq: 2, hash: hex(second), path: [] } } }, "checkpoint", 1, "proof"],
] as const)("%s is found", async (_, change, what, seq, problem) => {
  const got = await verifyChain(chain, await world(change as never));
  expect(got.findings[0]).toEqual({ what, seq, problem });
});

test("a whole rewritten chain is found by what a checkpoint vouches for", async () => {
  const one = { ...entry(1, "00".repeat(32), first), outcome: "denied" };
  one.hash = base64(await entryHash(one));
  const two = { ...entry(2, first, second), prev: one.hash };
  two.hash = base64(await entryHash(two));
  const got = await verifyChain(chain, await world({ records: [one, two] }));
  expect(got.findings).toEqual([{ what: "entry", seq: 2, problem: "not vouched" }]);
});

test("a receipt is checked, and each lie in it found", async () => {
  const pair = (await crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"])) as CryptoKeyPair;
  const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
  const keys = [{ id: toHex(await sha256(raw)).slice(0, 16), public_key: base64(raw) }];
  const file = new TextEncoder().encode("a,b\n1,2\n");
  const salt = "11".repeat(16);
  const hash = await sha256(file);
  const commitment = toHex(await sha256(concat(fromHex(salt), hash)));
  const said = {
    statement: "tributary receipt v1",
    tenant: chain,
    submission: "sub_1",
    commitment,
    run: "run_1",
    release: "rel_1",
    organisations: 3,
    organisations_verified: 2,
    manifest_sha256: "ab",
  };
  const signed = new TextEncoder().encode(JSON.stringify(said));
  const r = {
    ...{ submission: "sub_1", run: "run_1", release: "rel_1", analysis: "x", version: 1, date: "2026-01-01", manifest: "ab" },
    ...{ organisations: 3, organisations_verified: 2, sha256: toHex(hash), salt, commitment },
    signed: {
      key: keys[0]?.id ?? "",
      body: base64(signed),
      signature: base64(new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, signed))),
    },
  } as Receipt;
  const bad = async (x: Receipt, bytes?: ArrayBuffer) =>
    (await checkReceipt(x, keys, bytes)).filter((c) => c.ok === false).map((c) => c.id);
  expect(await bad(r, file.buffer)).toEqual([]);
  expect(await bad({ ...r, organisations: 30 })).toEqual(["statement"]);
  expect(await bad({ ...r, sha256: "00".repeat(32) })).toEqual(["commitment"]);
  expect(await bad({ ...r, signed: { ...r.signed, signature: base64(new Uint8Array(64)) } })).toEqual(["signature"]);
  expect(await bad(r, new ArrayBuffer(3))).toEqual(["file"]);
  expect((await checkReceipt({ ...r, salt: "" }, keys)).find((c) => c.id === "commitment")?.ok).toBeUndefined();
});

test("numbers are two's complement", () => {
  expect(toHex(number(-1))).toBe(`00000008${"ff".repeat(8)}`);
  expect(toHex(field("ab"))).toBe("000000026162");
});
