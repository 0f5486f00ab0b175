/** One finding of a relying party, and the stable names of why evidence is refused. */

/** Reasons for a refusal. `CHAIN_` is followed by the certificate path's own code, as CHAIN_BAD_SIGNATURE. */
export const EvidenceFaults = {
  /** the messages do not decode, or are not what a measurement signature covers */
  LAYOUT: 'LAYOUT',
  OPAQUE_LAYOUT: 'OPAQUE_LAYOUT',
  /** from SPDM 1.2 on the signature covers VCA, and it is missing, broken or of another version */
  VCA: 'VCA',
  /** the chain does not end in a self-signed root, and none is pinned above it */
  CHAIN_NO_ROOT: 'CHAIN_NO_ROOT',
  /** a key or hash nobody here computes, or not the negotiated one */
  ALGORITHM: 'ALGORITHM',
  SIGNATURE: 'SIGNATURE',
  /** the request does not hold the nonce that was expected */
  NONCE: 'NONCE',
  /** the answer is signed with another slot than was asked for */
  SLOT: 'SLOT',
  /** RequesterContext did not come back as it was sent (1.3) */
  CONTEXT: 'CONTEXT',
  /** the same index twice with different contents */
  DUPLICATE_INDEX: 'DUPLICATE_INDEX',
  /** the measured firmware id is not the one the signer's certificate was issued for */
  FWID: 'FWID',
  ROOT_NOT_PINNED: 'ROOT_NOT_PINNED',
  REVOKED: 'REVOKED',
  MEASUREMENT_MISMATCH: 'MEASUREMENT_MISMATCH',
  MEASUREMENT_MISSING: 'MEASUREMENT_MISSING',
  OPAQUE_MISMATCH: 'OPAQUE_MISMATCH',
} as const;

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
