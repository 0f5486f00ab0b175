/** ECDSA (FIPS 186-5, nonces by RFC 6979) and ECDH on the NIST curves, by @noble/curves. */

import { type ECDSA, ecdsa } from '@noble/curves/abstract/weierstrass.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { sha3_256, sha3_384, sha3_512 } from '@noble/hashes/sha3.js';
import { concat } from '../codec/bytes.ts';
import { type CurveName, curves, type HashName } from './algorithms.ts';
import { checkScalar } from './arguments.ts';
import type { DhGroup, Draw, SignatureScheme } from './engine.ts';
import { drawScalar } from './provider.ts';

export const nobleHashes = {
  SHA_256: sha256,
  SHA_384: sha384,
  SHA_512: sha512,
  SHA3_256: sha3_256,
  SHA3_384: sha3_384,
  SHA3_512: sha3_512,
} as const;
export const nobleCurves = { SECP_256_R1: p256, SECP_384_R1: p384, SECP_521_R1: p521 } as const;

/** SEC 1, 2.3.3: what precedes X || Y of an uncompressed point. */
export const UNCOMPRESSED = Uint8Array.of(0x04);
const options = { prehash: false, lowS: false } as const;

// RFC 6979 draws the nonce with the hash of the message, which need not be the curve's usual one: SPDM
// negotiates the two apart.
function signersOf({ Point }: ECDSA): Record<HashName, ECDSA> {
  const entries = Object.entries(nobleHashes).map(([name, hash]) => [name, ecdsa(Point, hash)]);
  return Object.fromEntries(entries) as Record<HashName, ECDSA>;
}

/** ECDSA on one curve. */
export function ecdsaScheme(curve: CurveName): SignatureScheme {
  const group = nobleCurves[curve];
  const signers = signersOf(group);
  return {
    checkPrivateKey: (privateKey) => checkScalar(curve, privateKey),
    sign: (hash, privateKey, message) =>
      signers[hash].sign(nobleHashes[hash](message), privateKey, options),
    verify(hash, publicKey, message, signature) {
      if (publicKey.length !== 2 * curves[curve].fieldSize) return false;
      try {
        const point = concat(UNCOMPRESSED, publicKey);
        return group.verify(signature, nobleHashes[hash](message), point, options);
      } catch {
        return false;
      }
    },
    generate: (random: Draw) => drawScalar(curve, random),
    publicKey: (privateKey) => group.getPublicKey(privateKey, false).slice(1),
  };
}

/** ECDH on one curve (SP 800-56A, 5.7.1.2): the secret is the X coordinate. */
export function ecdhGroup(curve: CurveName): DhGroup {
  const group = nobleCurves[curve];
  return {
    checkPrivateKey: (privateKey) => checkScalar(curve, privateKey),
    publicKey: (privateKey) => group.getPublicKey(privateKey, false).slice(1),
    sharedSecret(privateKey, peerPublicKey) {
      try {
        return group.getSharedSecret(privateKey, concat(UNCOMPRESSED, peerPublicKey)).slice(1);
      } catch {
        return undefined;
      }
    },
  };
}
