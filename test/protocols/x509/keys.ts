/** Signing keys of every kind for the certificate tests, and a provider quick enough for all of them. */

import { concat, equal } from '../../../protocols/codec/bytes.ts';
import {
  type SignatureName,
  signatureAlgorithms,
  signatureFacts,
} from '../../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../../protocols/crypto/provider.ts';
import type { EntityPlan } from '../../../protocols/x509/device-chain.ts';
import { pkcs8PrivateKey } from '../../../protocols/x509/pkcs8.ts';
import { crypto } from './fixtures.ts';
import { rsaKeys } from './rsa-keys.ts';

export const names = Object.keys(signatureAlgorithms) as SignatureName[];
export const isRsa = (name: SignatureName) => name.startsWith('RSA');
export const isSlhDsa = (name: SignatureName) => name.startsWith('SLH_DSA');

/** A random source of its seed: SHA-512 over seed and counter. */
export function seeded(seed: string): (size: number) => Uint8Array {
  let counter = 0;
  return (size) => {
    let out = new Uint8Array(0);
    while (out.length < size)
      out = concat(out, crypto.hash('SHA_512', Buffer.from(`${seed} ${counter++}`))) as typeof out;
    return out.slice(0, size);
  };
}

export const rsaPkcs8 = (size: keyof typeof rsaKeys) =>
  new Uint8Array(Buffer.from(rsaKeys[size], 'base64'));

const drawn = new Map<SignatureName, Uint8Array>();
/** A private key of the algorithm, always the same one; RSA's are read from the fixture. */
export function privateKeyOf(name: SignatureName): Uint8Array {
  const known = drawn.get(name);
  if (known !== undefined) return known;
  let key: Uint8Array;
  if (isRsa(name)) {
    const read = pkcs8PrivateKey(crypto, rsaPkcs8(Number(name.slice(7)) as 2048), name);
    if (!read.ok) throw new Error(read.detail);
    key = read.value.privateKey;
  } else key = crypto.generateSigningKey(name, seeded(name));
  drawn.set(name, key);
  return key;
}

export const entityOf = (name: SignatureName, commonName: string): EntityPlan => ({
  name: [['CN', commonName]],
  privateKey: privateKeyOf(name),
  serialNumber: Uint8Array.of(5),
  signature: name,
});

/**
 * Signs nothing: "signatures" and "keys" are hashes stretched to the right size. For what is about
 * encodings and dispatch, where a real SLH-DSA signature would take seconds.
 */
export const imitation: CryptoProvider = {
  ...crypto,
  supports: () => true,
  generateSigningKey: (_name, random) => random(32),
  signingPublicKey: (name, privateKey) =>
    stretch(signatureFacts(name).publicKeySize, Buffer.from(name), privateKey),
  sign(name, hash, privateKey, message) {
    const { publicKeySize, signatureSize } = signatureFacts(name);
    const publicKey = stretch(publicKeySize, Buffer.from(name), privateKey);
    return stretch(signatureSize, Buffer.from(name + hash), publicKey, message);
  },
  verify(name, hash, publicKey, message, signature) {
    const { signatureSize } = signatureFacts(name);
    const expected = stretch(signatureSize, Buffer.from(name + hash), publicKey, message);
    return equal(signature, expected);
  },
};

function stretch(size: number, ...parts: Uint8Array[]): Uint8Array {
  return seeded(Buffer.from(crypto.hash('SHA_256', concat(...parts))).toString('hex'))(size);
}
