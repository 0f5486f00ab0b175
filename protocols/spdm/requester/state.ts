/** What a requester is built from, and what it remembers of its one connection and its sessions. */

import { LocalError, type PeerFault } from '../../codec/refusal.ts';
import type { HashName } from '../../crypto/algorithms.ts';
import type { Work } from '../../engine.ts';
import { type Negotiated, type Suite, suiteOf } from '../algorithms.ts';
import type { NumberedEvent } from '../events.ts';
import type { Identity } from '../identity.ts';
import type { PendingUpdate } from '../key-update.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import type { MessageValue } from '../messages/registry.ts';
import type { LeafKey } from '../observer/types.ts';
import type { PeerPublicKey, SpdmParty, TrustChain } from '../party.ts';
import type { Packet } from '../responder/responder.ts';
import type { SessionKeys } from '../session-keys.ts';
import { ConnectionTranscript, type SessionTranscript } from '../transcript.ts';

import type { SlotFacts } from './certificates.ts';

export type { PeerPublicKey } from '../party.ts';

/** A request on its way out. */
export interface Outgoing extends Packet {
  /** the message in the clear, for traces */
  readonly clear: Uint8Array;
  readonly sessionId: number | undefined;
  /** what the requester had to compute since its last request */
  readonly work: readonly Work[];
  /** wait this long before sending: the responder was busy, or not ready (us) */
  readonly waitUs?: number;
  /** the answer is due within this, besides the round trip: ST1 or CT (us; DSP0274 10.1) */
  readonly timeoutUs: number;
}
/** A requester yields what is to be sent and receives what came back; a peer's fault is its result. */
export type Exchange<T> = Generator<Outgoing, T | PeerFault, Packet>;

export interface RequesterConfig extends SpdmParty {
  /** bytes asked for by each GET_CERTIFICATE */
  readonly certificatePortion: number;
  /** judges a responder's certificate chain */
  readonly trust: TrustChain;
  /** the responder's key, where no certificates are exchanged */
  readonly peerPublicKey?: PeerPublicKey;
  /** who the requester is, for mutual authentication */
  readonly identity?: Identity;
  /** is handed each event of the responder, in order (1.3) */
  readonly onEvent?: (event: NumberedEvent, sessionId: number) => void;
  /** asks a responder with MULTI_KEY_CAP for keys of their own in its slots (1.3); default true */
  readonly asksMultiKey?: boolean;
  /** asks for the Supported Algorithms block in CAPABILITIES (1.3, with CHUNK_CAP) */
  readonly asksSupportedAlgorithms?: boolean;
  /** updates a session's keys by itself before they run into the AEAD limit (KEY_UPD_CAP) */
  readonly autoKeyUpdate?: boolean;
  /** how often a request is sent again to a busy responder; default 3 */
  readonly busyRetries?: number;
}

export interface RequesterSession {
  readonly id: number;
  readonly kind: 'DHE' | 'PSK';
  readonly keys: SessionKeys;
  readonly transcript: SessionTranscript;
  readonly heartbeatPeriod: number;
  /** MeasurementSummaryHash of the exchange's answer, if it was asked for */
  readonly summary: Uint8Array | undefined;
  established: boolean;
  /** a KEY_UPDATE without its acknowledgement yet */
  keyUpdate?: PendingUpdate | undefined;
}

const UNLIMITED = Number.POSITIVE_INFINITY;

export class RequesterState {
  readonly config: RequesterConfig;
  readonly transcript = new ConnectionTranscript();
  readonly sessions = new Map<number, RequesterSession>();
  /** certificate chain blobs by slot; in 0xFF the provisioned public key */
  readonly chains = new Map<number, Uint8Array>();
  readonly leaves = new Map<number, LeafKey>();
  version = 0x10;
  responderFlags = 0;
  responderExtFlags = 0;
  responderCtExponent = 0;
  /** no message, and no large message, may be longer; without limit until CAPABILITIES names one */
  responderDataTransferSize = UNLIMITED;
  responderMaxSpdmMsgSize = UNLIMITED;
  slotFacts: SlotFacts | undefined;
  /** the block of CAPABILITIES, if it was asked for and is there */
  supportedAlgorithms: MessageValue<0x61>['SupportedAlgorithms'];
  negotiated: Negotiated | undefined;
  authenticated = false;
  work: Work[] = [];
  sessionsOpened = 0;
  /** of the next CHUNK_SEND */
  nextHandle = 0;

  constructor(config: RequesterConfig) {
    this.config = config;
    const { peerPublicKey } = config;
    if (peerPublicKey === undefined) return;
    this.chains.set(PUBLIC_KEY_SLOT, peerPublicKey.subjectPublicKeyInfo);
    this.leaves.set(PUBLIC_KEY_SLOT, peerPublicKey.key);
  }

  /** As before GET_VERSION: nothing is agreed on. Chains that were judged stay known. */
  reset(): void {
    this.version = 0x10;
    this.negotiated = undefined;
    this.supportedAlgorithms = undefined;
    this.slotFacts = undefined;
    this.responderFlags = 0;
    this.responderExtFlags = 0;
    this.responderDataTransferSize = UNLIMITED;
    this.responderMaxSpdmMsgSize = UNLIMITED;
    this.authenticated = false;
    this.sessions.clear();
  }
}

/** @throws LocalError if `negotiate` has not run to its end */
export function negotiatedOrThrow(state: RequesterState): Negotiated {
  if (state.negotiated === undefined)
    throw new LocalError('state: run negotiate() to its end before this exchange');
  return state.negotiated;
}

/** @throws LocalError as `negotiatedOrThrow`, and if the hash is none of ours */
export function suiteOrThrow(state: RequesterState): Suite {
  const suite = suiteOf(negotiatedOrThrow(state));
  if (suite === undefined) throw new LocalError('state: the negotiated hash is not computed here');
  return suite;
}

export const hashName = (state: RequesterState): HashName => suiteOrThrow(state).hash;
