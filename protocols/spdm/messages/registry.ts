/** Every message by its code: the table that decoding, describing and fuzzing start from. */

import type { Facts, Layout, ValueOf } from '../../codec/field.ts';
import { decode } from '../../codec/layout.ts';
import { type Decoded, RefusalCodes, refuse } from '../../codec/refusal.ts';
import type { Negotiated } from '../algorithms.ts';
import { capability, RequestCodes, ResponseCodes } from '../codes.ts';
import * as auth from './auth.ts';
import * as provisioning from './provisioning.ts';
import * as session from './session.ts';
import * as vca from './vca.ts';

export const layouts = {
  [RequestCodes.GET_VERSION]: vca.getVersion,
  [ResponseCodes.VERSION]: vca.version,
  [RequestCodes.GET_CAPABILITIES]: vca.getCapabilities,
  [ResponseCodes.CAPABILITIES]: vca.capabilities,
  [RequestCodes.NEGOTIATE_ALGORITHMS]: vca.negotiateAlgorithms,
  [ResponseCodes.ALGORITHMS]: vca.algorithms,
  [ResponseCodes.ERROR]: vca.error,
  [RequestCodes.VENDOR_DEFINED_REQUEST]: vca.vendorDefined,
  [ResponseCodes.VENDOR_DEFINED_RESPONSE]: vca.vendorDefined,
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
  [RequestCodes.GET_ENCAPSULATED_REQUEST]: provisioning.getEncapsulatedRequest,
  [ResponseCodes.ENCAPSULATED_REQUEST]: provisioning.encapsulatedRequest,
  [RequestCodes.DELIVER_ENCAPSULATED_RESPONSE]: provisioning.deliverEncapsulatedResponse,
  [ResponseCodes.ENCAPSULATED_RESPONSE_ACK]: provisioning.encapsulatedResponseAck,
  [RequestCodes.GET_CSR]: provisioning.getCsr,
  [ResponseCodes.CSR]: provisioning.csr,
  [RequestCodes.SET_CERTIFICATE]: provisioning.setCertificate,
  [ResponseCodes.SET_CERTIFICATE_RSP]: provisioning.setCertificateRsp,
} as const;
export type KnownCode = keyof typeof layouts;
export type MessageValue<C extends KnownCode> = ValueOf<(typeof layouts)[C]>;

export function layoutOf(code: number): Layout | undefined {
  return (layouts as Readonly<Record<number, Layout>>)[code];
}

/** What the layouts must know of a connection besides the bytes of the message. */
export function connectionFacts(version: number, negotiated?: Negotiated): Facts {
  if (negotiated === undefined) return { version };
  const both = negotiated.requesterFlags & negotiated.responderFlags;
  return {
    version,
    hashSize: negotiated.hashSize,
    signatureSize: negotiated.signatureSize,
    exchangeSize: negotiated.exchangeSize,
    handshakeInTheClear: capability(both >>> 0, 'HANDSHAKE_IN_THE_CLEAR_CAP'),
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
