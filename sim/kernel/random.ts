/**
 * Deterministic randomness: one seed, split by component *name* with SHA-256, so that adding or
 * removing a component does not shift what the others draw. Each stream is xoshiro128** 1.1
 * (Blackman and Vigna). It drives models and schedules; it is no source of secrets.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { KernelError, KernelErrorCodes } from './errors.ts';

const KEY_BYTES = 32;
const TWO_32 = 2 ** 32;
const RANGE_MAX = 2 ** 53;

function keyOf(parent: Uint8Array, name: string): Uint8Array {
  const text = new TextEncoder().encode(name);
  const input = new Uint8Array(parent.length + text.length);
  input.set(parent);
  input.set(text, parent.length);
  return sha256(input);
}

function rotl(x: number, k: number): number {
  return (x << k) | (x >>> (32 - k));
}

export class Random {
  private readonly key: Uint8Array;
  private s0: number;
  private s1: number;
  private s2: number;
  private s3: number;

  /** A stream from a 32-byte key; `Random.fromSeed` is the usual way in. */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_BYTES)
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `key: expected ${KEY_BYTES} bytes, got ${key.length}`,
      );
    this.key = key.slice();
    const view = new DataView(this.key.buffer);
    this.s0 = view.getInt32(0, true);
    this.s1 = view.getInt32(4, true);
    this.s2 = view.getInt32(8, true);
    // All zero is the one state xoshiro never leaves.
    this.s3 = view.getInt32(12, true) || (this.s0 | this.s1 | this.s2 ? 0 : 1);
  }

  /** The root stream of a run: SHA-256 of the seed's text, so 7 and '7' are the same seed. */
  static fromSeed(seed: string | number): Random {
    return new Random(keyOf(new Uint8Array(0), String(seed)));
  }

  /** A stream of its own for `name`; it depends on seed and name path only, not on what was drawn. */
  split(name: string): Random {
    return new Random(keyOf(this.key, name));
  }

  /** Uniform in [0, 2^32). */
  u32(): number {
    const product = Math.imul(rotl(Math.imul(this.s1, 5), 7), 9);
    const shifted = this.s1 << 9;
    this.s2 ^= this.s0;
    this.s3 ^= this.s1;
    this.s1 ^= this.s2;
    this.s0 ^= this.s3;
    this.s2 ^= shifted;
    this.s3 = rotl(this.s3, 11);
    return product >>> 0;
  }

  /**
   * Uniform in [0, n), without bias: draws that would favour small results are thrown away.
   * @throws KernelError BAD_ARGUMENT unless n is an integer in [1, 2^53].
   */
  below(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > RANGE_MAX)
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `n: expected an integer in [1, 2^53], got ${n}`,
      );
    const wide = n > TWO_32;
    const range = wide ? RANGE_MAX : TWO_32;
    const fair = range - (range % n);
    for (;;) {
      const draw = wide ? (this.u32() >>> 11) * TWO_32 + this.u32() : this.u32();
      if (draw < fair) return draw % n;
    }
  }

  /** Uniform in [low, high], both included. */
  between(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** `count` random bytes. */
  bytes(count: number): Uint8Array {
    if (!Number.isInteger(count) || count < 0)
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `count: expected a non-negative integer, got ${count}`,
      );
    const out = new Uint8Array(count);
    let word = 0;
    for (let i = 0; i < count; i++) {
      word = i % 4 === 0 ? this.u32() : word >>> 8;
      out[i] = word;
    }
    return out;
  }

  /** True in exactly `numerator` of `denominator` cases; 0 of n is never, n of n is always. */
  chance(numerator: number, denominator: number): boolean {
    if (!Number.isInteger(numerator) || numerator < 0 || numerator > denominator)
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `numerator: expected an integer in [0, ${denominator}], got ${numerator}`,
      );
    return this.below(denominator) < numerator;
  }

  /** One of `items`, each as likely. */
  pick<T>(items: readonly T[]): T {
    if (items.length === 0)
      throw new KernelError(KernelErrorCodes.BAD_ARGUMENT, 'items: nothing to pick from');
    return items[this.below(items.length)]!;
  }

  /** Shuffles `items` in place, every order as likely, and returns it. */
  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const item = items[i]!;
      items[i] = items[j]!;
      items[j] = item;
    }
    return items;
  }
}
