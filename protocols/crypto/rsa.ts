/**
 * RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC 8017, 8.1 and 8.2) over a raw RSA operation, which each provider
 * brings. PSS uses MGF1 with the message's hash and a salt as long as the hash: a choice where SPDM is
 * silent, and what libspdm does. Other salt lengths are refused.
 */

import { pow } from '@noble/curves/abstract/modular.js';
import { bytesToNumberBE, numberToBytesBE } from '@noble/curves/utils.js';
import { concat, equal, fromHex } from '../codec/bytes.ts';
import { type HashName, hashSizes } from './algorithms.ts';
import type { Hash, Hmac, SignatureScheme } from './engine.ts';
import {
  decodeRsaPrivateKey,
  decodeRsaPublicKey,
  encodeRsaPrivateKey,
  encodeRsaPublicKey,
  type RsaPrivateKey,
  type RsaPublicKey,
} from './rsa-key.ts';
import { generateRsaKey } from './rsa-primes.ts';

/** x^e and x^d mod n of one key, in and out as long as n. */
export interface RsaPower {
  /** RSAVP1; undefined unless the input is below n. */
  public(der: Uint8Array, key: RsaPublicKey, input: Uint8Array): Uint8Array | undefined;
  /** RSASP1 of an input below n. */
  private(der: Uint8Array, key: RsaPrivateKey, input: Uint8Array): Uint8Array;
}
export interface RsaParts {
  readonly power: RsaPower;
  readonly hashes: Readonly<Record<HashName, Hash>>;
  readonly hmacs: Readonly<Record<HashName, Hmac>>;
}

/** RFC 8017, 5.2, in BigInt, the private side by the Chinese remainder theorem. */
export const bigintPower: RsaPower = {
  public(_der, { n, e }, input) {
    const s = bytesToNumberBE(input);
    return s < n ? numberToBytesBE(pow(s, e, n), input.length) : undefined;
  },
  private(_der, { p, q, dP, dQ, qInv }, input) {
    const m = bytesToNumberBE(input);
    const [m1, m2] = [pow(m % p, dP, p), pow(m % q, dQ, q)];
    const h = ((((m1 - m2) % p) + p) * qInv) % p;
    return numberToBytesBE(m2 + q * h, input.length);
  },
};

/** DER of DigestInfo up to the digest itself (RFC 8017, 9.2 note 1; FIPS 202 object identifiers). */
const digestInfo: Readonly<Record<HashName, Uint8Array>> = {
  SHA_256: fromHex('3031300d060960864801650304020105000420'),
  SHA_384: fromHex('3041300d060960864801650304020205000430'),
  SHA_512: fromHex('3051300d060960864801650304020305000440'),
  SHA3_256: fromHex('3031300d060960864801650304020805000420'),
  SHA3_384: fromHex('3041300d060960864801650304020905000430'),
  SHA3_512: fromHex('3051300d060960864801650304020a05000440'),
};

/** EMSA-PKCS1-v1_5 (RFC 8017, 9.2). */
function pkcs1(hash: HashName, digest: Uint8Array, size: number): Uint8Array {
  const t = concat(digestInfo[hash], digest);
  const padding = new Uint8Array(size - t.length - 3).fill(0xff);
  return concat(Uint8Array.of(0, 1), padding, Uint8Array.of(0), t);
}

/** `bytes` xor MGF1 of the seed (RFC 8017, B.2.1). */
function masked(hash: Hash, seed: Uint8Array, bytes: Uint8Array): Uint8Array {
  const out = bytes.slice();
  for (let at = 0, counter = 0; at < out.length; counter++) {
    const mask = hash(concat(seed, Uint8Array.of(0, 0, 0, counter)));
    for (let i = 0; i < mask.length && at < out.length; i++, at++) out[at] = out[at]! ^ mask[i]!;
  }
  return out;
}

const pssHash = (hash: Hash, digest: Uint8Array, salt: Uint8Array) =>
  hash(concat(new Uint8Array(8), digest, salt));

/** EMSA-PSS encoding (RFC 8017, 9.1.1) for a modulus whose bits are a multiple of eight. */
function pssEncode(hash: Hash, digest: Uint8Array, salt: Uint8Array, size: number): Uint8Array {
  const h = pssHash(hash, digest, salt);
  const db = new Uint8Array(size - h.length - 1);
  db[db.length - salt.length - 1] = 1;
  db.set(salt, db.length - salt.length);
  const maskedDb = masked(hash, h, db);
  maskedDb[0] = maskedDb[0]! & 0x7f;
  return concat(maskedDb, h, Uint8Array.of(0xbc));
}

/** EMSA-PSS verification (9.1.2): take the salt out and encode again. */
function pssFits(hash: Hash, digest: Uint8Array, em: Uint8Array): boolean {
  const dbSize = em.length - digest.length - 1;
  const db = masked(hash, em.subarray(dbSize, em.length - 1), em.subarray(0, dbSize));
  return equal(pssEncode(hash, digest, db.subarray(dbSize - digest.length), em.length), em);
}

/** One RSA scheme; `size` is that of the modulus in bytes. */
export function rsaScheme(
  family: 'RSASSA' | 'RSAPSS',
  size: number,
  { power, hashes, hmacs }: RsaParts,
): SignatureScheme {
  const bits = 8 * size;
  // The salt must differ from message to message and tell nothing of the key: HMAC under the private key.
  const encode = (hash: HashName, privateKey: Uint8Array, message: Uint8Array) => {
    const digest = hashes[hash](message);
    if (family === 'RSASSA') return pkcs1(hash, digest, size);
    const salt = hmacs[hash](privateKey, message).subarray(0, hashSizes[hash]);
    return pssEncode(hashes[hash], digest, salt, size);
  };
  return {
    checkPrivateKey: (privateKey) => void decodeRsaPrivateKey(privateKey, bits),
    sign(hash, privateKey, message) {
      const key = decodeRsaPrivateKey(privateKey, bits);
      return power.private(privateKey, key, encode(hash, privateKey, message));
    },
    verify(hash, publicKey, message, signature) {
      const key = decodeRsaPublicKey(publicKey, bits);
      const em = key && power.public(publicKey, key, signature);
      if (em === undefined) return false;
      const digest = hashes[hash](message);
      if (family === 'RSASSA') return equal(em, pkcs1(hash, digest, size));
      return pssFits(hashes[hash], digest, em);
    },
    generate: (random) => encodeRsaPrivateKey(generateRsaKey(bits, random)),
    publicKey: (privateKey) => encodeRsaPublicKey(decodeRsaPrivateKey(privateKey, bits)),
  };
}
