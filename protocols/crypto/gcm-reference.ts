/**
 * AES-GCM to be read beside NIST SP 800-38D: the yardstick that every faster path is held equal to.
 * Built on a block cipher alone; GHASH multiplies bit by bit (section 6.3, algorithm 1).
 */

import { concat, equal } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';

/** Encrypts one 16-byte block under a fixed key. */
export type BlockCipher = (block: Uint8Array) => Uint8Array;

// x^128 + x^7 + x^2 + x + 1 in GCM's reflected bit order (section 6.3).
const R = 0xe1n << 120n;

function toBlock(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value;
}

function fromBlock(value: bigint): Uint8Array {
  const out = new Uint8Array(16);
  for (let i = 15, rest = value; i >= 0; i--, rest >>= 8n) out[i] = Number(rest & 0xffn);
  return out;
}

/** Section 6.3: X * Y in GF(2^128). */
function multiply(x: bigint, y: bigint): bigint {
  let z = 0n;
  let v = y;
  for (let i = 127n; i >= 0n; i--) {
    if ((x >> i) & 1n) z ^= v;
    v = v & 1n ? (v >> 1n) ^ R : v >> 1n;
  }
  return z;
}

function padded(bytes: Uint8Array): Uint8Array {
  return concat(bytes, new Uint8Array((16 - (bytes.length % 16)) % 16));
}

/** Section 6.4: GHASH over A and C with their bit lengths. */
function ghash(h: bigint, aad: Uint8Array, text: Uint8Array): bigint {
  const lengths = (BigInt(aad.length * 8) << 64n) | BigInt(text.length * 8);
  const data = concat(padded(aad), padded(text), fromBlock(lengths));
  let y = 0n;
  for (let at = 0; at < data.length; at += 16)
    y = multiply(y ^ toBlock(data.subarray(at, at + 16)), h);
  return y;
}

/** Section 6.5: counter mode starting at inc32(J0). */
function gctr(block: BlockCipher, j0: Uint8Array, text: Uint8Array): Uint8Array {
  const out = text.slice();
  const counter = j0.slice();
  const view = new DataView(counter.buffer);
  for (let at = 0; at < text.length; at += 16) {
    view.setUint32(12, (view.getUint32(12) + 1) >>> 0);
    const stream = block(counter);
    for (let i = at; i < Math.min(at + 16, text.length); i++) out[i] = out[i]! ^ stream[i - at]!;
  }
  return out;
}

function tag(block: BlockCipher, j0: Uint8Array, aad: Uint8Array, text: Uint8Array): Uint8Array {
  const h = toBlock(block(new Uint8Array(16)));
  return fromBlock(ghash(h, aad, text) ^ toBlock(block(j0)));
}

function firstCounter(iv: Uint8Array): Uint8Array {
  if (iv.length !== 12) throw new LocalError(`iv: expected 12 bytes, got ${iv.length}`);
  return concat(iv, Uint8Array.of(0, 0, 0, 1));
}

/** Section 7.1; returns ciphertext || tag cut to `tagSize` bytes. */
export function gcmSeal(
  block: BlockCipher,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  tagSize = 16,
): Uint8Array {
  const j0 = firstCounter(iv);
  const text = gctr(block, j0, plaintext);
  return concat(text, tag(block, j0, aad, text).subarray(0, tagSize));
}

/** Section 7.2; undefined if the tag is wrong. */
export function gcmOpen(
  block: BlockCipher,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
  tagSize = 16,
): Uint8Array | undefined {
  if (sealed.length < tagSize) return undefined;
  const j0 = firstCounter(iv);
  const text = sealed.subarray(0, sealed.length - tagSize);
  const expected = tag(block, j0, aad, text).subarray(0, tagSize);
  return equal(expected, sealed.subarray(text.length)) ? gctr(block, j0, text) : undefined;
}
