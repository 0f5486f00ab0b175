/**
 * A connection whose capabilities and algorithms both sides were told beforehand (DSP0274 10.2; for
 * PSK_EXCHANGE of small devices): GET_VERSION alone is exchanged, and VCA in the transcripts is that alone.
 */

import type { PeerFault } from '../../codec/refusal.ts';
import { isPeerFault } from '../../codec/refusal.ts';
import type { Negotiated } from '../algorithms.ts';
import { ResponseCodes } from '../codes.ts';
import { type AlgorithmsValue, negotiatedOf } from '../negotiate.ts';
import { choose, type Selecting, supportedBlock } from './selection.ts';

/** What GET_VERSION leads to. */
export interface Beforehand {
  readonly requesterFlags: number;
  /** its `version` is the connection's */
  readonly negotiated: Negotiated;
}

/**
 * What this responder would have selected of all its own, for a requester of these capabilities. A fault
 * if it has no hash.
 */
export function agreedBeforehand(
  party: Selecting,
  version: number,
  requesterFlags: number,
): Beforehand | PeerFault {
  const header = { SPDMVersion: version, RequestResponseCode: ResponseCodes.ALGORITHMS };
  const offer = { ...header, ...supportedBlock(party, version) };
  const lists = { ExtAsymCount: 0, ExtHashCount: 0 };
  const selected = {
    ...header,
    Param1: 0,
    Param2: 0,
    ...choose(party, requesterFlags, { ...offer, ...lists }),
  };
  const { flags: responderFlags } = party;
  const { OtherParamsSupport: otherParams } = offer;
  const offered = { version, requesterFlags, responderFlags, otherParams };
  const negotiated = negotiatedOf(offered, selected as AlgorithmsValue);
  return isPeerFault(negotiated) ? negotiated : { requesterFlags, negotiated };
}
