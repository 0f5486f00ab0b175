/** Layouts of KEY_EXCHANGE .. END_SESSION (DSP0274 10.12-10.20), key exchange and PSK. */

import { bytes, layout, lengthOf, reserved, since, u8, u16, when } from '../../codec/field.ts';
import { header } from './vca.ts';

/**
 * Facts these layouts read: hashSize, signatureSize, exchangeSize, summary, and
 * handshakeInTheClear, which moves the responder's HMAC from KEY_EXCHANGE_RSP to FINISH_RSP.
 */
type Known = Readonly<Record<string, number>>;
const hash = () => bytes((_v, facts) => facts['hashSize'] ?? 0);
const summaryHash = () => when((_v, facts) => facts['summary'] === 1, hash());
const inTheClear = (_v: unknown, facts: Known) => facts['handshakeInTheClear'] === 1;
const notInTheClear = (_v: unknown, facts: Known) => facts['handshakeInTheClear'] !== 1;
const opaque = { OpaqueDataLength: lengthOf('OpaqueData', 2) } as const;
const opaqueData = () => bytes((v) => v.OpaqueDataLength);
const RANDOM_SIZE = 32;

export const keyExchange = layout('KEY_EXCHANGE', 'DSP0274 10.12', {
  ...header,
  ReqSessionID: u16(),
  SessionPolicy: u8({ bits: { TerminationPolicy: [0], EventAllPolicy: [1] } }),
  Reserved: reserved(1),
  RandomData: bytes(RANDOM_SIZE),
  ExchangeData: bytes((_v, facts) => facts['exchangeSize'] ?? 0),
  ...opaque,
  OpaqueData: opaqueData(),
});

export const keyExchangeRsp = layout('KEY_EXCHANGE_RSP', 'DSP0274 10.12', {
  ...header,
  RspSessionID: u16(),
  MutAuthRequested: u8({ bits: { Requested: [0], Encapsulated: [1], ImplicitDigests: [2] } }),
  SlotIDParam: u8(),
  RandomData: bytes(RANDOM_SIZE),
  ExchangeData: bytes((_v, facts) => facts['exchangeSize'] ?? 0),
  MeasurementSummaryHash: summaryHash(),
  ...opaque,
  OpaqueData: opaqueData(),
  Signature: bytes((_v, facts) => facts['signatureSize'] ?? 0),
  ResponderVerifyData: when(notInTheClear, hash()),
});

const FINISH_OPAQUE_SINCE = 0x14;
export const finish = layout('FINISH', 'DSP0274 10.13', {
  ...header,
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
  ReqSessionID: u16(),
  PSKHintLength: lengthOf('PSKHint', 2),
  ContextLength: lengthOf('RequesterContext', 2),
  ...opaque,
  PSKHint: bytes((v) => v.PSKHintLength),
  RequesterContext: bytes((v) => v.ContextLength),
  OpaqueData: opaqueData(),
});

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
const keyUpdateHeader = {
  ...header,
  Param1: u8({ names: { 1: 'UpdateKey', 2: 'UpdateAllKeys', 3: 'VerifyNewKey' } }),
} as const;
export const keyUpdate = layout('KEY_UPDATE', 'DSP0274 10.17', keyUpdateHeader);
export const keyUpdateAck = layout('KEY_UPDATE_ACK', 'DSP0274 10.17', keyUpdateHeader);

export const endSession = layout('END_SESSION', 'DSP0274 10.20', header);
export const endSessionAck = layout('END_SESSION_ACK', 'DSP0274 10.20', header);
