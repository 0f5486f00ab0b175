/** Every message by its code: the table that decoding, describing and fuzzing start from. */

import type { Facts, Layout, ValueOf } from '../../codec/field.ts';
import { decode } from '../../codec/layout.ts';
import { type Decoded, RefusalCodes, refuse } from '../../codec/refusal.ts';
import type { Negotiated } from '../algorithms.ts';
import { capability, RequestCodes, ResponseCodes } from '../codes.ts';
import * as auth from './auth.ts';
import * as chunks from './chunks.ts';
import * as encapsulation from './encapsulation.ts';
import * as endpoint from './endpoint-info.ts';
import * as errors from './error.ts';
import * as events from './events.ts';
import * as keyPairs from './key-pairs.ts';
import * as mel from './measurement-extension-log.ts';
import * as provisioning from './provisioning.ts';
import * as session from './session.ts';
import * as vca from './vca.ts';
import { vendorDefined } from './vendor-defined.ts';

export { inVersion, messageSince } from './since.ts';

export const layouts = {
  [RequestCodes.GET_VERSION]: vca.getVersion,
  [ResponseCodes.VERSION]: vca.version,
  [RequestCodes.GET_CAPABILITIES]: vca.getCapabilities,
  [ResponseCodes.CAPABILITIES]: vca.capabilities,
  [RequestCodes.NEGOTIATE_ALGORITHMS]: vca.negotiateAlgorithms,
  [ResponseCodes.ALGORITHMS]: vca.algorithms,
  [ResponseCodes.ERROR]: errors.error,
  [RequestCodes.RESPOND_IF_READY]: errors.respondIfReady,
  [RequestCodes.VENDOR_DEFINED_REQUEST]: vendorDefined,
  [ResponseCodes.VENDOR_DEFINED_RESPONSE]: vendorDefined,
  [RequestCodes.GET_DIGESTS]: auth.getDigests,
  [ResponseCodes.DIGESTS]: auth.digests,
  [RequestCodes.GET_CERTIFICATE]: auth.getCertificate,
  [ResponseCodes.CERTIFICATE]: auth.certificate,
  [RequestCodes.CHALLENGE]: auth.challenge,
  [ResponseCodes.CHALLENGE_AUTH]: auth.challengeAuth,
  [RequestCodes.GET_MEASUREMENTS]: auth.getMeasurements,
  [ResponseCodes.MEASUREMENTS]: auth.measurements,
  [RequestCodes.KEY_EXCHANGE]: session.keyExchange,
  [ResponseCodes.KEY_EXCHANGE_RSP]: session.keyExchangeRsp,
  [RequestCodes.FINISH]: session.finish,
  [ResponseCodes.FINISH_RSP]: session.finishRsp,
  [RequestCodes.PSK_EXCHANGE]: session.pskExchange,
  [ResponseCodes.PSK_EXCHANGE_RSP]: session.pskExchangeRsp,
  [RequestCodes.PSK_FINISH]: session.pskFinish,
  [ResponseCodes.PSK_FINISH_RSP]: session.pskFinishRsp,
  [RequestCodes.HEARTBEAT]: session.heartbeat,
  [ResponseCodes.HEARTBEAT_ACK]: session.heartbeatAck,
  [RequestCodes.KEY_UPDATE]: session.keyUpdate,
  [ResponseCodes.KEY_UPDATE_ACK]: session.keyUpdateAck,
  [RequestCodes.END_SESSION]: session.endSession,
  [ResponseCodes.END_SESSION_ACK]: session.endSessionAck,
  [RequestCodes.GET_ENCAPSULATED_REQUEST]: encapsulation.getEncapsulatedRequest,
  [ResponseCodes.ENCAPSULATED_REQUEST]: encapsulation.encapsulatedRequest,
  [RequestCodes.DELIVER_ENCAPSULATED_RESPONSE]: encapsulation.deliverEncapsulatedResponse,
  [ResponseCodes.ENCAPSULATED_RESPONSE_ACK]: encapsulation.encapsulatedResponseAck,
  [RequestCodes.GET_CSR]: provisioning.getCsr,
  [ResponseCodes.CSR]: provisioning.csr,
  [RequestCodes.SET_CERTIFICATE]: provisioning.setCertificate,
  [ResponseCodes.SET_CERTIFICATE_RSP]: provisioning.setCertificateRsp,
  [RequestCodes.SLOT_MANAGEMENT]: provisioning.slotManagement,
  [ResponseCodes.SLOT_MANAGEMENT_RESP]: provisioning.slotManagementResp,
  [RequestCodes.CHUNK_SEND]: chunks.chunkSend,
  [ResponseCodes.CHUNK_SEND_ACK]: chunks.chunkSendAck,
  [RequestCodes.CHUNK_GET]: chunks.chunkGet,
  [ResponseCodes.CHUNK_RESPONSE]: chunks.chunkResponse,
  [RequestCodes.GET_ENDPOINT_INFO]: endpoint.getEndpointInfo,
  [ResponseCodes.ENDPOINT_INFO]: endpoint.endpointInfo,
  [RequestCodes.GET_MEASUREMENT_EXTENSION_LOG]: mel.getMeasurementExtensionLog,
  [ResponseCodes.MEASUREMENT_EXTENSION_LOG]: mel.measurementExtensionLog,
  [RequestCodes.GET_SUPPORTED_EVENT_TYPES]: events.getSupportedEventTypes,
  [ResponseCodes.SUPPORTED_EVENT_TYPES]: events.supportedEventTypes,
  [RequestCodes.SUBSCRIBE_EVENT_TYPES]: events.subscribeEventTypes,
  [ResponseCodes.SUBSCRIBE_EVENT_TYPES_ACK]: events.subscribeEventTypesAck,
  [RequestCodes.SEND_EVENT]: events.sendEvent,
  [ResponseCodes.EVENT_ACK]: events.eventAck,
  [RequestCodes.GET_KEY_PAIR_INFO]: keyPairs.getKeyPairInfo,
  [ResponseCodes.KEY_PAIR_INFO]: keyPairs.keyPairInfo,
  [RequestCodes.SET_KEY_PAIR_INFO]: keyPairs.setKeyPairInfo,
  [ResponseCodes.SET_KEY_PAIR_INFO_ACK]: keyPairs.setKeyPairInfoAck,
} as const;
export type KnownCode = keyof typeof layouts;
export type MessageValue<C extends KnownCode> = ValueOf<(typeof layouts)[C]>;

export function layoutOf(code: number): Layout | undefined {
  return (layouts as Readonly<Record<number, Layout>>)[code];
}

/** What the layouts must know of a connection besides the bytes of the message. */
export function connectionFacts(version: number, negotiated?: Negotiated): Facts {
  if (negotiated === undefined) return { version };
  const both = (negotiated.requesterFlags & negotiated.responderFlags) >>> 0;
  return {
    version,
    hashSize: negotiated.hashSize,
    signatureSize: negotiated.signatureSize,
    requesterSignatureSize: negotiated.requesterSignatureSize,
    requestExchangeSize: negotiated.requestExchangeSize,
    responseExchangeSize: negotiated.responseExchangeSize,
    handshakeInTheClear: capability(both, 'HANDSHAKE_IN_THE_CLEAR_CAP'),
    multiKey: negotiated.multiKeyConn ? 1 : 0,
  };
}

/** The same for an encapsulated message, where the requester is the one who has keys and signs. */
export function encapsulatedFacts(version: number, negotiated: Negotiated): Facts {
  return {
    ...connectionFacts(version, negotiated),
    signatureSize: negotiated.requesterSignatureSize,
    multiKey: negotiated.requesterMultiKeyConn ? 1 : 0,
  };
}

/**
 * Decodes one message by the code in its second byte.
 * DOE pads plain messages to a DW, so bytes after the last field are left alone there; in a secured
 * record the size is exact and anything left over is refused.
 */
export function decodeMessage(
  bytes: Uint8Array,
  facts: Facts,
  trailing: 'refuse' | 'leave',
): Decoded<Record<string, unknown>> {
  if (bytes.length < 4)
    return refuse(RefusalCodes.TRUNCATED, 'header', bytes.length, 'an SPDM message has 4 bytes');
  const table = layoutOf(bytes[1]!);
  if (table === undefined)
    return refuse(RefusalCodes.UNKNOWN_CODE, 'RequestResponseCode', 1, `no message ${bytes[1]}`);
  return decode(table, bytes, facts, { trailing }) as Decoded<Record<string, unknown>>;
}
