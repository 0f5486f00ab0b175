/** Requester side of GET_MEASUREMENT_EXTENSION_LOG (DSP0274, measurement extension log, from 1.3). */

import { concat } from '../../codec/bytes.ts';
import { isPeerFault, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { type HashName, hashSizes } from '../../crypto/algorithms.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { decodeLog, type ExtensionLogEntry, logFault } from '../extension-log.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import {
  type Exchange,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
} from './state.ts';
import { transact } from './transact.ts';

/** Longest log that is fetched, and in how many portions at most. */
const LOG_BYTES_MAX = 0x100000;
const PORTIONS_MAX = 4096;
const HEAD_SIZE = 12;

/**
 * The whole log, in portions. It may grow while it is fetched: what is read is the log as it was when the
 * first portion came, and one that shrinks is a fault.
 * Faults: EXTENSION_LOG_PORTION (lengths that lie or never end), EXTENSION_LOG_ENCODING and
 * EXTENSION_LOG_ORDER (what it holds is no log).
 */
export function* getMeasurementExtensionLog(
  state: RequesterState,
  session?: RequesterSession,
): Exchange<readonly ExtensionLogEntry[]> {
  const most = Math.max(1, Math.min(LOG_BYTES_MAX, state.config.maxSpdmMsgSize - HEAD_SIZE));
  const parts: Uint8Array[] = [];
  let size = 0;
  let total: number | undefined;
  for (let portions = 0; portions < PORTIONS_MAX; portions++) {
    const Length = Math.min(most, (total ?? LOG_BYTES_MAX) - size);
    const answer = yield* transact(
      state,
      session,
      RequestCodes.GET_MEASUREMENT_EXTENSION_LOG,
      ResponseCodes.MEASUREMENT_EXTENSION_LOG,
      { Param1: 0, Param2: 0, Offset: size, Length },
    );
    if (isPeerFault(answer)) return answer;
    const { MEL, RemainderLength } = answer.value;
    if (MEL.length === 0 || MEL.length > Length)
      return peerFault('EXTENSION_LOG_PORTION', `${MEL.length} bytes for ${Length}`);
    const end = size + MEL.length + RemainderLength;
    total ??= end;
    if (end < total || end > LOG_BYTES_MAX)
      return peerFault('EXTENSION_LOG_PORTION', `${end} bytes in all, after ${total}`);
    parts.push(MEL);
    size += MEL.length;
    if (size === total) return decodeLog(concat(...parts));
  }
  return peerFault('EXTENSION_LOG_PORTION', `no end after ${PORTIONS_MAX} portions`);
}

/**
 * What is wrong between the log and the HashExtend measurements that were reported; undefined: nothing.
 * Faults: EXTENSION_LOG_INDEX (an entry of no measurement), EXTENSION_LOG_REPLAY, EXTENSION_LOG_HASH (no
 * measurement hash is known here).
 */
export function extensionLogFault(
  state: RequesterState,
  log: readonly ExtensionLogEntry[],
  blocks: readonly MeasurementBlockValue[],
): PeerFault | undefined {
  const { measurementHash = '' } = negotiatedOrThrow(state);
  if (!Object.hasOwn(hashSizes, measurementHash))
    return peerFault('EXTENSION_LOG_HASH', `${measurementHash} is not computed here`);
  state.work.push({ op: 'hash', bytes: log.reduce((sum, { value }) => sum + value.length, 0) });
  return logFault(state.config.crypto, measurementHash as HashName, log, blocks);
}
