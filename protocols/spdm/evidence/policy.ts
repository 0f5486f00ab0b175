/** What a relying party asks of evidence beyond its being authentic. Data alone. */

import type { HashName, SignatureName } from '../../crypto/algorithms.ts';
import type { CertificateModel } from '../../x509/policy.ts';
import type { OperationalMode } from './values.ts';

/** What is asked of one block, or of every block of a type. Without a condition: that it is there. */
export interface MeasurementRule {
  /** the block's index; undefined: every block of `type` */
  readonly index?: number;
  /** a `MeasurementTypes` code */
  readonly type?: number;
  /** digests or raw bit streams, any of which is good */
  readonly values?: readonly Uint8Array[];
  /** values none of which may be there */
  readonly forbidden?: readonly Uint8Array[];
  /** texts of a raw Version, any of which is good */
  readonly versions?: readonly string[];
  /** least good number of a raw SecureVersionNumber */
  readonly minimumSvn?: bigint;
  /** the block may be missing; default false */
  readonly optional?: boolean;
}

/** One release's values: all of its rules hold, or it is not this release. */
export interface ReferenceManifest {
  readonly name: string;
  readonly rules: readonly MeasurementRule[];
}

/** A certificate no longer trusted: by its fingerprint, or by its serial number and, if told, its issuer. */
export type RevokedCertificate =
  | { readonly sha256: Uint8Array }
  | { readonly serial: Uint8Array; readonly issuer?: string };

/** Who the device must be; of several texts any is good. */
export interface ExpectedDevice {
  /** the leaf's subject, as the report prints it */
  readonly subject?: readonly string[];
  /** parts of DMTF's device information `Manufacturer:Product:SerialNumber` */
  readonly manufacturer?: readonly string[];
  readonly product?: readonly string[];
  readonly serialNumber?: readonly string[];
  /** PCIe CMA-SPDM component identity */
  readonly cmaIdentity?: readonly string[];
  /** SHA-256 of the leaf certificate */
  readonly leafSha256?: readonly Uint8Array[];
  readonly model?: CertificateModel;
  /** a certificate of the chain carries id-DMTF-hardware-identity */
  readonly hardwareIdentity?: boolean;
}

export interface AlgorithmFloor {
  /** security strength in bits (NIST SP 800-57 part 1, 5.6.1) of every key and hash, 112 to 256 */
  readonly minimumBits?: number;
  /** names the evidence may be signed with */
  readonly signatures?: readonly SignatureName[];
  readonly hashes?: readonly HashName[];
  /** the evidence is signed with ML-DSA or SLH-DSA */
  readonly postQuantum?: boolean;
}

/**
 * Which debug states are good: none active now, none since the last reset, or none of these and no
 * invasive one since manufacturing.
 */
export type DebugRule = 'off' | 'offSinceReset' | 'never';

export interface EvidencePolicy {
  /** SHA-256 of the DER of roots that are trusted; none of these and below: any self-signed root */
  readonly rootSha256?: readonly Uint8Array[];
  /** roots in DER, which the chain need not hold */
  readonly rootCertificates?: readonly Uint8Array[];
  /** seconds since 1970 at which certificates must be valid; undefined: not looked at */
  readonly at?: number | undefined;
  /** serial numbers of certificates no longer trusted, most significant byte first */
  readonly revokedSerials?: readonly Uint8Array[];
  readonly revoked?: readonly RevokedCertificate[];
  /** block index -> values, any of which is good; every index named must be there */
  readonly measurements?: ReadonlyMap<number, readonly Uint8Array[]>;
  readonly rules?: readonly MeasurementRule[];
  /** sets of reference values, one of which must fit */
  readonly manifests?: readonly ReferenceManifest[];
  /** refuse blocks that no rule names */
  readonly refuseUnlisted?: boolean;
  /** indices of the blocks that make up the trusted computing base */
  readonly tcb?: readonly number[];
  readonly debug?: DebugRule;
  /** operational modes that are good */
  readonly operational?: readonly OperationalMode[];
  /** opaque element name -> texts or hexadecimal values, any of which is good */
  readonly opaque?: ReadonlyMap<string, readonly string[]>;
  readonly device?: ExpectedDevice;
  /** insist on DMTF's extended key usage in the leaf */
  readonly requireEku?: boolean;
  readonly algorithms?: AlgorithmFloor;
  /** least SPDMVersion byte */
  readonly minimumVersion?: number;
  /** refuse evidence whose nonce nobody expected beforehand */
  readonly requireNonce?: boolean;
  /** what must be signed here */
  readonly require?: readonly ('measurements' | 'challenge')[];
}

/** Whether the policy says which roots are good. */
export const pinsRoots = ({ rootSha256 = [], rootCertificates = [] }: EvidencePolicy): boolean =>
  rootSha256.length + rootCertificates.length > 0;
