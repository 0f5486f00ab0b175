/**
 * Transcripts (DSP0274 15, 10.12): which messages a signature or HMAC covers. Built from whole
 * messages only: transport padding must be gone before anything is added.
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

/** Requests that, before the peer is authenticated, start M1/M2's B and C anew. */
const clearsBC: readonly number[] = [
  RequestCodes.KEY_EXCHANGE,
  RequestCodes.GET_MEASUREMENTS,
  RequestCodes.FINISH,
  RequestCodes.PSK_EXCHANGE,
  RequestCodes.PSK_FINISH,
  RequestCodes.KEY_UPDATE,
  RequestCodes.HEARTBEAT,
  RequestCodes.GET_ENCAPSULATED_REQUEST,
  RequestCodes.DELIVER_ENCAPSULATED_RESPONSE,
  RequestCodes.END_SESSION,
  RequestCodes.GET_MEASUREMENT_EXTENSION_LOG,
];

/** The transcripts of one connection outside its sessions. */
export class ConnectionTranscript {
  /** VCA: GET_VERSION .. ALGORITHMS */
  readonly a = new MessageLog();
  readonly b = new MessageLog();
  readonly c = new MessageLog();
  /** measurements, kept apart from those of each session */
  readonly l = new MessageLog();

  /**
   * Reset rules on a request outside a session, before it is appended. Once CHALLENGE_AUTH has
   * authenticated the peer, other requests leave B and C alone.
   */
  onRequest(code: number, authenticated: boolean): void {
    if (code === RequestCodes.GET_VERSION) {
      this.a.clear();
      this.b.clear();
      this.c.clear();
    }
    if (code === RequestCodes.GET_DIGESTS) this.b.clear();
    if (code === RequestCodes.CHALLENGE) this.c.clear();
    if (!authenticated && clearsBC.includes(code)) {
      this.b.clear();
      this.c.clear();
    }
    if (code !== RequestCodes.GET_MEASUREMENTS) this.l.clear();
  }

  /** M1/M2 without the signature; `c` holds CHALLENGE and CHALLENGE_AUTH up to it. */
  m1m2(): Uint8Array {
    return concat(this.a.bytes(), this.b.bytes(), this.c.bytes());
  }
}

/** L1/L2: VCA in front from 1.2 on. */
export function l1l2(version: number, vca: Uint8Array, measurements: MessageLog): Uint8Array {
  return version >= 0x12 ? concat(vca, measurements.bytes()) : measurements.bytes();
}

/**
 * TH of one session: VCA, the responder's certificate chain hash (none in PSK sessions), then the
 * handshake messages as far as they have come.
 */
export class SessionTranscript {
  readonly l = new MessageLog();
  private readonly th = new MessageLog();

  constructor(vca: Uint8Array, certChainHash: Uint8Array | undefined) {
    this.th.add(vca);
    if (certChainHash !== undefined) this.th.add(certChainHash);
  }
  add(...messages: readonly Uint8Array[]): void {
    this.th.add(...messages);
  }
  bytes(): Uint8Array {
    return this.th.bytes();
  }
}
