/**
 * SubjectPublicKeyInfo (RFC 5280 4.1.2.7) of every key SPDM may negotiate: EC (RFC 5480), RSA (RFC 3279,
 * 4055), EdDSA (RFC 8410), ML-DSA (RFC 9881) and SLH-DSA (RFC 9909). Certificates, certification
 * requests, KEY_PAIR_INFO and keys provisioned without a certificate all hold one.
 */

import { concat } from '../codec/bytes.ts';
import { type Decoded, LocalError, RefusalCodes } from '../codec/refusal.ts';
import {
  type CurveName,
  curves,
  type SignatureName,
  signatureAlgorithms,
  signatureFacts,
} from '../crypto/algorithms.ts';
import { bits, derBytes, NULL, oid, sequence } from './asn1.ts';
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
import {
  curveByOid,
  curveOids,
  EC_PUBLIC_KEY,
  oidName,
  type PlainSignatureName,
  plainByOid,
  plainOids,
  RSA_ENCRYPTION,
  RSASSA_PSS,
} from './oids.ts';

export interface SubjectPublicKey {
  /** `id-ecPublicKey`, `rsaEncryption`, `id-ml-dsa-65` ... or a dotted identifier */
  readonly algorithm: string;
  /** of an EC key on a curve that `CryptoProvider` knows */
  readonly curve: CurveName | undefined;
  /** X || Y on that curve, else the bits of subjectPublicKey as they stand: what `verify` takes */
  readonly key: Uint8Array;
  /** signature algorithms the key is made for, the natural one first; empty: none of ours */
  readonly fits: readonly SignatureName[];
}

/** A public key under one name, as `CryptoProvider.verify` wants both. */
export interface VerifyingKey {
  readonly algorithm: SignatureName;
  readonly publicKey: Uint8Array;
}

/** Longest SubjectPublicKeyInfo looked at; the largest of ours has 2,614 bytes. */
export const SPKI_BYTES_MAX = 16_384;
/** Bytes of an RSA public exponent; FIPS 186-5 has it below 2^256. */
const EXPONENT_BYTES_MAX = 32;
const POINT_UNCOMPRESSED = 0x04;

const signatureNames = Object.keys(signatureAlgorithms) as SignatureName[];

/** The names of a family's algorithms, in the order of the table. */
export const namesOfFamily = (family: string): readonly SignatureName[] =>
  signatureNames.filter((name) => signatureAlgorithms[name].family === family);

/** The key under the name `wanted` if it fits, or, nothing wanted, under its natural one (RSA: RSASSA). */
export function keyUnder(
  key: Pick<SubjectPublicKey, 'key' | 'fits'>,
  wanted?: SignatureName,
): VerifyingKey | undefined {
  const algorithm = wanted ?? key.fits[0];
  if (algorithm === undefined || !key.fits.includes(algorithm)) return undefined;
  return { algorithm, publicKey: key.key };
}

/** AlgorithmIdentifier of a key. RSA keys are rsaEncryption for either padding (RFC 4055 1.2). */
export function keyAlgorithm(name: SignatureName) {
  const { family, curve } = signatureFacts(name);
  if (curve !== undefined) return sequence(oid(EC_PUBLIC_KEY), oid(curveOids[curve]));
  if (family === 'RSASSA' || family === 'RSAPSS') return sequence(oid(RSA_ENCRYPTION), NULL());
  return sequence(oid(plainOids[name as PlainSignatureName]));
}

/** AlgorithmIdentifier of a key in DER, as KEY_PAIR_INFO's PublicKeyInfo carries it (DSP0274 1.3). */
export const algorithmIdentifier = (name: SignatureName): Uint8Array =>
  derBytes(keyAlgorithm(name));

/** What stands in the BIT STRING for a key in `verify`'s form. @throws LocalError naming `publicKey`. */
export function publicKeyBits(name: SignatureName, publicKey: Uint8Array): Uint8Array {
  const { family, curve, publicKeySize } = signatureFacts(name);
  if (family === 'RSASSA' || family === 'RSAPSS') {
    const read = attempt(publicKey.length, () => rsaNames(publicKey));
    if (!read.ok || !read.value.includes(name))
      throw new LocalError(`publicKey: ${name} takes an RSAPublicKey of its size in DER`);
    return publicKey;
  }
  if (publicKey.length !== publicKeySize)
    throw new LocalError(
      `publicKey: ${name} takes ${publicKeySize} bytes, got ${publicKey.length}`,
    );
  return curve === undefined ? publicKey : concat(Uint8Array.of(POINT_UNCOMPRESSED), publicKey);
}

/** SubjectPublicKeyInfo as a block to build into something larger. @throws LocalError */
export const keyInfo = (name: SignatureName, publicKey: Uint8Array) =>
  sequence(keyAlgorithm(name), bits(publicKeyBits(name, publicKey)));

/**
 * SubjectPublicKeyInfo in DER; SPDM slot 0xFF hashes these bytes where others hash their chain.
 * @param publicKey in the form `CryptoProvider.verify` takes
 * @throws LocalError unless it has the algorithm's form and size.
 */
export const subjectPublicKeyInfo = (name: SignatureName, publicKey: Uint8Array): Uint8Array =>
  derBytes(keyInfo(name, publicKey));

const bitLength = (magnitude: Uint8Array) => 8 * magnitude.length - Math.clz32(magnitude[0]!) + 24;

/** RSAPublicKey ::= SEQUENCE { modulus, publicExponent } (RFC 8017 A.1.1). @throws DerFault */
function rsaNames(key: Uint8Array): readonly SignatureName[] {
  const path = 'subjectPublicKeyInfo.subjectPublicKey';
  const whole = readStrict(key, path);
  const parts = children(expectTag(whole, Tags.SEQUENCE, path, whole), path);
  if (parts.length !== 2)
    throw fault(RefusalCodes.BAD_LENGTH, path, 0, `${parts.length} integers, not two`);
  const modulus = positiveInteger(parts[0], `${path}.modulus`, whole);
  const exponent = positiveInteger(parts[1], `${path}.publicExponent`, whole);
  return rsaNamesOf(modulus, exponent);
}

/** Names a modulus and exponent fit; none for a size SPDM does not know or an exponent RSA cannot use. */
export function rsaNamesOf(modulus: Uint8Array, exponent: Uint8Array): readonly SignatureName[] {
  const odd = (magnitude: Uint8Array) => (magnitude[magnitude.length - 1]! & 1) === 1;
  const isOne = exponent.length === 1 && exponent[0] === 1;
  if (!odd(modulus) || !odd(exponent) || isOne || exponent.length > EXPONENT_BYTES_MAX) return [];
  const bytes = bitLength(modulus) / 8;
  return [...namesOfFamily('RSASSA'), ...namesOfFamily('RSAPSS')].filter(
    (name) => signatureFacts(name).publicKeySize === bytes,
  );
}

/** Content of a BIT STRING of whole bytes. @throws DerFault */
export function wholeBits(e: Element | undefined, path: string, parent: Element): Uint8Array {
  const content = contentOf(expectTag(e, Tags.BIT_STRING, path, parent));
  if (content[0] !== 0)
    throw fault(RefusalCodes.BAD_VALUE, path, e!.start, 'bits do not fill whole bytes');
  return content.subarray(1);
}

/** Parameters that RFC 3279 has as NULL: RSA's. @throws DerFault */
export function expectNull(parameters: Element | undefined, path: string, parent: Element): void {
  expectTag(parameters, Tags.NULL, `${path}.parameters`, parent);
}

/** @throws DerFault if there are any */
export function expectNone(parameters: Element | undefined, path: string): void {
  if (parameters !== undefined)
    throw fault(RefusalCodes.BAD_VALUE, path, parameters.start, 'has parameters');
}

/** AlgorithmIdentifier ::= SEQUENCE { algorithm, parameters OPTIONAL }. @throws DerFault */
export function readAlgorithm(e: Element | undefined, path: string, parent: Element) {
  const whole = expectTag(e, Tags.SEQUENCE, path, parent);
  const [id, parameters, ...more] = children(whole, path);
  if (more.length > 0) throw fault(RefusalCodes.TRAILING, path, more[0]!.start, 'a third field');
  return { whole, id: oidOf(id, `${path}.algorithm`, whole), parameters };
}

function readEcKey(parameters: Element | undefined, whole: Element, key: Uint8Array, at: number) {
  const path = 'subjectPublicKeyInfo';
  const curve = curveByOid(oidOf(parameters, `${path}.namedCurve`, whole));
  if (curve === undefined) return { curve, key, fits: [] };
  if (key.length !== 1 + 2 * curves[curve].fieldSize || key[0] !== POINT_UNCOMPRESSED)
    throw fault(
      RefusalCodes.BAD_VALUE,
      `${path}.subjectPublicKey`,
      at,
      `no uncompressed point of ${curve}`,
    );
  const fits = signatureNames.filter((name) => signatureFacts(name).curve === curve);
  return { curve, key: key.slice(1), fits };
}

/**
 * SubjectPublicKeyInfo out of its element. Compressed points and keys of the wrong size are refused; an
 * algorithm nobody here knows is kept, and fits nothing. An id-RSASSA-PSS key fits only without
 * parameters, a choice: with them it binds hash and salt, which SPDM negotiates.
 * @throws DerFault
 */
export function readPublicKey(spki: Element): SubjectPublicKey {
  const path = 'subjectPublicKeyInfo';
  const [identifier, keyBits, ...more] = children(spki, path);
  if (more.length > 0) throw fault(RefusalCodes.TRAILING, path, more[0]!.start, 'a third field');
  const { whole, id, parameters } = readAlgorithm(identifier, path, spki);
  const key = wholeBits(keyBits, `${path}.subjectPublicKey`, spki);
  const algorithm = oidName(id);
  const plain = plainByOid(id);
  if (id === EC_PUBLIC_KEY)
    return { algorithm, ...readEcKey(parameters, whole, key, keyBits!.start) };
  if (id === RSA_ENCRYPTION) {
    expectNull(parameters, path, whole);
    return { algorithm, curve: undefined, key, fits: rsaNames(key) };
  }
  if (id === RSASSA_PSS) {
    const names = rsaNames(key).filter((name) => signatureFacts(name).family === 'RSAPSS');
    return { algorithm, curve: undefined, key, fits: parameters === undefined ? names : [] };
  }
  if (plain === undefined) return { algorithm, curve: undefined, key, fits: [] };
  expectNone(parameters, `${path}.algorithm`);
  const { publicKeySize } = signatureFacts(plain);
  if (key.length !== publicKeySize)
    throw fault(
      RefusalCodes.BAD_VALUE,
      `${path}.subjectPublicKey`,
      keyBits!.start,
      `${key.length} bytes, ${algorithm} has ${publicKeySize}`,
    );
  return { algorithm, curve: undefined, key, fits: [plain] };
}

/**
 * The key of a SubjectPublicKeyInfo that fills `der`, under the name `wanted` or its natural one.
 * Never throws on the bytes; UNKNOWN_CODE: the key fits no such algorithm.
 */
export function parseSubjectPublicKeyInfo(
  der: Uint8Array,
  wanted?: SignatureName,
): Decoded<VerifyingKey> {
  return attempt(der.length, () => {
    const path = 'subjectPublicKeyInfo';
    if (der.length > SPKI_BYTES_MAX)
      throw fault(RefusalCodes.OVER_LIMIT, path, 0, `${der.length} bytes in one key`);
    const whole = readStrict(new Uint8Array(der), path);
    const read = readPublicKey(expectTag(whole, Tags.SEQUENCE, path, whole));
    const key = keyUnder(read, wanted);
    if (key === undefined)
      throw fault(
        RefusalCodes.UNKNOWN_CODE,
        `${path}.algorithm`,
        0,
        `${read.algorithm} of ${read.key.length} bytes is no key for ${wanted ?? 'any algorithm'}`,
      );
    return key;
  });
}
