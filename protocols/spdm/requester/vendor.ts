/** Requester side of VENDOR_DEFINED messages (DSP0274 10.10): drives a vendor protocol to its end. */

import { concat, equal } from '../../codec/bytes.ts';
import { isPeerFault, peerFault } from '../../codec/refusal.ts';
import type { VendorExchange } from '../../engine.ts';
import {
  PCI_SIG_VENDOR_ID,
  RegistryIds,
  RequestCodes,
  ResponseCodes,
  SpdmVersions,
} from '../codes.ts';
import { bothHave } from '../negotiate.ts';
import type { Exchange, RequesterSession, RequesterState } from './state.ts';
import { transact } from './transact.ts';

const PCI_SIG_ID = Uint8Array.of(PCI_SIG_VENDOR_ID, 0);
const LARGE_FORM = 0x80;

/** Drives a vendor protocol's requester through this session to its end. */
export function* vendor<T>(
  state: RequesterState,
  session: RequesterSession | undefined,
  protocolId: number,
  exchange: VendorExchange<T>,
): Exchange<T> {
  const { negotiated } = state;
  const large =
    negotiated !== undefined &&
    negotiated.version >= SpdmVersions.V1_4 &&
    bothHave(negotiated, 'LARGE_RESP_CAP');
  let step = exchange.next();
  while (!step.done) {
    const answer = yield* transact(
      state,
      session,
      RequestCodes.VENDOR_DEFINED_REQUEST,
      ResponseCodes.VENDOR_DEFINED_RESPONSE,
      {
        Param1: large ? LARGE_FORM : 0,
        Param2: 0,
        StandardID: RegistryIds.PCI_SIG,
        VendorID: PCI_SIG_ID,
        Payload: concat(Uint8Array.of(protocolId), step.value),
      },
    );
    if (isPeerFault(answer)) return answer;
    const { Param1, StandardID, VendorID, Payload } = answer.value;
    if (
      StandardID !== RegistryIds.PCI_SIG ||
      !equal(VendorID, PCI_SIG_ID) ||
      Payload[0] !== protocolId
    )
      return peerFault('VENDOR_ANSWER', 'the answer belongs to another vendor protocol');
    if (((Param1 & LARGE_FORM) !== 0) !== large)
      return peerFault('VENDOR_ANSWER', 'the answer has not the form of the request');
    step = exchange.next(Payload.slice(1));
  }
  return step.value;
}
