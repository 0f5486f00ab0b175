/**
 * Layouts of CHUNK_SEND, CHUNK_SEND_ACK, CHUNK_GET and CHUNK_RESPONSE (DSP0274 clause "Large SPDM
 * message transfer mechanism", from 1.2). The sequence number grew from 16 to 32 bits with 1.4, into
 * the bytes that CHUNK_SEND and CHUNK_RESPONSE reserved before. Param2 is the transfer's handle.
 */

import {
  bytes,
  type Facts,
  layout,
  lengthOf,
  reserved,
  rest,
  type Scope,
  u8,
  u32,
  when,
} from '../../codec/field.ts';
import { header } from './header.ts';

const WIDE_SINCE = 0x14;
const chunkSeqNo = () => u32({ narrow: { before: WIDE_SINCE, width: 2 } });
const isNarrow = (_v: Scope, facts: Facts) => (facts['version'] ?? 0) < WIDE_SINCE;

const chunk = {
  ...header,
  Param1: u8({ bits: { LastChunk: [0] } }),
  ChunkSeqNo: chunkSeqNo(),
  Reserved: when(isNarrow, reserved(2)),
  ChunkSize: lengthOf('SPDMchunk', 4),
  // size of the whole message, told with its first chunk
  LargeMessageSize: when((v) => v.ChunkSeqNo === 0, u32()),
  SPDMchunk: bytes((v) => v.ChunkSize),
} as const;

export const chunkSend = layout('CHUNK_SEND', 'DSP0274 CHUNK_SEND', chunk);
export const chunkResponse = layout('CHUNK_RESPONSE', 'DSP0274 CHUNK_GET', chunk);

/** Carries the response to the large request after its last chunk, or the ERROR that ended it early. */
export const chunkSendAck = layout('CHUNK_SEND_ACK', 'DSP0274 CHUNK_SEND', {
  ...header,
  Param1: u8({ bits: { EarlyErrorDetected: [0] } }),
  ChunkSeqNo: chunkSeqNo(),
  ResponseToLargeRequest: rest(),
});

export const chunkGet = layout('CHUNK_GET', 'DSP0274 CHUNK_GET', {
  ...header,
  ChunkSeqNo: chunkSeqNo(),
});
