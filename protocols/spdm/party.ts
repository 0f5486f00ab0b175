/** What both roles of a connection are built from: what they say in VCA, and where entropy comes from. */

import type { CryptoProvider } from '../crypto/provider.ts';
import type { RecordBinding } from './secured-message.ts';

/**
 * Bit masks of what a party supports, as NEGOTIATE_ALGORITHMS carries them. A responder picks the most
 * significant bit that both have.
 */
export interface SupportedAlgorithms {
  readonly measurementHash: number;
  readonly baseAsym: number;
  readonly baseHash: number;
  readonly dhe: number;
  readonly aead: number;
}

export interface SpdmParty {
  readonly crypto: CryptoProvider;
  readonly binding: RecordBinding;
  readonly random: (size: number) => Uint8Array;
  /** SPDMVersion bytes it speaks, ascending */
  readonly versions: readonly number[];
  /** CAPABILITIES Flags: see `capabilityFlags` */
  readonly flags: number;
  /** answers to cryptographic requests within 2^ctExponent us */
  readonly ctExponent: number;
  readonly dataTransferSize: number;
  readonly maxSpdmMsgSize: number;
  readonly algorithms: SupportedAlgorithms;
}
