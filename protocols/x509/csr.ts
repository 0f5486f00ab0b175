/**
 * Certification requests (PKCS #10, RFC 2986), as GET_CSR's answer carries one and its RequesterInfo
 * the inner part of one (DSP0274 1.2, CSR). Bytes come from a peer: they are bounded, walked strictly,
 * and end in a value or a named refusal.
 */

import { type Decoded, RefusalCodes } from '../codec/refusal.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import {
  attempt,
  children,
  contentOf,
  derOf,
  type Element,
  expectTag,
  fault,
  oidOf,
  readStrict,
  Tags,
} from './der.ts';
import { type CertificateExtensions, readExtensions } from './extensions.ts';
import { EXTENSION_REQUEST, oidName } from './oids.ts';
import { nameText } from './parse.ts';
import { type CertificateSignature, readSignature, verifySignature } from './signature.ts';
import { readPublicKey, type SubjectPublicKey } from './spki.ts';

/** CSRLength is 16 bits wide. */
export const CSR_BYTES_MAX = 65_535;
/** Longest RequesterInfo looked at: with any key and signature of ours the answer still fits CSRLength. */
export const REQUEST_INFO_BYTES_MAX = 8_192;
/** Most attributes in one request; real ones have one to three. */
export const CSR_ATTRIBUTES_MAX = 32;

export interface CsrAttribute {
  /** dotted identifier */
  readonly type: string;
  /** each in DER */
  readonly values: readonly Uint8Array[];
}

/** What a request says of its subject, without the key. */
export interface RequestInfo {
  /** CertificationRequestInfo as it stands */
  readonly der: Uint8Array;
  /** as text for people */
  readonly subject: string;
  readonly subjectDer: Uint8Array;
  /** in their order */
  readonly attributes: readonly CsrAttribute[];
  /** of the extensionRequest attribute */
  readonly extensions: CertificateExtensions;
}

export interface CertificationRequest {
  readonly der: Uint8Array;
  /** its `der` is what the signature covers */
  readonly info: RequestInfo;
  readonly publicKey: SubjectPublicKey;
  readonly signature: CertificateSignature;
}

const ATTRIBUTES = 0xa0;

/** Attribute ::= SEQUENCE { type, values SET SIZE(1..MAX) }. */
function readAttribute(e: Element, path: string): CsrAttribute & { readonly first: Element } {
  const [type, set, ...more] = children(e, path);
  const id = oidOf(type, `${path}.type`, e);
  const named = `${path}.${oidName(id)}`;
  const values = children(expectTag(set, Tags.SET, named, e), named);
  const [first] = values;
  if (first === undefined || more.length > 0)
    throw fault(RefusalCodes.BAD_LENGTH, named, e.start, 'not one set of values');
  return { type: id, values: values.map(derOf), first };
}

/** attributes [0] IMPLICIT SET OF Attribute; requests without the field are read as with an empty one. */
function readAttributes(e: Element | undefined) {
  const path = 'attributes';
  const parts = e === undefined ? [] : children(e, path);
  if (parts.length > CSR_ATTRIBUTES_MAX)
    throw fault(RefusalCodes.OVER_LIMIT, path, e!.start, `${parts.length} attributes`);
  const attributes: CsrAttribute[] = [];
  let extensions: CertificateExtensions = { all: [] };
  for (const part of parts) {
    const { type, values, first } = readAttribute(expectTag(part, Tags.SEQUENCE, path, e!), path);
    if (attributes.some((other) => other.type === type))
      throw fault(RefusalCodes.BAD_VALUE, path, part.start, `${oidName(type)} twice`);
    attributes.push({ type, values });
    if (type !== EXTENSION_REQUEST) continue;
    if (values.length > 1)
      throw fault(RefusalCodes.BAD_LENGTH, path, part.start, 'more than one list of extensions');
    extensions = readExtensions(expectTag(first, Tags.SEQUENCE, path, part));
  }
  return { attributes, extensions };
}

/** CertificationRequestInfo ::= SEQUENCE { version, subject, subjectPKInfo, attributes } (RFC 2986 4.1). */
function readInfo(e: Element): { info: RequestInfo; spki: Element } {
  const path = 'certificationRequestInfo';
  const [version, name, key, attributes, ...more] = children(e, path);
  const number = contentOf(expectTag(version, Tags.INTEGER, 'version', e));
  if (number.length !== 1 || number[0] !== 0)
    throw fault(RefusalCodes.BAD_VALUE, 'version', version!.start, 'not 0');
  const subject = expectTag(name, Tags.SEQUENCE, 'subject', e);
  const spki = expectTag(key, Tags.SEQUENCE, 'subjectPublicKeyInfo', e);
  if (attributes !== undefined) expectTag(attributes, ATTRIBUTES, 'attributes', e);
  if (more.length > 0) throw fault(RefusalCodes.TRAILING, path, more[0]!.start, 'a fifth field');
  const info = {
    der: derOf(e),
    subject: nameText(subject, 'subject'),
    subjectDer: derOf(subject),
    ...readAttributes(attributes),
  };
  return { info, spki };
}

/** The one SEQUENCE that fills `der`, a copy of it, so that the value outlives the caller's buffer. */
function wholeSequence(der: Uint8Array, path: string, bytesMax: number): Element {
  if (der.length > bytesMax) throw fault(RefusalCodes.OVER_LIMIT, path, 0, `${der.length} bytes`);
  const whole = readStrict(new Uint8Array(der), path);
  return expectTag(whole, Tags.SEQUENCE, path, whole);
}

/**
 * GET_CSR's RequesterInfo. Its key is the requester's placeholder, of any kind, and is passed over.
 * Never throws on the bytes.
 */
export function parseRequestInfo(der: Uint8Array): Decoded<RequestInfo> {
  return attempt(der.length, () => {
    const path = 'certificationRequestInfo';
    return readInfo(wholeSequence(der, path, REQUEST_INFO_BYTES_MAX)).info;
  });
}

/** A certification request that fills `der`; its signature is read, not verified. Never throws on the bytes. */
export function parseCsr(der: Uint8Array): Decoded<CertificationRequest> {
  return attempt(der.length, () => {
    const whole = wholeSequence(der, 'certificationRequest', CSR_BYTES_MAX);
    const [inner, algorithm, bits, ...more] = children(whole, 'certificationRequest');
    if (more.length > 0)
      throw fault(RefusalCodes.TRAILING, 'certificationRequest', more[0]!.start, 'a fourth field');
    const path = 'certificationRequestInfo';
    const { info, spki } = readInfo(expectTag(inner, Tags.SEQUENCE, path, whole));
    const identifier = expectTag(algorithm, Tags.SEQUENCE, 'signatureAlgorithm', whole);
    return {
      der: whole.bytes,
      info,
      publicKey: readPublicKey(spki),
      signature: readSignature(identifier, bits, whole),
    };
  });
}

/** Whether the request is signed by its own key; undefined if nobody here knows the key or the algorithm. */
export function verifyCsr(
  crypto: CryptoProvider,
  request: CertificationRequest,
): boolean | undefined {
  return verifySignature(crypto, request.publicKey, request.signature, request.info.der);
}
