/** Layouts of GET_VERSION .. ALGORITHMS, which every connection starts with (DSP0274 10.2-10.4). */

import {
  type Bits,
  countOf,
  layout,
  list,
  reserved,
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
  pqcAsymBits,
} from '../algorithms.ts';
import { capabilityBits } from '../codes.ts';
import { header } from './header.ts';

export { error } from './error.ts';
export { header, plainHeader } from './header.ts';
export { vendorDefined } from './vendor-defined.ts';

export const getVersion = layout('GET_VERSION', 'DSP0274 10.2.1', header);

export const version = layout('VERSION', 'DSP0274 10.2.1', {
  ...header,
  Reserved: reserved(1),
  VersionNumberEntryCount: countOf('VersionNumberEntry', 1),
  // bits 15:12 major, 11:8 minor, 7:4 update, 3:0 alpha
  VersionNumberEntry: list(u16(), { count: (v) => v.VersionNumberEntryCount }),
});

const CAPABILITIES_SIZE_SINCE_1_2 = 0x12;
const SUPPORTED_ALGORITHMS_SINCE = 0x13;
const TABLES_SINCE = 0x11;

/** ExtFlags of CAPABILITIES (1.4; reserved before). A requester has none yet. */
export const extCapabilityBits = { SLOT_MGMT_CAP: [0] } as const satisfies Bits;
/** MeasurementSpecification and MELspecification. */
export const measurementSpecificationBits = { DMTF: [0] } as const satisfies Bits;

/** Param1 of 1.3 on: the Supported Algorithms block is asked for, or is present. */
const capabilitiesHeader = {
  ...header,
  Param1: u8({ bits: { SupportedAlgorithms: [0] } }),
} as const;

export const getCapabilities = layout('GET_CAPABILITIES', 'DSP0274 10.3', {
  ...capabilitiesHeader,
  Reserved: since(0x11, reserved(1)),
  CTExponent: since(0x11, u8()),
  ExtFlags: since(0x11, u16()),
  Flags: since(0x11, u32({ bits: capabilityBits })),
  DataTransferSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
  MaxSPDMmsgSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
});

export const algorithmStructure = layout('AlgorithmStructure', 'DSP0274 10.4', {
  AlgType: u8({ names: algTypeNames }),
  // bits 7:4 bytes of the fixed field (2), bits 3:0 number of extended algorithms
  AlgCount: u8(),
  AlgSupported: u16(),
  AlgExternal: list(u32(), { count: (v) => v.AlgCount & 15 }),
});

/** What a NEGOTIATE_ALGORITHMS says from its Length on: also the tail of the block in CAPABILITIES. */
const offer = {
  Length: u16(),
  MeasurementSpecification: u8({ bits: measurementSpecificationBits }),
  OtherParamsSupport: u8({ bits: otherParamsBits }),
  BaseAsymAlgo: u32({ bits: baseAsymBits }),
  BaseHashAlgo: u32({ bits: baseHashBits }),
  // reserved before 1.4
  PqcAsymAlgo: u32({ bits: pqcAsymBits }),
  Reserved: reserved(8),
  ExtAsymCount: countOf('ExtAsym', 1),
  ExtHashCount: countOf('ExtHash', 1),
  Reserved2: reserved(1),
  // reserved before 1.3
  MELspecification: u8({ bits: measurementSpecificationBits }),
  ExtAsym: list(u32(), { count: (v) => v.ExtAsymCount }),
  ExtHash: list(u32(), { count: (v) => v.ExtHashCount }),
} as const;

/** Tables, as many as Param1 says; 1.0 has none. */
const algStruct = () =>
  list(struct(algorithmStructure), {
    count: (v, facts) => ((facts['version'] ?? 0) >= TABLES_SINCE ? v.Param1 : 0),
  });

/** Supported Algorithms block of a 1.3 CAPABILITIES: a NEGOTIATE_ALGORITHMS from Param1 on. */
export const supportedAlgorithms = layout('SupportedAlgorithms', 'DSP0274 10.3', {
  Param1: u8(),
  Param2: u8(),
  ...offer,
  AlgStruct: algStruct(),
});

export const capabilities = layout('CAPABILITIES', 'DSP0274 10.3', {
  ...capabilitiesHeader,
  Reserved: reserved(1),
  CTExponent: u8(),
  ExtFlags: u16({ bits: extCapabilityBits }),
  Flags: u32({ bits: capabilityBits }),
  DataTransferSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
  MaxSPDMmsgSize: since(CAPABILITIES_SIZE_SINCE_1_2, u32()),
  SupportedAlgorithms: when(
    (v, facts) => (facts['version'] ?? 0) >= SUPPORTED_ALGORITHMS_SINCE && (v.Param1 & 1) === 1,
    struct(supportedAlgorithms),
  ),
});

export const negotiateAlgorithms = layout('NEGOTIATE_ALGORITHMS', 'DSP0274 10.4', {
  ...header,
  ...offer,
  AlgStruct: algStruct(),
});

export const algorithms = layout('ALGORITHMS', 'DSP0274 10.4', {
  ...header,
  Length: u16(),
  MeasurementSpecificationSel: u8({ bits: measurementSpecificationBits }),
  OtherParamsSelection: u8({ bits: otherParamsBits }),
  MeasurementHashAlgo: u32({ bits: measurementHashBits }),
  BaseAsymSel: u32({ bits: baseAsymBits }),
  BaseHashSel: u32({ bits: baseHashBits }),
  // reserved before 1.4
  PqcAsymSel: u32({ bits: pqcAsymBits }),
  Reserved: reserved(7),
  // reserved before 1.3
  MELspecificationSel: u8({ bits: measurementSpecificationBits }),
  ExtAsymSelCount: countOf('ExtAsymSel', 1),
  ExtHashSelCount: countOf('ExtHashSel', 1),
  Reserved2: reserved(2),
  ExtAsymSel: list(u32(), { count: (v) => v.ExtAsymSelCount }),
  ExtHashSel: list(u32(), { count: (v) => v.ExtHashSelCount }),
  AlgStruct: algStruct(),
});
