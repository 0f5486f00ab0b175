/**
 * Responder side of the event mechanism (DSP0274, event mechanism, from 1.3): GET_SUPPORTED_EVENT_TYPES,
 * SUBSCRIBE_EVENT_TYPES, SEND_EVENT of a requester that notifies, and the events of its own that
 * encapsulated SEND_EVENT delivers.
 */

import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import type { Effect } from '../../engine.ts';
import { capability, RequestCodes, ResponseCodes } from '../codes.ts';
import {
  type EventOccurrence,
  EventQueue,
  eventAck,
  type NumberedEvent,
  numberedEvents,
  subscriptionsOf,
  supportedEventTypes,
} from '../events.ts';
import * as layouts from '../messages/events.ts';
import { bothHave } from '../negotiate.ts';
import { answerLimit } from './chunks.ts';
import { ask, type EncapsulatedStep, queueEncapsulated } from './encapsulated.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  invalid,
  type ResponderSession,
  type ResponderState,
  type Turn,
  unsupported,
} from './state.ts';

/** A requester notified of these. */
export interface EventsReceived extends Effect {
  readonly type: 'events-received';
  readonly sessionId: number;
  /** in the order of their numbers */
  readonly events: readonly NumberedEvent[];
}

/** A session's queue: with EventAllPolicy subscribed to everything from the start. */
function queueOf(state: ResponderState, session: ResponderSession): EventQueue {
  const { eventGroups = [] } = state.config;
  if (session.events === undefined) {
    const all = eventGroups.map(({ ID, VendorID }) => ({ ID, VendorID, types: undefined }));
    session.events = new EventQueue(session.eventAllPolicy === 1 ? all : []);
  }
  return session.events;
}

/** A step of a flow that delivers events. */
interface EventStep extends EncapsulatedStep {
  readonly events: readonly NumberedEvent[];
}
const isEventStep = (step: EncapsulatedStep): step is EventStep => 'events' in step;

/** The flow that delivers a session's events, if there is one. */
const flowOf = (state: ResponderState, sessionId: number) =>
  state.encapsulated.find((flow) => flow.sessionId === sessionId && isEventStep(flow.step));

/** Events that are in line to be fetched, or out. */
function inFlight(state: ResponderState, sessionId: number): readonly NumberedEvent[] {
  const step = flowOf(state, sessionId)?.step;
  return step !== undefined && isEventStep(step) ? step.events : [];
}

/** ENCAPSULATED_RESPONSE_ACK stands before the request that it carries. */
const CARRIER_HEAD_SIZE = 8;

/**
 * SEND_EVENT with what is queued in a session besides `done`, to travel encapsulated; after its EVENT_ACK
 * the next one, if there is more. Undefined: nothing is queued, or not even one event fits into a message.
 */
function eventStep(
  state: ResponderState,
  session: ResponderSession,
  done: readonly NumberedEvent[] = [],
): EventStep | undefined {
  const queue = queueOf(state, session);
  const events = queue.batch(answerLimit(state, session) - CARRIER_HEAD_SIZE, done);
  if (events.length === 0) return undefined;
  const step = ask(state, {
    code: RequestCodes.SEND_EVENT,
    answerCode: ResponseCodes.EVENT_ACK,
    fields: { Param1: 0, Param2: 0, EventsList: events.map((event) => ({ ...event })) },
    answered(turn) {
      turn.commits.push(() => queue.acknowledge(events));
      return eventStep(state, session, events) ?? { end: true };
    },
  });
  return { ...step, events };
}

/**
 * Something happened: it is queued in every established session that is subscribed to it and, where both
 * sides do encapsulated requests, put in line for the requester to fetch. Gives the ids of those
 * sessions, whose requesters may be told so.
 */
export function raiseEvent(state: ResponderState, event: EventOccurrence): readonly number[] {
  const { eventGroups, flags } = state.config;
  if (eventGroups === undefined || capability(flags, 'EVENT_CAP') === 0) return [];
  const told = [...state.sessions.values()].filter(
    (session) =>
      session.established && queueOf(state, session).raise(event, inFlight(state, session.id)),
  );
  const encapsulates = state.negotiated !== undefined && bothHave(state.negotiated, 'ENCAP_CAP');
  if (encapsulates) for (const session of told) putInLine(state, session);
  return told.map(({ id }) => id);
}

function putInLine(state: ResponderState, session: ResponderSession): void {
  if (flowOf(state, session.id) !== undefined) return;
  const step = eventStep(state, session);
  if (step !== undefined) queueEncapsulated(state, session.id, step);
}

function answerSupported(state: ResponderState, turn: Turn): Answer {
  const { eventGroups } = state.config;
  if (eventGroups === undefined || eventGroups.length === 0) return unsupported(turn);
  return supportedEventTypes(turn.version, eventGroups);
}

function answerSubscribe(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.subscribeEventTypes>,
  session: ResponderSession,
): Answer {
  const { eventGroups } = state.config;
  if (eventGroups === undefined || eventGroups.length === 0) return unsupported(turn);
  const wanted = subscriptionsOf(eventGroups, value.SubscribeList ?? []);
  if (wanted === undefined) return invalid;
  turn.commits.push(() => {
    queueOf(state, session).subscribe(wanted);
    if (wanted.length > 0) return;
    // What is out already may still be answered; what is only in line is not wanted any more.
    const flow = flowOf(state, session.id);
    if (flow?.phase === 'queued')
      state.encapsulated = state.encapsulated.filter((other) => other !== flow);
  });
  return encode(
    layouts.subscribeEventTypesAck,
    answerHeader(turn, ResponseCodes.SUBSCRIBE_EVENT_TYPES_ACK),
  );
}

function answerSendEvent(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof layouts.sendEvent>,
  session: ResponderSession,
): Answer {
  const notifies = capability(state.requesterFlags, 'EVENT_CAP') === 1;
  if (state.config.acceptsEvents !== true || !notifies) return unsupported(turn);
  const events = numberedEvents(value.EventsList);
  if (events === undefined) return invalid;
  const effect: EventsReceived = { type: 'events-received', sessionId: session.id, events };
  turn.commits.push(() => {
    turn.effects.push(effect);
  });
  return eventAck(turn.version);
}

export const eventHandlers: Handlers = {
  [RequestCodes.GET_SUPPORTED_EVENT_TYPES]: answerSupported,
  [RequestCodes.SUBSCRIBE_EVENT_TYPES]: answerSubscribe,
  [RequestCodes.SEND_EVENT]: answerSendEvent,
};
