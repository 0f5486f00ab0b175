/**
 * Which of several common algorithms is chosen where DSP0274 leaves it to the responder (10.4): first what
 * TEE-I/O devices are built with (P-384, SHA-384, AES-256-GCM), then the stronger, and ML-DSA before
 * SLH-DSA, whose signatures are ten times as long.
 */

import type { Bits } from '../codec/field.ts';
import {
  aeadBits,
  baseAsymBits,
  baseHashBits,
  dheBits,
  kemBits,
  pqcAsymBits,
} from './algorithms.ts';

interface Kind {
  readonly bits: Bits;
  /** go before the others, in this order */
  readonly first: readonly string[];
}

export const preferences = {
  asym: { bits: baseAsymBits, first: ['ECDSA_P384', 'ECDSA_P521', 'ECDSA_P256'] },
  pqcAsym: { bits: pqcAsymBits, first: ['ML_DSA_87', 'ML_DSA_65', 'ML_DSA_44'] },
  hash: { bits: baseHashBits, first: ['SHA_384', 'SHA_512', 'SHA_256'] },
  dhe: { bits: dheBits, first: ['SECP_384_R1', 'SECP_521_R1', 'SECP_256_R1'] },
  kem: { bits: kemBits, first: [] },
  aead: { bits: aeadBits, first: ['AES_256_GCM'] },
} as const satisfies Record<string, Kind>;
export type PreferenceKind = keyof typeof preferences;

/** The most significant bit: the stronger algorithm in most tables of 10.4. */
export const highestBit = (mask: number): number => (mask === 0 ? 0 : 2 ** (31 - Math.clz32(mask)));

/** One bit of `mask`, or 0 if it has none. */
export function preferred(kind: PreferenceKind, mask: number): number {
  const { bits, first }: Kind = preferences[kind];
  const found = first
    .map((name) => 2 ** bits[name]![0])
    .find((bit) => Math.floor(mask / bit) % 2 === 1);
  return found ?? highestBit(mask);
}
