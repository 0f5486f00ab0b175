/**
 * RSA key generation (FIPS 186-5, A.1.3) from a given source of bytes: the same draws give the same key.
 * Chosen here: candidates run upwards from a drawn odd number, so that small primes can be sieved out of
 * a whole stretch at once, and the bases of the primality tests are fixed.
 */

import { invert, pow } from '@noble/curves/abstract/modular.js';
import { bytesToNumberBE } from '@noble/curves/utils.js';
import { bailliePSW, millerRabinBaseTest } from 'micro-rsa-dsa-dh/primality.js';
import type { Draw } from './engine.ts';
import type { RsaPrivateKey } from './rsa-key.ts';

const PUBLIC_EXPONENT = 65537n;
const SMALL_PRIMES_BELOW = 1 << 16;
/** Odd numbers looked at from one draw: about thirty times the mean gap between 2048-bit primes. */
const STRETCH = 1 << 14;
const DRAWS_MAX = 128;
/** Second primes tried: an honest source has never given one too near to the first. */
const SECOND_PRIMES_MAX = 3;
/** On top of Baillie-PSW: as many rounds as FIPS 186-5, table B.1, asks of 1024-bit primes. */
const BASES = [3n, 5n, 7n, 11n];

function oddPrimesBelow(limit: number): number[] {
  const composite = new Uint8Array(limit);
  const primes: number[] = [];
  for (let i = 3; i < limit; i += 2) {
    if (composite[i]) continue;
    primes.push(i);
    for (let j = i * i; j < limit; j += 2 * i) composite[j] = 1;
  }
  return primes;
}
let smallPrimes: readonly number[] | undefined;

/** Marks each i for which start + 2i has a small factor. */
function sieve(start: bigint): Uint8Array {
  smallPrimes ??= oddPrimesBelow(SMALL_PRIMES_BELOW);
  const composite = new Uint8Array(STRETCH);
  for (const prime of smallPrimes) {
    const rest = Number(start % BigInt(prime));
    // The least i with rest + 2i = 0 modulo the prime; the inverse of 2 is (prime + 1) / 2.
    const first = ((prime - rest) * ((prime + 1) / 2)) % prime;
    for (let i = first; i < STRETCH; i += prime) composite[i] = 1;
  }
  return composite;
}

function isPrime(candidate: bigint): boolean {
  // Fermat's test alone throws out nearly every composite, at the price of one exponentiation.
  if (pow(2n, candidate - 1n, candidate) !== 1n || !bailliePSW(candidate)) return false;
  return BASES.every((base) => millerRabinBaseTest(candidate, base));
}

/** A prime of exactly `bits` bits, the upper two set, so that a product of two has all its bits. */
function drawPrime(bits: number, random: Draw): bigint {
  for (let attempt = 0; attempt < DRAWS_MAX; attempt++) {
    const top = 3n << BigInt(bits - 2);
    const start = bytesToNumberBE(random(bits / 8)) | top | 1n;
    const composite = sieve(start);
    for (let i = 0; i < STRETCH; i++) {
      if (composite[i]) continue;
      const candidate = start + 2n * BigInt(i);
      if (candidate >> BigInt(bits) !== 0n) break;
      if (candidate % PUBLIC_EXPONENT !== 1n && isPrime(candidate)) return candidate;
    }
  }
  throw new Error(`random: no prime in ${DRAWS_MAX} draws; the random source is broken`);
}

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? a : gcd(b, a % b));

/** A key with a modulus of `bits` bits and the public exponent 65537. */
export function generateRsaKey(bits: number, random: Draw): RsaPrivateKey {
  const first = drawPrime(bits / 2, random);
  for (let attempt = 0; attempt < SECOND_PRIMES_MAX; attempt++) {
    const second = drawPrime(bits / 2, random);
    const [p, q] = first > second ? [first, second] : [second, first];
    if (p - q <= 1n << BigInt(bits / 2 - 100)) continue;
    const phi = (p - 1n) * (q - 1n);
    const d = invert(PUBLIC_EXPONENT, phi / gcd(p - 1n, q - 1n));
    const parts = { dP: d % (p - 1n), dQ: d % (q - 1n), qInv: invert(q, p) };
    return { n: p * q, e: PUBLIC_EXPONENT, d, p, q, ...parts };
  }
  throw new Error('random: primes too near each other; the random source is broken');
}
