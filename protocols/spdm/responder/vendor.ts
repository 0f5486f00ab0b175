/** Responder side of VENDOR_DEFINED_REQUEST (DSP0274 10.10): PCI-SIG protocols, by their id byte. */

import { concat } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { PCI_SIG_VENDOR_ID, RegistryIds, RequestCodes, ResponseCodes } from '../codes.ts';
import { vendorDefined } from '../messages/vendor-defined.ts';
import { bothHave } from '../negotiate.ts';
import {
  type Answer,
  type Handlers,
  invalid,
  type ResponderState,
  type Turn,
  unsupported,
} from './state.ts';

const LARGE_FORM = 0x80;

function answerVendor(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof vendorDefined>,
): Answer {
  const isLarge = turn.version >= 0x14 && (value.Param1 & LARGE_FORM) !== 0;
  if (isLarge && !bothHave(state.negotiated!, 'LARGE_RESP_CAP')) return invalid;
  const [low, high] = value.VendorID;
  const pciSig =
    value.StandardID === RegistryIds.PCI_SIG &&
    value.VendorID.length === 2 &&
    low! + high! * 256 === PCI_SIG_VENDOR_ID;
  const protocol = pciSig
    ? state.config.vendor.find((candidate) => candidate.protocolId === value.Payload[0])
    : undefined;
  if (protocol === undefined) return unsupported(turn);
  const outcome = protocol.handle(value.Payload.slice(1), turn.session?.id);
  turn.work.push(...outcome.work);
  turn.effects.push(...outcome.effects);
  const { reply } = outcome;
  if (reply === undefined) return undefined;
  if (!(reply instanceof Uint8Array))
    return reply.data === undefined
      ? { error: reply.spdmError }
      : { error: reply.spdmError, data: reply.data };
  const message = {
    SPDMVersion: turn.version,
    RequestResponseCode: ResponseCodes.VENDOR_DEFINED_RESPONSE,
    Param1: isLarge ? LARGE_FORM : 0,
    Param2: 0,
    StandardID: value.StandardID,
    VendorID: value.VendorID,
    Payload: concat(Uint8Array.of(protocol.protocolId), reply),
  };
  return encode(vendorDefined, message, { version: turn.version });
}

export const vendorHandlers: Handlers = { [RequestCodes.VENDOR_DEFINED_REQUEST]: answerVendor };
