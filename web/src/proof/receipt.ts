import type { Schemas } from "../api/client";
import { concat, fromBase64, fromHex, keysOf, type PublicKey, sha256, signed, toHex } from "./bytes";

export type Receipt = Schemas["Receipt"];

/** What one check of a receipt found. */
export type Check = {
  id: "key" | "signature" | "statement" | "commitment" | "file";
  ok: boolean | undefined /** undefined: it could not be checked */;
};

/**
 * Checks a receipt as docs/formats/manifest.md says: that it was signed by one of the keys, that it says what was signed, and that
 * the commitment is to the file with this SHA-256. With the file itself, also that this is its hash.
 */
export async function checkReceipt(r: Receipt, keys: PublicKey[], file?: ArrayBuffer): Promise<Check[]> {
  const key = (await keysOf(keys)).get(r.signed.key);
  const body = fromBase64(r.signed.body);
  const checks: Check[] = [
    { id: "key", ok: key !== undefined },
    { id: "signature", ok: key !== undefined && (await signed(key, fromBase64(r.signed.signature), body)) },
    { id: "statement", ok: says(r, body) },
    { id: "commitment", ok: await committed(r) },
  ];
  if (file) checks.push({ id: "file", ok: toHex(await sha256(new Uint8Array(file))) === r.sha256 });
  return checks;
}

// Everything outside the signature repeats what is within it.
function says(r: Receipt, body: Uint8Array): boolean {
  let s: Record<string, unknown>;
  try {
    s = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as Record<string, unknown>;
  } catch {
    return false;
  }
  return (
    s.statement === "tributary receipt v1" &&
    s.submission === r.submission &&
    s.commitment === r.commitment &&
    s.run === r.run &&
    s.release === r.release &&
    s.manifest_sha256 === r.manifest &&
    s.organisations === r.organisations &&
    s.organisations_verified === r.organisations_verified
  );
}

// Once the file's bytes are deleted there is no salt, and this cannot be checked.
async function committed(r: Receipt): Promise<boolean | undefined> {
  if (!r.salt) return undefined;
  try {
    return toHex(await sha256(concat(fromHex(r.salt), fromHex(r.sha256)))) === r.commitment;
  } catch {
    return false;
  }
}
