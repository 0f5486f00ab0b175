/** The portable provider: @noble everywhere, also in a browser. Slow on AEAD, exact everywhere. */

import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256, sha384, sha512 } from '@noble/hashes/sha2.js';
import { concat, equal } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import {
  type AeadName,
  aeadAlgorithms,
  type CurveName,
  curves,
  type HashName,
  type SignatureName,
  signatureAlgorithms,
} from './algorithms.ts';
import type { CryptoProvider } from './provider.ts';

const hashes = { SHA_256: sha256, SHA_384: sha384, SHA_512: sha512 } as const;
const ecdsa = { SECP_256_R1: p256, SECP_384_R1: p384, SECP_521_R1: p521 } as const;
const PREFIX = Uint8Array.of(0x04);

/** Leftmost bits of the digest, as ECDSA takes them when the hash is longer than the order. */
function digest(hash: HashName, message: Uint8Array): Uint8Array {
  return hashes[hash](message);
}

function cipher(name: AeadName, key: Uint8Array, iv: Uint8Array, aad: Uint8Array) {
  const facts = aeadAlgorithms[name];
  if (key.length !== facts.keySize)
    throw new LocalError(`key: ${name} takes ${facts.keySize} bytes, got ${key.length}`);
  return name === 'CHACHA20_POLY1305' ? chacha20poly1305(key, iv, aad) : gcm(key, iv, aad);
}

function seal(
  name: AeadName,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  tagSize = 16,
): Uint8Array {
  const full = cipher(name, key, iv, aad).encrypt(plaintext);
  return full.subarray(0, plaintext.length + tagSize);
}

function open(
  name: AeadName,
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
  tagSize = 16,
): Uint8Array | undefined {
  if (sealed.length < tagSize) return undefined;
  const text = sealed.subarray(0, sealed.length - tagSize);
  // Both AEADs encrypt by XOR with a keystream, so sealing the ciphertext yields the plaintext; noble
  // opens whole tags only, and IDE carries 12 of the 16 bytes.
  const plaintext = seal(name, key, iv, aad, text, 0);
  return equal(seal(name, key, iv, aad, plaintext, tagSize), sealed) ? plaintext : undefined;
}

export const nobleProvider: CryptoProvider = {
  name: 'noble',
  hash: (name, data) => hashes[name](data),
  hmac: (name, key, data) => hmac(hashes[name], key, data),
  sign(name, hash, privateKey, message) {
    const curve = ecdsa[signatureAlgorithms[name].curve];
    return curve.sign(digest(hash, message), privateKey, { prehash: false, lowS: false });
  },
  verify(name, hash, publicKey, message, signature) {
    const { curve, signatureSize } = signatureAlgorithms[name as SignatureName];
    if (signature.length !== signatureSize) return false;
    try {
      const point = concat(PREFIX, publicKey);
      const options = { prehash: false, lowS: false };
      return ecdsa[curve].verify(signature, digest(hash, message), point, options);
    } catch {
      return false;
    }
  },
  publicKey: (curve, privateKey) => ecdsa[curve].getPublicKey(privateKey, false).slice(1),
  sharedSecret(curve: CurveName, privateKey, peerPublicKey) {
    if (peerPublicKey.length !== 2 * curves[curve].fieldSize) return undefined;
    try {
      return ecdsa[curve].getSharedSecret(privateKey, concat(PREFIX, peerPublicKey)).slice(1);
    } catch {
      return undefined;
    }
  },
  aeadSeal: seal,
  aeadOpen: open,
};
