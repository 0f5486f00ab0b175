/**
 * Ed25519 and Ed448 (RFC 8032, 5.1 and 5.2), by @noble/curves. Where the RFC leaves a verifier free, the
 * strictest reading is chosen, so that any two implementations agree: points in their only canonical
 * encoding, no public key of small order, and for Ed25519 the equation without the cofactor.
 */

import { ED448_TORSION_SUBGROUP, ed448 } from '@noble/curves/ed448.js';
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat, equal, fromHex } from '../codec/bytes.ts';
import { checkSize } from './arguments.ts';
import type { SignatureScheme } from './engine.ts';

export type EdName = 'EDDSA_25519' | 'EDDSA_448';
/** Bytes of a key, and of either half of a signature. */
export const edKeySizes = { EDDSA_25519: 32, EDDSA_448: 57 } as const;

const curves = { EDDSA_25519: ed25519, EDDSA_448: ed448 } as const;
const fields = { EDDSA_25519: (1n << 255n) - 19n, EDDSA_448: (1n << 448n) - (1n << 224n) - 1n };

/** The encoded Y coordinate, without the sign of X above it. */
function yOf(point: Uint8Array): bigint {
  return bytesToNumberLE(point) & ((1n << BigInt(8 * point.length - 1)) - 1n);
}

/** Y coordinates of the points of small order (8 points of one curve, 4 of the other). */
const smallOrderYs: Readonly<Record<EdName, ReadonlySet<bigint>>> = {
  EDDSA_25519: new Set(ED25519_TORSION_SUBGROUP.map((hex) => yOf(fromHex(hex)))),
  EDDSA_448: new Set(ED448_TORSION_SUBGROUP.map((hex) => yOf(fromHex(hex)))),
};

/**
 * What the strict reading asks of a public key and a signature's R before any point is computed: y below
 * p, the sign bit clear where x is zero, and no key of small order.
 */
export function edEncodingsAreStrict(
  name: EdName,
  publicKey: Uint8Array,
  signature: Uint8Array,
): boolean {
  const size = edKeySizes[name];
  if (publicKey.length !== size) return false;
  const [a, r] = [yOf(publicKey), yOf(signature.subarray(0, size))];
  const p = fields[name];
  const zeroX = (y: bigint) => y === 1n || y === p - 1n;
  const signed = (signature[size - 1]! & 0x80) !== 0;
  return a < p && r < p && !smallOrderYs[name].has(a) && !(zeroX(r) && signed);
}

/** [S]B = R + [k]A on encodings; the library's own check multiplies both sides by the cofactor. */
function holds25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const { Point } = ed25519;
  const r = signature.subarray(0, 32);
  const s = bytesToNumberLE(signature.subarray(32));
  if (s >= Point.Fn.ORDER) return false;
  const k = Point.Fn.create(bytesToNumberLE(sha512(concat(r, publicKey, message))));
  const minusA = Point.fromBytes(publicKey, false).negate();
  const expected = Point.BASE.multiplyUnsafe(s).add(minusA.multiplyUnsafe(k));
  return equal(expected.toBytes(), r);
}

export function eddsaScheme(name: EdName): SignatureScheme {
  const curve = curves[name];
  return {
    checkPrivateKey: (privateKey) => checkSize('privateKey', name, privateKey, edKeySizes[name]),
    sign: (_hash, privateKey, message, context) =>
      curve.sign(message, privateKey, name === 'EDDSA_448' ? { context } : {}),
    verify(_hash, publicKey, message, signature, context) {
      if (!edEncodingsAreStrict(name, publicKey, signature)) return false;
      try {
        return name === 'EDDSA_25519'
          ? holds25519(publicKey, message, signature)
          : curve.verify(signature, message, publicKey, { context, zip215: false });
      } catch {
        return false;
      }
    },
    generate: (random) => random(edKeySizes[name]),
    publicKey: (privateKey) => curve.getPublicKey(privateKey),
  };
}
