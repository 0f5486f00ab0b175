/**
 * Layouts of the messages that carry a responder's requests and the requester's answers (DSP0274
 * 10.17). A DOE object pads plain messages, so what an encapsulated message holds after its own end is
 * padding.
 */

import { layout, type Names, reserved, rest, since, u8, when } from '../../codec/field.ts';
import { header } from './header.ts';

export const getEncapsulatedRequest = layout('GET_ENCAPSULATED_REQUEST', 'DSP0274 10.17', header);

/** Param1 numbers the request. */
export const encapsulatedRequest = layout('ENCAPSULATED_REQUEST', 'DSP0274 10.17', {
  ...header,
  EncapsulatedRequest: rest(),
});

export const deliverEncapsulatedResponse = layout(
  'DELIVER_ENCAPSULATED_RESPONSE',
  'DSP0274 10.17',
  { ...header, EncapsulatedResponse: rest() },
);

/** Param2 of ENCAPSULATED_RESPONSE_ACK: what follows. */
export const EncapsulatedPayloads = { Absent: 0, Present: 1, RequesterSlot: 2 } as const;
const payloadNames: Names = Object.fromEntries(
  Object.entries(EncapsulatedPayloads).map(([name, code]) => [code, name]),
);

const ACK_REQUEST_ID_SINCE = 0x12;
export const encapsulatedResponseAck = layout('ENCAPSULATED_RESPONSE_ACK', 'DSP0274 10.17', {
  ...header,
  Param2: u8({ names: payloadNames }),
  AckRequestID: since(ACK_REQUEST_ID_SINCE, u8()),
  Reserved: since(ACK_REQUEST_ID_SINCE, reserved(3)),
  EncapsulatedRequest: when((v) => v.Param2 === EncapsulatedPayloads.Present, rest()),
  RequesterSlotID: when((v) => v.Param2 === EncapsulatedPayloads.RequesterSlot, u8()),
});
