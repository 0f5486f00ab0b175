/** One finding of a relying party, and the stable names of why evidence is refused. */

/** Reasons for a refusal. `CHAIN_` is followed by the certificate path's own code, as CHAIN_BAD_SIGNATURE. */
export const EvidenceFaults = {
  /** the messages do not decode, or are not what a signature covers */
  LAYOUT: 'LAYOUT',
  OPAQUE_LAYOUT: 'OPAQUE_LAYOUT',
  /** the signature covers VCA, and it is missing, broken or of another version */
  VCA: 'VCA',
  /** the chain does not end in a self-signed root, and none is pinned above it */
  CHAIN_NO_ROOT: 'CHAIN_NO_ROOT',
  /** RootHash of the SPDM chain is not the hash of its root */
  CHAIN_ROOT_HASH_MISMATCH: 'CHAIN_ROOT_HASH_MISMATCH',
  /** the provisioned public key is none */
  PUBLIC_KEY: 'PUBLIC_KEY',
  /** a key or hash nobody here computes, or not the negotiated one */
  ALGORITHM: 'ALGORITHM',
  SIGNATURE: 'SIGNATURE',
  /** the request does not hold a nonce that was expected */
  NONCE: 'NONCE',
  /** the policy wants the nonce known, and it is not */
  FRESHNESS: 'FRESHNESS',
  /** the answer is signed with another slot than was asked for */
  SLOT: 'SLOT',
  /** RequesterContext did not come back as it was sent (1.3) */
  CONTEXT: 'CONTEXT',
  /** CertChainHash of CHALLENGE_AUTH is of another chain */
  CERT_CHAIN_HASH: 'CERT_CHAIN_HASH',
  /** MeasurementSummaryHash of CHALLENGE_AUTH is of other measurements */
  SUMMARY: 'SUMMARY',
  /** the same index twice with different contents */
  DUPLICATE_INDEX: 'DUPLICATE_INDEX',
  /** a Version, SVN or device mode that cannot be one by its size or bytes */
  VALUE_LAYOUT: 'VALUE_LAYOUT',
  /** the measured firmware id is not the one the signer's certificate was issued for */
  FWID: 'FWID',
  ROOT_NOT_PINNED: 'ROOT_NOT_PINNED',
  REVOKED: 'REVOKED',
  MEASUREMENT_MISMATCH: 'MEASUREMENT_MISMATCH',
  MEASUREMENT_MISSING: 'MEASUREMENT_MISSING',
  /** a value the policy names as bad */
  MEASUREMENT_FORBIDDEN: 'MEASUREMENT_FORBIDDEN',
  /** a block the policy does not name, where it wants every one named */
  MEASUREMENT_UNLISTED: 'MEASUREMENT_UNLISTED',
  /** Version text that is not among the good ones */
  VERSION_NOT_ALLOWED: 'VERSION_NOT_ALLOWED',
  /** security version number below the least good one */
  SVN_TOO_LOW: 'SVN_TOO_LOW',
  /** none of the reference manifests fits */
  MANIFEST_MISMATCH: 'MANIFEST_MISMATCH',
  /** a debug state the policy does not want */
  DEBUG: 'DEBUG',
  /** an operational mode the policy does not want */
  OPERATIONAL_MODE: 'OPERATIONAL_MODE',
  /** the policy has rules for the device mode, and it is not reported */
  DEVICE_MODE_MISSING: 'DEVICE_MODE_MISSING',
  OPAQUE_MISMATCH: 'OPAQUE_MISMATCH',
  /** another device, vendor or certificate than the policy expects */
  IDENTITY_MISMATCH: 'IDENTITY_MISMATCH',
  /** the leaf is of another certificate model than the policy expects */
  CERTIFICATE_MODEL: 'CERTIFICATE_MODEL',
  /** a key or hash below the policy's floor, or not among those it allows */
  ALGORITHM_TOO_WEAK: 'ALGORITHM_TOO_WEAK',
  /** an SPDM version below the policy's floor */
  VERSION_TOO_LOW: 'VERSION_TOO_LOW',
  /** the policy wants signed measurements or a CHALLENGE, and there is none */
  EVIDENCE_MISSING: 'EVIDENCE_MISSING',
} as const;

/** What was not looked at, or could not be: no reason for a refusal, yet the reader's to know. */
export const EvidenceNotes = {
  /** nobody said which nonce was sent: the evidence may be an old one */
  FRESHNESS_UNKNOWN: 'FRESHNESS_UNKNOWN',
  ROOT_UNPINNED: 'ROOT_UNPINNED',
  VALIDITY_UNCHECKED: 'VALIDITY_UNCHECKED',
  REVOCATION_UNCHECKED: 'REVOCATION_UNCHECKED',
  /** up to SPDM 1.1 the signature over measurements does not cover VCA */
  VCA_UNSIGNED: 'VCA_UNSIGNED',
  /** hash or padding was taken from the key's usual pairing */
  ALGORITHM_ASSUMED: 'ALGORITHM_ASSUMED',
  /** a CHALLENGE alone says nothing of firmware but its summary */
  MEASUREMENTS_ABSENT: 'MEASUREMENTS_ABSENT',
  /** not every block was asked for */
  MEASUREMENTS_PARTIAL: 'MEASUREMENTS_PARTIAL',
  /** blocks without a reference value */
  UNREFERENCED: 'UNREFERENCED',
  SUMMARY_UNCOMPARED: 'SUMMARY_UNCOMPARED',
  /** the device reports no device mode */
  DEBUG_UNKNOWN: 'DEBUG_UNKNOWN',
  /** the policy does not say which blocks are the TCB */
  TCB_UNKNOWN: 'TCB_UNKNOWN',
} as const;

export interface EvidenceNote {
  readonly code: keyof typeof EvidenceNotes;
  readonly detail: string;
}

export const note = (code: EvidenceNote['code'], detail: string): EvidenceNote => ({
  code,
  detail,
});

export interface EvidenceCheck {
  /** what was looked at: `chain`, `signature`, `nonce` ... */
  readonly name: string;
  readonly ok: boolean;
  /** reason of a refusal, stable; undefined if it is good */
  readonly code: string | undefined;
  readonly detail: string;
}

export const passed = (name: string, detail: string): EvidenceCheck => ({
  name,
  ok: true,
  code: undefined,
  detail,
});
export const refused = (name: string, code: string, detail: string): EvidenceCheck => ({
  name,
  ok: false,
  code,
  detail,
});

/** The reasons of a refusal, each once, in the order they were met. */
export function reasonsOf(checks: readonly EvidenceCheck[]): string[] {
  return [...new Set(checks.flatMap(({ code }) => (code === undefined ? [] : [code])))];
}
