/**
 * DER certificates as plain values (RFC 5280 4.1). The bytes pass the strict reader first, the X.509
 * library second; whatever either objects to becomes a named refusal.
 */

import { equal } from '../codec/bytes.ts';
import { type Decoded, RefusalCodes } from '../codec/refusal.ts';
import {
  attempt,
  children,
  contentOf,
  derOf,
  type Element,
  expectTag,
  fault,
  library,
  readStrict,
  Tags,
} from './der.ts';
import { type CertificateExtensions, readExtensions } from './extensions.ts';
import { nameAttributes } from './oids.ts';
import { Name, X509Certificate } from './peculiar.ts';
import { type CertificateSignature, readSignature } from './signature.ts';
import { readPublicKey, type SubjectPublicKey } from './spki.ts';
import { generalizedTimeSeconds, utcTimeSeconds } from './time.ts';

/** Longest certificate looked at; the largest post-quantum ones have about 50,000 bytes. */
export const CERTIFICATE_BYTES_MAX = 65_535;

export { type CertificateSignature, rawSignature } from './signature.ts';
export type { SubjectPublicKey } from './spki.ts';

export interface Certificate {
  readonly der: Uint8Array;
  /** the signed bytes */
  readonly tbsCertificate: Uint8Array;
  /** 1, 2 or 3 */
  readonly version: number;
  /** content of the INTEGER, most significant byte first, two's complement */
  readonly serialNumber: Uint8Array;
  readonly signature: CertificateSignature;
  /** as text for people; compare `issuerDer` and `subjectDer` */
  readonly issuer: string;
  readonly subject: string;
  readonly issuerDer: Uint8Array;
  readonly subjectDer: Uint8Array;
  /** seconds since 1970 */
  readonly notBefore: number;
  readonly notAfter: number;
  readonly publicKey: SubjectPublicKey;
  readonly extensions: CertificateExtensions;
}

/** Issuer and subject are the same name. */
export function isSelfIssued(certificate: Certificate): boolean {
  return equal(certificate.issuerDer, certificate.subjectDer);
}

function readTime(e: Element | undefined, path: string, parent: Element): number {
  if (e === undefined) throw fault(RefusalCodes.TRUNCATED, path, parent.end, 'no time');
  const text = String.fromCharCode(...contentOf(e).subarray(0, 16));
  let seconds: number | undefined;
  if (e.tag === Tags.UTC_TIME) seconds = utcTimeSeconds(text);
  if (e.tag === Tags.GENERALIZED_TIME) seconds = generalizedTimeSeconds(text);
  if (seconds === undefined)
    throw fault(RefusalCodes.BAD_VALUE, path, e.start, `tag 0x${e.tag.toString(16)} is no time`);
  return seconds;
}

const VERSION = 0xa0;
const ISSUER_UNIQUE_ID = 0x81;
const SUBJECT_UNIQUE_ID = 0x82;
const EXTENSIONS = 0xa3;

function readVersion(wrapper: Element | undefined): number {
  if (wrapper === undefined) return 1;
  const [integer, ...more] = children(wrapper, 'version');
  const content = contentOf(expectTag(integer, Tags.INTEGER, 'version', wrapper));
  if (more.length > 0 || content.length !== 1 || content[0]! > 2)
    throw fault(RefusalCodes.BAD_VALUE, 'version', wrapper.start, 'neither 1, 2 nor 3');
  return content[0]! + 1;
}

// The library's own list of attribute names lacks this one.
const EXTRA_NAMES = { serialNumber: nameAttributes.serialNumber.oid };

/** A distinguished name as text for people. @throws DerFault */
export function nameText(e: Element, path: string): string {
  return library(path, e.start, () => new Name(derOf(e), EXTRA_NAMES).toString());
}

interface TbsParts {
  readonly version: Element | undefined;
  readonly serialNumber: Element;
  readonly signature: Element;
  readonly issuer: Element;
  readonly validity: Element;
  readonly subject: Element;
  readonly spki: Element;
  readonly extensions: Element | undefined;
}

/** TBSCertificate's fields by their place and tag (RFC 5280 4.1). */
function splitTbs(tbs: Element): TbsParts {
  const parts = children(tbs, 'tbsCertificate');
  const optional = (tag: number) => (parts[0]?.tag === tag ? parts.shift() : undefined);
  const next = (tag: number, name: string) => expectTag(parts.shift(), tag, name, tbs);
  const split = {
    version: optional(VERSION),
    serialNumber: next(Tags.INTEGER, 'serialNumber'),
    signature: next(Tags.SEQUENCE, 'signature'),
    issuer: next(Tags.SEQUENCE, 'issuer'),
    validity: next(Tags.SEQUENCE, 'validity'),
    subject: next(Tags.SEQUENCE, 'subject'),
    spki: next(Tags.SEQUENCE, 'subjectPublicKeyInfo'),
  };
  optional(ISSUER_UNIQUE_ID);
  optional(SUBJECT_UNIQUE_ID);
  const extensions = optional(EXTENSIONS);
  if (parts[0] !== undefined)
    throw fault(RefusalCodes.TRAILING, 'tbsCertificate', parts[0].start, 'unknown field');
  return { ...split, extensions };
}

function readExtensionField(wrapper: Element | undefined): CertificateExtensions {
  if (wrapper === undefined) return readExtensions(undefined);
  const [sequence, ...more] = children(wrapper, 'extensions');
  if (more.length > 0)
    throw fault(RefusalCodes.TRAILING, 'extensions', more[0]!.start, 'more than one list');
  return readExtensions(expectTag(sequence, Tags.SEQUENCE, 'extensions', wrapper));
}

function readCertificate(der: Uint8Array): Certificate {
  if (der.length > CERTIFICATE_BYTES_MAX)
    throw fault(RefusalCodes.OVER_LIMIT, '', 0, `${der.length} bytes in one certificate`);
  const whole = readStrict(der, '');
  const [tbs, outer, bits, ...more] = children(
    expectTag(whole, Tags.SEQUENCE, '', whole),
    'certificate',
  );
  if (more.length > 0)
    throw fault(RefusalCodes.TRAILING, 'certificate', more[0]!.start, 'a fourth field');
  const parts = splitTbs(expectTag(tbs, Tags.SEQUENCE, 'tbsCertificate', whole));
  const algorithm = expectTag(outer, Tags.SEQUENCE, 'signatureAlgorithm', whole);
  // Only the copy inside is signed (RFC 5280 4.1.1.2 wants both the same).
  if (!equal(derOf(algorithm), derOf(parts.signature)))
    throw fault(RefusalCodes.BAD_VALUE, 'signatureAlgorithm', algorithm.start, 'differs inside');
  const times = children(parts.validity, 'validity');
  if (times.length !== 2)
    throw fault(RefusalCodes.BAD_LENGTH, 'validity', parts.validity.start, 'not two times');
  const certificate: Certificate = {
    der,
    tbsCertificate: derOf(tbs!),
    version: readVersion(parts.version),
    serialNumber: contentOf(parts.serialNumber),
    signature: readSignature(algorithm, bits, whole),
    issuer: nameText(parts.issuer, 'issuer'),
    subject: nameText(parts.subject, 'subject'),
    issuerDer: derOf(parts.issuer),
    subjectDer: derOf(parts.subject),
    notBefore: readTime(times[0], 'validity.notBefore', parts.validity),
    notAfter: readTime(times[1], 'validity.notAfter', parts.validity),
    publicKey: readPublicKey(parts.spki),
    extensions: readExtensionField(parts.extensions),
  };
  library('certificate', 0, () => new X509Certificate(der));
  return certificate;
}

/** One certificate that fills `der`. Never throws on the bytes. */
export function parseCertificate(der: Uint8Array): Decoded<Certificate> {
  return attempt(der.length, () => readCertificate(new Uint8Array(der)));
}
