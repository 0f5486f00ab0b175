/** Codes and bit names of the CXL TEE Security Protocol (CXL 3.1 11.5). */

import type { Bits, Names } from '../codec/field.ts';

/** Bit 7 set: request. Its own response has the same low bits; DELAYED and ERROR answer any. */
export const TspOpCodes = {
  GET_TARGET_TSP_VERSION: 0x81,
  GET_TARGET_CAPABILITIES: 0x82,
  SET_TARGET_CONFIGURATION: 0x83,
  GET_TARGET_CONFIGURATION: 0x84,
  GET_TARGET_CONFIGURATION_REPORT: 0x85,
  LOCK_TARGET_CONFIGURATION: 0x86,
  SET_TARGET_CKID_SPECIFIC_KEY: 0x87,
  SET_TARGET_CKID_RANDOM_KEY: 0x88,
  CLEAR_TARGET_CKID_KEY: 0x89,
  SET_TARGET_RANGE_SPECIFIC_KEY: 0x8a,
  SET_TARGET_RANGE_RANDOM_KEY: 0x8b,
  CLEAR_TARGET_RANGE_KEY: 0x8c,
  SET_TARGET_TE_STATE: 0x8d,
  CHECK_TARGET_DELAYED_COMPLETION: 0x8e,
  GET_TARGET_TSP_VERSION_RSP: 0x01,
  GET_TARGET_CAPABILITIES_RSP: 0x02,
  SET_TARGET_CONFIGURATION_RSP: 0x03,
  GET_TARGET_CONFIGURATION_RSP: 0x04,
  GET_TARGET_CONFIGURATION_REPORT_RSP: 0x05,
  LOCK_TARGET_CONFIGURATION_RSP: 0x06,
  SET_TARGET_CKID_SPECIFIC_KEY_RSP: 0x07,
  SET_TARGET_CKID_RANDOM_KEY_RSP: 0x08,
  CLEAR_TARGET_CKID_KEY_RSP: 0x09,
  SET_TARGET_RANGE_SPECIFIC_KEY_RSP: 0x0a,
  SET_TARGET_RANGE_RANDOM_KEY_RSP: 0x0b,
  CLEAR_TARGET_RANGE_KEY_RSP: 0x0c,
  SET_TARGET_TE_STATE_RSP: 0x0d,
  CHECK_TARGET_DELAYED_COMPLETION_RSP: 0x0e,
  DELAYED_RSP: 0x7e,
  ERROR_RSP: 0x7f,
} as const;
export type TspOpCode = (typeof TspOpCodes)[keyof typeof TspOpCodes];

const byCode = (codes: Readonly<Record<string, number>>): Names =>
  Object.fromEntries(Object.entries(codes).map(([name, code]) => [code, name]));

export const tspOpCodeNames = byCode(TspOpCodes);

export const TspErrorCodes = {
  INVALID_REQUEST: 0x01,
  BUSY: 0x02,
  UNSPECIFIED: 0x03,
  UNSUPPORTED_REQUEST: 0x04,
  VERSION_MISMATCH: 0x05,
  VENDOR_SPECIFIC_ERROR: 0x06,
  NO_PRIVILEGE: 0x07,
  NO_ENTROPY: 0x08,
  INVALID_CKID: 0x09,
  INVALID_SECURITY_CONFIGURATION: 0x0a,
  INVALID_SECURITY_STATE: 0x0b,
  LONG_EXECUTION_TIME: 0x0c,
  ALREADY_LOCKED: 0x0d,
} as const;
export const tspErrorNames = byCode(TspErrorCodes);

export const tspStateNames: Names = { 0: 'CONFIG_UNLOCKED', 1: 'CONFIG_LOCKED', 2: 'ERROR' };
export const ckidTypeNames: Names = { 1: 'TVM_CKID', 2: 'OS_CKID' };

/** Not the same positions as in `encryptionEnableBits`: CKID_BASED_REQUIRED moves. */
export const encryptionSupportBits = {
  ENCRYPTION: [0],
  CKID_BASED_ENCRYPTION: [1],
  RANGE_BASED_ENCRYPTION: [2],
  INITIATOR_SUPPLIED_ENTROPY: [3],
  CKID_BASED_REQUIRED: [4],
} as const satisfies Bits;

export const encryptionEnableBits = {
  ENCRYPTION: [0],
  CKID_BASED_ENCRYPTION: [1],
  RANGE_BASED_ENCRYPTION: [2],
  CKID_BASED_REQUIRED: [3],
} as const satisfies Bits;

export const encryptionAlgorithmBits = {
  AES_XTS_128: [0],
  AES_XTS_256: [1],
  VENDOR_SPECIFIC: [31],
} as const satisfies Bits;

export const teStateFeatureBits = {
  WRITE_ACCESS_CONTROL: [0],
  READ_ACCESS_CONTROL: [1],
  IMPLICIT_TE_STATE_CHANGE: [2],
  EXPLICIT_OOB_TE_STATE_CHANGE: [3],
  EXPLICIT_IB_TE_STATE_CHANGE: [4],
  EXPLICIT_TE_STATE_CHANGE_SANITIZE: [5],
} as const satisfies Bits;

export const configurationSupportBits = {
  LOCKED_TARGET_FW_UPDATE: [0],
  TARGET_SUPPORT_ADDITIONAL_SPDM_SESSIONS: [1],
} as const satisfies Bits;

export const configurationEnableBits = {
  LOCKED_TARGET_FW_UPDATE: [0],
  SPECIAL_PURPOSE_MEMORY: [1],
} as const satisfies Bits;

export const keyValidityBits = { DATA_ENC_KEY: [0], TWEAK_KEY: [1] } as const satisfies Bits;
export const randomKeyAttributeBits = { TVM_CKID: [0] } as const satisfies Bits;

const SMALLEST_GRANULARITY_LOG2 = 6;

/** Bit n stands for 64 B x 2^n; `count` of them from bit 0 on. */
function granularityBits(count: number): Record<string, readonly [lsb: number]> {
  const size = (log2: number) => {
    const unit = Math.floor(log2 / 10);
    return `${2 ** (log2 % 10)}${['B', 'KB', 'MB', 'GB'][unit]}`;
  };
  return Object.fromEntries(
    Array.from({ length: count }, (_, bit) => [size(bit + SMALLEST_GRANULARITY_LOG2), [bit]]),
  );
}

/** Out of band: 64 B to 128 GB. */
export const oobGranularityBits: Bits = granularityBits(32);
/** In band: 64 B to 64 KB, or all of the memory at once. */
export const ibGranularityBits: Bits = { ...granularityBits(11), ENTIRE_MEMORY: [31] };
