/** The portable provider: @noble everywhere, also in a browser. Slow on AEAD, exact everywhere. */

import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { type ECDSA, ecdsa } from '@noble/curves/abstract/weierstrass.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { concat, equal } from '../codec/bytes.ts';
import {
  type AeadName,
  type CurveName,
  curves,
  type HashName,
  type SignatureName,
  signatureAlgorithms,
} from './algorithms.ts';
import { badPrivateKey, checkAead } from './arguments.ts';
import type { CryptoProvider } from './provider.ts';

const hashes = { SHA_256: sha256, SHA_384: sha384, SHA_512: sha512 } as const;
const groups = { SECP_256_R1: p256, SECP_384_R1: p384, SECP_521_R1: p521 } as const;

// RFC 6979 draws the nonce with the hash of the message, which need not be the curve's usual one: SPDM
// negotiates the two apart.
const ofGroup = ({ Point }: ECDSA) => ({
  SHA_256: ecdsa(Point, sha256),
  SHA_384: ecdsa(Point, sha384),
  SHA_512: ecdsa(Point, sha512),
});
const signers = {
  SECP_256_R1: ofGroup(p256),
  SECP_384_R1: ofGroup(p384),
  SECP_521_R1: ofGroup(p521),
} as const;
const PREFIX = Uint8Array.of(0x04);

/** Leftmost bits of the digest, as ECDSA takes them when the hash is longer than the order. */
function digest(hash: HashName, message: Uint8Array): Uint8Array {
  return hashes[hash](message);
}

function checkPrivateKey(curve: CurveName, privateKey: Uint8Array): void {
  if (!groups[curve].utils.isValidSecretKey(privateKey)) throw badPrivateKey(curve, privateKey);
}

function encrypt(
  name: AeadName,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  text: Uint8Array,
): Uint8Array {
  const cipher = name === 'CHACHA20_POLY1305' ? chacha20poly1305(key, iv, aad) : gcm(key, iv, aad);
  return cipher.encrypt(text);
}

function seal(
  name: AeadName,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  tagSize = 16,
): Uint8Array {
  checkAead(name, key, iv, tagSize);
  return encrypt(name, key, iv, aad, plaintext).subarray(0, plaintext.length + tagSize);
}

function open(
  name: AeadName,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
  tagSize = 16,
): Uint8Array | undefined {
  checkAead(name, key, iv, tagSize);
  if (sealed.length < tagSize) return undefined;
  const text = sealed.subarray(0, sealed.length - tagSize);
  // Both AEADs encrypt by XOR with a keystream, so sealing the ciphertext yields the plaintext; noble
  // opens whole tags only, and IDE carries 12 of the 16 bytes.
  const plaintext = encrypt(name, key, iv, aad, text).subarray(0, text.length);
  const expected = encrypt(name, key, iv, aad, plaintext).subarray(0, sealed.length);
  return equal(expected, sealed) ? plaintext : undefined;
}

export const nobleProvider: CryptoProvider = {
  name: 'noble',
  hash: (name, data) => hashes[name](data),
  hmac: (name, key, data) => hmac(hashes[name], key, data),
  sign(name, hash, privateKey, message) {
    const { curve } = signatureAlgorithms[name];
    checkPrivateKey(curve, privateKey);
    const options = { prehash: false, lowS: false };
    return signers[curve][hash].sign(digest(hash, message), privateKey, options);
  },
  verify(name, hash, publicKey, message, signature) {
    const { curve, signatureSize } = signatureAlgorithms[name as SignatureName];
    if (signature.length !== signatureSize) return false;
    try {
      const point = concat(PREFIX, publicKey);
      const options = { prehash: false, lowS: false };
      return groups[curve].verify(signature, digest(hash, message), point, options);
    } catch {
      return false;
    }
  },
  publicKey(curve, privateKey) {
    checkPrivateKey(curve, privateKey);
    return groups[curve].getPublicKey(privateKey, false).slice(1);
  },
  sharedSecret(curve, privateKey, peerPublicKey) {
    checkPrivateKey(curve, privateKey);
    if (peerPublicKey.length !== 2 * curves[curve].fieldSize) return undefined;
    try {
      return groups[curve].getSharedSecret(privateKey, concat(PREFIX, peerPublicKey)).slice(1);
    } catch {
      return undefined;
    }
  },
  aeadSeal: seal,
  aeadOpen: open,
};
