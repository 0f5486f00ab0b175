/** Requests that carry or fetch others: CHUNK_SEND, CHUNK_GET, RESPOND_IF_READY. */

import { RequestCodes } from '../codes.ts';
import { answerChunkGet, answerChunkSend } from './chunks.ts';
import { answerRespondIfReady } from './deferred.ts';
import type { Handlers } from './state.ts';

export const carrierHandlers: Handlers = {
  [RequestCodes.CHUNK_SEND]: answerChunkSend,
  [RequestCodes.CHUNK_GET]: answerChunkGet,
  [RequestCodes.RESPOND_IF_READY]: answerRespondIfReady,
};
