/** Responder side of HEARTBEAT and END_SESSION (DSP0274 10.16, 10.20). */

import { encode } from '../../codec/layout.ts';
import type { Effect } from '../../engine.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import * as layouts from '../messages/session.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  type ResponderSession,
  type ResponderState,
  type SessionHeartbeat,
  type Turn,
  unsupported,
} from './state.ts';

function answerHeartbeat(
  _state: ResponderState,
  turn: Turn,
  _value: unknown,
  session: ResponderSession,
): Answer {
  if (session.heartbeatPeriod === 0) return unsupported(turn);
  const beat: SessionHeartbeat = { type: 'session-heartbeat', sessionId: session.id };
  turn.effects.push(beat);
  return encode(layouts.heartbeatAck, answerHeader(turn, ResponseCodes.HEARTBEAT_ACK));
}

const CLEAR_NEGOTIATED_STATE = 1;

function answerEndSession(
  state: ResponderState,
  turn: Turn,
  value: { readonly Param1: number },
  session: ResponderSession,
): Answer {
  turn.commits.push(() => {
    state.endSession(session.id, turn.effects, 'END_SESSION');
    if ((value.Param1 & CLEAR_NEGOTIATED_STATE) !== 0) state.cachesNegotiated = false;
  });
  return encode(layouts.endSessionAck, answerHeader(turn, ResponseCodes.END_SESSION_ACK));
}

/**
 * TerminationPolicy (DSP0274 10.12, 1.2): a session ends when firmware or its configuration changes at run
 * time, unless its requester left that to the responder, which then keeps it.
 */
export function endByTerminationPolicy(state: ResponderState): readonly Effect[] {
  const effects: Effect[] = [];
  for (const { id, terminationPolicy } of [...state.sessions.values()])
    if (terminationPolicy === 0) state.endSession(id, effects, 'runtime update');
  return effects;
}

export const sessionLifeHandlers: Handlers = {
  [RequestCodes.HEARTBEAT]: answerHeartbeat,
  [RequestCodes.END_SESSION]: answerEndSession,
};
