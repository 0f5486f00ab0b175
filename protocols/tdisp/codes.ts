/**
 * Codes of TDISP 1.0 (PCIe Base 6.x chapter 11): messages, errors, TDI states, flags. Data only.
 * Numeric values agree with DMTF's pci_tdisp.h.
 */

import type { Bits, Names } from '../codec/field.ts';

/** TDISPVersion byte: major in the high nibble, minor in the low one. */
export const TDISP_VERSION_1_0 = 0x10;

export const TdispRequests = {
  GET_TDISP_VERSION: 0x81,
  GET_TDISP_CAPABILITIES: 0x82,
  LOCK_INTERFACE_REQUEST: 0x83,
  GET_DEVICE_INTERFACE_REPORT: 0x84,
  GET_DEVICE_INTERFACE_STATE: 0x85,
  START_INTERFACE_REQUEST: 0x86,
  STOP_INTERFACE_REQUEST: 0x87,
  BIND_P2P_STREAM_REQUEST: 0x88,
  UNBIND_P2P_STREAM_REQUEST: 0x89,
  SET_MMIO_ATTRIBUTE_REQUEST: 0x8a,
  VDM_REQUEST: 0x8b,
  /** later revision; named so that a dump can say what it is */
  SET_TDISP_CONFIG_REQUEST: 0x8c,
} as const;
export type TdispRequestName = keyof typeof TdispRequests;

export const TdispResponses = {
  TDISP_VERSION: 0x01,
  TDISP_CAPABILITIES: 0x02,
  LOCK_INTERFACE_RESPONSE: 0x03,
  DEVICE_INTERFACE_REPORT: 0x04,
  DEVICE_INTERFACE_STATE: 0x05,
  START_INTERFACE_RESPONSE: 0x06,
  STOP_INTERFACE_RESPONSE: 0x07,
  BIND_P2P_STREAM_RESPONSE: 0x08,
  UNBIND_P2P_STREAM_RESPONSE: 0x09,
  SET_MMIO_ATTRIBUTE_RESPONSE: 0x0a,
  VDM_RESPONSE: 0x0b,
  SET_TDISP_CONFIG_RESPONSE: 0x0c,
  TDISP_ERROR: 0x7f,
} as const;
export type TdispResponseName = keyof typeof TdispResponses;

/** The names of a code table by number. */
function namesOf(codes: Readonly<Record<string, number>>): Names {
  return Object.fromEntries(Object.entries(codes).map(([name, code]) => [code, name]));
}

export const tdispRequestNames = namesOf(TdispRequests) as Readonly<
  Record<number, TdispRequestName>
>;
export const tdispMessageNames: Names = { ...tdispRequestNames, ...namesOf(TdispResponses) };

/** Requests every DSM answers; the rest are optional. */
export const mandatoryRequests = [
  'GET_TDISP_VERSION',
  'GET_TDISP_CAPABILITIES',
  'LOCK_INTERFACE_REQUEST',
  'GET_DEVICE_INTERFACE_REPORT',
  'GET_DEVICE_INTERFACE_STATE',
  'START_INTERFACE_REQUEST',
  'STOP_INTERFACE_REQUEST',
] as const satisfies readonly TdispRequestName[];

/** ERROR_CODE of TDISP_ERROR. */
export const TdispErrors = {
  INVALID_REQUEST: 0x0001,
  BUSY: 0x0003,
  INVALID_INTERFACE_STATE: 0x0004,
  UNSPECIFIED: 0x0005,
  UNSUPPORTED_REQUEST: 0x0007,
  VERSION_MISMATCH: 0x0041,
  VENDOR_SPECIFIC_ERROR: 0x00ff,
  INVALID_INTERFACE: 0x0101,
  INVALID_NONCE: 0x0102,
  INSUFFICIENT_ENTROPY: 0x0103,
  INVALID_DEVICE_CONFIGURATION: 0x0104,
} as const;
export type TdispErrorName = keyof typeof TdispErrors;
export const tdispErrorNames = namesOf(TdispErrors) as Readonly<Record<number, TdispErrorName>>;

/** TDI_STATE as it stands on the wire. */
export const TdiStates = { CONFIG_UNLOCKED: 0, CONFIG_LOCKED: 1, RUN: 2, ERROR: 3 } as const;
export type TdiState = keyof typeof TdiStates;
export const tdiStates = Object.keys(TdiStates) as readonly TdiState[];
export const tdiStateNames = namesOf(TdiStates) as Readonly<Record<number, TdiState>>;

/** FLAGS of LOCK_INTERFACE_REQUEST, as masks; bits 15:5 are reserved. */
export const LockFlags = {
  /** no firmware update while CONFIG_LOCKED or RUN */
  NO_FW_UPDATE: 0x0001,
  /** 0: 64 bytes, 1: 128 bytes */
  SYSTEM_CACHE_LINE_SIZE: 0x0002,
  /** MSI-X table and PBA become TEE memory, interrupts T=1 */
  LOCK_MSIX: 0x0004,
  BIND_P2P: 0x0008,
  ALL_REQUEST_REDIRECT: 0x0010,
} as const;
export const LOCK_FLAGS_DEFINED = 0x001f;
export const lockFlagBits = {
  NO_FW_UPDATE: [0],
  SYSTEM_CACHE_LINE_SIZE: [1],
  LOCK_MSIX: [2],
  BIND_P2P: [3],
  ALL_REQUEST_REDIRECT: [4],
} as const satisfies Bits;

/** INTERFACE_INFO of the device interface report, as masks. Bit 0 set means updates are forbidden. */
export const InterfaceInfo = {
  NO_FW_UPDATE: 0x0001,
  DMA_WITHOUT_PASID: 0x0002,
  DMA_WITH_PASID: 0x0004,
  ATS: 0x0008,
  PRS: 0x0010,
  /** later revision */
  XT_MODE_ENABLED: 0x0020,
} as const;
/** Bits of INTERFACE_INFO that version 1.0 defines. */
export const INTERFACE_INFO_DEFINED = 0x001f;
export const interfaceInfoBits = {
  NO_FW_UPDATE: [0],
  DMA_WITHOUT_PASID: [1],
  DMA_WITH_PASID: [2],
  ATS: [3],
  PRS: [4],
  XT_MODE_ENABLED: [5],
} as const satisfies Bits;

/** RANGE_ATTRIBUTES of an MMIO_RANGE, as masks. */
export const RangeAttributes = {
  MSI_X_TABLE: 0x0001,
  MSI_X_PBA: 0x0002,
  IS_NON_TEE_MEM: 0x0004,
  IS_MEM_ATTR_UPDATABLE: 0x0008,
} as const;
export const RANGE_ATTRIBUTES_DEFINED = 0x000f;
export const rangeAttributeBits = {
  MSI_X_TABLE: [0],
  MSI_X_PBA: [1],
  IS_NON_TEE_MEM: [2],
  IS_MEM_ATTR_UPDATABLE: [3],
} as const satisfies Bits;

export const START_INTERFACE_NONCE_SIZE = 32;
/** MMIO is reported in 4 KiB pages, whatever the page size of the host. */
export const TDISP_PAGE_SHIFT = 12n;
export const TDISP_PAGE_SIZE = 4096n;
