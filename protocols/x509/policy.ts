/**
 * What a verifier may ask of a certificate chain, and the stable names of what can be wrong with one
 * (RFC 5280 6.1; DSP0274 leaf certificate requirements).
 */

import type { HashName, SignatureName } from '../crypto/algorithms.ts';
import type { Certificate } from './parse.ts';

export const ChainFaults = {
  EMPTY_CHAIN: 'EMPTY_CHAIN',
  /** the bytes are no certificates; the detail is the decoder's refusal */
  BAD_ENCODING: 'BAD_ENCODING',
  /** RootHash of the SPDM chain is not the hash of the root that was trusted */
  ROOT_HASH_MISMATCH: 'ROOT_HASH_MISMATCH',
  /** neither an anchor itself nor issued by one */
  UNKNOWN_ROOT: 'UNKNOWN_ROOT',
  SELF_SIGNED_LEAF: 'SELF_SIGNED_LEAF',
  /** not X.509 v3 */
  BAD_VERSION: 'BAD_VERSION',
  /** serial number zero, negative or longer than 20 bytes */
  BAD_SERIAL: 'BAD_SERIAL',
  /** a key (an RSA key of another size than SPDM's, too) or signature algorithm that is not verified here */
  UNSUPPORTED_ALGORITHM: 'UNSUPPORTED_ALGORITHM',
  UNKNOWN_CRITICAL_EXTENSION: 'UNKNOWN_CRITICAL_EXTENSION',
  NOT_YET_VALID: 'NOT_YET_VALID',
  EXPIRED: 'EXPIRED',
  /** the issuer's name is not the subject of the certificate above */
  ISSUER_MISMATCH: 'ISSUER_MISMATCH',
  /** authority key identifier is not the subject key identifier of the certificate above */
  AKI_MISMATCH: 'AKI_MISMATCH',
  BAD_SIGNATURE: 'BAD_SIGNATURE',
  /** issued a certificate without cA in its basic constraints */
  NOT_A_CA: 'NOT_A_CA',
  /** more intermediates below than pathLenConstraint allows */
  PATH_TOO_LONG: 'PATH_TOO_LONG',
  /** keyCertSign missing in an issuer, digitalSignature in the leaf; what the key cannot do, if strict */
  KEY_USAGE: 'KEY_USAGE',
  /** the leaf is a CA */
  LEAF_CONSTRAINTS: 'LEAF_CONSTRAINTS',
  /** the leaf's extended key usage does not let it play its role */
  EKU_MISSING: 'EKU_MISSING',
  /** hardware identity in the wrong certificate, or in none though asked for */
  HARDWARE_IDENTITY: 'HARDWARE_IDENTITY',
  /** the leaf's key is not of the negotiated signature algorithm */
  LEAF_KEY: 'LEAF_KEY',
  /** the leaf names another device than expected, or none */
  DEVICE_INFO: 'DEVICE_INFO',
} as const;
export type ChainFault = (typeof ChainFaults)[keyof typeof ChainFaults];

/** A root, or any certificate, that is trusted beforehand: whole, or by its hash only. */
export type Anchor =
  | { readonly der: Uint8Array }
  | { readonly hash: HashName; readonly digest: Uint8Array };

/** CertificateInfo's certificate models (DSP0274 1.3, DIGESTS). */
export type CertificateModel = 'device' | 'alias' | 'generic';

export interface LeafPolicy {
  /** what the leaf's owner does in SPDM; default responder */
  readonly role?: 'responder' | 'requester';
  /** insist on DMTF's extended key usage; otherwise only the other role's is refused. Default false */
  readonly requireEku?: boolean;
  /** default device */
  readonly model?: CertificateModel;
  /** insist that a certificate of the chain carries id-DMTF-hardware-identity. Default false */
  readonly requireHardwareIdentity?: boolean;
  /** negotiated BaseAsymSel or PqcAsymSel: the leaf's key must fit it */
  readonly signature?: SignatureName;
  /** exact DMTF device information expected */
  readonly deviceInfo?: string;
  /** exact PCIe CMA-SPDM identity expected */
  readonly cmaIdentity?: string;
}

export interface ChainPolicy {
  readonly anchors: readonly Anchor[];
  /** seconds since 1970; undefined: validity periods are not looked at */
  readonly at: number | undefined;
  readonly leaf?: LeafPolicy;
  /**
   * Refuse key usages a key is not made for, such as keyEncipherment of an ML-DSA key (RFC 9881 5).
   * Default false: device chains in the field assert it.
   */
  readonly strictKeyUsage?: boolean;
  /** critical extensions, by dotted identifier, that the caller has looked at itself */
  readonly understood?: readonly string[];
}

export interface ChainFacts {
  readonly ok: true;
  /** the chain as given, root or first intermediate first */
  readonly certificates: readonly Certificate[];
  readonly leaf: Certificate;
  /** the anchor: the chain's first certificate, or the one above it */
  readonly anchor: Certificate;
  /** the anchor is not part of the chain */
  readonly rootAbsent: boolean;
  readonly deviceInfo: string | undefined;
  readonly cmaIdentity: string | undefined;
  /** index of the certificate with id-DMTF-hardware-identity */
  readonly hardwareIdentity: number | undefined;
}

export interface ChainFailure {
  readonly ok: false;
  readonly code: ChainFault;
  readonly detail: string;
  /** of the certificate at fault, in the chain as given; -1: the anchor above it */
  readonly index: number;
}

export type ChainVerdict = ChainFacts | ChainFailure;

export function chainFailure(code: ChainFault, index: number, detail: string): ChainFailure {
  return { ok: false, code, detail, index };
}
