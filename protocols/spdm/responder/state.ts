/** What a responder is built from, and what it remembers of its one connection and its sessions. */

import type { Effect, VendorResponder, Work } from '../../engine.ts';
import type { Negotiated } from '../algorithms.ts';
import type { Measured } from '../measurements.ts';
import type { SpdmParty } from '../party.ts';
import type { SessionKeys } from '../session-keys.ts';
import type { Signer } from '../signing.ts';
import { ConnectionTranscript, type SessionTranscript } from '../transcript.ts';
import type { Phase } from './rules.ts';

export interface ResponderSlot {
  /** SPDM certificate chain: length, root hash, certificates */
  readonly chain: Uint8Array;
  readonly signer: Signer;
}

export interface ResponderConfig extends SpdmParty {
  readonly slots: ReadonlyMap<number, ResponderSlot>;
  /** what the device measures at this moment */
  readonly measure: () => readonly Measured[];
  /** seconds; 0 for none */
  readonly heartbeatPeriod: number;
  readonly sessionsMax: number;
  readonly vendor: readonly VendorResponder[];
}

export interface ResponderSession {
  readonly id: number;
  readonly keys: SessionKeys;
  readonly transcript: SessionTranscript;
  established: boolean;
  readonly terminationPolicy: number;
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

/** One request being handled: handlers add their work and effects here. */
export interface Turn {
  readonly request: Uint8Array;
  readonly version: number;
  readonly session: ResponderSession | undefined;
  readonly work: Work[];
  readonly effects: Effect[];
  /** runs once the answer is sure and sealed: what it commits to and key phases change there */
  afterSeal: (() => void) | undefined;
}

/** The four bytes an answer in this turn starts with. */
export function answerHeader(turn: Turn, code: number, Param1 = 0, Param2 = 0) {
  return { SPDMVersion: turn.version, RequestResponseCode: code, Param1, Param2 };
}

export class ResponderState {
  readonly config: ResponderConfig;
  readonly transcript = new ConnectionTranscript();
  readonly sessions = new Map<number, ResponderSession>();
  phase: Phase = 'NOT_STARTED';
  version = 0x10;
  requesterFlags = 0;
  /** the most bytes the requester takes in one message; versions before 1.2 do not say */
  requesterDataTransferSize = Number.POSITIVE_INFINITY;
  negotiated: Negotiated | undefined;
  authenticated = false;
  sessionsOpened = 0;

  constructor(config: ResponderConfig) {
    this.config = config;
  }

  /** GET_VERSION starts all over: sessions are gone, and so is what was negotiated. */
  reset(effects: Effect[], reason: string): void {
    for (const id of [...this.sessions.keys()]) this.endSession(id, effects, reason);
    this.phase = 'NOT_STARTED';
    this.version = 0x10;
    this.requesterDataTransferSize = Number.POSITIVE_INFINITY;
    this.negotiated = undefined;
    this.authenticated = false;
    this.requesterFlags = 0;
  }

  endSession(id: number, effects: Effect[], reason: string): void {
    if (!this.sessions.delete(id)) return;
    const ended: SessionEnded = { type: 'session-ended', sessionId: id, reason };
    effects.push(ended);
  }

  /** The latest session still shaking hands, for FINISH outside the record layer. */
  handshaking(): ResponderSession | undefined {
    let latest: ResponderSession | undefined;
    for (const session of this.sessions.values()) if (!session.established) latest = session;
    return latest;
  }
}
