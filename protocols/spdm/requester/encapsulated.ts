/**
 * Requester side of encapsulated requests (DSP0274 10.17): fetches what the responder asks, and delivers
 * the answers. A responder that never comes to an end is stopped after a number of requests.
 */

import { isPeerFault, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { EncapsulatedPayloads } from '../messages/encapsulation.ts';
import { bothHave, handshakeInTheClear } from '../negotiate.ts';
import { answerEncapsulated, type EncapsulatedContext } from './encapsulated-answers.ts';
import {
  type Exchange,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
} from './state.ts';
import { transact } from './transact.ts';

/** What came of one flow. */
export interface EncapsulatedOutcome {
  /** requests answered; 0: nothing was pending */
  readonly answered: number;
  /** the slot the responder authenticated, if it names one */
  readonly slot: number | undefined;
  /** DIGESTS that go into the session's TH (a multi-key requester) */
  readonly digests: Uint8Array | undefined;
}

/** More than any flow takes: a chain in small portions has the most requests. */
const REQUESTS_MAX = 4200;
const DRAIN_MAX = 64;

interface Pending {
  readonly id: number;
  readonly request: Uint8Array;
}

function contextOf(state: RequesterState, session?: RequesterSession): EncapsulatedContext {
  const clear = handshakeInTheClear(negotiatedOrThrow(state));
  const plain = session === undefined || (!session.established && clear);
  return { session, plain, digests: undefined, digestsWindow: 'open', updating: false };
}

/**
 * One flow from its first request to its end. `implied`: the request that stands for GET_DIGESTS where
 * KEY_EXCHANGE_RSP asked for it, which need not be fetched. Faults: ENCAPSULATED_*, and those of
 * `transact`.
 */
export function* encapsulatedFlow(
  state: RequesterState,
  session?: RequesterSession,
  implied?: Pending,
): Exchange<EncapsulatedOutcome> {
  if (!bothHave(negotiatedOrThrow(state), 'ENCAP_CAP'))
    return peerFault('ENCAPSULATED_CAP', 'one of the two does no encapsulation');
  const context = contextOf(state, session);
  if (session === undefined) {
    state.transcript.mutB.clear();
    state.transcript.mutC.clear();
  }
  const first = implied ?? (yield* fetch(state, context));
  if (isPeerFault(first)) return first;
  if (first === undefined) return { answered: 0, slot: undefined, digests: undefined };
  let pending: Pending = first;
  for (let answered = 1; answered <= REQUESTS_MAX; answered++) {
    const response = answerEncapsulated(state, context, pending.request);
    const next: Pending | Ended | PeerFault = yield* deliver(state, context, pending.id, response);
    if (!isPeerFault(next) && 'request' in next) {
      pending = next;
      continue;
    }
    settleKeys(context);
    return isPeerFault(next) ? next : { answered, slot: next.slot, digests: context.digests };
  }
  return peerFault('ENCAPSULATED_ENDLESS', `more than ${REQUESTS_MAX} requests`);
}

/**
 * Lets the responder ask whatever it has pending, inside the session or outside, flow after flow.
 * Returns how many requests were answered.
 */
export function* encapsulated(state: RequesterState, session?: RequesterSession): Exchange<number> {
  let total = 0;
  for (let flows = 0; flows < DRAIN_MAX; flows++) {
    const flow = yield* encapsulatedFlow(state, session);
    if (isPeerFault(flow)) return flow;
    if (flow.answered === 0) return total;
    total += flow.answered;
  }
  return peerFault('ENCAPSULATED_ENDLESS', `more than ${DRAIN_MAX} flows`);
}

/** An update that was never verified, and whose new key was never seen, did not happen. */
function settleKeys({ session, updating }: EncapsulatedContext): void {
  if (session !== undefined && updating && session.keys.openedUnder.response === 'retired')
    session.keys.restore('response');
}

const channel = ({ plain, session }: EncapsulatedContext) => (plain ? undefined : session);

/** Undefined: nothing is pending. */
function* fetch(
  state: RequesterState,
  context: EncapsulatedContext,
): Exchange<Pending | undefined> {
  const answer = yield* transact(
    state,
    channel(context),
    RequestCodes.GET_ENCAPSULATED_REQUEST,
    ResponseCodes.ENCAPSULATED_REQUEST,
    { Param1: 0, Param2: 0 },
  );
  const none = state.version >= SpdmVersions.V1_3 ? 'NoPendingRequests' : 'UnexpectedRequest';
  if (isPeerFault(answer)) return answer.code === `SPDM_ERROR_${none}` ? undefined : answer;
  const { Param1: id, EncapsulatedRequest: request } = answer.value;
  return request.length === 0 ? undefined : { id, request };
}

interface Ended {
  readonly slot: number | undefined;
}

/** The next request, or the end of the flow. */
function* deliver(
  state: RequesterState,
  context: EncapsulatedContext,
  id: number,
  response: Uint8Array,
): Exchange<Pending | Ended> {
  const answer = yield* transact(
    state,
    channel(context),
    RequestCodes.DELIVER_ENCAPSULATED_RESPONSE,
    ResponseCodes.ENCAPSULATED_RESPONSE_ACK,
    { Param1: id, Param2: 0, EncapsulatedResponse: response },
  );
  if (isPeerFault(answer)) return answer;
  const fault = (detail: string): PeerFault => peerFault('ENCAPSULATED_RESPONSE_ACK', detail);
  const { Param1, Param2: type, AckRequestID, EncapsulatedRequest: request } = answer.value;
  if (AckRequestID !== undefined && AckRequestID !== id)
    return fault(`acknowledges request ${AckRequestID}, not ${id}`);
  const { Absent, Present, RequesterSlot } = EncapsulatedPayloads;
  if (type === Absent) return { slot: undefined };
  if (type === RequesterSlot) return { slot: answer.value.RequesterSlotID };
  if (type !== Present || request === undefined) return fault(`payload of type ${type}`);
  return { id: Param1, request };
}
