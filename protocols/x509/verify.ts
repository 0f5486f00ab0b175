/**
 * Certification path validation (RFC 5280 6.1) with what DSP0274 asks of a device's leaf certificate on
 * top. Revocation, policies and name constraints are not processed; a critical extension that asks for
 * one of these is refused. Names are compared byte by byte, a choice stricter than RFC 5280 7.1.
 */

import { equal, toHex } from '../codec/bytes.ts';
import { LocalError, refusalText } from '../codec/refusal.ts';
import { type SignatureFamily, signatureFacts } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { cmaIdentityOf, deviceInfoOf, understoodExtensions } from './extensions.ts';
import { DmtfOids, EkuOids, type KeyUsageName, oidName } from './oids.ts';
import { type Certificate, isSelfIssued, parseCertificate } from './parse.ts';
import {
  type Anchor,
  type ChainFailure,
  ChainFaults,
  type ChainPolicy,
  type ChainVerdict,
  chainFailure,
  type LeafPolicy,
} from './policy.ts';
import { verifySignature } from './signature.ts';
import { timeText } from './time.ts';

const SERIAL_BYTES_MAX = 20;

/** Whether `issuer`'s key made `subject`'s signature; undefined if nobody here knows the algorithm. */
export function isSignedBy(
  crypto: CryptoProvider,
  subject: Certificate,
  issuer: Certificate,
): boolean | undefined {
  const { signature, tbsCertificate } = subject;
  return verifySignature(crypto, issuer.publicKey, signature, tbsCertificate);
}

function anchorMatches(crypto: CryptoProvider, anchor: Anchor, certificate: Certificate): boolean {
  if ('der' in anchor) return equal(anchor.der, certificate.der);
  return equal(anchor.digest, crypto.hash(anchor.hash, certificate.der));
}

function anchorCertificate(anchor: Anchor, index: number): Certificate | undefined {
  if (!('der' in anchor)) return undefined;
  const parsed = parseCertificate(anchor.der);
  if (!parsed.ok) throw new LocalError(`anchors[${index}]: ${refusalText(parsed)}`);
  return parsed.value;
}

/** The anchor the chain hangs on: its first certificate, or the issuer of that. */
function findAnchor(
  crypto: CryptoProvider,
  first: Certificate,
  anchors: readonly Anchor[],
): Certificate | ChainFailure {
  if (anchors.some((anchor) => anchorMatches(crypto, anchor, first))) return first;
  const issuers = anchors
    .map(anchorCertificate)
    .filter((c) => c !== undefined)
    .filter((c) => equal(c.subjectDer, first.issuerDer) && !isSelfIssued(first));
  // Anchors may share a name, as after a root's key was renewed: the one whose key fits is meant.
  const fits = (c: Certificate) => isSignedBy(crypto, first, c);
  const issuer = (issuers.length > 1 ? issuers.find(fits) : undefined) ?? issuers[0];
  return (
    issuer ?? chainFailure(ChainFaults.UNKNOWN_ROOT, 0, `no anchor is or issued ${first.subject}`)
  );
}

const signatureOnly: readonly KeyUsageName[] = [
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'encipherOnly',
  'decipherOnly',
];
/** What a key of each family cannot do (RFC 8813 3, 3279 2.3.1, 9295 2, 9881 5, 9909 6). */
const cannot: Readonly<Record<SignatureFamily, readonly KeyUsageName[]>> = {
  ECDSA: ['keyEncipherment', 'dataEncipherment'],
  RSASSA: ['keyAgreement', 'encipherOnly', 'decipherOnly'],
  RSAPSS: signatureOnly,
  EDDSA: signatureOnly,
  ML_DSA: signatureOnly,
  SLH_DSA: signatureOnly,
};

function unfitUsages(c: Certificate): readonly KeyUsageName[] {
  const name = c.publicKey.fits[0];
  if (name === undefined) return [];
  const unfit = cannot[signatureFacts(name).family];
  return (c.extensions.keyUsage ?? []).filter((usage) => unfit.includes(usage));
}

const keyText = ({ publicKey }: Certificate) =>
  `${publicKey.algorithm} (${publicKey.key.length} bytes)`;

/** What each certificate must be by itself. */
function checkForm(c: Certificate, index: number, policy: ChainPolicy): ChainFailure | undefined {
  if (c.version !== 3)
    return chainFailure(ChainFaults.BAD_VERSION, index, `X.509 version ${c.version}`);
  const serial = c.serialNumber;
  if (serial[0]! >= 0x80 || serial.every((byte) => byte === 0) || serial.length > SERIAL_BYTES_MAX)
    return chainFailure(ChainFaults.BAD_SERIAL, index, `serial number ${toHex(serial)}`);
  const unknown = c.extensions.all.find(
    ({ critical, extnID }) =>
      critical && !understoodExtensions.has(extnID) && !policy.understood?.includes(extnID),
  );
  if (unknown !== undefined)
    return chainFailure(ChainFaults.UNKNOWN_CRITICAL_EXTENSION, index, oidName(unknown.extnID));
  const { at } = policy;
  const unfit = policy.strictKeyUsage === true ? unfitUsages(c) : [];
  if (unfit.length > 0)
    return chainFailure(ChainFaults.KEY_USAGE, index, `${unfit.join(', ')} of ${keyText(c)}`);
  if (at !== undefined && at < c.notBefore)
    return chainFailure(ChainFaults.NOT_YET_VALID, index, `before ${timeText(c.notBefore)}`);
  if (at !== undefined && at > c.notAfter)
    return chainFailure(ChainFaults.EXPIRED, index, `after ${timeText(c.notAfter)}`);
  return undefined;
}

/** What a certificate that issued another must be; `below` counts intermediates under it. */
function checkIssuer(c: Certificate, index: number, below: number): ChainFailure | undefined {
  const { basicConstraints, keyUsage } = c.extensions;
  if (basicConstraints?.cA !== true)
    return chainFailure(ChainFaults.NOT_A_CA, index, `${c.subject} may not issue certificates`);
  if (keyUsage !== undefined && !keyUsage.includes('keyCertSign'))
    return chainFailure(ChainFaults.KEY_USAGE, index, `${keyUsage.join(', ')} without keyCertSign`);
  const limit = basicConstraints.pathLenConstraint;
  if (limit !== undefined && below > limit)
    return chainFailure(
      ChainFaults.PATH_TOO_LONG,
      index,
      `${below} intermediates below, ${limit} allowed`,
    );
  return undefined;
}

/** That `issuer` issued `subject`, by name, key identifier and signature. */
function checkLink(
  crypto: CryptoProvider,
  subject: Certificate,
  issuer: Certificate,
  index: number,
): ChainFailure | undefined {
  if (!equal(subject.issuerDer, issuer.subjectDer))
    return chainFailure(
      ChainFaults.ISSUER_MISMATCH,
      index,
      `issued by ${subject.issuer}, above stands ${issuer.subject}`,
    );
  const aki = subject.extensions.authorityKeyIdentifier;
  const ski = issuer.extensions.subjectKeyIdentifier;
  if (aki !== undefined && ski !== undefined && !equal(aki, ski))
    return chainFailure(ChainFaults.AKI_MISMATCH, index, `${toHex(aki)}, not ${toHex(ski)}`);
  const signed = isSignedBy(crypto, subject, issuer);
  if (signed === undefined)
    return chainFailure(
      ChainFaults.UNSUPPORTED_ALGORITHM,
      index,
      `${subject.signature.algorithm} by ${keyText(issuer)}`,
    );
  return signed
    ? undefined
    : chainFailure(ChainFaults.BAD_SIGNATURE, index, `not signed by ${issuer.subject}`);
}

const roleEku = {
  responder: DmtfOids.EKU_RESPONDER_AUTH,
  requester: DmtfOids.EKU_REQUESTER_AUTH,
} as const;

function checkEku(c: Certificate, index: number, leaf: LeafPolicy): ChainFailure | undefined {
  const role = leaf.role ?? 'responder';
  const usages = c.extensions.extKeyUsage ?? [];
  if (usages.includes(roleEku[role]) || usages.includes(EkuOids.ANY)) return undefined;
  const other = roleEku[role === 'responder' ? 'requester' : 'responder'];
  if (leaf.requireEku !== true && !usages.includes(other)) return undefined;
  const listed = usages.map(oidName).join(', ') || 'none';
  return chainFailure(ChainFaults.EKU_MISSING, index, `${listed}; no ${oidName(roleEku[role])}`);
}

const hasSpdmOid = (c: Certificate, oid: string) => c.extensions.spdmOids?.includes(oid) === true;

/** Hardware identity never stands in an alias leaf nor beside mutable-certificate (DSP0274). */
function checkIdentity(chain: readonly Certificate[], leaf: LeafPolicy): ChainFailure | undefined {
  for (const [index, c] of chain.entries()) {
    if (!hasSpdmOid(c, DmtfOids.HARDWARE_IDENTITY)) continue;
    if (hasSpdmOid(c, DmtfOids.MUTABLE_CERTIFICATE))
      return chainFailure(ChainFaults.HARDWARE_IDENTITY, index, 'in a mutable certificate');
    if (leaf.model === 'alias' && index === chain.length - 1)
      return chainFailure(ChainFaults.HARDWARE_IDENTITY, index, 'in an alias certificate');
  }
  if (leaf.requireHardwareIdentity && !chain.some((c) => hasSpdmOid(c, DmtfOids.HARDWARE_IDENTITY)))
    return chainFailure(ChainFaults.HARDWARE_IDENTITY, chain.length - 1, 'in no certificate');
  return undefined;
}

/** What DSP0274 asks of the leaf, and what the caller expects of this one. */
function checkLeaf(c: Certificate, index: number, leaf: LeafPolicy): ChainFailure | undefined {
  const { basicConstraints, keyUsage } = c.extensions;
  if (basicConstraints?.cA === true)
    return chainFailure(ChainFaults.LEAF_CONSTRAINTS, index, 'the leaf is a CA');
  if (keyUsage === undefined || !keyUsage.includes('digitalSignature'))
    return chainFailure(ChainFaults.KEY_USAGE, index, 'the leaf lacks digitalSignature');
  const { fits } = c.publicKey;
  if (fits.length === 0)
    return chainFailure(ChainFaults.UNSUPPORTED_ALGORITHM, index, `leaf key ${keyText(c)}`);
  if (leaf.signature !== undefined && !fits.includes(leaf.signature))
    return chainFailure(ChainFaults.LEAF_KEY, index, `${fits.join(', ')} for ${leaf.signature}`);
  for (const [expected, found] of [
    [leaf.deviceInfo, deviceInfoOf(c.extensions)],
    [leaf.cmaIdentity, cmaIdentityOf(c.extensions)],
  ])
    if (expected !== undefined && expected !== found)
      return chainFailure(ChainFaults.DEVICE_INFO, index, `${found ?? 'none'}, not ${expected}`);
  return checkEku(c, index, leaf);
}

/**
 * Every certificate and link of `path` from the top, then what each issuer may do: a gap in the chain is
 * told as such before its length is. `shift` turns the path's indices into the chain's.
 */
function checkPath(
  crypto: CryptoProvider,
  path: readonly Certificate[],
  shift: number,
  policy: ChainPolicy,
): ChainFailure | undefined {
  for (const [at, certificate] of path.entries()) {
    const above = path[at - 1];
    const failure =
      checkForm(certificate, at - shift, policy) ??
      (above === undefined ? undefined : checkLink(crypto, certificate, above, at - shift));
    if (failure !== undefined) return failure;
  }
  const issuers = path.slice(0, -1);
  for (const [at, certificate] of issuers.entries()) {
    const below = issuers.slice(at + 1).filter((c) => !isSelfIssued(c)).length;
    const failure = checkIssuer(certificate, at - shift, below);
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/**
 * Verifies `chain`, root or first intermediate first and leaf last, down from one of the policy's
 * anchors. The anchor may be the chain's first certificate or, given as DER, the issuer above it. A
 * self-issued anchor inside the chain must also have signed itself.
 *
 * The first fault met is reported: trust, then certificates and links from the top, then what issuers
 * may do, then the leaf's own rules.
 * @throws LocalError on an anchor that is no certificate.
 */
export function verifyChain(
  crypto: CryptoProvider,
  chain: readonly Certificate[],
  policy: ChainPolicy,
): ChainVerdict {
  const first = chain[0];
  const leaf = chain[chain.length - 1];
  if (first === undefined || leaf === undefined)
    return chainFailure(ChainFaults.EMPTY_CHAIN, 0, 'no certificates');
  const leafIndex = chain.length - 1;
  if (isSelfIssued(leaf))
    return chainFailure(ChainFaults.SELF_SIGNED_LEAF, leafIndex, leaf.subject);
  const anchor = findAnchor(crypto, first, policy.anchors);
  if ('ok' in anchor) return anchor;
  const rootAbsent = anchor !== first;
  if (!rootAbsent && isSelfIssued(first)) {
    const failure = checkLink(crypto, first, first, 0);
    if (failure !== undefined) return failure;
  }
  const path = rootAbsent ? [anchor, ...chain] : chain;
  const leafPolicy = policy.leaf ?? {};
  const failure =
    checkPath(crypto, path, rootAbsent ? 1 : 0, policy) ??
    checkLeaf(leaf, leafIndex, leafPolicy) ??
    checkIdentity(chain, leafPolicy);
  if (failure !== undefined) return failure;
  const identity = chain.findIndex((c) => hasSpdmOid(c, DmtfOids.HARDWARE_IDENTITY));
  return {
    ok: true,
    certificates: chain,
    leaf,
    anchor,
    rootAbsent,
    deviceInfo: deviceInfoOf(leaf.extensions),
    cmaIdentity: cmaIdentityOf(leaf.extensions),
    hardwareIdentity: identity < 0 ? undefined : identity,
  };
}
