/**
 * Encapsulated requests that are not about who the requester is: KEY_UPDATE of the responder's direction,
 * GET_ENDPOINT_INFO, SEND_EVENT (DSP0274 10.17 and the clauses of these messages).
 */

import { encode } from '../../codec/layout.ts';
import { capability, ErrorCodes, ResponseCodes } from '../codes.ts';
import { answerEndpointInfo as endpointInfo } from '../endpoint-info.ts';
import { eventAck, numberedEvents } from '../events.ts';
import { KeyUsages, PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import { keyUpdateOperation } from '../key-update.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import { encapsulatedFacts, type MessageValue } from '../messages/registry.ts';
import { keyUpdateAck } from '../messages/session.ts';
import { SigningContexts } from '../signing.ts';
import { type Asked, type EncapsulatedAnswer, ownSigning } from './encapsulated-answers.ts';
import { hashName, negotiatedOrThrow } from './state.ts';

const invalid = { error: ErrorCodes.InvalidRequest };

/**
 * UpdateKey of the responder's own direction, then VerifyNewKey under the new key. Until that came, what
 * the responder says is taken under either key; UpdateAllKeys is the requester's alone.
 */
export function answerKeyUpdate({
  state,
  context,
  value,
}: Asked<MessageValue<0xe9>>): EncapsulatedAnswer {
  const { keys } = context.session!;
  const operation = keyUpdateOperation(value.Param1);
  if (operation === 'UpdateKey' && !context.updating) {
    context.updating = true;
    state.work.push({ op: 'hmac', bytes: negotiatedOrThrow(state).hashSize });
    keys.update('response');
  } else if (
    operation === 'VerifyNewKey' &&
    context.updating &&
    keys.openedUnder.response === 'current'
  ) {
    context.updating = false;
    keys.confirm('response');
  } else return invalid;
  return encode(keyUpdateAck, {
    SPDMVersion: state.version,
    RequestResponseCode: ResponseCodes.KEY_UPDATE_ACK,
    Param1: value.Param1,
    Param2: value.Param2,
  });
}

export function answerEndpointInfo(asked: Asked<MessageValue<0x87>>): EncapsulatedAnswer {
  const { state, request, value } = asked;
  const { config, version, transcript } = state;
  const negotiated = negotiatedOrThrow(state);
  const slotOf = (nibble: number) => (nibble === PUBLIC_KEY_SLOT_NIBBLE ? PUBLIC_KEY_SLOT : nibble);
  const answer = endpointInfo(
    {
      classes: config.deviceClasses,
      capability: capability(negotiated.requesterFlags, 'EP_INFO_CAP'),
      signerOf: (nibble) => ownSigning(state, slotOf(nibble), KeyUsages.EndpointInfo)?.signer,
      random: config.random,
      scope: { crypto: config.crypto, hash: hashName(state), version },
      context: SigningContexts.REQUESTER_ENDPOINT_INFO,
      vca: transcript.a.bytes(),
      facts: encapsulatedFacts(version, negotiated),
    },
    request,
    value,
  );
  if (answer instanceof Uint8Array) return answer;
  const data = answer.error === ErrorCodes.UnsupportedRequest ? { data: request[1]! } : {};
  return { ...answer, ...data };
}

export function answerSendEvent({
  state,
  context,
  value,
}: Asked<MessageValue<0xf1>>): EncapsulatedAnswer {
  const events = numberedEvents(value.EventsList);
  if (events === undefined) return invalid;
  for (const event of events) state.config.onEvent?.(event, context.session!.id);
  return eventAck(state.version);
}
