/**
 * Who waits for what, within a session or outside all of them: the request whose answer is still to come,
 * one that was put off (ResponseNotReady), and large messages on their way in chunks (DSP0274 10.9 and
 * clause "Large SPDM message transfer mechanism").
 */

import { concat, equal } from '../../codec/bytes.ts';
import { type Refusal, RefusalCodes, refuse } from '../../codec/refusal.ts';
import { RequestCodes } from '../codes.ts';

/** A request as its answer must know it. */
export interface Asked {
  readonly code: number;
  readonly bytes: Uint8Array;
}

/** What a chunk says of itself. */
export interface Chunk {
  readonly handle: number;
  readonly sequence: number;
  readonly isLast: boolean;
  /** bytes of the whole message; told with chunk 0 */
  readonly size: number | undefined;
  readonly bytes: Uint8Array;
}

const NARROW_SEQUENCES = 0x10000;
const WIDE_SEQUENCES = 0x100000000;

/** One large message being put together. Memory grows with what was heard, never with what was announced. */
export class Reassembly {
  readonly handle: number;
  readonly size: number;
  private readonly parts: Uint8Array[] = [];
  private received = 0;

  constructor(first: Chunk) {
    this.handle = first.handle;
    this.size = first.size ?? 0;
  }

  /** The whole message after its last chunk; undefined: there is more to come, or this one came before. */
  take(chunk: Chunk, sequences: number): Uint8Array | Refusal | undefined {
    const expected = this.parts.length % sequences;
    const last = this.parts.at(-1);
    if (chunk.sequence !== expected) {
      const again = chunk.sequence === (this.parts.length - 1) % sequences;
      if (last !== undefined && again && equal(last, chunk.bytes)) return undefined;
      const detail = `chunk ${chunk.sequence}, expected ${expected}`;
      return refuse(RefusalCodes.BAD_VALUE, 'ChunkSeqNo', 4, detail);
    }
    this.parts.push(chunk.bytes);
    this.received += chunk.bytes.length;
    if (this.received > this.size || chunk.isLast !== (this.received === this.size)) {
      const detail = `${this.received} of ${this.size} bytes after chunk ${chunk.sequence}`;
      return refuse(RefusalCodes.BAD_LENGTH, 'ChunkSize', 8, detail);
    }
    return chunk.isLast ? concat(...this.parts) : undefined;
  }
}

export class Conversation {
  readonly sessionId: number | undefined;
  pending: Asked | undefined;
  /** the responder's encapsulated request that waits for its answer */
  encapsulated: Asked | undefined;
  private deferred: { readonly token: number; readonly asked: Asked } | undefined;
  private transfers: { sent?: Reassembly; fetched?: Reassembly } = {};
  /** a large request is whole: what comes next from the responder is its answer */
  private answerDue = false;

  constructor(sessionId: number | undefined) {
    this.sessionId = sessionId;
  }

  /** A new request, whole. */
  asks(code: number, bytes: Uint8Array): void {
    this.pending = { code, bytes };
    this.transfers = {};
  }

  /** ResponseNotReady: RESPOND_IF_READY with `token` will ask for the same again. */
  defer(token: number): void {
    if (this.pending !== undefined) this.deferred = { token, asked: this.pending };
    this.pending = undefined;
  }

  /** RESPOND_IF_READY: the answer is that of the request it names. */
  resume(code: number, token: number): void {
    const { deferred } = this;
    const fits = deferred?.token === token && deferred.asked.code === code;
    this.pending = fits ? deferred.asked : undefined;
  }

  /** A chunk of a request (`sent`) or of an answer (`fetched`). */
  chunk(way: 'sent' | 'fetched', chunk: Chunk, version: number): Uint8Array | Refusal | undefined {
    if (chunk.size !== undefined) this.transfers[way] = new Reassembly(chunk);
    const transfer = this.transfers[way];
    if (transfer === undefined || transfer.handle !== chunk.handle)
      return refuse(RefusalCodes.BAD_VALUE, 'Param2', 3, `no large message ${chunk.handle} began`);
    const whole = transfer.take(chunk, version < 0x14 ? NARROW_SEQUENCES : WIDE_SEQUENCES);
    if (whole === undefined) return undefined;
    delete this.transfers[way];
    if (way === 'sent') this.answerDue = whole instanceof Uint8Array;
    return whole;
  }

  /** Bytes of the large message a chunk belongs to. */
  sizeOf(way: 'sent' | 'fetched', handle: number): number | undefined {
    const transfer = this.transfers[way];
    return transfer?.handle === handle ? transfer.size : undefined;
  }

  /** CHUNK_SEND_ACK: whether it brings the answer to the large request. */
  takesAnswer(isEarlyError: boolean): boolean {
    const due = this.answerDue;
    this.answerDue = false;
    if (isEarlyError) {
      delete this.transfers.sent;
      this.pending = undefined;
    }
    return due || isEarlyError;
  }
}

const GET_ENDPOINT_INFO_ATTRIBUTES = 4;
/** 1 if the request asks for a signed answer: GET_MEASUREMENTS in Param1, GET_ENDPOINT_INFO after its header. */
export function signatureAsked(asked: Asked | undefined): 0 | 1 {
  if (asked === undefined) return 0;
  const isEndpointInfo = asked.code === RequestCodes.GET_ENDPOINT_INFO;
  const attributes = asked.bytes[isEndpointInfo ? GET_ENDPOINT_INFO_ATTRIBUTES : 2] ?? 0;
  return (attributes & 1) === 1 ? 1 : 0;
}

/** MeasurementSummaryHashType of a request: CHALLENGE has it in Param2, the others in Param1. */
export function summaryAsked(asked: Asked | undefined): number {
  if (asked === undefined) return 0;
  return asked.bytes[asked.code === RequestCodes.CHALLENGE ? 3 : 2] ?? 0;
}
