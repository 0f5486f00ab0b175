/** Requester side of GET_ENDPOINT_INFO (DSP0274, GET_ENDPOINT_INFO, from 1.3). */

import { isPeerFault, peerFault, refusalText } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { type DeviceClass, decodeDeviceClasses, il1il2 } from '../endpoint-info.ts';
import { EndpointInfoSubCodes } from '../messages/endpoint-info.ts';
import { SigningContexts } from '../signing.ts';
import { signatureFits } from './certificates.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';
import { transact } from './transact.ts';

export interface EndpointInfoAsked {
  /** who signs: 0-7, or 0xFF for the public key the requester was given; undefined: nobody */
  readonly slot?: number;
}

/**
 * The device classes a responder belongs to, signed if a slot is named: its chain must be trusted.
 * Faults: ENDPOINT_INFO_SLOT, ENDPOINT_INFO_SIGNATURE, ENDPOINT_INFO_ENCODING.
 */
export function* getEndpointInfo(
  state: RequesterState,
  session: RequesterSession | undefined,
  { slot }: EndpointInfoAsked = {},
): Exchange<readonly DeviceClass[]> {
  const signed = slot === undefined ? {} : { Nonce: state.config.random(32) };
  const answer = yield* transact(
    state,
    session,
    RequestCodes.GET_ENDPOINT_INFO,
    ResponseCodes.ENDPOINT_INFO,
    {
      Param1: EndpointInfoSubCodes.DeviceClassIdentifier,
      Param2: (slot ?? 0) & 15,
      RequestAttributes: slot === undefined ? 0 : 1,
      ...signed,
    },
    { signed: slot === undefined ? 0 : 1 },
  );
  if (isPeerFault(answer)) return answer;
  const { value, request, response } = answer;
  if (slot !== undefined) {
    if ((value.Param2 & 15) !== (slot & 15))
      return peerFault('ENDPOINT_INFO_SLOT', `slot ${value.Param2 & 15} answers for ${slot}`);
    const signature = value.Signature ?? new Uint8Array(0);
    const bare = response.subarray(0, response.length - signature.length);
    const transcript = il1il2(state.transcript.a.bytes(), request, bare);
    if (!signatureFits(state, slot, SigningContexts.ENDPOINT_INFO, transcript, signature))
      return peerFault('ENDPOINT_INFO_SIGNATURE', 'the signature does not cover this exchange');
  }
  const classes = decodeDeviceClasses(value.EPInfo);
  return classes.ok ? classes.value : peerFault('ENDPOINT_INFO_ENCODING', refusalText(classes));
}
