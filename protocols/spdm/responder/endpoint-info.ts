/** Responder side of GET_ENDPOINT_INFO (DSP0274, GET_ENDPOINT_INFO, from 1.3). */

import type { ValueOf } from '../../codec/field.ts';
import { capability, ErrorCodes, RequestCodes } from '../codes.ts';
import { answerEndpointInfo } from '../endpoint-info.ts';
import { KeyUsages, PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import type { getEndpointInfo } from '../messages/endpoint-info.ts';
import { connectionFacts } from '../messages/registry.ts';
import { SigningContexts } from '../signing.ts';
import { signingOf } from './auth.ts';
import {
  type Answer,
  type Handlers,
  hashOf,
  type ResponderState,
  type Turn,
  unsupported,
} from './state.ts';

function answer(state: ResponderState, turn: Turn, value: ValueOf<typeof getEndpointInfo>): Answer {
  const { crypto, random, flags, deviceClasses } = state.config;
  const { EndpointInfo } = KeyUsages;
  const made = answerEndpointInfo(
    {
      classes: deviceClasses,
      capability: capability(flags, 'EP_INFO_CAP'),
      signerOf: (slot) => signingOf(state, slot, EndpointInfo, PUBLIC_KEY_SLOT_NIBBLE)?.signer,
      random,
      scope: { crypto, hash: hashOf(state), version: turn.version },
      context: SigningContexts.ENDPOINT_INFO,
      vca: state.transcript.a.bytes(),
      facts: connectionFacts(turn.version, state.negotiated),
    },
    turn.request,
    value,
  );
  if (made instanceof Uint8Array) {
    if (value.Nonce !== undefined) turn.work.push({ op: 'random', bytes: 32 }, { op: 'sign' });
    return made;
  }
  return made.error === ErrorCodes.UnsupportedRequest ? unsupported(turn) : made;
}

export const endpointInfoHandlers: Handlers = { [RequestCodes.GET_ENDPOINT_INFO]: answer };
