/** Samples of encapsulation, provisioning, chunks and what 1.3 added, of vendor messages and errors. */

import { ErrorCodes, RequestCodes, ResponseCodes } from '../../../../protocols/spdm/codes.ts';
import { type Body, EMPTY, fill, from, none, type Row } from './sample-parts.ts';

const Q = RequestCodes;
const S = ResponseCodes;
const group = {
  ID: 3,
  VendorID: fill(2),
  EventGroupVer: 1,
  Attributes: 0,
  EventType: [{ EventTypeID: 1 }, { EventTypeID: 4 }],
};
const event = { EventInstanceID: 7, ID: 0, VendorID: EMPTY, EventTypeID: 4, EventDetail: fill(1) };
const vendor = { StandardID: 3, VendorID: fill(2), Payload: fill(9) };
const chunk = { Param2: 5, SPDMchunk: fill(30) };
const errorOf = (code: number, body: Body, since = 0x10): Row => ({
  code: S.ERROR,
  label: `code ${code}`,
  from: since,
  body: () => ({ Param1: code, ...body }),
});

export const moreRows: readonly Row[] = [
  { code: Q.GET_ENCAPSULATED_REQUEST, body: none },
  {
    code: S.ENCAPSULATED_REQUEST,
    body: (v) => ({ Param1: 1, EncapsulatedRequest: Uint8Array.of(v, 0x81, 0, 0) }),
  },
  {
    code: Q.DELIVER_ENCAPSULATED_RESPONSE,
    body: (v) => ({ Param1: 1, EncapsulatedResponse: Uint8Array.of(v, 0x01, 0, 0) }),
  },
  {
    code: S.ENCAPSULATED_RESPONSE_ACK,
    label: 'next request',
    body: (v) => ({
      Param1: 2,
      Param2: 1,
      ...from(v, 0x12, { AckRequestID: 1 }),
      EncapsulatedRequest: Uint8Array.of(v, 0x82, 0, 0),
    }),
  },
  {
    code: S.ENCAPSULATED_RESPONSE_ACK,
    label: 'slot',
    body: (v) => ({ Param2: 2, ...from(v, 0x12, { AckRequestID: 1 }), RequesterSlotID: 3 }),
  },
  {
    code: S.ENCAPSULATED_RESPONSE_ACK,
    label: 'the end',
    body: (v) => from(v, 0x12, { AckRequestID: 1 }),
  },
  { code: Q.END_SESSION, body: () => ({ Param1: 1 }) },
  { code: S.END_SESSION_ACK, body: none },
  {
    code: Q.GET_CSR,
    body: (v) => ({
      ...from(v, 0x13, { Param1: 1, Param2: 0x8a }),
      RequesterInfo: fill(6),
      OpaqueData: fill(3),
    }),
  },
  { code: S.CSR, body: () => ({ CSRdata: fill(20) }) },
  {
    code: Q.SET_CERTIFICATE,
    body: (v) => ({
      Param1: v >= 0x13 ? 0x12 : 2,
      Param2: v >= 0x13 ? 1 : 0,
      CertChain: fill(40),
    }),
  },
  {
    code: Q.SET_CERTIFICATE,
    label: 'erase',
    from: 0x13,
    body: () => ({ Param1: 0x82, CertChain: EMPTY }),
  },
  { code: S.SET_CERTIFICATE_RSP, body: () => ({ Param1: 2 }) },
  { code: Q.SLOT_MANAGEMENT, body: () => ({ Param1: 1, Payload: fill(4) }) },
  { code: S.SLOT_MANAGEMENT_RESP, body: () => ({ Param1: 1, Payload: EMPTY }) },
  ...[Q.CHUNK_SEND, S.CHUNK_RESPONSE].flatMap((code): Row[] => [
    { code, label: 'first', body: () => ({ ...chunk, ChunkSeqNo: 0, LargeMessageSize: 0x1234 }) },
    { code, label: 'last', body: () => ({ ...chunk, Param1: 1, ChunkSeqNo: 0x123 }) },
  ]),
  {
    code: S.CHUNK_SEND_ACK,
    body: (v) => ({
      Param2: 5,
      ChunkSeqNo: 0x123,
      ResponseToLargeRequest: Uint8Array.of(v, 0x7f, 1, 0),
    }),
  },
  { code: Q.CHUNK_GET, body: () => ({ Param2: 5, ChunkSeqNo: 0x123 }) },
  { code: Q.GET_ENDPOINT_INFO, body: () => ({ Param1: 1, RequestAttributes: 0 }) },
  {
    code: Q.GET_ENDPOINT_INFO,
    label: 'signed',
    body: () => ({ Param1: 1, Param2: 1, RequestAttributes: 1, Nonce: fill(32) }),
  },
  { code: S.ENDPOINT_INFO, facts: { signed: 0 }, body: () => ({ EPInfo: fill(12) }) },
  {
    code: S.ENDPOINT_INFO,
    label: 'signed',
    body: () => ({ Param2: 1, Nonce: fill(32), EPInfo: fill(12), Signature: fill(64) }),
  },
  { code: Q.GET_MEASUREMENT_EXTENSION_LOG, body: () => ({ Offset: 16, Length: 0x100 }) },
  { code: S.MEASUREMENT_EXTENSION_LOG, body: () => ({ RemainderLength: 9, MEL: fill(24) }) },
  { code: Q.GET_SUPPORTED_EVENT_TYPES, body: none },
  {
    code: S.SUPPORTED_EVENT_TYPES,
    body: () => ({ Param1: 1, SupportedEventGroupsList: [group] }),
  },
  { code: Q.SUBSCRIBE_EVENT_TYPES, body: () => ({ Param1: 1, SubscribeList: [group] }) },
  { code: Q.SUBSCRIBE_EVENT_TYPES, label: 'nothing', body: none },
  { code: S.SUBSCRIBE_EVENT_TYPES_ACK, body: none },
  { code: Q.SEND_EVENT, body: () => ({ EventsList: [event, { ...event, EventInstanceID: 8 }] }) },
  { code: S.EVENT_ACK, body: none },
  { code: Q.GET_KEY_PAIR_INFO, body: () => ({ KeyPairID: 1 }) },
  {
    code: S.KEY_PAIR_INFO,
    body: (v) => ({
      TotalKeyPairs: 3,
      KeyPairID: 1,
      Capabilities: 0x1f,
      KeyUsageCapabilities: 0x0f,
      CurrentKeyUsage: 0x03,
      AsymAlgoCapabilities: 0x18,
      CurrentAsymAlgo: 0x10,
      AssocCertSlotMask: 1,
      PublicKeyInfo: fill(13),
      ...from(v, 0x14, {
        PqcAsymAlgoCapabilities: fill(4),
        CurrentPqcAsymAlgo: Uint8Array.of(0, 0, 0, 0),
      }),
    }),
  },
  {
    code: Q.SET_KEY_PAIR_INFO,
    body: (v) => ({
      KeyPairID: 1,
      DesiredKeyUsage: 3,
      DesiredAsymAlgo: 0x10,
      DesiredAssocCertSlotMask: 2,
      ...from(v, 0x14, { DesiredPqcAsymAlgo: fill(4) }),
    }),
  },
  { code: Q.SET_KEY_PAIR_INFO, label: 'erase', body: () => ({ Param1: 1, KeyPairID: 1 }) },
  { code: S.SET_KEY_PAIR_INFO_ACK, body: none },
  ...[Q.VENDOR_DEFINED_REQUEST, S.VENDOR_DEFINED_RESPONSE].flatMap((code): Row[] => [
    { code, body: () => vendor },
    { code, label: 'large form', from: 0x14, body: () => ({ Param1: 0x80, ...vendor }) },
  ]),
  { code: Q.RESPOND_IF_READY, body: () => ({ Param1: Q.CHALLENGE, Param2: 9 }) },
  errorOf(ErrorCodes.InvalidRequest, { ExtendedErrorData: EMPTY }),
  errorOf(ErrorCodes.ResetRequired, { Param2: 3, ExtendedErrorData: fill(2) }, 0x12),
  errorOf(ErrorCodes.ResponseNotReady, {
    RDTExponent: 10,
    RequestCode: Q.CHALLENGE,
    Token: 9,
    RDTM: 3,
  }),
  errorOf(ErrorCodes.ResponseTooLarge, { ActualSize: 0x1234 }, 0x12),
  errorOf(ErrorCodes.LargeResponse, { Handle: 5 }, 0x12),
  errorOf(ErrorCodes.DataTooLarge, { DataLength: [0x12345] }, 0x14),
  errorOf(ErrorCodes.DataTooLarge, { DataLength: [] }, 0x14),
  errorOf(ErrorCodes.VendorDefined, {
    Param2: 3,
    VendorID: fill(2),
    OpaqueErrorData: fill(5),
  }),
];
