/** Responder side of GET_MEASUREMENT_EXTENSION_LOG (DSP0274, measurement extension log, from 1.3). */

import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { encodeLog, entriesOf } from '../extension-log.ts';
import * as layouts from '../messages/measurement-extension-log.ts';
import { portionRoom } from './auth.ts';
import { measurementHash } from './measurements.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  invalid,
  type ResponderState,
  type Turn,
  unexpected,
  unsupported,
} from './state.ts';

const HEAD_SIZE = 12;

/**
 * One portion of the log as it is now. Offset and Length are whole 32-bit numbers; a portion ends with the
 * log, and is no longer than one answer may be.
 */
function answer(
  state: ResponderState,
  turn: Turn,
  { Offset, Length }: ValueOf<typeof layouts.getMeasurementExtensionLog>,
): Answer {
  const items = state.config.measure();
  if (!items.some(({ log }) => log !== undefined)) return unsupported(turn);
  const negotiated = state.negotiated!;
  if (negotiated.melSpecification === 0 || measurementHash(negotiated) === undefined)
    return unexpected;
  turn.work.push({ op: 'measure' });
  const log = encodeLog(entriesOf(items));
  if (Offset >= log.length) return invalid;
  const size = Math.min(Length, log.length - Offset, portionRoom(state, turn) - HEAD_SIZE);
  return encode(layouts.measurementExtensionLog, {
    ...answerHeader(turn, ResponseCodes.MEASUREMENT_EXTENSION_LOG),
    RemainderLength: log.length - Offset - size,
    MEL: log.subarray(Offset, Offset + size),
  });
}

export const extensionLogHandlers: Handlers = {
  [RequestCodes.GET_MEASUREMENT_EXTENSION_LOG]: answer,
};
