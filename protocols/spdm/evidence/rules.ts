/** The policy's rules on everything but measurement values: identity, algorithms, debug state and more. */

import { equal, toHex } from '../../codec/bytes.ts';
import type { HashName, SignatureName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { cmaIdentityOf, deviceInfoOf } from '../../x509/extensions.ts';
import { DmtfOids } from '../../x509/oids.ts';
import type { Certificate } from '../../x509/parse.ts';
import type { CertificateModel } from '../../x509/policy.ts';
import { MeasurementTypes, versionText } from '../codes.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import { type EvidenceCheck, EvidenceFaults, passed, refused } from './check.ts';
import type { OpaqueElement } from './opaque.ts';
import type { DebugRule, EvidencePolicy, RevokedCertificate } from './policy.ts';
import { hashStrength, isPostQuantum, signatureStrength } from './strength.ts';
import { type DebugMode, type DeviceMode, meaningOf, typeOf } from './values.ts';

/** What the rules look at; undefined where the evidence did not show it. */
export interface RuledEvidence {
  readonly chain: readonly Certificate[];
  readonly model: CertificateModel | undefined;
  readonly version: number | undefined;
  readonly algorithm: SignatureName | undefined;
  readonly hash: HashName | undefined;
  readonly blocks: readonly MeasurementBlockValue[];
  readonly opaque: readonly OpaqueElement[];
  readonly signed: readonly ('measurements' | 'challenge')[];
  readonly nonceExpected: boolean;
}

const withoutLeadingZeros = (bytes: Uint8Array): Uint8Array => {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? new Uint8Array(0) : bytes.subarray(first);
};

function isRevoked(crypto: CryptoProvider, c: Certificate, revoked: RevokedCertificate): boolean {
  if ('sha256' in revoked) return equal(revoked.sha256, crypto.hash('SHA_256', c.der));
  const { serial, issuer } = revoked;
  const isSerial = equal(withoutLeadingZeros(serial), withoutLeadingZeros(c.serialNumber));
  return isSerial && (issuer === undefined || issuer === c.issuer);
}

/** The revoked certificates of a policy, in one form. */
export function revokedOf(policy: EvidencePolicy): readonly RevokedCertificate[] {
  const serials = (policy.revokedSerials ?? []).map((serial) => ({ serial }));
  return [...serials, ...(policy.revoked ?? [])];
}

function checkRevoked(
  crypto: CryptoProvider,
  policy: EvidencePolicy,
  chain: readonly Certificate[],
): EvidenceCheck[] {
  const revoked = revokedOf(policy);
  if (revoked.length === 0) return [];
  const hit = chain.find((c) => revoked.some((one) => isRevoked(crypto, c, one)));
  return [
    hit === undefined
      ? passed('revocation', `none of ${revoked.length} revoked certificates`)
      : refused('revocation', EvidenceFaults.REVOKED, `${toHex(hit.serialNumber)} ${hit.subject}`),
  ];
}

const hasOid = (c: Certificate, oid: string) => c.extensions.spdmOids?.includes(oid) === true;

/** The certificate model as far as the leaf's marks tell it (DSP0274, certificate models). */
export function modelOf(leaf: Certificate): CertificateModel | undefined {
  if (hasOid(leaf, DmtfOids.MUTABLE_CERTIFICATE)) return 'alias';
  return hasOid(leaf, DmtfOids.HARDWARE_IDENTITY) ? 'device' : undefined;
}

/** What is wrong with one property of the device; undefined: nothing, or nothing is asked. */
function identityFault(
  name: string,
  wanted: readonly string[] | undefined,
  found: string | undefined,
): EvidenceCheck[] {
  if (wanted === undefined || (found !== undefined && wanted.includes(found))) return [];
  const detail = `${name} is ${found ?? 'not told'}, not ${wanted.join(' or ')}`;
  return [refused('identity', EvidenceFaults.IDENTITY_MISMATCH, detail)];
}

function checkIdentity(
  crypto: CryptoProvider,
  policy: EvidencePolicy,
  { chain, model }: RuledEvidence,
): EvidenceCheck[] {
  const { device } = policy;
  const leaf = chain.at(-1);
  if (device === undefined) return [];
  if (leaf === undefined)
    return [refused('identity', EvidenceFaults.IDENTITY_MISMATCH, 'there is no certificate')];
  const [manufacturer, product, ...rest] = deviceInfoOf(leaf.extensions)?.split(':') ?? [];
  const serialNumber = rest.length === 0 ? undefined : rest.join(':');
  const leafSha256 = toHex(crypto.hash('SHA_256', leaf.der));
  const faults = [
    ...identityFault('subject', device.subject, leaf.subject),
    ...identityFault('manufacturer', device.manufacturer, manufacturer),
    ...identityFault('product', device.product, product),
    ...identityFault('serial number', device.serialNumber, serialNumber),
    ...identityFault('CMA identity', device.cmaIdentity, cmaIdentityOf(leaf.extensions)),
    ...identityFault('leaf SHA-256', device.leafSha256?.map(toHex), leafSha256),
  ];
  const wanted = device.model;
  if (wanted !== undefined && wanted !== model)
    faults.push(
      refused(
        'model',
        EvidenceFaults.CERTIFICATE_MODEL,
        `the leaf is of the ${model ?? 'untold'} model, not ${wanted}`,
      ),
    );
  return faults.length > 0 ? faults : [passed('identity', 'the device is the one expected')];
}

/** Each key and hash with its strength: the signer's, and those of the certificates above. */
function* strengthsOf({ chain, algorithm, hash }: RuledEvidence): Generator<[string, number]> {
  if (algorithm !== undefined) yield [algorithm, signatureStrength(algorithm)];
  if (hash !== undefined) yield [hash, hashStrength(hash)];
  for (const [index, { publicKey }] of chain.entries()) {
    const name = publicKey.fits[0];
    if (name !== undefined) yield [`${name} of certificate ${index}`, signatureStrength(name)];
  }
}

function checkAlgorithms(policy: EvidencePolicy, evidence: RuledEvidence): EvidenceCheck[] {
  const { algorithms: floor, minimumVersion } = policy;
  const { algorithm, hash, version } = evidence;
  const { ALGORITHM_TOO_WEAK, VERSION_TOO_LOW } = EvidenceFaults;
  const faults: EvidenceCheck[] = [];
  const weak = (detail: string) => faults.push(refused('algorithms', ALGORITHM_TOO_WEAK, detail));
  const bits = floor?.minimumBits;
  for (const [name, strength] of bits === undefined ? [] : strengthsOf(evidence))
    if (strength < bits!) weak(`${name} has ${strength} bits, not ${bits}`);
  if (floor?.signatures && (algorithm === undefined || !floor.signatures.includes(algorithm)))
    weak(`signed with ${algorithm ?? 'nothing known'}, not ${floor.signatures.join(' or ')}`);
  if (floor?.hashes && (hash === undefined || !floor.hashes.includes(hash)))
    weak(`hashed with ${hash ?? 'nothing known'}, not ${floor.hashes.join(' or ')}`);
  if (floor?.postQuantum === true && (algorithm === undefined || !isPostQuantum(algorithm)))
    weak(`${algorithm ?? 'nothing known'} does not withstand a quantum computer`);
  if (minimumVersion !== undefined && (version ?? 0) < minimumVersion) {
    const detail = `SPDM ${versionText(version ?? 0)}, not ${versionText(minimumVersion)} or later`;
    faults.push(refused('version', VERSION_TOO_LOW, detail));
  }
  const isAsked = floor !== undefined || minimumVersion !== undefined;
  if (isAsked && faults.length === 0) return [passed('algorithms', 'none below the floor')];
  return faults;
}

const active: readonly DebugMode[] = ['NonInvasiveDebugActive', 'InvasiveDebugActive'];
const sinceReset: readonly DebugMode[] = [
  ...active,
  'NonInvasiveDebugWasActive',
  'InvasiveDebugWasActive',
];
const unwanted: Readonly<Record<DebugRule, readonly DebugMode[]>> = {
  off: active,
  offSinceReset: sinceReset,
  never: [...sinceReset, 'InvasiveDebugWasActiveAfterManufacturing'],
};

function modeFaults(policy: EvidencePolicy, mode: DeviceMode): EvidenceCheck[] {
  const { debug, operational } = policy;
  const faults: EvidenceCheck[] = [];
  const bad =
    debug === undefined ? [] : unwanted[debug].filter((name) => mode.debug.includes(name));
  if (bad.length > 0) faults.push(refused('debug', EvidenceFaults.DEBUG, bad.join(', ')));
  const good: readonly string[] = operational ?? [];
  const isIn = mode.operational;
  if (operational !== undefined && (isIn.length === 0 || isIn.some((name) => !good.includes(name))))
    faults.push(
      refused(
        'mode',
        EvidenceFaults.OPERATIONAL_MODE,
        `${isIn.join(', ') || 'none'}, not ${good.join(' or ')}`,
      ),
    );
  return faults;
}

function checkDeviceMode(
  policy: EvidencePolicy,
  blocks: readonly MeasurementBlockValue[],
): EvidenceCheck[] {
  if (policy.debug === undefined && policy.operational === undefined) return [];
  const reported = blocks.filter((block) => typeOf(block) === MeasurementTypes.DeviceMode);
  if (reported.length === 0)
    return [refused('debug', EvidenceFaults.DEVICE_MODE_MISSING, 'no device mode is reported')];
  const faults = reported.flatMap((block) => {
    const meaning = meaningOf(block);
    if (meaning?.kind === 'deviceMode') return modeFaults(policy, meaning.mode);
    return [
      refused('debug', EvidenceFaults.VALUE_LAYOUT, `block ${block.Index} is no device mode`),
    ];
  });
  return faults.length > 0
    ? faults
    : [passed('debug', 'the device mode is as the policy wants it')];
}

function checkOpaque(policy: EvidencePolicy, opaque: readonly OpaqueElement[]): EvidenceCheck[] {
  return [...(policy.opaque ?? [])].map(([name, values]) => {
    const element = opaque.find((one) => one.name === name);
    const wanted = values.join(' or ');
    if (element === undefined)
      return refused(`opaque ${name}`, EvidenceFaults.OPAQUE_MISMATCH, `absent, not ${wanted}`);
    const good = values.some(
      (value) => value === element.text || value.toLowerCase() === toHex(element.value),
    );
    return good
      ? passed(`opaque ${name}`, element.text)
      : refused(`opaque ${name}`, EvidenceFaults.OPAQUE_MISMATCH, `${element.text}, not ${wanted}`);
  });
}

function checkPresence(policy: EvidencePolicy, evidence: RuledEvidence): EvidenceCheck[] {
  const { EVIDENCE_MISSING, FRESHNESS } = EvidenceFaults;
  const missing = (policy.require ?? []).filter((kind) => !evidence.signed.includes(kind));
  const checks = missing.map((kind) => refused(kind, EVIDENCE_MISSING, `no signed ${kind} here`));
  if (policy.requireNonce === true && !evidence.nonceExpected)
    checks.push(refused('nonce', FRESHNESS, 'no nonce is expected, so this may be old evidence'));
  return checks;
}

/** Everything but reference values, the chain's own checks and its root. */
export function checkRules(
  crypto: CryptoProvider,
  policy: EvidencePolicy,
  evidence: RuledEvidence,
): EvidenceCheck[] {
  return [
    ...checkPresence(policy, evidence),
    ...checkRevoked(crypto, policy, evidence.chain),
    ...checkIdentity(crypto, policy, evidence),
    ...checkAlgorithms(policy, evidence),
    ...checkDeviceMode(policy, evidence.blocks),
    ...checkOpaque(policy, evidence.opaque),
  ];
}
