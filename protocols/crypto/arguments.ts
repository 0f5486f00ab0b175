/**
 * Argument checks at the door of every crypto provider, so that a caller's mistake ends in the same
 * `LocalError` whichever provider is behind it. What lies behind checks nothing again.
 */

import { LocalError } from '../codec/refusal.ts';
import { type AeadName, aeadAlgorithms, type CurveName, curves } from './algorithms.ts';

/** IDE carries 12 bytes of the tag (PCIe Base 6.x, 6.33), SPDM all 16. */
export const aeadTagSizeMin = 12;

/** @throws LocalError unless key and IV have the algorithm's sizes and the tag 12 bytes to its full size. */
export function checkAead(name: AeadName, key: Uint8Array, iv: Uint8Array, tagSize: number): void {
  const facts = aeadAlgorithms[name];
  if (key.length !== facts.keySize)
    throw new LocalError(`key: ${name} takes ${facts.keySize} bytes, got ${key.length}`);
  if (iv.length !== facts.ivSize)
    throw new LocalError(`iv: ${name} takes ${facts.ivSize} bytes, got ${iv.length}`);
  if (!Number.isInteger(tagSize) || tagSize < aeadTagSizeMin || tagSize > facts.tagSize)
    throw new LocalError(`tagSize: expected ${aeadTagSizeMin} to ${facts.tagSize}, got ${tagSize}`);
}

/** What to throw on a private key that is not a big-endian scalar in [1, n-1] of the curve's size. */
export function badPrivateKey(curve: CurveName, privateKey: Uint8Array): LocalError {
  const size = curves[curve].fieldSize;
  return new LocalError(
    privateKey.length === size
      ? `privateKey: not in [1, n-1] of ${curve}`
      : `privateKey: ${curve} takes ${size} bytes, got ${privateKey.length}`,
  );
}
