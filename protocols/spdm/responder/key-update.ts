/** Responder side of KEY_UPDATE (DSP0274 10.17). What is legal when is in ../key-update.ts. */

import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { keyUpdateOperation, keyUpdateStep } from '../key-update.ts';
import * as layouts from '../messages/session.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  invalid,
  type ResponderSession,
  type ResponderState,
  type Turn,
} from './state.ts';

function answerKeyUpdate(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.keyUpdate>,
  session: ResponderSession,
): Answer {
  const { Param1, Param2: tag } = value;
  const { keys } = session;
  const operation = keyUpdateOperation(Param1);
  if (operation === undefined) return invalid;
  const underRetired = keys.openedUnder.request === 'retired';
  const step = keyUpdateStep(session.keyUpdate, { operation, tag, underRetired });
  if (step === 'InvalidRequest') return invalid;
  const sides = { UpdateKey: 1, UpdateAllKeys: 2, VerifyNewKey: 0 }[operation];
  if (step !== 'retry') turn.work.push({ op: 'hmac', bytes: sides * state.negotiated!.hashSize });
  turn.commits.push(() => {
    if (step === 'retry') return;
    session.keyUpdate = operation === 'VerifyNewKey' ? undefined : { operation, tag };
    // The response direction of UpdateAllKeys went before: this answer is sealed under it.
    if (operation === 'VerifyNewKey') keys.confirm('request');
    else keys.update('request');
  });
  return encode(
    layouts.keyUpdateAck,
    answerHeader(turn, ResponseCodes.KEY_UPDATE_ACK, Param1, tag),
  );
}

export const keyUpdateHandlers: Handlers = {
  [RequestCodes.KEY_UPDATE]: answerKeyUpdate,
};
