/**
 * Layouts of the messages that carry others, and of those that provision certificates (DSP0274 10.17,
 * encapsulated requests; 10.25 GET_CSR; 10.26 SET_CERTIFICATE). A DOE object pads plain messages, so what
 * an encapsulated message holds after its own end is padding.
 */

import { bytes, layout, lengthOf, reserved, rest, since, u8, when } from '../../codec/field.ts';
import { header } from './vca.ts';

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

const ACK_REQUEST_ID_SINCE = 0x12;
export const encapsulatedResponseAck = layout('ENCAPSULATED_RESPONSE_ACK', 'DSP0274 10.17', {
  ...header,
  Param2: u8({ names: { 0: 'Absent', 1: 'Present', 2: 'RequesterSlot' } }),
  AckRequestID: since(ACK_REQUEST_ID_SINCE, u8()),
  Reserved: since(ACK_REQUEST_ID_SINCE, reserved(3)),
  EncapsulatedRequest: when((v) => v.Param2 === EncapsulatedPayloads.Present, rest()),
  RequesterSlotID: when((v) => v.Param2 === EncapsulatedPayloads.RequesterSlot, u8()),
});

export const getCsr = layout('GET_CSR', 'DSP0274 10.25', {
  ...header,
  RequesterInfoLength: lengthOf('RequesterInfo', 2),
  OpaqueDataLength: lengthOf('OpaqueData', 2),
  RequesterInfo: bytes((v) => v.RequesterInfoLength),
  OpaqueData: bytes((v) => v.OpaqueDataLength),
});
export const csr = layout('CSR', 'DSP0274 10.25', {
  ...header,
  CSRLength: lengthOf('CSRdata', 2),
  Reserved: reserved(2),
  CSRdata: bytes((v) => v.CSRLength),
});

/** The chain's own length field tells where it ends; an erase (1.3) has none. */
export const setCertificate = layout('SET_CERTIFICATE', 'DSP0274 10.26', {
  ...header,
  CertChain: rest(),
});
export const setCertificateRsp = layout('SET_CERTIFICATE_RSP', 'DSP0274 10.26', header);
