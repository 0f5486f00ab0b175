/**
 * Transcripts (DSP0274 15, 10.12): which messages a signature or HMAC covers. Built from whole
 * messages only: transport padding must be gone, and chunks put together, before anything is added.
 */

import { concat } from '../codec/bytes.ts';
import { RequestCodes } from './codes.ts';

/** Messages appended in order. */
export class MessageLog {
  private parts: Uint8Array[] = [];
  add(...messages: readonly Uint8Array[]): void {
    for (const message of messages) this.parts.push(message.slice());
  }
  clear(): void {
    this.parts = [];
  }
  bytes(): Uint8Array {
    return concat(...this.parts);
  }
  get empty(): boolean {
    return this.parts.length === 0;
  }
}

type LogName = 'a' | 'b' | 'c' | 'mutB' | 'mutC' | 'l';

/** Which logs a request outside a session starts anew, before it is appended. */
export interface ResetRule {
  readonly always?: readonly LogName[];
  /** only before CHALLENGE_AUTH has authenticated the responder */
  readonly unauthenticated?: readonly LogName[];
}

const skipsChallenge: ResetRule = { unauthenticated: ['b', 'c', 'mutB', 'mutC'] };

/** Reset rules (DSP0274 15): a request that is not listed clears L1/L2 alone. */
export const resetRules: Readonly<Record<number, ResetRule>> = {
  [RequestCodes.GET_VERSION]: { always: ['a', 'b', 'c', 'mutB', 'mutC'] },
  [RequestCodes.GET_DIGESTS]: { always: ['b'] },
  [RequestCodes.CHALLENGE]: { always: ['c'] },
  [RequestCodes.KEY_EXCHANGE]: skipsChallenge,
  [RequestCodes.GET_MEASUREMENTS]: skipsChallenge,
  [RequestCodes.FINISH]: skipsChallenge,
  [RequestCodes.PSK_EXCHANGE]: skipsChallenge,
  [RequestCodes.PSK_FINISH]: skipsChallenge,
  [RequestCodes.KEY_UPDATE]: skipsChallenge,
  [RequestCodes.HEARTBEAT]: skipsChallenge,
  [RequestCodes.GET_ENCAPSULATED_REQUEST]: skipsChallenge,
  [RequestCodes.DELIVER_ENCAPSULATED_RESPONSE]: { unauthenticated: ['b', 'c'] },
  [RequestCodes.END_SESSION]: skipsChallenge,
  [RequestCodes.GET_MEASUREMENT_EXTENSION_LOG]: skipsChallenge,
};

/** Requests that carry or fetch others, and so are in no transcript and reset none. */
export const isCarrier = (code: number): boolean =>
  code === RequestCodes.CHUNK_SEND ||
  code === RequestCodes.CHUNK_GET ||
  code === RequestCodes.RESPOND_IF_READY;

/** The transcripts of one connection outside its sessions. */
export class ConnectionTranscript {
  /** VCA: GET_VERSION .. ALGORITHMS */
  readonly a = new MessageLog();
  readonly b = new MessageLog();
  readonly c = new MessageLog();
  /** the same in the other direction, encapsulated */
  readonly mutB = new MessageLog();
  readonly mutC = new MessageLog();
  /** measurements, kept apart from those of each session */
  readonly l = new MessageLog();
  /** DIGESTS that followed ALGORITHMS at once: part of TH where slots have key pairs of their own */
  private d: Uint8Array | undefined;
  private digestsWindow: 'before' | 'open' | 'closed' = 'before';

  /** Reset rules on a request outside a session, before it is appended. */
  onRequest(code: number, authenticated: boolean): void {
    if (isCarrier(code)) return;
    const rule = resetRules[code];
    for (const name of rule?.always ?? []) this[name].clear();
    if (!authenticated) for (const name of rule?.unauthenticated ?? []) this[name].clear();
    if (code !== RequestCodes.GET_MEASUREMENTS) this.l.clear();
    if (code === RequestCodes.GET_VERSION) {
      this.d = undefined;
      this.digestsWindow = 'before';
    }
    this.closesDigestsWindow(code);
  }

  /** A request inside a session ends the window for DIGESTS too. */
  closesDigestsWindow(code: number): void {
    if (this.digestsWindow === 'open' && code !== RequestCodes.GET_DIGESTS)
      this.digestsWindow = 'closed';
  }

  /** ALGORITHMS went by. */
  negotiated(): void {
    this.digestsWindow = 'open';
  }

  /** A DIGESTS outside a session: the first in the window is kept. */
  addDigests(response: Uint8Array): void {
    if (this.digestsWindow === 'open') this.d ??= response.slice();
  }

  /** What TH starts with: VCA, and DIGESTS in a multi-key connection (1.3). */
  handshakeStart(multiKeyConn: boolean): Uint8Array {
    const digests = multiKeyConn ? this.d : undefined;
    return concat(this.a.bytes(), digests ?? new Uint8Array(0));
  }

  /** M1/M2 without the signature; `c` holds CHALLENGE and CHALLENGE_AUTH up to it. */
  m1m2(): Uint8Array {
    return concat(this.a.bytes(), this.b.bytes(), this.c.bytes());
  }

  /** CHALLENGE_AUTH was given or verified: the next M1/M2 starts anew. */
  challenged(): void {
    this.b.clear();
    this.c.clear();
  }

  /** M1/M2 of mutual authentication: VCA in front from 1.2 on. */
  mutualM1m2(version: number): Uint8Array {
    const vca = version >= 0x12 ? this.a.bytes() : new Uint8Array(0);
    return concat(vca, this.mutB.bytes(), this.mutC.bytes());
  }
}

/** L1/L2: VCA in front from 1.2 on. */
export function l1l2(version: number, vca: Uint8Array, measurements: MessageLog): Uint8Array {
  return version >= 0x12 ? concat(vca, measurements.bytes()) : measurements.bytes();
}

/**
 * TH of one session: what its connection starts with, the responder's certificate chain hash (none in
 * PSK sessions), then the handshake messages as far as they have come.
 */
export class SessionTranscript {
  readonly l = new MessageLog();
  private readonly th = new MessageLog();

  constructor(start: Uint8Array, certChainHash: Uint8Array | undefined) {
    this.th.add(start);
    if (certChainHash !== undefined) this.th.add(certChainHash);
  }
  add(...messages: readonly Uint8Array[]): void {
    this.th.add(...messages);
  }
  bytes(): Uint8Array {
    return this.th.bytes();
  }
}
