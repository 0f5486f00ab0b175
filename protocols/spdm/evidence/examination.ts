/** Evidence as it is given, and what is found out about it on its way through the checks. */

import { type Refusal, refusalText } from '../../codec/refusal.ts';
import type { HashName, SignatureName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { type EvidenceCheck, type EvidenceNote, refused } from './check.ts';
import type { EvidenceRole } from './parts.ts';
import type { EvidencePolicy } from './policy.ts';

export interface Evidence {
  /**
   * The messages whole and in order: VCA, those that fetched the certificates, CHALLENGE and
   * CHALLENGE_AUTH, GET_MEASUREMENTS and MEASUREMENTS as often as the signature covers them. Any part may
   * be left out, as long as one that is signed is there.
   */
  readonly messages: Uint8Array;
  /** VCA, if it is not in front of the messages; measurements up to SPDM 1.1 do not need it */
  readonly vca?: Uint8Array;
  /** certificates in DER, root first, leaf last */
  readonly certificates?: readonly Uint8Array[];
  /** the same as the SPDM chain CERTIFICATE carries; without either, the messages must hold it */
  readonly chain?: Uint8Array;
  /** SubjectPublicKeyInfo in DER instead of a chain: the key was given to the relying party beforehand */
  readonly publicKey?: Uint8Array;
  /** what the relying party put into the signed requests, 32 bytes; of several, any. Undefined: not known */
  readonly nonce?: Uint8Array | readonly Uint8Array[];
  /** who signed; default responder */
  readonly role?: EvidenceRole;
  /** what was negotiated where no VCA tells it; default: the key's natural name and its usual hash */
  readonly algorithm?: SignatureName;
  readonly hash?: HashName;
  /** what does not show in the bytes: a fault of the container they came in; refused */
  readonly containerFault?: { readonly code: string; readonly detail: string };
}

/** One evidence on its way through the checks. */
export class Examination {
  readonly crypto: CryptoProvider;
  readonly evidence: Evidence;
  readonly policy: EvidencePolicy;
  readonly checks: EvidenceCheck[] = [];
  readonly notes: EvidenceNote[] = [];

  constructor(crypto: CryptoProvider, evidence: Evidence, policy: EvidencePolicy) {
    this.crypto = crypto;
    this.evidence = evidence;
    this.policy = policy;
  }

  refuse(name: string, code: string, detail: string): void {
    this.checks.push(refused(name, code, detail));
  }
  unread(name: string, code: string, refusal: Refusal): void {
    this.refuse(name, code, refusalText(refusal));
  }
}
