/**
 * Requester side of large messages (DSP0274 10.24, 1.2): a request that is too long goes out by
 * CHUNK_SEND, an answer that is too long is fetched by CHUNK_GET. Both end in bounded steps: every chunk
 * but the last fills what the smallest DataTransferSize leaves, and the whole fits MaxSPDMmsgSize.
 */

import { concat } from '../../codec/bytes.ts';
import { decode, encode } from '../../codec/layout.ts';
import { isPeerFault, type PeerFault, peerFault, refusalText } from '../../codec/refusal.ts';
import {
  chunkHeadSize,
  chunkSizeMin,
  chunksMax,
  DATA_TRANSFER_SIZE_MIN,
  EARLY_ERROR,
  LAST_CHUNK,
} from '../chunk-limits.ts';
import { ErrorCodes, RequestCodes, ResponseCodes } from '../codes.ts';
import * as layouts from '../messages/chunks.ts';
import { bothHave } from '../negotiate.ts';
import { recordRoom } from '../secured-message.ts';
import { send } from './send.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';

/** An answer as it came, or put together from chunks: then nothing pads it. */
export interface Whole {
  readonly bytes: Uint8Array;
  readonly exact: boolean;
}

/** Both sides do chunks. Before ALGORITHMS the flags of CAPABILITIES tell. */
const chunked = (state: RequesterState): boolean =>
  bothHave(
    { requesterFlags: state.config.flags, responderFlags: state.responderFlags },
    'CHUNK_CAP',
  );

/** The most bytes one message may have: what the responder takes, and in a session what a record does. */
const roomOf = (state: RequesterState, session: RequesterSession | undefined): number =>
  Math.min(
    state.responderDataTransferSize,
    session === undefined ? Number.POSITIVE_INFINITY : recordRoom(session.keys.records),
  );

/** Whether a request cannot be sent at all: without chunks, or even in chunks. */
export function tooLarge(
  state: RequesterState,
  session: RequesterSession | undefined,
  request: Uint8Array,
): PeerFault | undefined {
  const room = roomOf(state, session);
  const fits =
    request.length <= room || (chunked(state) && request.length <= state.responderMaxSpdmMsgSize);
  if (fits) return undefined;
  return peerFault('REQUEST_TOO_LARGE', `${request.length} bytes, the responder takes ${room}`);
}

/** Sends `clear`, in chunks if it is longer than the responder takes. */
export function* deliver(
  state: RequesterState,
  session: RequesterSession | undefined,
  clear: Uint8Array,
  waitUs = 0,
): Exchange<Whole> {
  if (clear.length <= roomOf(state, session)) {
    const bytes = yield* send(state, session, clear, waitUs);
    return isPeerFault(bytes) ? bytes : { bytes, exact: session !== undefined };
  }
  const fault = tooLarge(state, session, clear);
  if (fault !== undefined) return fault;
  return yield* sendChunks(state, session, clear, waitUs);
}

function* sendChunks(
  state: RequesterState,
  session: RequesterSession | undefined,
  clear: Uint8Array,
  waitUs: number,
): Exchange<Whole> {
  const facts = { version: state.version };
  const handle = state.nextHandle;
  state.nextHandle = (handle + 1) % 256;
  for (let at = 0, sequence = 0; ; sequence++) {
    const isFirst = sequence === 0;
    const size = Math.min(roomOf(state, session) - chunkHeadSize(sequence), clear.length - at);
    const isLast = at + size === clear.length;
    if (sequence >= chunksMax(state.version))
      return peerFault('REQUEST_TOO_LARGE', 'more chunks than sequence numbers');
    const message = encode(
      layouts.chunkSend,
      {
        SPDMVersion: state.version,
        RequestResponseCode: RequestCodes.CHUNK_SEND,
        Param1: isLast ? LAST_CHUNK : 0,
        Param2: handle,
        ChunkSeqNo: sequence,
        ...(isFirst ? { LargeMessageSize: clear.length } : {}),
        SPDMchunk: clear.subarray(at, at + size),
      },
      facts,
    );
    const bytes = yield* send(state, session, message, isFirst ? waitUs : 0);
    if (isPeerFault(bytes)) return bytes;
    // A bare ERROR instead of the acknowledgement: what it says is for the whole request.
    if (bytes[1] === ResponseCodes.ERROR) return { bytes, exact: session !== undefined };
    const answer = readAck(state, bytes, { handle, sequence, isLast });
    if (isPeerFault(answer)) return answer;
    if (answer !== undefined) return { bytes: answer, exact: session !== undefined };
    at += size;
  }
}

interface Sent {
  readonly handle: number;
  readonly sequence: number;
  readonly isLast: boolean;
}

/** The answer a CHUNK_SEND_ACK carries; undefined: go on. */
function readAck(
  { version }: RequesterState,
  bytes: Uint8Array,
  { handle, sequence, isLast }: Sent,
): Uint8Array | PeerFault | undefined {
  const fault = (detail: string) => peerFault('CHUNK_SEND_ACK', detail);
  if (bytes[0] !== version || bytes[1] !== ResponseCodes.CHUNK_SEND_ACK)
    return fault(`code 0x${(bytes[1] ?? 0).toString(16)} answers CHUNK_SEND`);
  const ack = decode(layouts.chunkSendAck, bytes, { version });
  if (!ack.ok) return fault(refusalText(ack));
  const { Param1, Param2, ChunkSeqNo, ResponseToLargeRequest: response } = ack.value;
  if (Param2 !== handle || ChunkSeqNo !== sequence)
    return fault(`handle ${Param2}, sequence ${ChunkSeqNo} of ${handle}, ${sequence}`);
  const isEarly = (Param1 & EARLY_ERROR) !== 0;
  if (!isLast && !isEarly) return undefined;
  if (isEarly && response[1] !== ResponseCodes.ERROR) return fault('an early error without ERROR');
  return response;
}

/** CHUNK_SEND_ACK up to the answer it carries. */
const ackHeadSize = (version: number): number => (version >= 0x14 ? 8 : 6);

/**
 * Fetches the answer to `request` that ERROR(LargeResponse) with `handle` announced. To a request in
 * chunks it may be smaller than any other: alone it would have fitted, but not with CHUNK_SEND_ACK around.
 */
export function* fetchLarge(
  state: RequesterState,
  session: RequesterSession | undefined,
  request: Uint8Array,
  handle: number,
): Exchange<Whole> {
  const around = request.length > roomOf(state, session) ? ackHeadSize(state.version) : 0;
  const above = DATA_TRANSFER_SIZE_MIN - around;
  const parts: Uint8Array[] = [];
  let size = 0;
  let total = 0;
  for (let sequence = 0; ; sequence++) {
    if (!chunked(state) || sequence >= chunksMax(state.version))
      return peerFault('CHUNK_RESPONSE', 'a large response that was not agreed to');
    const message = encode(
      layouts.chunkGet,
      {
        SPDMVersion: state.version,
        RequestResponseCode: RequestCodes.CHUNK_GET,
        Param1: 0,
        Param2: handle,
        ChunkSeqNo: sequence,
      },
      { version: state.version },
    );
    const bytes = yield* send(state, session, message);
    if (isPeerFault(bytes)) return bytes;
    if (bytes[1] === ResponseCodes.ERROR && bytes[2] !== ErrorCodes.LargeResponse)
      return { bytes, exact: session !== undefined };
    const chunk = readChunk(state, bytes, { handle, sequence, size, total, above });
    if (isPeerFault(chunk)) return chunk;
    parts.push(chunk.data);
    size += chunk.data.length;
    total = chunk.total;
    if (size === total) return { bytes: concat(...parts), exact: true };
  }
}

interface Awaited {
  readonly handle: number;
  readonly sequence: number;
  readonly size: number;
  readonly total: number;
  /** a large message has more bytes than this */
  readonly above: number;
}

function readChunk(
  { version, config }: RequesterState,
  bytes: Uint8Array,
  awaited: Awaited,
): { data: Uint8Array; total: number } | PeerFault {
  const fault = (detail: string) => peerFault('CHUNK_RESPONSE', detail);
  if (bytes[0] !== version || bytes[1] !== ResponseCodes.CHUNK_RESPONSE)
    return fault(`code 0x${(bytes[1] ?? 0).toString(16)} answers CHUNK_GET`);
  const decoded = decode(layouts.chunkResponse, bytes, { version }, { trailing: 'leave' });
  if (!decoded.ok) return fault(refusalText(decoded));
  const { Param1, Param2, ChunkSeqNo, LargeMessageSize, SPDMchunk: data } = decoded.value;
  const { handle, sequence } = awaited;
  if (Param2 !== handle || ChunkSeqNo !== sequence)
    return fault(`handle ${Param2}, sequence ${ChunkSeqNo} of ${handle}, ${sequence}`);
  const total = LargeMessageSize ?? awaited.total;
  if (total > config.maxSpdmMsgSize || total <= awaited.above)
    return fault(`a large message of ${total} bytes`);
  const size = awaited.size + data.length;
  const isLast = (Param1 & LAST_CHUNK) !== 0;
  if (size > total || isLast !== (size === total))
    return fault(`${size} of ${total} bytes, last chunk ${isLast}`);
  if (!isLast && data.length < chunkSizeMin(sequence))
    return fault(`a chunk of ${data.length} bytes`);
  return { data, total };
}
