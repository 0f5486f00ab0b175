/**
 * Requests of the responder, carried by GET_ENCAPSULATED_REQUEST and DELIVER_ENCAPSULATED_RESPONSE
 * (DSP0274 10.17). A flow is a chain of steps: each holds one request, and reads what the requester
 * answers. Steps are values and keep no state: what they find out goes to the turn's commits, and so
 * does going on to the next step, so that an answer nobody receives moves nothing.
 */

import type { Facts, ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import {
  isPeerFault,
  LocalError,
  type PeerFault,
  peerFault,
  refusalText,
} from '../../codec/refusal.ts';
import { ErrorCodes, errorNames, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import * as encapsulation from '../messages/encapsulation.ts';
import {
  connectionFacts,
  decodeMessage,
  encapsulatedFacts,
  type KnownCode,
  layouts,
  type MessageValue,
} from '../messages/registry.ts';
import { bothHave } from '../negotiate.ts';
import { isCarrier } from '../transcript.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  invalid,
  type ResponderState,
  type Turn,
  unexpected,
} from './state.ts';

/** The flow is over; `slot`: what the acknowledgement names for FINISH. */
export interface EncapsulatedEnd {
  readonly end: true;
  readonly slot?: number;
}
export type EncapsulatedProgress = EncapsulatedStep | EncapsulatedEnd | PeerFault;

/** One request of the responder. */
export interface EncapsulatedStep {
  readonly request: Uint8Array;
  /** What the requester's answer leads to. `exact`: nothing pads it. */
  readonly read: (turn: Turn, response: Uint8Array, exact: boolean) => EncapsulatedProgress;
}

export interface EncapsulatedFlow {
  /** what it serves: a newer flow for the same takes its place */
  readonly purpose: 'basic' | 'session' | 'other';
  /** the session it serves; undefined: the connection */
  readonly sessionId: number | undefined;
  /** travels in that session's records; else plain, as a handshake in the clear does */
  readonly inRecords: boolean;
  /** told in a commit that the requester broke the flow off */
  readonly failed?: (turn: Turn, fault: PeerFault) => void;
  /** implied: KEY_EXCHANGE_RSP stood for the first request, and its answer is due */
  phase: 'queued' | 'implied' | 'out';
  requestId: number;
  step: EncapsulatedStep;
}

/** A request and the answer to it, decoded and as bytes. */
export interface Encapsulated<R extends KnownCode> {
  readonly value: MessageValue<R>;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

export interface Question<Q extends KnownCode, R extends KnownCode> {
  readonly code: Q;
  readonly answerCode: R;
  readonly fields: Omit<MessageValue<Q>, 'SPDMVersion' | 'RequestResponseCode'>;
  /** what the layouts must know besides the connection */
  readonly facts?: Facts;
  readonly answered: (turn: Turn, exchanged: Encapsulated<R>) => EncapsulatedProgress;
}

/** The step that asks one request and takes only the answer it calls for. */
export function ask<Q extends KnownCode, R extends KnownCode>(
  state: ResponderState,
  question: Question<Q, R>,
): EncapsulatedStep {
  const { code, answerCode, fields, answered } = question;
  const { version, negotiated } = state;
  const facts = { ...encapsulatedFacts(version, negotiated!), ...question.facts };
  const message = { SPDMVersion: version, RequestResponseCode: code, ...fields };
  const request = encode(layouts[code], message as ValueOf<(typeof layouts)[Q]>, facts);
  return {
    request,
    read(turn, bytes, exact) {
      const fault = responseFault(version, bytes, answerCode);
      if (fault !== undefined) return fault;
      const decoded = decodeMessage(bytes, facts, exact ? 'refuse' : 'leave');
      if (!decoded.ok) return peerFault('ENCAPSULATED_MALFORMED', refusalText(decoded));
      const value = decoded.value as unknown as MessageValue<R>;
      return answered(turn, { value, request, response: bytes.slice(0, decoded.size) });
    },
  };
}

const NOT_READY = 'ENCAPSULATED_ERROR_ResponseNotReady';

function responseFault(
  expected: number,
  bytes: Uint8Array,
  answerCode: number,
): PeerFault | undefined {
  const [version, code, error = 0] = bytes;
  if (version !== expected)
    return peerFault('ENCAPSULATED_VERSION', `version 0x${version!.toString(16)} in the answer`);
  if (code === ResponseCodes.ERROR) {
    const name = errorNames[error] ?? `0x${error.toString(16)}`;
    return peerFault(`ENCAPSULATED_ERROR_${name}`, `the requester answers ERROR ${name}`);
  }
  if (code === answerCode) return undefined;
  const [got, wanted] = [code!.toString(16), answerCode.toString(16)];
  return peerFault('ENCAPSULATED_CODE', `code 0x${got} instead of 0x${wanted}`);
}

export type FlowOptions = Pick<EncapsulatedFlow, 'purpose' | 'sessionId' | 'inRecords' | 'failed'>;

/** Puts a flow in line: those that authenticate a requester before all others. */
export function startFlow(
  state: ResponderState,
  options: FlowOptions,
  step: EncapsulatedStep,
  phase: 'queued' | 'implied' = 'queued',
): void {
  const { purpose, sessionId } = options;
  const flow: EncapsulatedFlow = { ...options, phase, requestId: 0, step };
  if (purpose === 'other') {
    state.encapsulated.push(flow);
    return;
  }
  const others = state.encapsulated.filter(
    (old) => old.purpose !== purpose || old.sessionId !== sessionId,
  );
  state.encapsulated = [flow, ...others];
}

/**
 * Puts requests in line for the requester to fetch: inside the session, or outside sessions.
 * @throws LocalError if either side does no encapsulation, or there is no such session
 */
export function queueEncapsulated(
  state: ResponderState,
  sessionId: number | undefined,
  step: EncapsulatedStep,
  failed?: EncapsulatedFlow['failed'],
): void {
  if (state.negotiated === undefined || !bothHave(state.negotiated, 'ENCAP_CAP'))
    throw new LocalError('state: encapsulated requests take ENCAP_CAP of both sides');
  if (sessionId !== undefined && state.sessions.get(sessionId)?.established !== true)
    throw new LocalError(`sessionId: no established session ${sessionId}`);
  const inRecords = sessionId !== undefined;
  const told = failed === undefined ? {} : { failed };
  startFlow(state, { purpose: 'other', sessionId, inRecords, ...told }, step);
}

/** The flow that messages in this session, or outside sessions, are about. */
function flowFor(state: ResponderState, channel: number | undefined): EncapsulatedFlow | undefined {
  const here = state.encapsulated.filter(
    ({ inRecords, sessionId }) => (inRecords ? sessionId : undefined) === channel,
  );
  return here.find(({ phase }) => phase !== 'queued') ?? here[0];
}

/** FINISH has a rule of its own for what is missing, and a session must always be endable. */
const alwaysTaken: readonly number[] = [
  RequestCodes.GET_VERSION,
  RequestCodes.GET_ENCAPSULATED_REQUEST,
  RequestCodes.DELIVER_ENCAPSULATED_RESPONSE,
  RequestCodes.FINISH,
  RequestCodes.END_SESSION,
];

/** True if a request of the responder is out here, and its answer comes before this request's turn. */
export function requestInFlight(
  state: ResponderState,
  channel: number | undefined,
  code: number,
): boolean {
  if (alwaysTaken.includes(code) || isCarrier(code)) return false;
  return flowFor(state, channel)?.phase === 'out';
}

const drop = (state: ResponderState, flow: EncapsulatedFlow): void => {
  state.encapsulated = state.encapsulated.filter((other) => other !== flow);
};

const REQUEST_IDS = 255;
/** Zero stands for the request that KEY_EXCHANGE_RSP implies, so the count leaves it out. */
const nextId = (state: ResponderState): number => (state.encapsulatedId % REQUEST_IDS) + 1;

/** The step's request is on its way under `id`. */
function sent(state: ResponderState, flow: EncapsulatedFlow, step: EncapsulatedStep, id: number) {
  state.encapsulatedId = id;
  Object.assign(flow, { step, requestId: id, phase: 'out' });
}

/** Asked again before its answer came, a request goes out again under the id it has. */
function answerGetEncapsulated(state: ResponderState, turn: Turn): Answer {
  const flow = flowFor(state, turn.session?.id);
  if (flow === undefined)
    return turn.version >= SpdmVersions.V1_3 ? { error: ErrorCodes.NoPendingRequests } : unexpected;
  if (flow.phase === 'implied') return unexpected;
  const { step } = flow;
  const id = flow.phase === 'out' ? flow.requestId : nextId(state);
  turn.commits.push(() => sent(state, flow, step, id));
  return encode(encapsulation.encapsulatedRequest, {
    ...answerHeader(turn, ResponseCodes.ENCAPSULATED_REQUEST, id),
    EncapsulatedRequest: step.request,
  });
}

const HEADER_SIZE = 4;

function answerDeliver(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof encapsulation.deliverEncapsulatedResponse>,
): Answer {
  const flow = flowFor(state, turn.session?.id);
  if (flow === undefined || flow.phase === 'queued') return unexpected;
  const { Param1: id, EncapsulatedResponse: response } = value;
  if (id !== flow.requestId || response.length < HEADER_SIZE) return invalid;
  const progress = flow.step.read(turn, response, turn.session !== undefined);
  if (isPeerFault(progress)) return brokenOff(state, turn, flow, progress);
  if ('end' in progress) {
    turn.commits.push(() => drop(state, flow));
    const { slot } = progress;
    return acknowledge(turn, id, slot === undefined ? {} : { slot });
  }
  const next = nextId(state);
  turn.commits.push(() => sent(state, flow, progress, next));
  return acknowledge(turn, id, { next, step: progress });
}

/** An answer that is not ready ends the flow in good order (10.17); any other fault is told. */
function brokenOff(
  state: ResponderState,
  turn: Turn,
  flow: EncapsulatedFlow,
  fault: PeerFault,
): Answer {
  turn.commits = [
    () => {
      drop(state, flow);
      flow.failed?.(turn, fault);
    },
  ];
  if (fault.code === NOT_READY) return acknowledge(turn, flow.requestId, {});
  return { error: ErrorCodes.InvalidResponseCode };
}

interface Following {
  readonly next?: number;
  readonly step?: EncapsulatedStep;
  readonly slot?: number;
}

function acknowledge(turn: Turn, AckRequestID: number, following: Following): Uint8Array {
  const { next = 0, step, slot } = following;
  const { Absent, Present, RequesterSlot } = encapsulation.EncapsulatedPayloads;
  const type = step !== undefined ? Present : slot !== undefined ? RequesterSlot : Absent;
  return encode(
    encapsulation.encapsulatedResponseAck,
    {
      ...answerHeader(turn, ResponseCodes.ENCAPSULATED_RESPONSE_ACK, next, type),
      AckRequestID,
      ...(step === undefined ? {} : { EncapsulatedRequest: step.request }),
      ...(slot === undefined ? {} : { RequesterSlotID: slot }),
    },
    connectionFacts(turn.version),
  );
}

export const encapsulatedHandlers: Handlers = {
  [RequestCodes.GET_ENCAPSULATED_REQUEST]: answerGetEncapsulated,
  [RequestCodes.DELIVER_ENCAPSULATED_RESPONSE]: answerDeliver,
};
