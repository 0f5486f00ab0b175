/**
 * What every sans-IO engine has in common. A responder turns request bytes into a reply, the `work`
 * its silicon would have to do (which a device model turns into time) and typed `effects`. A requester
 * is a generator that yields what it wants sent and receives what came back; whoever drives it decides
 * whether that happens in simulated time, over a socket or in a plain loop.
 */

import type { PeerFault } from './codec/refusal.ts';

/** One piece of computation; `bytes` scales the ones that grow with size. */
export interface Work {
  readonly op: WorkOp;
  readonly bytes?: number;
}
export const WorkOps = [
  'message',
  'hash',
  'hmac',
  'sign',
  'verify',
  'dhe-generate',
  'dhe-compute',
  'aead-seal',
  'aead-open',
  'random',
  'measure',
  'certificate-parse',
  'key-program',
  'lock',
  'scrub',
] as const;
export type WorkOp = (typeof WorkOps)[number];

/** A fact the engine's owner must act on or record. */
export interface Effect {
  readonly type: string;
}

/** Refuse at SPDM level instead of answering in the vendor protocol: ERROR with this code and data. */
export interface SpdmErrorReply {
  readonly spdmError: number;
  readonly data?: number;
}

export interface VendorOutcome {
  /** answer payload without the protocol id byte, an SPDM ERROR, or undefined for silence */
  readonly reply: Uint8Array | SpdmErrorReply | undefined;
  readonly work: readonly Work[];
  readonly effects: readonly Effect[];
}

/** A responder whose messages travel in VENDOR_DEFINED_REQUEST with PCI-SIG as the vendor. */
export interface VendorResponder {
  /** PCI-SIG protocol id: 0 IDE_KM, 1 TDISP */
  readonly protocolId: number;
  readonly name: string;
  /** `payload` is without the protocol id byte; `sessionId` is undefined outside a secured session. */
  handle(payload: Uint8Array, sessionId: number | undefined): VendorOutcome;
}

/** A requester of such a protocol: yields payloads without the protocol id byte, receives the answers. */
export type VendorExchange<T> = Generator<Uint8Array, T | PeerFault, Uint8Array>;
