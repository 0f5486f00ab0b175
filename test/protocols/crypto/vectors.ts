/** Published vectors: data in `test/vectors/crypto`, each file naming its source. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type {
  AeadName,
  CurveName,
  HashName,
  SignatureName,
} from '../../../protocols/crypto/algorithms.ts';

type Digests = Readonly<Record<HashName, string>>;

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
      algorithm: SignatureName;
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
