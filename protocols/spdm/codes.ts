/** Codes of DSP0274: requests and responses, versions, capability flags, errors. Data only. */

import type { Bits, Names } from '../codec/field.ts';

/** SPDMVersion byte: major in the high nibble, minor in the low one. */
export const SpdmVersions = { V1_0: 0x10, V1_1: 0x11, V1_2: 0x12, V1_3: 0x13, V1_4: 0x14 } as const;

export const versionText = (version: number): string => `${version >> 4}.${version & 15}`;

/** Clause 8, request codes. */
export const RequestCodes = {
  GET_DIGESTS: 0x81,
  GET_CERTIFICATE: 0x82,
  CHALLENGE: 0x83,
  GET_VERSION: 0x84,
  CHUNK_SEND: 0x85,
  CHUNK_GET: 0x86,
  GET_ENDPOINT_INFO: 0x87,
  SLOT_MANAGEMENT: 0x88,
  GET_MEASUREMENTS: 0xe0,
  GET_CAPABILITIES: 0xe1,
  GET_SUPPORTED_EVENT_TYPES: 0xe2,
  NEGOTIATE_ALGORITHMS: 0xe3,
  KEY_EXCHANGE: 0xe4,
  FINISH: 0xe5,
  PSK_EXCHANGE: 0xe6,
  PSK_FINISH: 0xe7,
  HEARTBEAT: 0xe8,
  KEY_UPDATE: 0xe9,
  GET_ENCAPSULATED_REQUEST: 0xea,
  DELIVER_ENCAPSULATED_RESPONSE: 0xeb,
  END_SESSION: 0xec,
  GET_CSR: 0xed,
  SET_CERTIFICATE: 0xee,
  GET_MEASUREMENT_EXTENSION_LOG: 0xef,
  SUBSCRIBE_EVENT_TYPES: 0xf0,
  SEND_EVENT: 0xf1,
  GET_KEY_PAIR_INFO: 0xfc,
  SET_KEY_PAIR_INFO: 0xfd,
  VENDOR_DEFINED_REQUEST: 0xfe,
  RESPOND_IF_READY: 0xff,
} as const;

export const ResponseCodes = {
  DIGESTS: 0x01,
  CERTIFICATE: 0x02,
  CHALLENGE_AUTH: 0x03,
  VERSION: 0x04,
  CHUNK_SEND_ACK: 0x05,
  CHUNK_RESPONSE: 0x06,
  ENDPOINT_INFO: 0x07,
  SLOT_MANAGEMENT_RESP: 0x08,
  MEASUREMENTS: 0x60,
  CAPABILITIES: 0x61,
  SUPPORTED_EVENT_TYPES: 0x62,
  ALGORITHMS: 0x63,
  KEY_EXCHANGE_RSP: 0x64,
  FINISH_RSP: 0x65,
  PSK_EXCHANGE_RSP: 0x66,
  PSK_FINISH_RSP: 0x67,
  HEARTBEAT_ACK: 0x68,
  KEY_UPDATE_ACK: 0x69,
  ENCAPSULATED_REQUEST: 0x6a,
  ENCAPSULATED_RESPONSE_ACK: 0x6b,
  END_SESSION_ACK: 0x6c,
  CSR: 0x6d,
  SET_CERTIFICATE_RSP: 0x6e,
  MEASUREMENT_EXTENSION_LOG: 0x6f,
  SUBSCRIBE_EVENT_TYPES_ACK: 0x70,
  EVENT_ACK: 0x71,
  KEY_PAIR_INFO: 0x7c,
  SET_KEY_PAIR_INFO_ACK: 0x7d,
  VENDOR_DEFINED_RESPONSE: 0x7e,
  ERROR: 0x7f,
} as const;

export const codeNames: Names = Object.fromEntries(
  [...Object.entries(RequestCodes), ...Object.entries(ResponseCodes)].map(([name, code]) => [
    code,
    name,
  ]),
);

export const isRequest = (code: number): boolean => (code & 0x80) !== 0;

/** CAPABILITIES Flags: bit positions (DSP0274 tables "Flag fields definitions"). */
export const capabilityBits = {
  CACHE_CAP: [0],
  CERT_CAP: [1],
  CHAL_CAP: [2],
  MEAS_CAP: [3, 2],
  MEAS_FRESH_CAP: [5],
  ENCRYPT_CAP: [6],
  MAC_CAP: [7],
  MUT_AUTH_CAP: [8],
  KEY_EX_CAP: [9],
  PSK_CAP: [10, 2],
  ENCAP_CAP: [12],
  HBEAT_CAP: [13],
  KEY_UPD_CAP: [14],
  HANDSHAKE_IN_THE_CLEAR_CAP: [15],
  PUB_KEY_ID_CAP: [16],
  CHUNK_CAP: [17],
  ALIAS_CERT_CAP: [18],
  SET_CERT_CAP: [19],
  CSR_CAP: [20],
  CERT_INSTALL_RESET_CAP: [21],
  EP_INFO_CAP: [22, 2],
  MEL_CAP: [24],
  EVENT_CAP: [25],
  MULTI_KEY_CAP: [26, 2],
  GET_KEY_PAIR_INFO_CAP: [28],
  SET_KEY_PAIR_INFO_CAP: [29],
  SET_KEY_PAIR_RESET_CAP: [30],
  LARGE_RESP_CAP: [31],
} as const satisfies Bits;
export type CapabilityName = keyof typeof capabilityBits;

/** First bit of Flags that each version added, the newest first. */
const flagBitsSince: readonly (readonly [version: number, bits: number])[] = [
  [SpdmVersions.V1_4, 32],
  [SpdmVersions.V1_3, capabilityBits.SET_KEY_PAIR_RESET_CAP[0]],
  [SpdmVersions.V1_2, capabilityBits.EP_INFO_CAP[0]],
  [SpdmVersions.V1_1, capabilityBits.CHUNK_CAP[0]],
  [SpdmVersions.V1_0, capabilityBits.ENCRYPT_CAP[0]],
];

/** What of Flags a version knows; the rest is reserved there. */
export function flagsIn(version: number, flags: number): number {
  const [, bits] = flagBitsSince.find(([since]) => version >= since) ?? [0, 0];
  return flags % 2 ** bits;
}

/** The value of one capability field inside Flags. */
export function capability(flags: number, name: CapabilityName): number {
  const [lsb, width = 1] = capabilityBits[name] as readonly [number, number?];
  return Math.floor(flags / 2 ** lsb) % 2 ** width;
}

/** Flags with the given fields set. */
export function capabilityFlags(values: Partial<Record<CapabilityName, number>>): number {
  let flags = 0;
  for (const [name, value] of Object.entries(values))
    flags += value * 2 ** capabilityBits[name as CapabilityName][0];
  return flags;
}

/** Table "Error code and error data". */
export const ErrorCodes = {
  InvalidRequest: 0x01,
  Busy: 0x03,
  UnexpectedRequest: 0x04,
  Unspecified: 0x05,
  DecryptError: 0x06,
  UnsupportedRequest: 0x07,
  RequestInFlight: 0x08,
  InvalidResponseCode: 0x09,
  SessionLimitExceeded: 0x0a,
  SessionRequired: 0x0b,
  ResetRequired: 0x0c,
  ResponseTooLarge: 0x0d,
  RequestTooLarge: 0x0e,
  LargeResponse: 0x0f,
  MessageLost: 0x10,
  InvalidPolicy: 0x11,
  DataTooLarge: 0x12,
  VersionMismatch: 0x41,
  ResponseNotReady: 0x42,
  RequestResynch: 0x43,
  OperationFailed: 0x44,
  NoPendingRequests: 0x45,
  RequestSessionTerminated: 0x46,
  InvalidState: 0x47,
  VendorDefined: 0xff,
} as const;
export const errorNames: Names = Object.fromEntries(
  Object.entries(ErrorCodes).map(([name, code]) => [code, name]),
);

/** Types of a DMTF measurement value (bits 6:0 of DMTFSpecMeasurementValueType). */
export const MeasurementTypes = {
  ImmutableROM: 0,
  MutableFirmware: 1,
  HardwareConfiguration: 2,
  FirmwareConfiguration: 3,
  MeasurementManifest: 4,
  DeviceMode: 5,
  Version: 6,
  SecureVersionNumber: 7,
  HashExtend: 8,
  Informational: 9,
  StructuredManifest: 10,
} as const;
export const measurementTypeNames: Names = Object.fromEntries(
  Object.entries(MeasurementTypes).map(([name, code]) => [code, name]),
);

/** Standards bodies of VENDOR_DEFINED and opaque elements. */
export const RegistryIds = { DMTF: 0, TCG: 1, USB: 2, PCI_SIG: 3, IANA: 4, CXL: 7 } as const;
export const registryNames: Names = {
  0: 'DMTF',
  1: 'TCG',
  2: 'USB',
  3: 'PCI-SIG',
  4: 'IANA',
  5: 'HDBaseT',
  6: 'MIPI',
  7: 'CXL',
  8: 'JEDEC',
  9: 'VESA',
  10: 'IANA-CBOR',
  11: 'DMTF-DSP',
};
/** Vendor id and protocols of the PCI-SIG registry. */
export const PCI_SIG_VENDOR_ID = 0x0001;
export const PciSigProtocols = { IDE_KM: 0, TDISP: 1 } as const;
