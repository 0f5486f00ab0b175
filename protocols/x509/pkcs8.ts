/**
 * Private keys out of files: PKCS #8 (RFC 5958) of every kind SPDM signs with, and the older bare forms,
 * SEC 1 ECPrivateKey (RFC 5915) and PKCS #1 RSAPrivateKey (RFC 8017 A.1.2). Encrypted keys are refused.
 */

import { equal } from '../codec/bytes.ts';
import { type Decoded, LocalError, RefusalCodes } from '../codec/refusal.ts';
import { type SignatureName, signatureFacts } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import {
  attempt,
  children,
  contentOf,
  type Element,
  expectTag,
  fault,
  oidOf,
  positiveInteger,
  readStrict,
  Tags,
} from './der.ts';
import { curveByOid, EC_PUBLIC_KEY, plainByOid, RSA_ENCRYPTION, RSASSA_PSS } from './oids.ts';
import {
  expectNone,
  expectNull,
  namesOfFamily,
  publicKeyBits,
  readAlgorithm,
  rsaNamesOf,
} from './spki.ts';

/** A private key as `CryptoProvider.sign` takes it, under the name it signs with. */
export interface SigningKey {
  readonly algorithm: SignatureName;
  readonly privateKey: Uint8Array;
}

/** Longest file looked at; the largest of ours, RSA and ML-DSA, have about 5,000 bytes. */
export const PRIVATE_KEY_BYTES_MAX = 16_384;

const PATH = 'privateKey';
const EC_PARAMETERS = 0xa0;
const EC_PUBLIC = 0xa1;
const PKCS8_ATTRIBUTES = 0xa0;
const PKCS8_PUBLIC = 0x81;
const ML_DSA_SEED = 0x80;
const ML_DSA_SEED_BYTES = 32;
const RSA_INTEGERS = 9;

/** What a file holds: the name is still to be chosen from `fits`, the first the natural one. */
interface Held {
  readonly fits: readonly SignatureName[];
  readonly privateKey: Uint8Array;
  /** the public key's bits, where the file has them as well */
  readonly publicBits?: Uint8Array;
}

const bad = (e: Element, detail: string) => fault(RefusalCodes.BAD_VALUE, PATH, e.start, detail);

function version(e: Element | undefined, parent: Element): number {
  const content = contentOf(expectTag(e, Tags.INTEGER, `${PATH}.version`, parent));
  return content.length === 1 ? content[0]! : -1;
}

/** Content of a BIT STRING without unused bits, given as the content of its element. */
function publicBitsOf(content: Uint8Array, e: Element): Uint8Array {
  if (content[0] !== 0) throw bad(e, 'public key bits do not fill whole bytes');
  return content.subarray(1);
}

/** ECPrivateKey ::= SEQUENCE { 1, privateKey, [0] parameters, [1] publicKey } (RFC 5915 3). */
function readEc(e: Element, outerCurve: Element | undefined): Held {
  const parts = children(expectTag(e, Tags.SEQUENCE, PATH, e), PATH);
  if (version(parts.shift(), e) !== 1) throw bad(e, 'ECPrivateKey not of version 1');
  const scalar = contentOf(expectTag(parts.shift(), Tags.OCTET_STRING, PATH, e));
  const inner = parts[0]?.tag === EC_PARAMETERS ? parts.shift() : undefined;
  const publicKey = parts[0]?.tag === EC_PUBLIC ? parts.shift() : undefined;
  if (parts.length > 0) throw fault(RefusalCodes.TRAILING, PATH, parts[0]!.start, 'unknown field');
  const curveIds = [outerCurve, inner && children(inner, PATH)[0]]
    .filter((id) => id !== undefined)
    .map((id) => oidOf(id, `${PATH}.namedCurve`, e));
  const curve = curveByOid(curveIds[0] ?? '');
  if (curveIds.some((id) => id !== curveIds[0])) throw bad(e, 'names two curves');
  const fits = namesOfFamily('ECDSA').filter((name) => signatureFacts(name).curve === curve);
  const held = { fits: curve === undefined ? [] : fits, privateKey: scalar };
  if (publicKey === undefined) return held;
  const bits = expectTag(children(publicKey, PATH)[0], Tags.BIT_STRING, PATH, publicKey);
  return { ...held, publicBits: publicBitsOf(contentOf(bits), bits) };
}

/** RSAPrivateKey of two primes: version 0 and eight positive integers (RFC 8017 A.1.2). */
function readRsa(e: Element): Held {
  const parts = children(expectTag(e, Tags.SEQUENCE, PATH, e), PATH);
  if (version(parts[0], e) !== 0) throw bad(e, 'RSAPrivateKey not of two primes');
  if (parts.length !== RSA_INTEGERS)
    throw fault(RefusalCodes.BAD_LENGTH, PATH, e.start, `${parts.length} integers, not nine`);
  const [modulus, exponent] = parts.slice(1).map((part) => positiveInteger(part, PATH, e));
  return {
    fits: rsaNamesOf(modulus!, exponent!),
    privateKey: e.bytes.slice(e.start, e.end),
  };
}

/**
 * The expanded ML-DSA key of a seed. FIPS 204 key generation draws nothing but the seed, so the provider
 * is handed it as its only draw.
 */
function expandSeed(crypto: CryptoProvider, name: SignatureName, seed: Element): Uint8Array {
  const bytes = contentOf(seed);
  if (bytes.length !== ML_DSA_SEED_BYTES) throw bad(seed, `seed of ${bytes.length} bytes`);
  return crypto.generateSigningKey(name, (size) => {
    if (size !== ML_DSA_SEED_BYTES)
      throw new LocalError(`crypto: ${name} keys take one draw of 32 bytes, asked for ${size}`);
    return bytes.slice();
  });
}

/** ML-DSA-PrivateKey ::= CHOICE { seed [0], expandedKey, both } (RFC 9881 6). */
function readMlDsa(crypto: CryptoProvider, name: SignatureName, e: Element): Uint8Array {
  if (e.tag === ML_DSA_SEED) return expandSeed(crypto, name, e);
  if (e.tag === Tags.OCTET_STRING) return contentOf(e);
  const [seed, expanded, ...more] = children(expectTag(e, Tags.SEQUENCE, PATH, e), PATH);
  if (more.length > 0) throw fault(RefusalCodes.TRAILING, PATH, more[0]!.start, 'a third field');
  const key = expandSeed(crypto, name, expectTag(seed, Tags.OCTET_STRING, PATH, e));
  if (!equal(key, contentOf(expectTag(expanded, Tags.OCTET_STRING, PATH, e))))
    throw bad(e, 'seed and expanded key differ');
  return key;
}

/** privateKey of PKCS #8 by its algorithm; SLH-DSA has no ASN.1 inside (RFC 9909 3). */
function readInner(
  crypto: CryptoProvider,
  id: string,
  parameters: Element | undefined,
  outer: Element,
): Held {
  const content = contentOf(outer);
  const inner = () => readStrict(content, PATH);
  if (id === EC_PUBLIC_KEY)
    return readEc(inner(), expectTag(parameters, Tags.OBJECT_IDENTIFIER, PATH, outer));
  if (id === RSA_ENCRYPTION) {
    expectNull(parameters, PATH, outer);
    return readRsa(inner());
  }
  if (id === RSASSA_PSS) {
    expectNone(parameters, PATH);
    const held = readRsa(inner());
    return { ...held, fits: held.fits.filter((n) => signatureFacts(n).family === 'RSAPSS') };
  }
  const name = plainByOid(id);
  if (name === undefined) return { fits: [], privateKey: content };
  expectNone(parameters, PATH);
  const { family } = signatureFacts(name);
  if (family === 'SLH_DSA') return { fits: [name], privateKey: content };
  if (family === 'ML_DSA') return { fits: [name], privateKey: readMlDsa(crypto, name, inner()) };
  const key = inner();
  return { fits: [name], privateKey: contentOf(expectTag(key, Tags.OCTET_STRING, PATH, key)) };
}

/** OneAsymmetricKey ::= SEQUENCE { version, algorithm, privateKey, [0] attributes, [1] publicKey }. */
function readPkcs8(crypto: CryptoProvider, whole: Element): Held {
  const parts = children(whole, PATH);
  const number = version(parts.shift(), whole);
  const { id, parameters } = readAlgorithm(parts.shift(), `${PATH}.algorithm`, whole);
  const outer = expectTag(parts.shift(), Tags.OCTET_STRING, PATH, whole);
  if (parts[0]?.tag === PKCS8_ATTRIBUTES) parts.shift();
  const publicKey = number === 1 && parts[0]?.tag === PKCS8_PUBLIC ? parts.shift() : undefined;
  if (number < 0 || number > 1) throw bad(whole, 'PKCS #8 not of version 0 or 1');
  if (parts.length > 0) throw fault(RefusalCodes.TRAILING, PATH, parts[0]!.start, 'unknown field');
  const held = readInner(crypto, id, parameters, outer);
  if (publicKey === undefined) return held;
  return { ...held, publicBits: publicBitsOf(contentOf(publicKey), publicKey) };
}

/** Which of the three forms it is shows in the second field: INTEGER, OCTET STRING or SEQUENCE. */
function readAny(crypto: CryptoProvider, whole: Element): Held {
  const second = children(expectTag(whole, Tags.SEQUENCE, PATH, whole), PATH)[1];
  if (second?.tag === Tags.INTEGER) return readRsa(whole);
  if (second?.tag === Tags.OCTET_STRING) return readEc(whole, undefined);
  return readPkcs8(crypto, whole);
}

/** That the provider takes the key, and that its public half is the one in the file. */
function checkKey(crypto: CryptoProvider, name: SignatureName, held: Held): void {
  let bits: Uint8Array;
  try {
    bits = publicKeyBits(name, crypto.signingPublicKey(name, held.privateKey));
  } catch (error) {
    if (!(error instanceof LocalError)) throw error;
    throw fault(RefusalCodes.BAD_VALUE, PATH, 0, error.message);
  }
  if (held.publicBits !== undefined && !equal(bits, held.publicBits))
    throw fault(RefusalCodes.BAD_VALUE, PATH, 0, 'the public key beside it is of another key');
}

/**
 * The private key that fills `der`, under the name `wanted` or its natural one (RSA: RSASSA). Never
 * throws on the bytes; UNKNOWN_CODE: no key for that algorithm, or for any this provider supports.
 */
export function pkcs8PrivateKey(
  crypto: CryptoProvider,
  der: Uint8Array,
  wanted?: SignatureName,
): Decoded<SigningKey> {
  return attempt(der.length, () => {
    if (der.length > PRIVATE_KEY_BYTES_MAX)
      throw fault(RefusalCodes.OVER_LIMIT, PATH, 0, `${der.length} bytes in one key`);
    const held = readAny(crypto, readStrict(new Uint8Array(der), PATH));
    const algorithm = wanted ?? held.fits[0];
    if (algorithm === undefined || !held.fits.includes(algorithm) || !crypto.supports(algorithm))
      throw fault(
        RefusalCodes.UNKNOWN_CODE,
        `${PATH}.algorithm`,
        0,
        `a key for ${held.fits.join(', ') || 'nothing known'}, not ${wanted ?? 'supported'}`,
      );
    checkKey(crypto, algorithm, held);
    return { algorithm, privateKey: held.privateKey };
  });
}
