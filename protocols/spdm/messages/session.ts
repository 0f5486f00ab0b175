/** Layouts of KEY_EXCHANGE .. END_SESSION (DSP0274 10.12-10.20), key exchange and PSK. */

import {
  bytes,
  type Facts,
  layout,
  lengthOf,
  reserved,
  type Scope,
  since,
  u8,
  u16,
  when,
} from '../../codec/field.ts';
import { hash, header, signature, slotParam, summaryHash, summaryParam } from './header.ts';

/**
 * Facts these layouts read: hashSize, signatureSize, requesterSignatureSize, summary;
 * requestExchangeSize and responseExchangeSize, which a KEM makes differ; and handshakeInTheClear, which
 * moves the responder's HMAC from KEY_EXCHANGE_RSP to FINISH_RSP.
 */
const inTheClear = (_v: Scope, facts: Facts) => facts['handshakeInTheClear'] === 1;
const notInTheClear = (_v: Scope, facts: Facts) => facts['handshakeInTheClear'] !== 1;
const opaque = { OpaqueDataLength: lengthOf('OpaqueData', 2) } as const;
const opaqueData = () => bytes((v) => v.OpaqueDataLength);
const RANDOM_SIZE = 32;

/** SessionPolicy (1.2): in KEY_EXCHANGE a field, in PSK_EXCHANGE Param2. */
const sessionPolicy = () => u8({ bits: { TerminationPolicy: [0], EventAllPolicy: [1] } });

export const keyExchange = layout('KEY_EXCHANGE', 'DSP0274 10.12', {
  ...header,
  Param1: summaryParam(),
  Param2: slotParam(),
  ReqSessionID: u16(),
  SessionPolicy: sessionPolicy(),
  Reserved: reserved(1),
  RandomData: bytes(RANDOM_SIZE),
  ExchangeData: bytes((_v, facts) => facts['requestExchangeSize'] ?? 0),
  ...opaque,
  OpaqueData: opaqueData(),
});

/** Param1: HeartbeatPeriod in seconds. */
export const keyExchangeRsp = layout('KEY_EXCHANGE_RSP', 'DSP0274 10.12', {
  ...header,
  RspSessionID: u16(),
  MutAuthRequested: u8({ bits: { Requested: [0], Encapsulated: [1], ImplicitDigests: [2] } }),
  SlotIDParam: u8(),
  RandomData: bytes(RANDOM_SIZE),
  ExchangeData: bytes((_v, facts) => facts['responseExchangeSize'] ?? 0),
  MeasurementSummaryHash: summaryHash(),
  ...opaque,
  OpaqueData: opaqueData(),
  Signature: signature(),
  ResponderVerifyData: when(notInTheClear, hash()),
});

const FINISH_OPAQUE_SINCE = 0x14;
export const finish = layout('FINISH', 'DSP0274 10.13', {
  ...header,
  Param1: u8({ bits: { SignatureIncluded: [0] } }),
  Param2: slotParam(),
  OpaqueDataLength: since(FINISH_OPAQUE_SINCE, lengthOf('OpaqueData', 2)),
  OpaqueData: since(FINISH_OPAQUE_SINCE, opaqueData()),
  Signature: when(
    (v) => (v.Param1 & 1) === 1,
    bytes((_v, facts) => facts['requesterSignatureSize'] ?? 0),
  ),
  RequesterVerifyData: hash(),
});

export const finishRsp = layout('FINISH_RSP', 'DSP0274 10.13', {
  ...header,
  OpaqueDataLength: since(FINISH_OPAQUE_SINCE, lengthOf('OpaqueData', 2)),
  OpaqueData: since(FINISH_OPAQUE_SINCE, opaqueData()),
  ResponderVerifyData: when(inTheClear, hash()),
});

export const pskExchange = layout('PSK_EXCHANGE', 'DSP0274 10.14', {
  ...header,
  Param1: summaryParam(),
  Param2: sessionPolicy(),
  ReqSessionID: u16(),
  PSKHintLength: lengthOf('PSKHint', 2),
  ContextLength: lengthOf('RequesterContext', 2),
  ...opaque,
  PSKHint: bytes((v) => v.PSKHintLength),
  RequesterContext: bytes((v) => v.ContextLength),
  OpaqueData: opaqueData(),
});

/** Param1: HeartbeatPeriod in seconds. */
export const pskExchangeRsp = layout('PSK_EXCHANGE_RSP', 'DSP0274 10.14', {
  ...header,
  RspSessionID: u16(),
  Reserved: reserved(2),
  ContextLength: lengthOf('ResponderContext', 2),
  ...opaque,
  MeasurementSummaryHash: summaryHash(),
  ResponderContext: bytes((v) => v.ContextLength),
  OpaqueData: opaqueData(),
  ResponderVerifyData: hash(),
});

export const pskFinish = layout('PSK_FINISH', 'DSP0274 10.15', {
  ...header,
  OpaqueDataLength: since(FINISH_OPAQUE_SINCE, lengthOf('OpaqueData', 2)),
  OpaqueData: since(FINISH_OPAQUE_SINCE, opaqueData()),
  RequesterVerifyData: hash(),
});
export const pskFinishRsp = layout('PSK_FINISH_RSP', 'DSP0274 10.15', {
  ...header,
  OpaqueDataLength: since(FINISH_OPAQUE_SINCE, lengthOf('OpaqueData', 2)),
  OpaqueData: since(FINISH_OPAQUE_SINCE, opaqueData()),
});

export const heartbeat = layout('HEARTBEAT', 'DSP0274 10.16', header);
export const heartbeatAck = layout('HEARTBEAT_ACK', 'DSP0274 10.16', header);

/** KEY_UPDATE operations (Param1). */
export const KeyUpdateOps = { UpdateKey: 1, UpdateAllKeys: 2, VerifyNewKey: 3 } as const;
/** Param2 is a tag that the answer echoes. */
const keyUpdateHeader = {
  ...header,
  Param1: u8({ names: { 1: 'UpdateKey', 2: 'UpdateAllKeys', 3: 'VerifyNewKey' } }),
} as const;
export const keyUpdate = layout('KEY_UPDATE', 'DSP0274 10.17', keyUpdateHeader);
export const keyUpdateAck = layout('KEY_UPDATE_ACK', 'DSP0274 10.17', keyUpdateHeader);

export const endSession = layout('END_SESSION', 'DSP0274 10.20', {
  ...header,
  Param1: u8({ bits: { PreserveNegotiatedStateClear: [0] } }),
});
export const endSessionAck = layout('END_SESSION_ACK', 'DSP0274 10.20', header);
