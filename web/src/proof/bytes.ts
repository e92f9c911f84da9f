// What proofs are made of: bytes, their encodings, SHA-256 and Ed25519. Written from docs/formats alone.

export type Bytes = Uint8Array<ArrayBuffer>;

const text = new TextEncoder();

/** The bytes of base64 as the API sends it; none of nothing. */
export function fromBase64(raw: string | null | undefined): Bytes {
  const plain = atob(raw ?? "");
  const out = new Uint8Array(plain.length);
  for (let i = 0; i < plain.length; i++) out[i] = plain.charCodeAt(i);
  return out;
}

export function fromHex(raw: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(raw)) throw new Error("not hexadecimal");
  return Uint8Array.from(raw.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

export function toHex(raw: Bytes): string {
  return Array.from(raw, (b) => b.toString(16).padStart(2, "0")).join("");
}

export function same(a: Bytes, b: Bytes): boolean {
  return a.length === b.length && a.every((v, i) => v === b[i]);
}

export function concat(...parts: Bytes[]): Bytes {
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
}

/** A field: its length in four bytes, and its bytes. */
export function field(raw: Bytes | string): Bytes {
  const body = typeof raw === "string" ? text.encode(raw) : raw;
  const out = new Uint8Array(4 + body.length);
  new DataView(out.buffer).setUint32(0, body.length);
  out.set(body, 4);
  return out;
}

/** A number: a field of eight bytes. */
export function number(n: number): Bytes {
  const out = new Uint8Array(12);
  const view = new DataView(out.buffer);
  view.setUint32(0, 8);
  view.setBigInt64(4, BigInt(n));
  return out;
}

export async function sha256(raw: Bytes): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", raw));
}

/** Whether this browser can check signatures here: it must know Ed25519, and pages without TLS may compute nothing. */
export async function able(): Promise<boolean> {
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32), "Ed25519", false, ["verify"]);
    return true;
  } catch (error) {
    return error instanceof DOMException && error.name === "DataError"; // it knows the algorithm, and not this key
  }
}

export type PublicKey = { id: string; public_key: string };

/** The keys by their ids; one whose id is another key's is not among them. */
export async function keysOf(list: PublicKey[]): Promise<Map<string, CryptoKey>> {
  const found = new Map<string, CryptoKey>();
  for (const k of list) {
    const raw = fromBase64(k.public_key);
    if (raw.length !== 32 || toHex(await sha256(raw)).slice(0, 16) !== k.id) continue;
    found.set(k.id, await crypto.subtle.importKey("raw", raw, "Ed25519", false, ["verify"]));
  }
  return found;
}

export function signed(key: CryptoKey, signature: Bytes, body: Bytes): Promise<boolean> {
  return crypto.subtle.verify("Ed25519", key, signature, body);
}
