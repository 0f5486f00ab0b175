/** Requester side of the event mechanism (DSP0274, event mechanism, from 1.3), as subscriber and as notifier. */

import { isPeerFault, LocalError } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import {
  type EventGroup,
  groupsOf,
  type NumberedEvent,
  numberedEvents,
  type Subscription,
  subscribeList,
} from '../events.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';
import { transact } from './transact.ts';

/** Groups of events a responder notifies of. */
export function* getSupportedEventTypes(
  state: RequesterState,
  session: RequesterSession,
): Exchange<readonly EventGroup[]> {
  const answer = yield* transact(
    state,
    session,
    RequestCodes.GET_SUPPORTED_EVENT_TYPES,
    ResponseCodes.SUPPORTED_EVENT_TYPES,
    { Param1: 0, Param2: 0 },
  );
  return isPeerFault(answer) ? answer : groupsOf(answer.value.SupportedEventGroupsList);
}

/**
 * Subscribes the session to what is wanted of `groups`, in place of what it was subscribed to; nothing
 * wanted: to nothing.
 * @throws LocalError on a source that is not among `groups`
 */
export function* subscribeEventTypes(
  state: RequesterState,
  session: RequesterSession,
  groups: readonly EventGroup[],
  wanted: readonly Subscription[],
): Exchange<true> {
  const SubscribeList = subscribeList(groups, wanted);
  const answer = yield* transact(
    state,
    session,
    RequestCodes.SUBSCRIBE_EVENT_TYPES,
    ResponseCodes.SUBSCRIBE_EVENT_TYPES_ACK,
    { Param1: wanted.length, Param2: 0, ...(wanted.length === 0 ? {} : { SubscribeList }) },
  );
  return isPeerFault(answer) ? answer : true;
}

/**
 * Tells a responder of events, of a requester that notifies.
 * @throws LocalError unless the numbers leave no gap and DMTF's events have their details
 */
export function* sendEvents(
  state: RequesterState,
  session: RequesterSession,
  events: readonly NumberedEvent[],
): Exchange<true> {
  const numbered = numberedEvents(events);
  if (numbered === undefined) throw new LocalError('events: expected numbers without a gap');
  const answer = yield* transact(state, session, RequestCodes.SEND_EVENT, ResponseCodes.EVENT_ACK, {
    Param1: 0,
    Param2: 0,
    EventsList: numbered.map((event) => ({ ...event })),
  });
  return isPeerFault(answer) ? answer : true;
}
