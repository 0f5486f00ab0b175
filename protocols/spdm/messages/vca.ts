/** Layouts of GET_VERSION .. ALGORITHMS, and ERROR (DSP0274 10.2-10.4, 10.9). */

import {
  bytes,
  countOf,
  layout,
  lengthOf,
  list,
  reserved,
  rest,
  since,
  struct,
  u8,
  u16,
  u32,
  when,
} from '../../codec/field.ts';
import {
  algTypeNames,
  baseAsymBits,
  baseHashBits,
  measurementHashBits,
  otherParamsBits,
} from '../algorithms.ts';
import { capabilityBits, codeNames, errorNames } from '../codes.ts';

/** The four bytes every message starts with. */
export const header = {
  SPDMVersion: u8(),
  RequestResponseCode: u8({ names: codeNames }),
  Param1: u8(),
  Param2: u8(),
} as const;

export const plainHeader = layout('header', 'DSP0274 8.2', header);

export const getVersion = layout('GET_VERSION', 'DSP0274 10.2.1', header);

export const version = layout('VERSION', 'DSP0274 10.2.1', {
  ...header,
  Reserved: reserved(1),
  VersionNumberEntryCount: countOf('VersionNumberEntry', 1),
  // bits 15:12 major, 11:8 minor, 7:4 update, 3:0 alpha
  VersionNumberEntry: list(u16(), { count: (v) => v.VersionNumberEntryCount }),
});

const CAPABILITIES_SIZE_SINCE_1_2 = 0x12;

export const getCapabilities = layout('GET_CAPABILITIES', 'DSP0274 10.3', {
  ...header,
  Reserved: since(0x11, reserved(1)),
  CTExponent: since(0x11, u8()),
  ExtFlags: since(0x11, u16()),
  Flags: since(0x11, u32({ bits: capabilityBits })),
  DataTransferSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
  MaxSPDMmsgSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
});

const tableEntry = layout('AlgorithmStructure', 'DSP0274 10.4', {
  AlgType: u8({ names: algTypeNames }),
  // bits 7:4 bytes of the fixed field (2), bits 3:0 number of extended algorithms
  AlgCount: u8(),
  AlgSupported: u16(),
  AlgExternal: list(u32(), { count: (v) => v.AlgCount & 15 }),
});

/** Supported Algorithms block of a 1.3 CAPABILITIES: a NEGOTIATE_ALGORITHMS from Param1 on. */
const supportedAlgorithms = layout('SupportedAlgorithms', 'DSP0274 10.3', {
  Param1: u8(),
  Param2: u8(),
  Length: u16(),
  MeasurementSpecification: u8(),
  OtherParamsSupport: u8({ bits: otherParamsBits }),
  BaseAsymAlgo: u32({ bits: baseAsymBits }),
  BaseHashAlgo: u32({ bits: baseHashBits }),
  PqcAsymAlgo: u32(),
  Reserved: reserved(8),
  ExtAsymCount: u8(),
  ExtHashCount: u8(),
  Reserved2: reserved(1),
  MELspecification: u8(),
  ExtAsym: list(u32(), { count: (v) => v.ExtAsymCount }),
  ExtHash: list(u32(), { count: (v) => v.ExtHashCount }),
  AlgStruct: list(struct(tableEntry), { count: (v) => v.Param1 }),
});

export const capabilities = layout('CAPABILITIES', 'DSP0274 10.3', {
  ...header,
  Reserved: reserved(1),
  CTExponent: u8(),
  ExtFlags: u16(),
  Flags: u32({ bits: capabilityBits }),
  DataTransferSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
  MaxSPDMmsgSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
  SupportedAlgorithms: when(
    (v, facts) => (facts['version'] ?? 0) >= 0x13 && (v.Param1 & 1) === 1,
    struct(supportedAlgorithms),
  ),
});

export const negotiateAlgorithms = layout('NEGOTIATE_ALGORITHMS', 'DSP0274 10.4', {
  ...header,
  Length: u16(),
  MeasurementSpecification: u8({ bits: { DMTF: [0] } }),
  OtherParamsSupport: u8({ bits: otherParamsBits }),
  BaseAsymAlgo: u32({ bits: baseAsymBits }),
  BaseHashAlgo: u32({ bits: baseHashBits }),
  PqcAsymAlgo: u32(),
  Reserved: reserved(8),
  ExtAsymCount: countOf('ExtAsym', 1),
  ExtHashCount: countOf('ExtHash', 1),
  Reserved2: reserved(1),
  MELspecification: u8(),
  ExtAsym: list(u32(), { count: (v) => v.ExtAsymCount }),
  ExtHash: list(u32(), { count: (v) => v.ExtHashCount }),
  AlgStruct: list(struct(tableEntry), {
    count: (v, facts) => ((facts['version'] ?? 0) >= 0x11 ? v.Param1 : 0),
  }),
});

export const algorithms = layout('ALGORITHMS', 'DSP0274 10.4', {
  ...header,
  Length: u16(),
  MeasurementSpecificationSel: u8({ bits: { DMTF: [0] } }),
  OtherParamsSelection: u8({ bits: otherParamsBits }),
  MeasurementHashAlgo: u32({ bits: measurementHashBits }),
  BaseAsymSel: u32({ bits: baseAsymBits }),
  BaseHashSel: u32({ bits: baseHashBits }),
  PqcAsymSel: u32(),
  Reserved: reserved(7),
  MELspecificationSel: u8(),
  ExtAsymSelCount: countOf('ExtAsymSel', 1),
  ExtHashSelCount: countOf('ExtHashSel', 1),
  Reserved2: reserved(2),
  ExtAsymSel: list(u32(), { count: (v) => v.ExtAsymSelCount }),
  ExtHashSel: list(u32(), { count: (v) => v.ExtHashSelCount }),
  AlgStruct: list(struct(tableEntry), {
    count: (v, facts) => ((facts['version'] ?? 0) >= 0x11 ? v.Param1 : 0),
  }),
});

export const error = layout('ERROR', 'DSP0274 10.9', {
  SPDMVersion: u8(),
  RequestResponseCode: u8({ names: codeNames }),
  Param1: u8({ names: errorNames }),
  Param2: u8(),
  ExtendedErrorData: rest(),
});

export const vendorDefined = layout('VENDOR_DEFINED', 'DSP0274 10.10', {
  ...header,
  StandardID: u16(),
  VendorIDLength: lengthOf('VendorID', 1),
  VendorID: bytes((v) => v.VendorIDLength),
  PayloadLength: lengthOf('Payload', 2),
  Payload: bytes((v) => v.PayloadLength),
});
