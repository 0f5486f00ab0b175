/** What a responder is built from, and what it remembers of its one connection and its sessions. */

import type { HashName } from '../../crypto/algorithms.ts';
import type { Effect, VendorResponder, Work } from '../../engine.ts';
import { type Negotiated, type Suite, suiteOf } from '../algorithms.ts';
import { ErrorCodes } from '../codes.ts';
import type { EventQueue } from '../events.ts';
import type { Identity, IdentitySlot, ProvisionedPublicKey } from '../identity.ts';
import type { PendingUpdate } from '../key-update.ts';
import type { Measured } from '../measurements.ts';
import type { PeerPublicKey, SpdmParty, TrustChain } from '../party.ts';
import type { SessionKeys } from '../session-keys.ts';
import { ConnectionTranscript, type SessionTranscript } from '../transcript.ts';
import type { Beforehand } from './beforehand.ts';
import type { Transfers } from './chunks.ts';
import type { Deferral, Held } from './deferred.ts';
import type { EncapsulatedFlow } from './encapsulated.ts';
import type { RequesterIdentity } from './encapsulated-identity.ts';
import { checkMutual, type MutualAuthentication, type MutualState } from './mutual.ts';
import type { Provisioning } from './provisioning.ts';
import type { Phase, Where } from './rules.ts';

/** What is said to a request that comes before VCA is done; DSP0274 leaves the choice (10.1). */
export type UnnegotiatedPolicy = 'UnexpectedRequest' | 'RequestResynch' | 'silence';

export interface ResponderConfig extends SpdmParty {
  readonly identity: Identity;
  /** what the device measures at this moment */
  readonly measure: () => readonly Measured[];
  /** seconds; 0 for none */
  readonly heartbeatPeriod: number;
  readonly sessionsMax: number;
  readonly vendor: readonly VendorResponder[];
  /** keys and certificates a requester may see and change: GET_CSR, SET_CERTIFICATE, key pairs */
  readonly provisioning?: Provisioning;
  /** takes SEND_EVENT of a requester that notifies; default: not */
  readonly acceptsEvents?: boolean;
  /** judges a requester's certificate chain (mutual authentication) */
  readonly trust?: TrustChain;
  /** whether requesters are to prove who they are; default: not at all */
  readonly mutualAuthentication?: MutualAuthentication;
  /** the requester's key, where it has no certificates (PUB_KEY_ID_CAP) */
  readonly peerPublicKey?: PeerPublicKey | undefined;
  /** the requester's chain blob, where it need not be asked for */
  readonly peerChain?: Uint8Array | undefined;
  /** what GET_VERSION leads to, where nothing is left to negotiate; default: VCA decides */
  readonly beforehand?: Beforehand;
  /**
   * Answers what a session carries besides SPDM (MCTP message types other than SPDM's, DSP0276); undefined:
   * silence. Default: all of it is met with silence.
   */
  readonly application?: (sessionId: number, message: Uint8Array) => Uint8Array | undefined;
  /** default: UnexpectedRequest */
  readonly unnegotiated?: UnnegotiatedPolicy;
  /** of an answer that takes this work: whether ERROR(ResponseNotReady) comes first */
  readonly readiness?: (requestCode: number, work: readonly Work[]) => Deferral | undefined;
}

export interface ResponderSession {
  readonly id: number;
  readonly kind: 'DHE' | 'PSK';
  readonly keys: SessionKeys;
  readonly transcript: SessionTranscript;
  established: boolean;
  /** seconds; 0: none */
  readonly heartbeatPeriod: number;
  readonly terminationPolicy: number;
  /** every event is subscribed to from the start (1.3) */
  readonly eventAllPolicy: number;
  /** subscriptions and events on their way; undefined until either is asked for */
  events?: EventQueue;
  readonly mutual: MutualState;
  /** a KEY_UPDATE that VerifyNewKey has not followed yet */
  keyUpdate?: PendingUpdate | undefined;
}

export interface SessionEstablished extends Effect {
  readonly type: 'session-established';
  readonly sessionId: number;
  readonly heartbeatPeriod: number;
}
export interface SessionEnded extends Effect {
  readonly type: 'session-ended';
  readonly sessionId: number;
  readonly reason: string;
}

/** A HEARTBEAT was answered: the session's watchdog starts anew. */
export interface SessionHeartbeat extends Effect {
  readonly type: 'session-heartbeat';
  readonly sessionId: number;
}

/** ERROR to answer with. */
export interface ErrorAnswer {
  readonly error: number;
  readonly data?: number;
  readonly extended?: Uint8Array;
}
export type Answer = Uint8Array | ErrorAnswer | undefined;

export const isErrorAnswer = (answer: Answer): answer is ErrorAnswer =>
  answer !== undefined && !(answer instanceof Uint8Array);

export const invalid: ErrorAnswer = { error: ErrorCodes.InvalidRequest };
export const unexpected: ErrorAnswer = { error: ErrorCodes.UnexpectedRequest };
export const unsupported = (turn: Turn): ErrorAnswer => ({
  error: ErrorCodes.UnsupportedRequest,
  data: turn.request[1]!,
});

/** One request being handled: handlers add their work and effects here. */
export interface Turn {
  /** the request alone, padding stripped and chunks put together */
  readonly request: Uint8Array;
  readonly version: number;
  readonly session: ResponderSession | undefined;
  readonly work: Work[];
  readonly effects: Effect[];
  /** effects of commits that waited for this turn: a held answer's, a large answer's */
  readonly late: Effect[][];
  /** run once the answer is sure and sealed: what it commits to and key phases change there */
  commits: (() => void)[];
  /** answers a request that came in chunks; what it commits to becomes part of `into` */
  readonly dispatch: (into: Turn, request: Uint8Array) => Answer;
  /** an ERROR as bytes, in the version it must bear */
  readonly encodeError: (answer: ErrorAnswer) => Uint8Array;
}

/** The four bytes an answer in this turn starts with. */
export function answerHeader(turn: Turn, code: number, Param1 = 0, Param2 = 0) {
  return { SPDMVersion: turn.version, RequestResponseCode: code, Param1, Param2 };
}

/** How one request code is answered; `session` is there where the rules say so. */
export type Handler = (
  state: ResponderState,
  turn: Turn,
  value: never,
  session: ResponderSession,
) => Answer;
export type Handlers = Readonly<Record<number, Handler>>;

const UNLIMITED = Number.POSITIVE_INFINITY;

export class ResponderState {
  readonly config: ResponderConfig;
  readonly transcript = new ConnectionTranscript();
  readonly sessions = new Map<number, ResponderSession>();
  /** large messages under way, by the session they belong to; undefined: outside sessions */
  readonly transfers = new Map<number | undefined, Transfers>();
  /** what was measured when each L1/L2 window began, by session; undefined: outside sessions */
  readonly measuredAtStart = new Map<number | undefined, string>();
  /** the answer that RESPOND_IF_READY will fetch */
  held: Held | undefined;
  phase: Phase = 'NOT_STARTED';
  version = 0x10;
  requesterFlags = 0;
  /** the most bytes the requester takes in one message, and in chunks; before 1.2 nobody says */
  requesterDataTransferSize = UNLIMITED;
  requesterMaxSpdmMsgSize = UNLIMITED;
  negotiated: Negotiated | undefined;
  authenticated = false;
  /** the requester, once it was authenticated in this connection */
  requester: RequesterIdentity | undefined;
  sessionsOpened = 0;
  /** what the responder asks of the requester, in order, and the number of its last request */
  encapsulated: EncapsulatedFlow[] = [];
  encapsulatedId = 0;
  /** of the next LargeResponse, and of the next ResponseNotReady */
  nextHandle = 0;
  nextToken = 0;
  /** CACHE_CAP: what was negotiated outlives a reset, until END_SESSION asks to forget it */
  cachesNegotiated = true;

  constructor(config: ResponderConfig) {
    checkMutual(config);
    this.config = config;
  }

  /** GET_VERSION starts all over: sessions are gone, and so is what was negotiated. */
  reset(effects: Effect[], reason: string): void {
    this.endSessions(effects, reason);
    this.phase = 'NOT_STARTED';
    this.version = 0x10;
    this.requesterDataTransferSize = UNLIMITED;
    this.requesterMaxSpdmMsgSize = UNLIMITED;
    this.negotiated = undefined;
    this.authenticated = false;
    this.requester = undefined;
    this.encapsulatedId = 0;
    this.requesterFlags = 0;
    this.cachesNegotiated = true;
  }

  /** Every session, and all that is under way. */
  endSessions(effects: Effect[], reason: string): void {
    for (const id of [...this.sessions.keys()]) this.endSession(id, effects, reason);
    this.transfers.clear();
    this.measuredAtStart.clear();
    this.encapsulated = [];
    this.held = undefined;
  }

  endSession(id: number, effects: Effect[], reason: string): void {
    if (!this.sessions.delete(id)) return;
    this.transfers.delete(id);
    this.measuredAtStart.delete(id);
    this.encapsulated = this.encapsulated.filter(({ sessionId }) => sessionId !== id);
    if (this.held?.sessionId === id) this.held = undefined;
    const ended: SessionEnded = { type: 'session-ended', sessionId: id, reason };
    effects.push(ended);
  }

  /** The latest key exchange still shaking hands, for what goes outside the record layer. */
  handshaking(): ResponderSession | undefined {
    let latest: ResponderSession | undefined;
    for (const session of this.sessions.values())
      if (!session.established && session.kind === 'DHE') latest = session;
    return latest;
  }

  suite(): Suite | undefined {
    return this.negotiated && suiteOf(this.negotiated);
  }

  /** The provisioned slots under what was negotiated, in order; none if nobody here signs that way. */
  slots(): ReadonlyMap<number, IdentitySlot> {
    const suite = this.suite();
    if (suite?.signature === undefined) return new Map();
    const { signature, hash } = suite;
    const multiKey = this.negotiated!.multiKeyConn;
    const found = this.config.identity.slots({ signature, hash, multiKey });
    return new Map([...found.entries()].sort(([a], [b]) => a - b));
  }

  /** The key the requester was given beforehand. */
  publicKey(): ProvisionedPublicKey | undefined {
    const suite = this.suite();
    if (suite?.signature === undefined) return undefined;
    return this.config.identity.publicKey({ signature: suite.signature, hash: suite.hash });
  }
}

export function whereOf(session: ResponderSession | undefined): Where {
  if (session === undefined) return 'plain';
  if (session.established) return 'established';
  return session.kind === 'PSK' ? 'psk-handshake' : 'handshake';
}

/** @throws never: handlers run once the hash is negotiated and known here (rules.ts). */
export const hashOf = (state: ResponderState): HashName => state.suite()!.hash;
