/** SHA-256, HMAC and SPDM's labelled HKDF-Expand of one block, with node:crypto alone (DSP0274 12.1). */

import { createHash, createHmac } from 'node:crypto';
import { le } from '../../../protocols/codec/bytes.ts';

export const join = (...parts: readonly Uint8Array[]) => Buffer.concat(parts);
export const hash = (...parts: Uint8Array[]) =>
  createHash('sha256')
    .update(join(...parts))
    .digest();
export const hmac = (key: Uint8Array, data: Uint8Array) =>
  createHmac('sha256', key).update(data).digest();

/** `version` as the label has it: 1.2. */
export function expand(
  secret: Uint8Array,
  size: number,
  version: string,
  label: string,
  context: Uint8Array = new Uint8Array(0),
) {
  const info = join(le(size, 2), Buffer.from(`spdm${version} ${label}`), context);
  return hmac(secret, join(info, Uint8Array.of(1))).subarray(0, size);
}
