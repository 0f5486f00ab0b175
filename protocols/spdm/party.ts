/** What both roles of a connection are built from: what they say in VCA, and where entropy comes from. */

import type { PeerFault } from '../codec/refusal.ts';
import type { SignatureName } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import type { DeviceClass } from './endpoint-info.ts';
import type { EventGroup } from './events.ts';
import type { LeafKey } from './observer/types.ts';
import type { RecordBinding } from './secured-message.ts';

/**
 * Bit masks of what a party supports, as NEGOTIATE_ALGORITHMS carries them; what is left out is not
 * supported. Which of several a responder picks, `preference.ts` says.
 */
export interface SupportedAlgorithms {
  /** a responder's MeasurementHashAlgo; its most significant bit counts */
  readonly measurementHash: number;
  readonly baseAsym: number;
  readonly baseHash: number;
  readonly dhe: number;
  readonly aead: number;
  /** the requester's signatures (mutual authentication) */
  readonly reqAsym?: number;
  /** 1.4 */
  readonly pqcAsym?: number;
  readonly reqPqcAsym?: number;
  readonly kem?: number;
  /** 1.3: bit 0 DMTF */
  readonly melSpecification?: number;
  /** bit 0 OpaqueDataFmt0, bit 1 OpaqueDataFmt1; default both */
  readonly opaqueFormats?: number;
  /** a responder asks requesters that can for a key pair per slot (1.3); default true */
  readonly multiKey?: boolean;
  /** where both families fit, a responder takes the post-quantum one; default: the classic one */
  readonly pqcFirst?: boolean;
}

/** A secret of the key schedule, for capture tools. */
export interface KeyLogEntry {
  readonly kind: 'DHE' | 'KEM' | 'PSK';
  readonly sessionId: number;
  readonly secret: Uint8Array;
}

/**
 * Judges a certificate chain blob whose root hash has `hashSize` bytes, and gives the leaf's key: under
 * the name `wanted`, where a key fits several (RSASSA, RSAPSS).
 */
export type TrustChain = (
  chain: Uint8Array,
  hashSize: number,
  wanted?: SignatureName,
) => LeafKey | PeerFault;

/** A peer's public key that was given beforehand (slot 0xFF). */
export interface PeerPublicKey {
  /** SubjectPublicKeyInfo in DER */
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly key: LeafKey;
}

export interface SpdmParty {
  readonly crypto: CryptoProvider;
  readonly binding: RecordBinding;
  readonly random: (size: number) => Uint8Array;
  /** SPDMVersion bytes it speaks, ascending */
  readonly versions: readonly number[];
  /** secured message versions (DSP0277) as VERSION entries, ascending; default 1.1 alone */
  readonly securedVersions?: readonly number[];
  /** sequence numbers stay below 2^this in each direction (DSP0277 1.3); default 64 */
  readonly aeadLimitExponent?: number;
  /** CAPABILITIES Flags: see `capabilityFlags` */
  readonly flags: number;
  /** CAPABILITIES ExtFlags (1.4) */
  readonly extFlags?: number;
  /** answers to cryptographic requests within 2^ctExponent us */
  readonly ctExponent: number;
  readonly dataTransferSize: number;
  readonly maxSpdmMsgSize: number;
  /** most bytes of a message or record on its way to the peer, where the way takes less than the peer */
  readonly transmitSize?: number;
  readonly algorithms: SupportedAlgorithms;
  /** pre-shared key of a hint; undefined: unknown hint */
  readonly psk?: (hint: Uint8Array) => Uint8Array | undefined;
  /** what it says in ENDPOINT_INFO (1.3, EP_INFO_CAP); undefined: it is not asked */
  readonly deviceClasses?: readonly DeviceClass[];
  /** types of events it notifies of (1.3, EVENT_CAP); undefined: none */
  readonly eventGroups?: readonly EventGroup[];
  /** is told each session's secret; leave it out where that is not wanted */
  readonly keyLog?: (entry: KeyLogEntry) => void;
}
