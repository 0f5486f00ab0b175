/**
 * Requester side of KEY_UPDATE (DSP0274 10.17), and the update before a key runs into its AEAD limit
 * (DSP0277 1.3). The order of keys is told in ../key-update.ts.
 */

import { isPeerFault, LocalError, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import type { PendingUpdate } from '../key-update.ts';
import { KeyUpdateOps } from '../messages/session.ts';
import { bothHave } from '../negotiate.ts';
import {
  type Exchange,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
} from './state.ts';
import { transact } from './transact.ts';

type Operation = PendingUpdate['operation'];

/**
 * The update of one or both directions, and VerifyNewKey. An update whose acknowledgement never came is
 * taken up again first, with its own tag. Faults: KEY_UPDATE_*, which but for KEY_UPDATE_CAP end the
 * session, and those of `transact`.
 * @throws LocalError if the session's handshake is not done
 */
export function* updateKeys(
  state: RequesterState,
  session: RequesterSession,
  operation: Operation,
): Exchange<true> {
  if (!bothHave(negotiatedOrThrow(state), 'KEY_UPD_CAP'))
    return peerFault('KEY_UPDATE_CAP', 'one of the two updates no keys');
  if (!session.established) throw new LocalError('session: its handshake is not done');
  const { keyUpdate: lost } = session;
  if (lost !== undefined) {
    const again = yield* update(state, session, lost);
    if (isPeerFault(again) || lost.operation === operation) return again;
  }
  const [tag = 0] = state.config.random(1);
  return yield* update(state, session, { operation, tag });
}

function* update(
  state: RequesterState,
  session: RequesterSession,
  pending: PendingUpdate,
): Exchange<true> {
  const { keys } = session;
  const all = pending.operation === 'UpdateAllKeys';
  // The answer comes under the new key if it is the acknowledgement, under the old one if it is an ERROR.
  if (all && session.keyUpdate === undefined) keys.update('response');
  session.keyUpdate = pending;
  state.work.push({ op: 'hmac', bytes: negotiatedOrThrow(state).hashSize * (all ? 2 : 1) });
  const answer = yield* ask(state, session, pending.operation, pending.tag);
  const under = keys.openedUnder.response;
  if (isPeerFault(answer)) {
    if (all && under === 'current') return over(state, session, answer);
    session.keyUpdate = undefined;
    if (all) keys.restore('response');
    return answer;
  }
  if (all && under !== 'current') {
    const detail = 'the acknowledgement came under the old key';
    return over(state, session, peerFault('KEY_UPDATE_KEY', detail));
  }
  session.keyUpdate = undefined;
  if (all) keys.confirm('response');
  keys.update('request');
  keys.confirm('request');
  const [tag = 0] = state.config.random(1);
  const verified = yield* ask(state, session, 'VerifyNewKey', tag);
  return isPeerFault(verified) ? over(state, session, verified) : true;
}

/** The two sides' keys are out of step: nothing more can be said in this session. */
function over(state: RequesterState, session: RequesterSession, fault: PeerFault): PeerFault {
  state.sessions.delete(session.id);
  return fault;
}

/** One KEY_UPDATE; an ERROR to it is handed back, any other fault ends the session. */
function* ask(
  state: RequesterState,
  session: RequesterSession,
  operation: keyof typeof KeyUpdateOps,
  tag: number,
): Exchange<true> {
  const Param1 = KeyUpdateOps[operation];
  const { KEY_UPDATE } = RequestCodes;
  const fields = { Param1, Param2: tag };
  const answer = yield* transact(state, session, KEY_UPDATE, ResponseCodes.KEY_UPDATE_ACK, fields);
  if (isPeerFault(answer))
    return answer.code.startsWith('SPDM_ERROR_') ? answer : over(state, session, answer);
  const { value } = answer;
  if (value.Param1 === Param1 && value.Param2 === tag) return true;
  const detail = `operation ${value.Param1}, tag ${value.Param2} of ${Param1}, ${tag}`;
  return over(state, session, peerFault('KEY_UPDATE_ACK', detail));
}

/** Records kept back for KEY_UPDATE itself and what one exchange may take: a quarter, at most this many. */
const RESERVE_MAX = 64;

/** Exchanges that no KEY_UPDATE may come before: itself, the last one, and those inside a flow. */
const uninterrupted: readonly number[] = [
  RequestCodes.KEY_UPDATE,
  RequestCodes.END_SESSION,
  RequestCodes.GET_ENCAPSULATED_REQUEST,
  RequestCodes.DELIVER_ENCAPSULATED_RESPONSE,
];

/** With `autoKeyUpdate`, updates both directions before one of them has used up its records. */
export function* keepKeys(
  state: RequesterState,
  session: RequesterSession,
  requestCode: number,
): Exchange<true> {
  const { keys, established } = session;
  const willing = state.config.autoKeyUpdate === true && established;
  if (!willing || uninterrupted.includes(requestCode)) return true;
  if (!bothHave(negotiatedOrThrow(state), 'KEY_UPD_CAP')) return true;
  const reserve = Math.max(1, Math.min(RESERVE_MAX, Math.floor(keys.limit / 4)));
  if (Math.min(keys.left('request'), keys.left('response')) > reserve) return true;
  return yield* updateKeys(state, session, 'UpdateAllKeys');
}
