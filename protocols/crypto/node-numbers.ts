/** RSA operations and finite-field Diffie-Hellman by node:crypto: OpenSSL's numbers, our encodings. */

import {
  constants,
  createDiffieHellman,
  createPrivateKey,
  createPublicKey,
  privateEncrypt,
  publicDecrypt,
} from 'node:crypto';
import { numberToBytesBE } from '@noble/curves/utils.js';
import { type FfdheName, ffdheSizes } from './algorithms.ts';
import { remembered } from './bounded-cache.ts';
import type { DhGroup } from './engine.ts';
import { ffdheGroup, ffdhePrime, GENERATOR, isPublicValue } from './ffdhe.ts';
import { plain } from './node-elliptic.ts';
import { bigintPower, type RsaPower } from './rsa.ts';

const pkcs1 = (der: Uint8Array) =>
  ({ key: Buffer.from(der), format: 'der', type: 'pkcs1' }) as const;
const publicObject = remembered((der) => createPublicKey(pkcs1(der)));
const privateObject = remembered((der) => createPrivateKey(pkcs1(der)));
const padding = constants.RSA_NO_PADDING;

/** A key OpenSSL will not work with still has an answer: the portable one. */
export const nodeRsaPower: RsaPower = {
  public(der, key, input) {
    try {
      return plain(publicDecrypt({ key: publicObject(der), padding }, input));
    } catch {
      return bigintPower.public(der, key, input);
    }
  },
  private(der, key, input) {
    try {
      return plain(privateEncrypt({ key: privateObject(der), padding }, input));
    } catch {
      return bigintPower.private(der, key, input);
    }
  },
};

/** OpenSSL leaves out leading zeros of a public value. */
function padded(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(bytes, size - bytes.length);
  return out;
}

export function nodeFfdhe(name: FfdheName): DhGroup {
  const portable = ffdheGroup(name);
  const size = ffdheSizes[name];
  const holding = remembered((privateKey) => {
    const prime = numberToBytesBE(ffdhePrime(name), size);
    const dh = createDiffieHellman(prime, numberToBytesBE(GENERATOR, 1));
    dh.setPrivateKey(privateKey);
    return { dh, value: padded(plain(dh.generateKeys()), size) };
  });
  return {
    ...portable,
    publicKey(privateKey) {
      try {
        return holding(privateKey).value.slice();
      } catch {
        return portable.publicKey(privateKey);
      }
    },
    sharedSecret(privateKey, peerPublicKey) {
      if (!isPublicValue(name, peerPublicKey)) return undefined;
      try {
        return padded(plain(holding(privateKey).dh.computeSecret(peerPublicKey)), size);
      } catch {
        // OpenSSL also refuses values outside the subgroup of order q, which RFC 7919 lets pass.
        return portable.sharedSecret(privateKey, peerPublicKey);
      }
    },
  };
}
