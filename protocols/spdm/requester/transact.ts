/**
 * One request and its answer, whatever it takes: chunks, a busy responder, an answer that is not ready
 * (DSP0274 10.9, 10.24). The steps are bounded by what the responder's own delays may add up to.
 */

import type { Facts, ValueOf } from '../../codec/field.ts';
import { decode, encode } from '../../codec/layout.ts';
import { isPeerFault, type PeerFault, peerFault, refusalText } from '../../codec/refusal.ts';
import { codeNames, ErrorCodes, errorNames, RequestCodes, ResponseCodes } from '../codes.ts';
import { error, respondIfReady } from '../messages/error.ts';
import {
  connectionFacts,
  decodeMessage,
  type KnownCode,
  type layouts,
  type MessageValue,
  layouts as tables,
} from '../messages/registry.ts';
import { keepKeys } from './key-update.ts';
import { deliver, fetchLarge, tooLarge, type Whole } from './large.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';

/** A good answer with the exact bytes of both messages, for the transcripts. */
export interface Exchanged<C extends KnownCode> {
  readonly value: MessageValue<C>;
  readonly request: Uint8Array;
  readonly response: Uint8Array;
}

/** An ERROR that answered: its code and data. */
export interface ErrorFault extends PeerFault {
  readonly error: number;
  readonly data: number;
}
export const isErrorFault = (fault: PeerFault, error: number): fault is ErrorFault =>
  (fault as Partial<ErrorFault>).error === error;

const BUSY_RETRIES = 3;
const BUSY_WAIT_US = 10_000;
const NOT_READY_ASKS_MAX = 256;
const RDT_EXPONENT_MAX = 31;
/** Requests that must be answered at once: their answer cannot be not ready (10.9). */
const immediate: readonly number[] = [
  RequestCodes.GET_VERSION,
  RequestCodes.GET_CAPABILITIES,
  RequestCodes.NEGOTIATE_ALGORITHMS,
];

/** Answers that the DMTF reference ends with bytes that belong to no field, in sessions as well. */
const filled: readonly number[] = [ResponseCodes.KEY_PAIR_INFO];

/**
 * One request and its answer. The answer must carry the negotiated version and the expected code; an
 * ERROR becomes a PeerFault `SPDM_ERROR_<name>`.
 */
export function* transact<Q extends KnownCode, R extends KnownCode>(
  state: RequesterState,
  session: RequesterSession | undefined,
  requestCode: Q,
  responseCode: R,
  fields: Omit<MessageValue<Q>, 'SPDMVersion' | 'RequestResponseCode'>,
  extra: Facts = {},
): Exchange<Exchanged<R>> {
  const kept = session === undefined || (yield* keepKeys(state, session, requestCode));
  if (isPeerFault(kept)) return kept;
  const facts = { ...connectionFacts(state.version, state.negotiated), ...extra };
  const message = {
    SPDMVersion: state.version,
    RequestResponseCode: requestCode,
    ...fields,
  } as ValueOf<(typeof layouts)[Q]>;
  const request = encode(tables[requestCode], message, facts);
  const unsendable = tooLarge(state, session, request);
  if (unsendable !== undefined) return unsendable;
  if (session === undefined) state.transcript.onRequest(requestCode, state.authenticated);
  else {
    state.transcript.closesDigestsWindow(requestCode);
    if (requestCode !== RequestCodes.GET_MEASUREMENTS) session.transcript.l.clear();
  }
  const answer = yield* converse(state, session, request);
  if (isPeerFault(answer)) return answer;
  const fault = answerFault(state, answer.bytes, responseCode);
  if (fault !== undefined) return fault;
  const exact = answer.exact && !filled.includes(responseCode);
  const decoded = decodeMessage(answer.bytes, facts, exact ? 'refuse' : 'leave');
  if (!decoded.ok) return peerFault('MALFORMED_ANSWER', refusalText(decoded));
  const response = answer.bytes.slice(0, decoded.size);
  return { value: decoded.value as unknown as MessageValue<R>, request, response };
}

/** Sends a request until there is an answer to it, an ERROR of another kind included. */
function* converse(
  state: RequesterState,
  session: RequesterSession | undefined,
  request: Uint8Array,
): Exchange<Whole> {
  let answer = yield* deliver(state, session, request);
  let retries = state.config.busyRetries ?? BUSY_RETRIES;
  for (let asks = 0; asks < NOT_READY_ASKS_MAX; asks++) {
    if (isPeerFault(answer) || answer.bytes[1] !== ResponseCodes.ERROR) return answer;
    const { bytes } = answer;
    if (session !== undefined && !state.sessions.has(session.id)) return answer;
    if (bytes[2] === ErrorCodes.Busy && retries > 0) {
      retries--;
      answer = yield* deliver(state, session, request, BUSY_WAIT_US);
    } else if (bytes[2] === ErrorCodes.LargeResponse && bytes.length > 4) {
      answer = yield* fetchLarge(state, session, request, bytes[4]!);
    } else if (bytes[2] === ErrorCodes.ResponseNotReady) {
      answer = yield* notReady(state, session, request, bytes);
    } else return answer;
  }
  return peerFault('RESPONSE_NOT_READY', `not ready after ${NOT_READY_ASKS_MAX} asks`);
}

/** Waits RDT and asks with the token, until the answer is there or RDT x RDTM is over. */
function* notReady(
  state: RequesterState,
  session: RequesterSession | undefined,
  request: Uint8Array,
  first: Uint8Array,
): Exchange<Whole> {
  const code = request[1]!;
  let bytes = first;
  let waited = 0;
  for (;;) {
    const told = decode(error, bytes, {}, { trailing: 'leave' });
    if (!told.ok) return peerFault('RESPONSE_NOT_READY', refusalText(told));
    const { RDTExponent = 0, RequestCode, Token = 0, RDTM = 0 } = told.value;
    if (immediate.includes(code) || RequestCode !== code)
      return peerFault('RESPONSE_NOT_READY', `not for ${codeNames[code]}`);
    if (RDTExponent > RDT_EXPONENT_MAX || RDTM === 0)
      return peerFault('RESPONSE_NOT_READY', `RDTExponent ${RDTExponent}, RDTM ${RDTM}`);
    const waitUs = 2 ** RDTExponent;
    waited += waitUs;
    if (waited > waitUs * RDTM)
      return peerFault('RESPONSE_NOT_READY', `gave up after ${waited} us`);
    const ask = encode(respondIfReady, {
      SPDMVersion: state.version,
      RequestResponseCode: RequestCodes.RESPOND_IF_READY,
      Param1: code,
      Param2: Token,
    });
    const answer = yield* deliver(state, session, ask, waitUs);
    if (isPeerFault(answer)) return answer;
    bytes = answer.bytes;
    if (bytes[1] !== ResponseCodes.ERROR || bytes[2] !== ErrorCodes.ResponseNotReady) return answer;
  }
}

function answerFault(
  state: RequesterState,
  answer: Uint8Array,
  responseCode: number,
): PeerFault | undefined {
  const [version, code, param1, param2] = answer;
  if (answer.length < 4) return peerFault('MALFORMED_ANSWER', `${answer.length} bytes`);
  if (code === ResponseCodes.ERROR) {
    const name = errorNames[param1!] ?? `0x${param1!.toString(16)}`;
    const told = peerFault(`SPDM_ERROR_${name}`, `ERROR ${name}, data 0x${param2!.toString(16)}`);
    const fault: ErrorFault = { ...told, error: param1!, data: param2! };
    return fault;
  }
  if (version !== state.version)
    return peerFault('ANSWER_VERSION', `version 0x${version!.toString(16)} in the answer`);
  if (code !== responseCode)
    return peerFault(
      'ANSWER_CODE',
      `code 0x${code!.toString(16)} instead of 0x${responseCode.toString(16)}`,
    );
  return undefined;
}
