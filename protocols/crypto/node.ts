/**
 * The quick provider: node:crypto wherever its result is bit-identical to noble's. Signing stays with
 * noble, since OpenSSL draws random nonces where a replayable run needs RFC 6979.
 */

import {
  createCipheriv,
  createDecipheriv,
  createECDH,
  createHash,
  createHmac,
  createPublicKey,
  verify as nodeVerify,
} from 'node:crypto';
import { concat } from '../codec/bytes.ts';
import { type AeadName, type CurveName, curves, signatureAlgorithms } from './algorithms.ts';
import { badPrivateKey, checkAead } from './arguments.ts';
import { nobleProvider } from './noble.ts';
import type { CryptoProvider } from './provider.ts';

const hashNames = { SHA_256: 'sha256', SHA_384: 'sha384', SHA_512: 'sha512' } as const;
const curveNames = {
  SECP_256_R1: ['prime256v1', 'P-256'],
  SECP_384_R1: ['secp384r1', 'P-384'],
  SECP_521_R1: ['secp521r1', 'P-521'],
} as const;
const aeadNames = {
  AES_128_GCM: 'aes-128-gcm',
  AES_256_GCM: 'aes-256-gcm',
  CHACHA20_POLY1305: 'chacha20-poly1305',
} as const;
const PREFIX = Uint8Array.of(0x04);

function publicKeyObject(curve: CurveName, publicKey: Uint8Array) {
  const half = curves[curve].fieldSize;
  const part = (from: number) =>
    Buffer.from(publicKey.subarray(from, from + half)).toString('base64url');
  const jwk = { kty: 'EC', crv: curveNames[curve][1], x: part(0), y: part(half) };
  return createPublicKey({ key: jwk, format: 'jwk' });
}

const plain = (buffer: Buffer): Uint8Array =>
  new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);

function ecdhOf(curve: CurveName, privateKey: Uint8Array) {
  if (privateKey.length !== curves[curve].fieldSize) throw badPrivateKey(curve, privateKey);
  const ecdh = createECDH(curveNames[curve][0]);
  try {
    ecdh.setPrivateKey(privateKey);
  } catch {
    throw badPrivateKey(curve, privateKey);
  }
  return ecdh;
}

// The GCM and ChaCha20-Poly1305 interfaces agree in node; its types list them apart.
const cipherName = (name: AeadName) => aeadNames[name] as 'aes-256-gcm';

export const nodeProvider: CryptoProvider = {
  name: 'node',
  hash: (name, data) => plain(createHash(hashNames[name]).update(data).digest()),
  hmac: (name, key, data) => plain(createHmac(hashNames[name], key).update(data).digest()),
  sign: nobleProvider.sign,
  verify(name, hash, publicKey, message, signature) {
    const { curve, signatureSize } = signatureAlgorithms[name];
    if (signature.length !== signatureSize) return false;
    if (publicKey.length !== 2 * curves[curve].fieldSize) return false;
    try {
      const key = publicKeyObject(curve, publicKey);
      const options = { key, dsaEncoding: 'ieee-p1363' } as const;
      return nodeVerify(hashNames[hash], message, options, signature);
    } catch {
      return false;
    }
  },
  publicKey(curve, privateKey) {
    return plain(ecdhOf(curve, privateKey).getPublicKey()).slice(1);
  },
  sharedSecret(curve, privateKey, peerPublicKey) {
    const ecdh = ecdhOf(curve, privateKey);
    if (peerPublicKey.length !== 2 * curves[curve].fieldSize) return undefined;
    try {
      return plain(ecdh.computeSecret(concat(PREFIX, peerPublicKey)));
    } catch {
      return undefined;
    }
  },
  aeadSeal(name, key, iv, aad, plaintext, tagSize = 16) {
    checkAead(name, key, iv, tagSize);
    const cipher = createCipheriv(cipherName(name), key, iv, { authTagLength: 16 });
    cipher.setAAD(aad, { plaintextLength: plaintext.length });
    const text = cipher.update(plaintext);
    cipher.final();
    return concat(text, cipher.getAuthTag().subarray(0, tagSize));
  },
  aeadOpen(name, key, iv, aad, sealed, tagSize = 16) {
    checkAead(name, key, iv, tagSize);
    if (sealed.length < tagSize) return undefined;
    const text = sealed.subarray(0, sealed.length - tagSize);
    const decipher = createDecipheriv(cipherName(name), key, iv, { authTagLength: tagSize });
    decipher.setAAD(aad, { plaintextLength: text.length });
    decipher.setAuthTag(sealed.subarray(text.length));
    const plaintext = decipher.update(text);
    try {
      decipher.final();
      return plain(plaintext).slice();
    } catch {
      return undefined;
    }
  },
};
