/**
 * Certificate extensions decoded (RFC 5280 4.2; DSP0274 for the otherName and the SPDM extension). The
 * X.509 library reads those it knows; otherName and the DMTF list it does not, so these are walked here.
 */

import { fromHex } from '../codec/bytes.ts';
import { RefusalCodes } from '../codec/refusal.ts';
import {
  children,
  contentOf,
  derOf,
  type Element,
  expectTag,
  fault,
  library,
  oidOf,
  readStrict,
  Tags,
} from './der.ts';
import {
  DmtfOids,
  ExtensionOids,
  type KeyUsageName,
  keyUsageBits,
  oidName,
  PCI_SIG_CMA_IDENTITY,
} from './oids.ts';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsagesExtension,
  SubjectKeyIdentifierExtension,
} from './peculiar.ts';

/** An extension as it stands, decoded or not. */
export interface RawExtension {
  readonly extnID: string;
  readonly critical: boolean;
  readonly extnValue: Uint8Array;
}

/** otherName of the subject alternative name; `value` is undefined unless it is a UTF8String. */
export interface OtherName {
  readonly typeId: string;
  readonly value: string | undefined;
}

export interface CertificateExtensions {
  /** all of them, in their order */
  readonly all: readonly RawExtension[];
  readonly basicConstraints?: { readonly cA: boolean; readonly pathLenConstraint?: number };
  readonly keyUsage?: readonly KeyUsageName[];
  /** dotted identifiers */
  readonly extKeyUsage?: readonly string[];
  readonly subjectKeyIdentifier?: Uint8Array;
  /** keyIdentifier of the authority key identifier */
  readonly authorityKeyIdentifier?: Uint8Array;
  readonly otherNames?: readonly OtherName[];
  /** what the DMTF SPDM extension lists */
  readonly spdmOids?: readonly string[];
}
type Draft = { -readonly [K in keyof CertificateExtensions]: CertificateExtensions[K] };

/** A known extension: its whole element for the library, its value's element for walking. */
type Reader = (out: Draft, whole: Uint8Array, value: Element, path: string) => void;

function pathLength(value: unknown, path: string, offset: number): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw fault(RefusalCodes.BAD_VALUE, path, offset, `pathLenConstraint ${String(value)}`);
}

function usageNames(flags: number): KeyUsageName[] {
  return keyUsageBits.filter((_name, bit) => ((flags >>> bit) & 1) === 1);
}

function utf8(e: Element, path: string): string {
  return library(path, e.start, () =>
    new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(contentOf(e)),
  );
}

const OTHER_NAME = 0xa0;
const EXPLICIT_0 = 0xa0;

/** OtherName ::= SEQUENCE { type-id, [0] EXPLICIT value } under the implicit tag [0] (RFC 5280 4.2.1.6). */
function readOtherName(e: Element, path: string): OtherName {
  const [typeId, wrapper, ...more] = children(e, path);
  const oid = oidOf(typeId, `${path}.type-id`, e);
  const [value, ...rest] = children(expectTag(wrapper, EXPLICIT_0, `${path}.value`, e), path);
  if (value === undefined || rest.length > 0 || more.length > 0)
    throw fault(RefusalCodes.BAD_LENGTH, path, e.start, 'otherName holds one value');
  return { typeId: oid, value: value.tag === Tags.UTF8_STRING ? utf8(value, path) : undefined };
}

function readOtherNames(out: Draft, _whole: Uint8Array, value: Element, path: string): void {
  const names = children(expectTag(value, Tags.SEQUENCE, path, value), path);
  if (names.length === 0) throw fault(RefusalCodes.BAD_LENGTH, path, value.start, 'no names');
  out.otherNames = names.filter((n) => n.tag === OTHER_NAME).map((n) => readOtherName(n, path));
}

/** SEQUENCE OF SEQUENCE { OBJECT IDENTIFIER, OCTET STRING OPTIONAL } (DSP0274, SPDM extension). */
function readSpdmOids(out: Draft, _whole: Uint8Array, value: Element, path: string): void {
  out.spdmOids = children(expectTag(value, Tags.SEQUENCE, path, value), path).map((entry) => {
    const [oid, definition, ...more] = children(expectTag(entry, Tags.SEQUENCE, path, value), path);
    if (definition !== undefined) expectTag(definition, Tags.OCTET_STRING, path, entry);
    if (more.length > 0)
      throw fault(
        RefusalCodes.BAD_LENGTH,
        path,
        entry.start,
        'more than identifier and definition',
      );
    return oidOf(oid, path, entry);
  });
}

const readers: Readonly<Record<string, Reader>> = {
  [ExtensionOids.BASIC_CONSTRAINTS]: (out, whole, value, path) => {
    const { ca, pathLength: length } = new BasicConstraintsExtension(whole);
    out.basicConstraints =
      length === undefined
        ? { cA: ca }
        : { cA: ca, pathLenConstraint: pathLength(length, path, value.start) };
  },
  [ExtensionOids.KEY_USAGE]: (out, whole) => {
    out.keyUsage = usageNames(new KeyUsagesExtension(whole).usages);
  },
  [ExtensionOids.EXT_KEY_USAGE]: (out, whole) => {
    out.extKeyUsage = Array.from(new ExtendedKeyUsageExtension(whole).usages, String);
  },
  [ExtensionOids.SUBJECT_KEY_IDENTIFIER]: (out, whole) => {
    out.subjectKeyIdentifier = fromHex(new SubjectKeyIdentifierExtension(whole).keyId);
  },
  [ExtensionOids.AUTHORITY_KEY_IDENTIFIER]: (out, whole) => {
    const { keyId } = new AuthorityKeyIdentifierExtension(whole);
    if (keyId !== undefined) out.authorityKeyIdentifier = fromHex(keyId);
  },
  [ExtensionOids.SUBJECT_ALT_NAME]: readOtherNames,
  [DmtfOids.SPDM_EXTENSION]: readSpdmOids,
};

/** Extensions whose meaning `verifyChain` acts on; any other one marked critical is refused there. */
export const understoodExtensions: ReadonlySet<string> = new Set(Object.keys(readers));

function readExtension(out: Draft, e: Element): RawExtension {
  const path = 'extensions';
  const whole = derOf(e);
  const parts = children(e, path);
  const last = parts[parts.length - 1];
  const extnID = oidOf(parts[0], path, e);
  const named = `${path}.${oidName(extnID)}`;
  const extnValue = expectTag(last, Tags.OCTET_STRING, named, e);
  const raw = library(named, e.start, () => new Extension(whole));
  const reader = Object.hasOwn(readers, extnID) ? readers[extnID] : undefined;
  if (reader !== undefined) {
    const value = readStrict(e.bytes, named, extnValue.content, extnValue.end);
    library(named, e.start, () => reader(out, whole, value, named));
  }
  return { extnID, critical: raw.critical, extnValue: contentOf(extnValue) };
}

/** Extensions ::= SEQUENCE OF Extension, each identifier once. @throws DerFault */
export function readExtensions(sequence: Element | undefined): CertificateExtensions {
  if (sequence === undefined) return { all: [] };
  const out: Draft = { all: [] };
  const seen = new Set<string>();
  const all: RawExtension[] = [];
  for (const e of children(sequence, 'extensions')) {
    const raw = readExtension(out, expectTag(e, Tags.SEQUENCE, 'extensions', sequence));
    if (seen.has(raw.extnID))
      throw fault(RefusalCodes.BAD_VALUE, 'extensions', e.start, `${raw.extnID} twice`);
    seen.add(raw.extnID);
    all.push(raw);
  }
  return { ...out, all };
}

function otherName(extensions: CertificateExtensions, typeId: string): string | undefined {
  return extensions.otherNames?.find((name) => name.typeId === typeId)?.value;
}

/** DMTF device information `Manufacturer:Product:SerialNumber`, if the certificate carries it. */
export function deviceInfoOf(extensions: CertificateExtensions): string | undefined {
  return otherName(extensions, DmtfOids.DEVICE_INFO);
}

/** PCIe CMA-SPDM component identity `Vendor=...:Device=...`, if the certificate carries it. */
export function cmaIdentityOf(extensions: CertificateExtensions): string | undefined {
  return otherName(extensions, PCI_SIG_CMA_IDENTITY);
}
