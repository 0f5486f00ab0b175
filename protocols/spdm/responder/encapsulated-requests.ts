/**
 * What a responder may ask of a requester besides who it is: new keys of its own direction, and endpoint
 * info (DSP0274 10.17, GET_ENDPOINT_INFO). Each call puts one flow in line, for the requester to fetch.
 * Events are in events.ts.
 */

import {
  isPeerFault,
  LocalError,
  type PeerFault,
  peerFault,
  refusalText,
} from '../../codec/refusal.ts';
import type { Effect } from '../../engine.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { type DeviceClass, decodeDeviceClasses, il1il2 } from '../endpoint-info.ts';
import { PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import { EncapsulatedPayloads } from '../messages/encapsulation.ts';
import { EndpointInfoSubCodes } from '../messages/endpoint-info.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import { KeyUpdateOps } from '../messages/session.ts';
import { bothHave } from '../negotiate.ts';
import type { SessionKeys } from '../session-keys.ts';
import { SigningContexts, verifyTranscript } from '../signing.ts';
import {
  ask,
  type Encapsulated,
  type EncapsulatedProgress,
  type EncapsulatedStep,
  queueEncapsulated,
} from './encapsulated.ts';
import { hashOf, type ResponderState, type Turn } from './state.ts';

/** The responder's own direction of a session has new keys. */
export interface ResponseKeyUpdated extends Effect {
  readonly type: 'response-key-updated';
  readonly sessionId: number;
}

/**
 * Asks for KEY_UPDATE of the responder's direction: UpdateKey, then VerifyNewKey as the first message under
 * the new key. A requester that refuses the second ends its session, since the two sides' keys differ.
 * @throws LocalError if either side updates no keys, or as `queueEncapsulated`
 */
export function updateResponseKey(state: ResponderState, sessionId: number): void {
  if (state.negotiated === undefined || !bothHave(state.negotiated, 'KEY_UPD_CAP'))
    throw new LocalError('state: key updates take KEY_UPD_CAP of both sides');
  let verifying = false;
  const verified = (turn: Turn): EncapsulatedProgress => {
    const told: ResponseKeyUpdated = { type: 'response-key-updated', sessionId };
    turn.commits.push(() => turn.effects.push(told));
    return { end: true };
  };
  const updated = (turn: Turn): EncapsulatedProgress => {
    turn.work.push({ op: 'hmac', bytes: state.negotiated!.hashSize });
    turn.commits.push(() => {
      verifying = true;
    });
    return askKeyUpdate(state, KeyUpdateOps.VerifyNewKey, verified);
  };
  const failed = (turn: Turn) => {
    if (verifying) state.endSession(sessionId, turn.effects, 'VerifyNewKey was refused');
  };
  const step = askKeyUpdate(state, KeyUpdateOps.UpdateKey, updated);
  queueEncapsulated(state, sessionId, step, failed);
}

function askKeyUpdate(
  state: ResponderState,
  Param1: number,
  then: (turn: Turn) => EncapsulatedProgress,
): EncapsulatedStep {
  const [tag = 0] = state.config.random(1);
  return ask(state, {
    code: RequestCodes.KEY_UPDATE,
    answerCode: ResponseCodes.KEY_UPDATE_ACK,
    fields: { Param1, Param2: tag },
    answered: (turn, { value }) =>
      value.Param1 === Param1 && value.Param2 === tag
        ? then(turn)
        : peerFault('KEY_UPDATE_ACK', `operation ${value.Param1}, tag ${value.Param2}`),
  });
}

const ACK_PAYLOAD_AT = { before: 4, since: 8 } as const;
const ACK_REQUEST_ID_SINCE = 0x12;

/** Before `answer` is sealed in a session: an encapsulated VerifyNewKey goes out under the new key. */
export function turnOwnKey(keys: SessionKeys, answer: Uint8Array): void {
  const [version = 0, code, , type] = answer;
  if (code !== ResponseCodes.ENCAPSULATED_RESPONSE_ACK) return;
  if (type !== EncapsulatedPayloads.Present) return;
  const at = version >= ACK_REQUEST_ID_SINCE ? ACK_PAYLOAD_AT.since : ACK_PAYLOAD_AT.before;
  const [, inner, operation] = answer.subarray(at);
  if (inner !== RequestCodes.KEY_UPDATE || operation !== KeyUpdateOps.VerifyNewKey) return;
  keys.update('response');
  keys.confirm('response');
}

export interface EndpointInfoQuestion {
  /** of the signing key: 0-7, or 0xFF; undefined: no signature is asked for */
  readonly slot: number | undefined;
  /** called in a commit, once the signature fits if one was asked for */
  readonly told: (turn: Turn, classes: readonly DeviceClass[]) => void;
  readonly failed?: (turn: Turn, fault: PeerFault) => void;
}

/**
 * Asks the requester for its device class identifiers, inside the session or outside.
 * @throws LocalError if a signature is asked for of a requester that was not authenticated in this slot,
 *   or as `queueEncapsulated`
 */
export function askEndpointInfo(
  state: ResponderState,
  sessionId: number | undefined,
  question: EndpointInfoQuestion,
): void {
  const { slot, told, failed } = question;
  const signed = slot !== undefined;
  if (signed && state.requester?.slot !== slot)
    throw new LocalError(`slot: the requester was not authenticated in slot ${slot}`);
  const nibble = slot === PUBLIC_KEY_SLOT ? PUBLIC_KEY_SLOT_NIBBLE : (slot ?? 0);
  const nonce = signed ? { Nonce: state.config.random(32) } : {};
  const step = ask(state, {
    code: RequestCodes.GET_ENDPOINT_INFO,
    answerCode: ResponseCodes.ENDPOINT_INFO,
    fields: {
      Param1: EndpointInfoSubCodes.DeviceClassIdentifier,
      Param2: nibble,
      RequestAttributes: signed ? 1 : 0,
      ...nonce,
    },
    facts: { signed: signed ? 1 : 0 },
    answered(turn, exchanged) {
      const wrong = signed ? endpointFault(state, turn, nibble, exchanged) : undefined;
      if (isPeerFault(wrong)) return wrong;
      const classes = decodeDeviceClasses(exchanged.value.EPInfo);
      if (!classes.ok) return peerFault('ENDPOINT_INFO_ENCODING', refusalText(classes));
      turn.commits.push(() => told(turn, classes.value));
      return { end: true };
    },
  });
  queueEncapsulated(state, sessionId, step, failed);
}

function endpointFault(
  state: ResponderState,
  turn: Turn,
  nibble: number,
  { value, request, response }: Encapsulated<0x07>,
): PeerFault | undefined {
  const { requester, config, transcript } = state;
  const signature = value.Signature ?? new Uint8Array(0);
  if ((value.Param2 & 15) !== nibble || requester === undefined)
    return peerFault('ENDPOINT_INFO_SLOT', `slot ${value.Param2 & 15} signs for ${nibble}`);
  const bare = response.subarray(0, response.length - signature.length);
  const covered = il1il2(transcript.a.bytes(), request, bare);
  turn.work.push({ op: 'hash', bytes: covered.length }, { op: 'verify' });
  const scope = { crypto: config.crypto, hash: hashOf(state), version: turn.version };
  const { algorithm, publicKey } = requester.leaf;
  const { REQUESTER_ENDPOINT_INFO } = SigningContexts;
  return verifyTranscript(scope, algorithm, publicKey, REQUESTER_ENDPOINT_INFO, covered, signature)
    ? undefined
    : peerFault('ENDPOINT_INFO_SIGNATURE', 'the signature does not cover this exchange');
}
