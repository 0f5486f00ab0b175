/**
 * The quick provider: node:crypto wherever its result is bit-identical to the portable provider's, which
 * does the rest: post-quantum algorithms, key generation, and whatever this build of Node lacks.
 */

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  getCiphers,
  getCurves,
  getHashes,
} from 'node:crypto';
import { concat } from '../codec/bytes.ts';
import {
  type AeadName,
  type CurveName,
  type HashName,
  hashSizes,
  type SignatureName,
  signatureAlgorithms,
  signatureFacts,
} from './algorithms.ts';
import {
  type Aead,
  type DhGroup,
  type Engine,
  type Hash,
  type Hmac,
  providerOf,
  type SignatureScheme,
} from './engine.ts';
import { nobleEngine } from './noble.ts';
import { nodeEddsa } from './node-eddsa.ts';
import { nodeCurveNames, nodeEcdh, nodeEcdsa, plain } from './node-elliptic.ts';
import { nodeFfdhe, nodeRsaPower } from './node-numbers.ts';
import { rsaScheme } from './rsa.ts';

const openSslHashNames = {
  SHA_256: 'sha256',
  SHA_384: 'sha384',
  SHA_512: 'sha512',
  SHA3_256: 'sha3-256',
  SHA3_384: 'sha3-384',
  SHA3_512: 'sha3-512',
} as const satisfies Record<HashName, string>;
const openSslAeadNames = {
  AES_128_GCM: 'aes-128-gcm',
  AES_256_GCM: 'aes-256-gcm',
  CHACHA20_POLY1305: 'chacha20-poly1305',
} as const satisfies Record<AeadName, string>;

/** The names of a table that this build of Node knows. */
function known<K extends string>(
  table: Record<K, string>,
  built: string[],
): Partial<Record<K, string>> {
  const entries = Object.entries<string>(table).filter(([, name]) => built.includes(name));
  return Object.fromEntries(entries) as Partial<Record<K, string>>;
}
const hashNames = known(openSslHashNames, getHashes());
const aeadNames = known(openSslAeadNames, getCiphers());
const curveNames = known(nodeCurveNames, getCurves());

/** A table with `make` applied to every name, keeping the type of its keys. */
function each<K extends string, V>(keys: Record<K, unknown>, make: (name: K) => V): Record<K, V> {
  const entries = (Object.keys(keys) as K[]).map((name) => [name, make(name)]);
  return Object.fromEntries(entries) as Record<K, V>;
}

const hashes = each(hashSizes, (name): Hash => {
  const native = hashNames[name];
  if (native === undefined) return nobleEngine.hashes[name];
  return (data) => plain(createHash(native).update(data).digest());
});
const hmacs = each(hashSizes, (name): Hmac => {
  const native = hashNames[name];
  if (native === undefined) return nobleEngine.hmacs[name];
  return (key, data) => plain(createHmac(native, key).update(data).digest());
});

function aead(native: string): Aead {
  // The GCM and ChaCha20-Poly1305 interfaces agree in node; its types list them apart.
  const cipherName = native as 'aes-256-gcm';
  return {
    seal(key, iv, aad, plaintext, tagSize) {
      const cipher = createCipheriv(cipherName, key, iv, { authTagLength: 16 });
      cipher.setAAD(aad, { plaintextLength: plaintext.length });
      const text = cipher.update(plaintext);
      cipher.final();
      return concat(text, cipher.getAuthTag().subarray(0, tagSize));
    },
    open(key, iv, aad, sealed, tagSize) {
      const text = sealed.subarray(0, sealed.length - tagSize);
      const decipher = createDecipheriv(cipherName, key, iv, { authTagLength: tagSize });
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
}

function schemeOf(name: SignatureName): SignatureScheme {
  const { family, curve, signatureSize } = signatureFacts(name);
  const portable = nobleEngine.signatures[name];
  if (family === 'RSASSA' || family === 'RSAPSS')
    return rsaScheme(family, signatureSize, { power: nodeRsaPower, hashes, hmacs });
  if (family === 'EDDSA') return nodeEddsa(name as 'EDDSA_25519' | 'EDDSA_448', portable);
  if (family !== 'ECDSA' || curveNames[curve!] === undefined) return portable;
  return nodeEcdsa(curve!, { hashes, hmacs, names: hashNames, portable });
}

const curveGroup = (curve: CurveName): DhGroup =>
  curveNames[curve] === undefined
    ? nobleEngine.groups[curve]
    : nodeEcdh(curve, nobleEngine.groups[curve]);

const engine: Engine = {
  hashes,
  hmacs,
  signatures: each(signatureAlgorithms, schemeOf),
  groups: {
    SECP_256_R1: curveGroup('SECP_256_R1'),
    SECP_384_R1: curveGroup('SECP_384_R1'),
    SECP_521_R1: curveGroup('SECP_521_R1'),
    FFDHE_2048: nodeFfdhe('FFDHE_2048'),
    FFDHE_3072: nodeFfdhe('FFDHE_3072'),
    FFDHE_4096: nodeFfdhe('FFDHE_4096'),
  },
  kems: nobleEngine.kems,
  aeads: each(openSslAeadNames, (name) => {
    const native = aeadNames[name];
    return native === undefined ? nobleEngine.aeads[name] : aead(native);
  }),
};

export const nodeProvider = providerOf('node', engine);
