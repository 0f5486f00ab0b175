/**
 * Large messages in chunks (DSP0274 10.24, 1.2): CHUNK_SEND puts a request together, CHUNK_GET hands an
 * answer out. Each session has transfers of its own, and so has the connection outside them. A transfer
 * that breaks a rule is dropped; what its answer commits to happens with the last chunk.
 */

import { concat, le } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import type { Effect } from '../../engine.ts';
import {
  chunkHeadSize,
  chunkSizeMin,
  chunksMax,
  DATA_TRANSFER_SIZE_MIN,
  EARLY_ERROR,
  LAST_CHUNK,
} from '../chunk-limits.ts';
import { ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import * as layouts from '../messages/chunks.ts';
import { bothHave } from '../negotiate.ts';
import { recordOverhead, recordRoom } from '../secured-message.ts';
import {
  type Answer,
  answerHeader,
  type ErrorAnswer,
  invalid,
  isErrorAnswer,
  type ResponderSession,
  type ResponderState,
  type Turn,
  unexpected,
} from './state.ts';

interface Receiving {
  readonly handle: number;
  readonly size: number;
  next: number;
  received: number;
  readonly parts: Uint8Array[];
}
interface Sending {
  readonly handle: number;
  readonly message: Uint8Array;
  next: number;
  sent: number;
  readonly commits: (() => void)[];
  /** where what it commits to tells of it */
  readonly effects: Effect[];
}
export interface Transfers {
  receiving?: Receiving | undefined;
  sending?: Sending | undefined;
}

function transfersOf(state: ResponderState, turn: Turn): Transfers {
  const id = turn.session?.id;
  const known = state.transfers.get(id);
  if (known !== undefined) return known;
  const fresh: Transfers = {};
  state.transfers.set(id, fresh);
  return fresh;
}

/**
 * The most bytes one message to the requester may have: what it takes, what the way takes, and inside a
 * session what a record does.
 */
export function answerLimit(state: ResponderState, session?: ResponderSession): number {
  const way = state.config.transmitSize ?? Number.POSITIVE_INFINITY;
  if (session === undefined) return Math.min(state.requesterDataTransferSize, way);
  const { records } = session.keys;
  const room = Math.min(recordRoom(records), way - recordOverhead(records));
  return Math.min(state.requesterDataTransferSize, room);
}

/**
 * The code of the request a transfer in this session waits for: anything else but GET_VERSION is
 * refused, and does not end the transfer.
 */
export function awaited(state: ResponderState, sessionId: number | undefined): number | undefined {
  const transfers = state.transfers.get(sessionId);
  if (transfers?.sending !== undefined) return RequestCodes.CHUNK_GET;
  return transfers?.receiving === undefined ? undefined : RequestCodes.CHUNK_SEND;
}

/** An answer as it is if it fits; else in chunks. */
export function fitting(state: ResponderState, turn: Turn, answer: Answer): Answer {
  const fits = !(answer instanceof Uint8Array) || answer.length <= answerLimit(state, turn.session);
  return fits ? answer : inChunks(state, turn, answer);
}

/** LargeResponse, if both sides do chunks and the requester takes that much; else ResponseTooLarge. */
function inChunks(state: ResponderState, turn: Turn, answer: Uint8Array): ErrorAnswer {
  const sides = { requesterFlags: state.requesterFlags, responderFlags: state.config.flags };
  if (!bothHave(sides, 'CHUNK_CAP') || answer.length > state.requesterMaxSpdmMsgSize) {
    turn.commits = [];
    // The code came with 1.2.
    if (turn.version < SpdmVersions.V1_2) return { error: ErrorCodes.Unspecified };
    return { error: ErrorCodes.ResponseTooLarge, extended: le(answer.length, 4) };
  }
  const handle = state.nextHandle;
  state.nextHandle = (handle + 1) % 256;
  const { commits, effects } = turn;
  turn.commits = [];
  const sending = { handle, message: answer, next: 0, sent: 0, commits, effects };
  transfersOf(state, turn).sending = sending;
  return { error: ErrorCodes.LargeResponse, extended: Uint8Array.of(handle) };
}

export function answerChunkGet(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.chunkGet>,
): Answer {
  const transfers = transfersOf(state, turn);
  const { sending } = transfers;
  if (sending === undefined) return unexpected;
  const { handle, message, next, sent } = sending;
  if (value.Param2 !== handle || value.ChunkSeqNo !== next) return invalid;
  const size = Math.min(
    answerLimit(state, turn.session) - chunkHeadSize(next),
    message.length - sent,
  );
  const last = sent + size === message.length;
  const first = next === 0 ? { LargeMessageSize: message.length } : {};
  const reply = encode(
    layouts.chunkResponse,
    {
      ...answerHeader(turn, ResponseCodes.CHUNK_RESPONSE, last ? LAST_CHUNK : 0, handle),
      ChunkSeqNo: next,
      ...first,
      SPDMchunk: message.subarray(sent, sent + size),
    },
    { version: turn.version },
  );
  turn.commits.push(() => {
    sending.sent += size;
    sending.next = (next + 1) % chunksMax(turn.version);
    if (!last) return;
    transfers.sending = undefined;
    turn.late.push(sending.effects);
    for (const commit of sending.commits) commit();
  });
  return reply;
}

type ChunkSend = ValueOf<typeof layouts.chunkSend>;

/** What is wrong with the first chunk of a message; undefined: nothing. */
function firstFault(state: ResponderState, value: ChunkSend): ErrorAnswer | undefined {
  const { LargeMessageSize: size = 0, SPDMchunk: chunk } = value;
  const isLast = (value.Param1 & LAST_CHUNK) !== 0;
  if (value.ChunkSeqNo !== 0 || isLast || chunk.length < chunkSizeMin(0)) return invalid;
  if (size > state.config.maxSpdmMsgSize) return { error: ErrorCodes.RequestTooLarge };
  return size <= DATA_TRANSFER_SIZE_MIN || chunk.length >= size ? invalid : undefined;
}

function laterFault(receiving: Receiving, value: ChunkSend): ErrorAnswer | undefined {
  const { SPDMchunk: chunk } = value;
  const isLast = (value.Param1 & LAST_CHUNK) !== 0;
  const received = receiving.received + chunk.length;
  // A sequence number that came round to 0 starts no second message inside this one.
  const inSequence = value.ChunkSeqNo === receiving.next && value.ChunkSeqNo !== 0;
  if (value.Param2 !== receiving.handle || !inSequence) return invalid;
  if (isLast !== (received === receiving.size) || received > receiving.size) return invalid;
  return isLast || chunk.length >= chunkSizeMin(receiving.next) ? undefined : invalid;
}

export function answerChunkSend(state: ResponderState, turn: Turn, value: ChunkSend): Answer {
  const transfers = transfersOf(state, turn);
  const { receiving } = transfers;
  const fault =
    turn.request.length > state.config.dataTransferSize
      ? invalid
      : receiving === undefined
        ? firstFault(state, value)
        : laterFault(receiving, value);
  if (fault !== undefined) {
    transfers.receiving = undefined;
    return acknowledge(turn, value, EARLY_ERROR, turn.encodeError(fault));
  }
  const { SPDMchunk: chunk, Param2: handle, LargeMessageSize: size = 0 } = value;
  const into = receiving ?? { handle, size, next: 0, received: 0, parts: [] };
  into.parts.push(chunk);
  into.received += chunk.length;
  into.next = (into.next + 1) % chunksMax(turn.version);
  transfers.receiving = into.received < into.size ? into : undefined;
  if (transfers.receiving !== undefined) return acknowledge(turn, value, 0, new Uint8Array(0));
  const request = concat(...into.parts);
  // Chunks in chunks are none (10.24).
  const isChunk = request[1] === RequestCodes.CHUNK_SEND || request[1] === RequestCodes.CHUNK_GET;
  const made = isChunk ? invalid : turn.dispatch(turn, request);
  if (made === undefined) return undefined;
  const answer = isErrorAnswer(made) ? turn.encodeError(made) : made;
  const whole = acknowledge(turn, value, 0, answer);
  // An answer that does not fit with its wrapper is announced without one.
  return whole.length > answerLimit(state, turn.session) ? inChunks(state, turn, answer) : whole;
}

function acknowledge(turn: Turn, value: ChunkSend, Param1: number, response: Uint8Array) {
  const header = answerHeader(turn, ResponseCodes.CHUNK_SEND_ACK, Param1, value.Param2);
  const { ChunkSeqNo } = value;
  const facts = { version: turn.version };
  return encode(
    layouts.chunkSendAck,
    { ...header, ChunkSeqNo, ResponseToLargeRequest: response },
    facts,
  );
}
