/** Sizes and counts both ends of a chunked transfer keep to (DSP0274 10.3, "Large SPDM message transfer"). */

import { SpdmVersions } from './codes.ts';

/** No party may take less in one message. */
export const DATA_TRANSFER_SIZE_MIN = 42;

/** Header of the first CHUNK_SEND or CHUNK_RESPONSE, with LargeMessageSize, and of the others. */
const FIRST_HEAD_SIZE = 16;
const HEAD_SIZE = 12;
export const chunkHeadSize = (sequence: number): number =>
  sequence === 0 ? FIRST_HEAD_SIZE : HEAD_SIZE;

/** Smallest chunk that is not the last: what the smallest DataTransferSize leaves. */
export const chunkSizeMin = (sequence: number): number =>
  DATA_TRANSFER_SIZE_MIN - chunkHeadSize(sequence);

/** Chunks of one message, at most: as many as there are sequence numbers. */
export const chunksMax = (version: number): number =>
  version >= SpdmVersions.V1_4 ? 0x100000000 : 0x10000;

/** Param1 of CHUNK_SEND and CHUNK_RESPONSE, and of CHUNK_SEND_ACK. */
export const LAST_CHUNK = 1;
export const EARLY_ERROR = 1;
