/** HKDF (RFC 5869) over a provider's HMAC. */

import { concat } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import { type HashName, hashSizes } from './algorithms.ts';
import type { CryptoProvider } from './provider.ts';

export function hkdfExtract(
  crypto: CryptoProvider,
  hash: HashName,
  salt: Uint8Array,
  ikm: Uint8Array,
): Uint8Array {
  return crypto.hmac(hash, salt, ikm);
}

/** @throws LocalError unless `size` is a number of bytes up to 255 hash lengths (RFC 5869, 2.3). */
export function hkdfExpand(
  crypto: CryptoProvider,
  hash: HashName,
  prk: Uint8Array,
  info: Uint8Array,
  size: number,
): Uint8Array {
  if (!Number.isInteger(size) || size < 0)
    throw new LocalError(`size: expected a number of bytes, got ${size}`);
  if (size > 255 * hashSizes[hash]) throw new LocalError(`size: ${size} is above 255 hash lengths`);
  const out = new Uint8Array(size);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0, i = 1; at < size; at += block.length, i++) {
    block = crypto.hmac(hash, prk, concat(block, info, Uint8Array.of(i)));
    out.set(block.subarray(0, Math.min(block.length, size - at)), at);
  }
  return out;
}
