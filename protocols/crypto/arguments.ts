/**
 * Argument checks at the door of every crypto provider, so that a caller's mistake ends in the same
 * `LocalError` whichever provider is behind it. What lies behind checks nothing again.
 */

import { p256, p384, p521 } from '@noble/curves/nist.js';
import { numberToBytesBE } from '@noble/curves/utils.js';
import { LocalError } from '../codec/refusal.ts';
import {
  type AeadName,
  aeadAlgorithms,
  type CurveName,
  curves,
  type SignatureName,
  signatureFacts,
} from './algorithms.ts';

/** IDE carries 12 bytes of the tag (PCIe Base 6.x, 6.33), SPDM all 16. */
export const aeadTagSizeMin = 12;
/** FIPS 204 and 205, 10.2; RFC 8032, 5.2: the context's length is one byte. */
export const contextSizeMax = 255;

const orderOf = (group: typeof p256, size: number) => numberToBytesBE(group.Point.Fn.ORDER, size);
const orders: Readonly<Record<CurveName, Uint8Array>> = {
  SECP_256_R1: orderOf(p256, 32),
  SECP_384_R1: orderOf(p384, 48),
  SECP_521_R1: orderOf(p521, 66),
};

/** True if `bytes` is a big-endian scalar in [1, n-1] of the curve's size. */
export function isScalar(curve: CurveName, bytes: Uint8Array): boolean {
  const order = orders[curve];
  if (bytes.length !== order.length || bytes.every((byte) => byte === 0)) return false;
  for (let i = 0; i < order.length; i++) if (bytes[i] !== order[i]) return bytes[i]! < order[i]!;
  return false;
}

export function checkSize(argument: string, what: string, bytes: Uint8Array, size: number): void {
  if (bytes.length !== size)
    throw new LocalError(`${argument}: ${what} takes ${size} bytes, got ${bytes.length}`);
}

/** @throws LocalError unless the private key is in [1, n-1] of the curve. */
export function checkScalar(curve: CurveName, privateKey: Uint8Array): void {
  checkSize('privateKey', curve, privateKey, curves[curve].fieldSize);
  if (!isScalar(curve, privateKey)) throw new LocalError(`privateKey: not in [1, n-1] of ${curve}`);
}

/** @throws LocalError unless `table` has an entry of that name. */
export function checkName(argument: string, table: object, name: string): void {
  if (!Object.hasOwn(table, name)) throw new LocalError(`${argument}: no algorithm '${name}' here`);
}

/** @throws LocalError unless key and IV have the algorithm's sizes and the tag 12 bytes to its full size. */
export function checkAead(name: AeadName, key: Uint8Array, iv: Uint8Array, tagSize: number): void {
  checkName('name', aeadAlgorithms, name);
  const facts = aeadAlgorithms[name];
  checkSize('key', name, key, facts.keySize);
  checkSize('iv', name, iv, facts.ivSize);
  if (!Number.isInteger(tagSize) || tagSize < aeadTagSizeMin || tagSize > facts.tagSize)
    throw new LocalError(`tagSize: expected ${aeadTagSizeMin} to ${facts.tagSize}, got ${tagSize}`);
}

/** @throws LocalError if the context is above 255 bytes, or not empty where the scheme has none. */
export function checkContext(name: SignatureName, context: Uint8Array): void {
  const { family } = signatureFacts(name);
  const takesOne = family === 'ML_DSA' || family === 'SLH_DSA' || name === 'EDDSA_448';
  if (!takesOne && context.length > 0) throw new LocalError(`context: ${name} takes none`);
  if (context.length > contextSizeMax)
    throw new LocalError(`context: at most ${contextSizeMax} bytes, got ${context.length}`);
}
