/**
 * Signature algorithm identifiers and signature values of certificates and certification requests
 * (RFC 5280 4.1.1): ECDSA, RSASSA-PKCS1-v1_5, RSASSA-PSS, EdDSA, pure ML-DSA and SLH-DSA with empty
 * context.
 */

import { LocalError, RefusalCodes } from '../codec/refusal.ts';
import {
  type CurveName,
  curves,
  type HashName,
  hashSizes,
  type SignatureName,
  signatureFacts,
} from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { derBytes, NULL, oid, positiveInteger, sequence, smallInteger, tagged } from './asn1.ts';
import {
  children,
  contentOf,
  type Element,
  expectTag,
  fault,
  positiveInteger as readPositive,
  readStrict,
  Tags,
} from './der.ts';
import {
  ecdsaHashByOid,
  ecdsaOids,
  hashByOid,
  hashOids,
  MGF1,
  oidName,
  type PlainSignatureName,
  plainByOid,
  plainOids,
  RSASSA_PSS,
  rsaHashByOid,
  rsaOids,
} from './oids.ts';
import {
  expectNone,
  expectNull,
  namesOfFamily,
  readAlgorithm,
  type SubjectPublicKey,
  wholeBits,
} from './spki.ts';

export interface CertificateSignature {
  /** `ecdsa-with-SHA384` ... or a dotted identifier */
  readonly algorithm: string;
  /** algorithms the identifier may mean, one of which the issuer's key settles; empty: none of ours */
  readonly names: readonly SignatureName[];
  /** of ECDSA and RSA; undefined where the algorithm takes the message whole, or is none of ours */
  readonly hash: HashName | undefined;
  /** bits of signatureValue as they stand */
  readonly value: Uint8Array;
  /** magnitudes of an ECDSA-Sig-Value, without leading zeros */
  readonly ecdsa: { readonly r: Uint8Array; readonly s: Uint8Array } | undefined;
}

/** SHA-2 identifiers carry NULL (RFC 4055 2.1), SHA-3 ones nothing (RFC 9688 2). */
const hashAlgorithm = (hash: HashName) =>
  sequence(oid(hashOids[hash]), ...(hash.startsWith('SHA3') ? [] : [NULL()]));

/** RSASSA-PSS-params: MGF1 with the same hash, a salt as long as the hash (RFC 4055 3.1). */
const pssParameters = (hash: HashName) =>
  sequence(
    tagged(0, hashAlgorithm(hash)),
    tagged(1, sequence(oid(MGF1), hashAlgorithm(hash))),
    tagged(2, smallInteger(hashSizes[hash])),
  );

/** AlgorithmIdentifier of a signature by `name` over `hash` (which only ECDSA and RSA mention). */
export function signatureAlgorithm(name: SignatureName, hash: HashName) {
  const { family } = signatureFacts(name);
  if (family === 'ECDSA') return sequence(oid(ecdsaOids[hash]));
  if (family === 'RSASSA') return sequence(oid(rsaOids[hash]), NULL());
  if (family === 'RSAPSS') return sequence(oid(RSASSA_PSS), pssParameters(hash));
  return sequence(oid(plainOids[name as PlainSignatureName]));
}

/** ECDSA-Sig-Value of r || s (RFC 3279 2.2.3). */
export function encodeEcdsaSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  const [r, s] = [raw.subarray(0, half), raw.subarray(half)];
  return derBytes(sequence(positiveInteger(r, 'r'), positiveInteger(s, 's')));
}

/** What stands in signatureValue for a signature of `CryptoProvider.sign`. */
export const signatureBits = (name: SignatureName, raw: Uint8Array): Uint8Array =>
  signatureFacts(name).family === 'ECDSA' ? encodeEcdsaSignature(raw) : raw;

/** ECDSA-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER } (RFC 3279 2.2.3). */
function readEcdsa(value: Uint8Array, path: string) {
  const whole = readStrict(value, path);
  const sequence = expectTag(whole, Tags.SEQUENCE, path, whole);
  const parts = children(sequence, path);
  if (parts.length !== 2)
    throw fault(RefusalCodes.BAD_LENGTH, path, 0, `${parts.length} integers, not r and s`);
  return {
    r: readPositive(parts[0], `${path}.r`, sequence),
    s: readPositive(parts[1], `${path}.s`, sequence),
  };
}

const PSS_HASH = 0xa0;
const PSS_MASK = 0xa1;
const PSS_SALT = 0xa2;
const PSS_TRAILER = 0xa3;

/** The hash an AlgorithmIdentifier names; its parameters are NULL or absent. */
function readHash(e: Element | undefined, path: string, parent: Element): HashName | undefined {
  const { whole, id, parameters } = readAlgorithm(e, path, parent);
  if (parameters !== undefined) expectNull(parameters, path, whole);
  return hashByOid(id);
}

function readMask(e: Element, path: string): HashName | undefined {
  const { whole, id, parameters } = readAlgorithm(children(e, path)[0], path, e);
  return id === MGF1 ? readHash(parameters, path, whole) : undefined;
}

function readSmall(e: Element, path: string): number {
  const [integer] = children(e, path);
  const content = contentOf(expectTag(integer, Tags.INTEGER, path, e));
  return content.length === 1 ? content[0]! : Number.POSITIVE_INFINITY;
}

/**
 * The hash of RSASSA-PSS-params that a provider verifies: MGF1 over the same hash, a salt as long as the
 * hash, trailer field 1 (RFC 4055 3.1). Undefined for others; what is left out defaults to SHA-1.
 */
function readPss(parameters: Element | undefined, parent: Element): HashName | undefined {
  const path = 'signatureAlgorithm.parameters';
  const rest = children(expectTag(parameters, Tags.SEQUENCE, path, parent), path);
  const optional = (tag: number) => (rest[0]?.tag === tag ? rest.shift() : undefined);
  const [hash, mask] = [optional(PSS_HASH), optional(PSS_MASK)];
  const [salt, trailer] = [optional(PSS_SALT), optional(PSS_TRAILER)];
  if (rest[0] !== undefined)
    throw fault(RefusalCodes.TRAILING, path, rest[0].start, 'unknown field');
  const name = hash && readHash(children(hash, path)[0], path, hash);
  const maskName = mask && readMask(mask, path);
  const saltSize = salt && readSmall(salt, path);
  const trailerField = trailer === undefined ? 1 : readSmall(trailer, path);
  if (name === undefined || maskName !== name || saltSize !== hashSizes[name]) return undefined;
  return trailerField === 1 ? name : undefined;
}

const NONE = { names: [], hash: undefined } as const;

/** What a signature's AlgorithmIdentifier stands for. @throws DerFault */
function readScheme(algorithm: Element, parent: Element) {
  const path = 'signatureAlgorithm';
  const { id, parameters, whole } = readAlgorithm(algorithm, path, parent);
  const name = oidName(id);
  const [ecdsa, rsa, plain] = [ecdsaHashByOid(id), rsaHashByOid(id), plainByOid(id)];
  if (ecdsa !== undefined || plain !== undefined) expectNone(parameters, path);
  if (ecdsa !== undefined) return { name, names: namesOfFamily('ECDSA'), hash: ecdsa };
  if (plain !== undefined) return { name, names: [plain], hash: undefined };
  if (rsa !== undefined) {
    // RFC 4055 5 writes NULL and has readers take its absence for the same.
    if (parameters !== undefined) expectNull(parameters, path, whole);
    return { name, names: namesOfFamily('RSASSA'), hash: rsa };
  }
  if (id !== RSASSA_PSS) return { name, ...NONE };
  const pss = readPss(parameters, whole);
  return pss === undefined
    ? { name, ...NONE }
    : { name, names: namesOfFamily('RSAPSS'), hash: pss };
}

/** signatureAlgorithm and signatureValue. @throws DerFault */
export function readSignature(
  algorithm: Element,
  bits: Element | undefined,
  parent: Element,
): CertificateSignature {
  const { name, names, hash } = readScheme(algorithm, parent);
  const value = wholeBits(bits, 'signatureValue', parent);
  const isEcdsa = names[0] !== undefined && signatureFacts(names[0]).family === 'ECDSA';
  const ecdsa = isEcdsa ? readEcdsa(value, 'signatureValue') : undefined;
  return { algorithm: name, names, hash, value, ecdsa };
}

/**
 * r || s of an ECDSA signature, each as wide as the field of the signer's curve.
 * Undefined if the signature is none of ECDSA or does not fit the curve.
 */
export function rawSignature(
  signature: CertificateSignature,
  curve: CurveName,
): Uint8Array | undefined {
  const size = curves[curve]?.fieldSize;
  if (size === undefined) throw new LocalError(`curve: no curve ${curve}`);
  const { r, s } = signature.ecdsa ?? {};
  if (r === undefined || s === undefined || r.length > size || s.length > size) return undefined;
  const out = new Uint8Array(2 * size);
  out.set(r, size - r.length);
  out.set(s, 2 * size - s.length);
  return out;
}

/**
 * Whether `key` made `signature` over `message`; undefined if nobody here, or not this provider, knows
 * the key or the algorithm. Two known kinds that do not go together are a wrong signature.
 */
export function verifySignature(
  crypto: CryptoProvider,
  key: SubjectPublicKey,
  signature: CertificateSignature,
  message: Uint8Array,
): boolean | undefined {
  if (key.fits.length === 0 || signature.names.length === 0) return undefined;
  const name = key.fits.find((fit) => signature.names.includes(fit));
  if (name === undefined) return false;
  if (!crypto.supports(name)) return undefined;
  const { curve, hash } = signatureFacts(name);
  const used = signature.hash ?? hash;
  if (signature.hash !== undefined && !crypto.supports(used)) return undefined;
  const raw = curve === undefined ? signature.value : rawSignature(signature, curve);
  return raw !== undefined && crypto.verify(name, used, key.key, message, raw);
}
