/** The portable provider: pure JavaScript everywhere, also in a browser. Slow on AEAD, exact everywhere. */

import { gcm } from '@noble/ciphers/aes.js';
import { chacha20poly1305 } from '@noble/ciphers/chacha.js';
import { hmac } from '@noble/hashes/hmac.js';
import { equal } from '../codec/bytes.ts';
import {
  type AeadName,
  type HashName,
  hashSizes,
  type SignatureName,
  signatureAlgorithms,
  signatureFacts,
} from './algorithms.ts';
import { eddsaScheme } from './eddsa.ts';
import { ecdhGroup, ecdsaScheme, nobleHashes } from './elliptic.ts';
import { type Aead, type Engine, type Hmac, providerOf, type SignatureScheme } from './engine.ts';
import { ffdheGroup } from './ffdhe.ts';
import { mlKem, type PqcSignatureName, pqcScheme } from './pqc.ts';
import { bigintPower, type RsaParts, rsaScheme } from './rsa.ts';

type Cipher = (
  key: Uint8Array,
  iv: Uint8Array,
  aad: Uint8Array,
) => {
  encrypt(text: Uint8Array): Uint8Array;
};

function aead(cipher: Cipher): Aead {
  return {
    seal: (key, iv, aad, plaintext, tagSize) =>
      cipher(key, iv, aad)
        .encrypt(plaintext)
        .subarray(0, plaintext.length + tagSize),
    open(key, iv, aad, sealed, tagSize) {
      const text = sealed.subarray(0, sealed.length - tagSize);
      // Both AEADs encrypt by XOR with a keystream, so sealing the ciphertext yields the plaintext; noble
      // opens whole tags only, and IDE carries 12 of the 16 bytes.
      const plaintext = cipher(key, iv, aad).encrypt(text).subarray(0, text.length);
      const expected = cipher(key, iv, aad).encrypt(plaintext).subarray(0, sealed.length);
      return equal(expected, sealed) ? plaintext : undefined;
    },
  };
}

const hashNames = Object.keys(hashSizes) as HashName[];
const hmacs = Object.fromEntries(
  hashNames.map((name): [HashName, Hmac] => [
    name,
    (key, data) => hmac(nobleHashes[name], key, data),
  ]),
) as Record<HashName, Hmac>;
const rsaParts: RsaParts = { power: bigintPower, hashes: nobleHashes, hmacs };

function schemeOf(name: SignatureName): SignatureScheme {
  const { family, curve, signatureSize } = signatureFacts(name);
  if (family === 'ECDSA') return ecdsaScheme(curve!);
  if (family === 'RSASSA' || family === 'RSAPSS') return rsaScheme(family, signatureSize, rsaParts);
  if (family === 'EDDSA') return eddsaScheme(name as 'EDDSA_25519' | 'EDDSA_448');
  return pqcScheme(name as PqcSignatureName);
}

const signatureNames = Object.keys(signatureAlgorithms) as SignatureName[];
const gcmAead = aead(gcm);

export const nobleEngine: Engine = {
  hashes: nobleHashes,
  hmacs,
  signatures: Object.fromEntries(signatureNames.map((name) => [name, schemeOf(name)])) as Record<
    SignatureName,
    SignatureScheme
  >,
  groups: {
    SECP_256_R1: ecdhGroup('SECP_256_R1'),
    SECP_384_R1: ecdhGroup('SECP_384_R1'),
    SECP_521_R1: ecdhGroup('SECP_521_R1'),
    FFDHE_2048: ffdheGroup('FFDHE_2048'),
    FFDHE_3072: ffdheGroup('FFDHE_3072'),
    FFDHE_4096: ffdheGroup('FFDHE_4096'),
  },
  kems: {
    ML_KEM_512: mlKem('ML_KEM_512'),
    ML_KEM_768: mlKem('ML_KEM_768'),
    ML_KEM_1024: mlKem('ML_KEM_1024'),
  },
  aeads: {
    AES_128_GCM: gcmAead,
    AES_256_GCM: gcmAead,
    CHACHA20_POLY1305: aead(chacha20poly1305),
  } satisfies Record<AeadName, Aead>,
};

export const nobleProvider = providerOf('noble', nobleEngine);
