/** What a relying party asks of evidence beyond its being authentic: roots, revocation, reference values. */

import { equal, toHex } from '../../codec/bytes.ts';
import type { Certificate } from '../../x509/parse.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import { type EvidenceCheck, EvidenceFaults, passed, refused } from './check.ts';
import type { OpaqueElement } from './opaque.ts';

export interface EvidencePolicy {
  /** SHA-256 of the DER of roots that are trusted; none: any self-signed root, at the caller's risk */
  readonly rootSha256?: readonly Uint8Array[];
  /** seconds since 1970 at which certificates must be valid; undefined: not looked at */
  readonly at?: number | undefined;
  /** serial numbers of certificates no longer trusted, most significant byte first */
  readonly revokedSerials?: readonly Uint8Array[];
  /** block index -> values, any of which is good; every index named must be there */
  readonly measurements?: ReadonlyMap<number, readonly Uint8Array[]>;
  /** opaque element name -> texts or hexadecimal values, any of which is good */
  readonly opaque?: ReadonlyMap<string, readonly string[]>;
}

const withoutLeadingZeros = (bytes: Uint8Array): Uint8Array => {
  const first = bytes.findIndex((byte) => byte !== 0);
  return first < 0 ? new Uint8Array(0) : bytes.subarray(first);
};

function checkRevoked(policy: EvidencePolicy, chain: readonly Certificate[]): EvidenceCheck[] {
  const revoked = policy.revokedSerials ?? [];
  if (revoked.length === 0) return [];
  const hit = chain.find(({ serialNumber }) =>
    revoked.some((serial) => equal(withoutLeadingZeros(serial), withoutLeadingZeros(serialNumber))),
  );
  const serials = `${revoked.length} revoked serial numbers`;
  return [
    hit === undefined
      ? passed('revocation', `none of ${serials}`)
      : refused('revocation', EvidenceFaults.REVOKED, `${toHex(hit.serialNumber)} ${hit.subject}`),
  ];
}

function checkMeasurements(
  policy: EvidencePolicy,
  blocks: readonly MeasurementBlockValue[],
): EvidenceCheck[] {
  const reference = policy.measurements;
  if (reference === undefined) return [];
  const failures: EvidenceCheck[] = [];
  for (const [index, values] of reference) {
    const block = blocks.find(({ Index }) => Index === index);
    const name = `measurement ${index}`;
    if (block === undefined)
      failures.push(refused(name, EvidenceFaults.MEASUREMENT_MISSING, 'not reported'));
    else if (!values.some((value) => equal(value, block.Value)))
      failures.push(
        refused(
          name,
          EvidenceFaults.MEASUREMENT_MISMATCH,
          `${toHex(block.Value)}, not ${values.map(toHex).join(' or ')}`,
        ),
      );
  }
  if (failures.length > 0) return failures;
  return [passed('reference', `${reference.size} measurements as the policy has them`)];
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

/** The policy's checks on parsed evidence; the root's pin is the chain's business. */
export function checkPolicy(
  policy: EvidencePolicy,
  chain: readonly Certificate[],
  blocks: readonly MeasurementBlockValue[],
  opaque: readonly OpaqueElement[],
): EvidenceCheck[] {
  return [
    ...checkRevoked(policy, chain),
    ...checkMeasurements(policy, blocks),
    ...checkOpaque(policy, opaque),
  ];
}
