/**
 * Finite-field Diffie-Hellman in the groups of RFC 7919: safe primes p with generator 2, built here from
 * the formula of its appendix A. Values are as long as the prime, big-endian; private exponents are
 * short (5.2).
 */

import { pow } from '@noble/curves/abstract/modular.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { LocalError } from '../codec/refusal.ts';
import { type FfdheName, ffdheSizes } from './algorithms.ts';
import type { DhGroup } from './engine.ts';

interface GroupFacts {
  /** the number that makes the formula a safe prime (RFC 7919, A.1 to A.3) */
  readonly x: bigint;
  /** least bits of a private exponent (RFC 7919, 5.2) */
  readonly exponentBits: number;
  /** bytes of one that is drawn here, a choice above that */
  readonly drawSize: number;
}
const groups: Readonly<Record<FfdheName, GroupFacts>> = {
  FFDHE_2048: { x: 560316n, exponentBits: 225, drawSize: 32 },
  FFDHE_3072: { x: 2625351n, exponentBits: 275, drawSize: 40 },
  FFDHE_4096: { x: 5736041n, exponentBits: 325, drawSize: 48 },
};

export const GENERATOR = 2n;
export const ffdheDrawSize = (name: FfdheName): number => groups[name].drawSize;

/** floor(2^bits * e) from the series 1/0! + 1/1! + ..., with 64 bits to spare for what it rounds off. */
function scaledE(bits: bigint): bigint {
  let sum = 0n;
  let term = 1n << (bits + 64n);
  for (let k = 1n; term > 0n; k++) {
    sum += term;
    term /= k;
  }
  return sum >> 64n;
}

const primes = new Map<FfdheName, bigint>();
/** p = 2^b - 2^(b-64) + ([2^(b-130) e] + X) 2^64 - 1. */
export function ffdhePrime(name: FfdheName): bigint {
  let p = primes.get(name);
  if (p === undefined) {
    const b = BigInt(8 * ffdheSizes[name]);
    p = (1n << b) - (1n << (b - 64n)) + ((scaledE(b - 130n) + groups[name].x) << 64n) - 1n;
    primes.set(name, p);
  }
  return p;
}

/** @throws LocalError unless the exponent is long enough and in [1, q-1], q = (p-1)/2. */
export function checkExponent(name: FfdheName, privateKey: Uint8Array): void {
  const [min, max] = [Math.ceil(groups[name].exponentBits / 8), ffdheSizes[name]];
  if (privateKey.length < min || privateKey.length > max)
    throw new LocalError(
      `privateKey: ${name} takes ${min} to ${max} bytes, got ${privateKey.length}`,
    );
  const exponent = bytesToNumberBE(privateKey);
  if (exponent < 1n || exponent >= ffdhePrime(name) >> 1n)
    throw new LocalError(`privateKey: not in [1, q-1] of ${name}`);
}

/** True for a value in [2, p-2], the check of RFC 7919, 5.1. */
export function isPublicValue(name: FfdheName, value: Uint8Array): boolean {
  const y = bytesToNumberBE(value);
  return y >= 2n && y <= ffdhePrime(name) - 2n;
}

export function ffdheGroup(name: FfdheName): DhGroup {
  const size = ffdheSizes[name];
  const power = (base: bigint, privateKey: Uint8Array) =>
    numberToBytesBE(pow(base, bytesToNumberBE(privateKey), ffdhePrime(name)), size);
  return {
    checkPrivateKey: (privateKey) => checkExponent(name, privateKey),
    publicKey: (privateKey) => power(GENERATOR, privateKey),
    sharedSecret: (privateKey, peerPublicKey) =>
      isPublicValue(name, peerPublicKey)
        ? power(bytesToNumberBE(peerPublicKey), privateKey)
        : undefined,
  };
}
