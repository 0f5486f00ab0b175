/** The first version that has a message (DSP0274 8, the tables of request and response codes). */

import { RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import type { KnownCode } from './registry.ts';

const { V1_0, V1_1, V1_2, V1_3, V1_4 } = SpdmVersions;

/** Message code -> SPDMVersion byte of the first version that knows it. */
export const messageSince: Readonly<Record<KnownCode, number>> = {
  [RequestCodes.GET_DIGESTS]: V1_0,
  [ResponseCodes.DIGESTS]: V1_0,
  [RequestCodes.GET_CERTIFICATE]: V1_0,
  [ResponseCodes.CERTIFICATE]: V1_0,
  [RequestCodes.CHALLENGE]: V1_0,
  [ResponseCodes.CHALLENGE_AUTH]: V1_0,
  [RequestCodes.GET_VERSION]: V1_0,
  [ResponseCodes.VERSION]: V1_0,
  [RequestCodes.CHUNK_SEND]: V1_2,
  [ResponseCodes.CHUNK_SEND_ACK]: V1_2,
  [RequestCodes.CHUNK_GET]: V1_2,
  [ResponseCodes.CHUNK_RESPONSE]: V1_2,
  [RequestCodes.GET_ENDPOINT_INFO]: V1_3,
  [ResponseCodes.ENDPOINT_INFO]: V1_3,
  [RequestCodes.SLOT_MANAGEMENT]: V1_4,
  [ResponseCodes.SLOT_MANAGEMENT_RESP]: V1_4,
  [RequestCodes.GET_MEASUREMENTS]: V1_0,
  [ResponseCodes.MEASUREMENTS]: V1_0,
  [RequestCodes.GET_CAPABILITIES]: V1_0,
  [ResponseCodes.CAPABILITIES]: V1_0,
  [RequestCodes.GET_SUPPORTED_EVENT_TYPES]: V1_3,
  [ResponseCodes.SUPPORTED_EVENT_TYPES]: V1_3,
  [RequestCodes.NEGOTIATE_ALGORITHMS]: V1_0,
  [ResponseCodes.ALGORITHMS]: V1_0,
  [RequestCodes.KEY_EXCHANGE]: V1_1,
  [ResponseCodes.KEY_EXCHANGE_RSP]: V1_1,
  [RequestCodes.FINISH]: V1_1,
  [ResponseCodes.FINISH_RSP]: V1_1,
  [RequestCodes.PSK_EXCHANGE]: V1_1,
  [ResponseCodes.PSK_EXCHANGE_RSP]: V1_1,
  [RequestCodes.PSK_FINISH]: V1_1,
  [ResponseCodes.PSK_FINISH_RSP]: V1_1,
  [RequestCodes.HEARTBEAT]: V1_1,
  [ResponseCodes.HEARTBEAT_ACK]: V1_1,
  [RequestCodes.KEY_UPDATE]: V1_1,
  [ResponseCodes.KEY_UPDATE_ACK]: V1_1,
  [RequestCodes.GET_ENCAPSULATED_REQUEST]: V1_1,
  [ResponseCodes.ENCAPSULATED_REQUEST]: V1_1,
  [RequestCodes.DELIVER_ENCAPSULATED_RESPONSE]: V1_1,
  [ResponseCodes.ENCAPSULATED_RESPONSE_ACK]: V1_1,
  [RequestCodes.END_SESSION]: V1_1,
  [ResponseCodes.END_SESSION_ACK]: V1_1,
  [RequestCodes.GET_CSR]: V1_2,
  [ResponseCodes.CSR]: V1_2,
  [RequestCodes.SET_CERTIFICATE]: V1_2,
  [ResponseCodes.SET_CERTIFICATE_RSP]: V1_2,
  [RequestCodes.GET_MEASUREMENT_EXTENSION_LOG]: V1_3,
  [ResponseCodes.MEASUREMENT_EXTENSION_LOG]: V1_3,
  [RequestCodes.SUBSCRIBE_EVENT_TYPES]: V1_3,
  [ResponseCodes.SUBSCRIBE_EVENT_TYPES_ACK]: V1_3,
  [RequestCodes.SEND_EVENT]: V1_3,
  [ResponseCodes.EVENT_ACK]: V1_3,
  [RequestCodes.GET_KEY_PAIR_INFO]: V1_3,
  [ResponseCodes.KEY_PAIR_INFO]: V1_3,
  [RequestCodes.SET_KEY_PAIR_INFO]: V1_3,
  [ResponseCodes.SET_KEY_PAIR_INFO_ACK]: V1_3,
  [RequestCodes.VENDOR_DEFINED_REQUEST]: V1_0,
  [ResponseCodes.VENDOR_DEFINED_RESPONSE]: V1_0,
  [RequestCodes.RESPOND_IF_READY]: V1_0,
  [ResponseCodes.ERROR]: V1_0,
};

/** Whether a version has this message; an unknown code is in none. */
export function inVersion(code: number, version: number): boolean {
  const first = (messageSince as Readonly<Record<number, number>>)[code];
  return first !== undefined && version >= first;
}
