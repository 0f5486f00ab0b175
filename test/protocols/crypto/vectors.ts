/** Published vectors: data in `test/vectors/crypto`, each file naming its source. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { shake256 } from '@noble/hashes/sha3.js';
import { ascii } from '../../../protocols/codec/bytes.ts';
import type { AeadName, CurveName, HashName } from '../../../protocols/crypto/algorithms.ts';

type Digests = Readonly<Record<'SHA_256' | 'SHA_384' | 'SHA_512', string>>;

/** The schemes with a curve, and the curve of each. */
export const ecdsaCurves = {
  ECDSA_P256: 'SECP_256_R1',
  ECDSA_P384: 'SECP_384_R1',
  ECDSA_P521: 'SECP_521_R1',
} as const;
export type EcdsaName = keyof typeof ecdsaCurves;
export const ecdsaNames = Object.keys(ecdsaCurves) as EcdsaName[];

/** A stream of bytes that depends on `seed` alone, for key generation. */
export function drawsOf(seed: string): (size: number) => Uint8Array {
  const stream = shake256.create({}).update(ascii(seed));
  return (size) => stream.xof(size);
}

interface Files {
  readonly 'sha2-fips180': { readonly cases: readonly ({ readonly message: string } & Digests)[] };
  readonly 'hmac-rfc4231': {
    readonly cases: readonly ({ clause: string; key: string; data: string } & Digests)[];
  };
  readonly 'hkdf-rfc5869': {
    readonly cases: readonly {
      clause: string;
      hash: HashName;
      ikm: string;
      salt: string;
      info: string;
      size: number;
      prk: string;
      okm: string;
    }[];
  };
  readonly 'ecdsa-rfc6979': {
    readonly keys: readonly {
      algorithm: EcdsaName;
      clause: string;
      x: string;
      Ux: string;
      Uy: string;
      signatures: readonly { hash: HashName; message: string; r: string; s: string }[];
    }[];
  };
  readonly 'ecdh-rfc5903': {
    readonly cases: readonly {
      curve: CurveName;
      clause: string;
      i: string;
      gi: string;
      r: string;
      gr: string;
      girx: string;
    }[];
  };
  readonly aead: {
    readonly cases: readonly {
      name: string;
      algorithm: AeadName;
      key: string;
      iv: string;
      aad: string;
      plaintext: string;
      ciphertext: string;
      tag: string;
    }[];
  };
}

/** One vector file; hexadecimal unless the field is a name, a message text or a number. */
export function vectors<K extends keyof Files>(name: K): Files[K] {
  const file = join(import.meta.dirname, '../../vectors/crypto', `${name}.json`);
  return JSON.parse(readFileSync(file, 'utf8'));
}
