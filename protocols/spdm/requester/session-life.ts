/** Requester side of HEARTBEAT and END_SESSION (DSP0274 10.16, 10.20). */

import { isPeerFault } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';
import { transact } from './transact.ts';

export function* heartbeat(state: RequesterState, session: RequesterSession): Exchange<true> {
  const { HEARTBEAT } = RequestCodes;
  const fields = { Param1: 0, Param2: 0 };
  const answer = yield* transact(state, session, HEARTBEAT, ResponseCodes.HEARTBEAT_ACK, fields);
  return isPeerFault(answer) ? answer : true;
}

export interface EndSessionOptions {
  /** the responder is to forget what it negotiated too (CACHE_CAP) */
  readonly clearNegotiatedState?: boolean;
}

export function* endSession(
  state: RequesterState,
  session: RequesterSession,
  options: EndSessionOptions = {},
): Exchange<true> {
  const fields = { Param1: options.clearNegotiatedState === true ? 1 : 0, Param2: 0 };
  const answer = yield* transact(
    state,
    session,
    RequestCodes.END_SESSION,
    ResponseCodes.END_SESSION_ACK,
    fields,
  );
  state.sessions.delete(session.id);
  return isPeerFault(answer) ? answer : true;
}
