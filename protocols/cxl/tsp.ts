/**
 * CXL TEE Security Protocol: layouts of all requests and responses of TSP 1.0 (CXL 3.1 11.5). Byte 0
 * of a payload is the TSP version; the protocol id before it is not part of it.
 *
 * TSPVersion is read and not judged: a dump has to show the message a VERSION_MISMATCH answers.
 */

import { ascii } from '../codec/bytes.ts';
import {
  bytes,
  countOf,
  type Facts,
  type Layout,
  layout,
  lengthOf,
  list,
  reserved,
  rest,
  struct,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
} from '../codec/field.ts';
import { decode } from '../codec/layout.ts';
import type { Decoded } from '../codec/refusal.ts';
import {
  ckidTypeNames,
  configurationEnableBits,
  configurationSupportBits,
  encryptionAlgorithmBits,
  encryptionEnableBits,
  encryptionSupportBits,
  ibGranularityBits,
  keyValidityBits,
  oobGranularityBits,
  randomKeyAttributeBits,
  type TspOpCode,
  TspOpCodes,
  teStateFeatureBits,
  tspErrorNames,
  tspOpCodeNames,
  tspStateNames,
} from './tsp-codes.ts';

const CLAUSE = 'CXL 3.1 11.5';
const KEY_SIZE = 32;
const SECONDARY_SESSION_COUNT = 4;
const IB_GRANULARITY_ENTRY_COUNT = 8;

const header = {
  TSPVersion: u8({ names: { 16: '1.0' } }),
  OpCode: u8({ names: tspOpCodeNames }),
} as const;
const plain = { ...header, Reserved: reserved(2) } as const;

export const tspHeader = layout('CXL_TSP', CLAUSE, header);

export const getTargetTspVersionRsp = layout('GET_TARGET_TSP_VERSION_RSP', CLAUSE, {
  ...plain,
  VersionNumberEntryCount: countOf('VersionNumberEntry', 1),
  // bits 7:4 major, 3:0 minor
  VersionNumberEntry: list(u8(), { count: (v) => v.VersionNumberEntryCount }),
});

export const getTargetCapabilitiesRsp = layout('GET_TARGET_CAPABILITIES_RSP', CLAUSE, {
  ...header,
  MemoryEncryptionFeaturesSupported: u16({ bits: encryptionSupportBits }),
  MemoryEncryptionAlgorithmsSupported: u32({ bits: encryptionAlgorithmBits }),
  MemoryEncryptionNumberOfRangeBasedKeys: u16(),
  Reserved: reserved(2),
  TEStateChangeAndAccessControlFeaturesSupported: u16({ bits: teStateFeatureBits }),
  Reserved2: reserved(2),
  SupportedExplicitOOBTEStateGranularity: u32({ bits: oobGranularityBits }),
  SupportedExplicitIBTEStateGranularity: u32({ bits: ibGranularityBits }),
  ConfigurationFeaturesSupported: u16({ bits: configurationSupportBits }),
  Reserved3: reserved(2),
  NumberOfCKIDs: u32(),
  NumberOfSecondarySessions: u8(),
  Reserved4: reserved(19),
});

const ibGranularityEntry = layout('ExplicitIBTEStateGranularityEntry', CLAUSE, {
  TEStateGranularity: u64(),
  LengthIndex: u8(),
  Reserved: reserved(7),
});
const ibGranularityEntries = list(struct(ibGranularityEntry), {
  count: IB_GRANULARITY_ENTRY_COUNT,
});

export const setTargetConfiguration = layout('SET_TARGET_CONFIGURATION', CLAUSE, {
  ...header,
  MemoryEncryptionFeaturesEnable: u16({ bits: encryptionEnableBits }),
  MemoryEncryptionAlgorithmSelect: u32({ bits: encryptionAlgorithmBits }),
  Reserved: reserved(4),
  TEStateChangeAndAccessControlFeaturesEnable: u16({ bits: teStateFeatureBits }),
  Reserved2: reserved(2),
  ExplicitOOBTEStateGranularity: u32({ bits: oobGranularityBits }),
  Reserved3: reserved(4),
  ConfigurationFeaturesEnable: u16({ bits: configurationEnableBits }),
  Reserved4: reserved(2),
  CKIDBase: u32(),
  NumberOfCKIDs: u32(),
  Reserved5: reserved(12),
  ExplicitIBTEStateGranularityEntry: ibGranularityEntries,
  Reserved6: reserved(16),
  // bit n: key material n is there
  ConfigurationValidityFlags: u16({
    bits: { PSK_0: [0], PSK_1: [1], PSK_2: [2], PSK_3: [3] },
  }),
  Reserved7: reserved(14),
  SecondarySessionCKIDType: u8(),
  Reserved8: reserved(15),
  SecondarySessionPSKKeyMaterial: list(bytes(KEY_SIZE), { count: SECONDARY_SESSION_COUNT }),
});

export const getTargetConfigurationRsp = layout('GET_TARGET_CONFIGURATION_RSP', CLAUSE, {
  ...header,
  MemoryEncryptionFeaturesEnabled: u16({ bits: encryptionEnableBits }),
  MemoryEncryptionAlgorithmSelected: u32({ bits: encryptionAlgorithmBits }),
  Reserved: reserved(4),
  TEStateChangeAndAccessControlFeaturesEnabled: u16({ bits: teStateFeatureBits }),
  Reserved2: reserved(2),
  ExplicitOOBTEStateGranularityEnabled: u32({ bits: oobGranularityBits }),
  Reserved3: reserved(4),
  ConfigurationFeaturesEnabled: u16({ bits: { LOCKED_TARGET_FW_UPDATE: [0] } }),
  Reserved4: reserved(2),
  CKIDBase: u32(),
  NumberOfCKIDs: u32(),
  CurrentTSPState: u8({ names: tspStateNames }),
  Reserved5: reserved(11),
  ExplicitIBTEStateGranularityEntry: ibGranularityEntries,
  Reserved6: reserved(16),
});

export const getTargetConfigurationReport = layout('GET_TARGET_CONFIGURATION_REPORT', CLAUSE, {
  ...plain,
  Offset: u16(),
  Length: u16(),
});

export const getTargetConfigurationReportRsp = layout(
  'GET_TARGET_CONFIGURATION_REPORT_RSP',
  CLAUSE,
  {
    ...plain,
    PortionLength: lengthOf('ReportData', 2),
    RemainderLength: u16(),
    ReportData: bytes((v) => v.PortionLength),
  },
);

const HDM_DECODER_OFFSET = 4 + 0x3c + 0x20 + 0x38 + 0x10 + 0x10;
const IDE_CAPABILITY_SIZE = 0x24;
const hdmDecodersSize = (_: unknown, facts: Facts) =>
  (facts['reportSize'] ?? 0) - HDM_DECODER_OFFSET - IDE_CAPABILITY_SIZE;

/** The report once its portions are joined; the HDM decoders fill what its size leaves. */
export const targetConfigurationReport = layout('TargetConfigurationReport', CLAUSE, {
  ValidTSPReportFields: u8(),
  Reserved: reserved(3),
  PCIeDVSECForCXLDevices: bytes(0x3c),
  PCIeDVSECForFlexBusPort: bytes(0x20),
  CXLLinkCapabilityStructure: bytes(0x38),
  CXLTimeoutAndIsolationCapabilityStructure: bytes(0x10),
  CXLHDMDecoderCapabilityStructure: bytes(0x10),
  CXLHDMDecoder: bytes(hdmDecodersSize),
  CXLIDECapabilityStructure: bytes(IDE_CAPABILITY_SIZE),
});

/** Decodes a whole configuration report: the ReportData of all portions, joined. */
export function decodeTargetConfigurationReport(
  report: Uint8Array,
): Decoded<ValueOf<typeof targetConfigurationReport>> {
  return decode(targetConfigurationReport, report, { reportSize: report.length });
}

const keys = {
  ValidityFlags: u8({ bits: keyValidityBits }),
  DataEncryptionKey: bytes(KEY_SIZE),
  TweakKey: bytes(KEY_SIZE),
} as const;

export const setTargetCkidSpecificKey = layout('SET_TARGET_CKID_SPECIFIC_KEY', CLAUSE, {
  ...plain,
  CKID: u32(),
  CKIDType: u8({ names: ckidTypeNames }),
  Reserved2: reserved(6),
  ...keys,
});

export const setTargetCkidRandomKey = layout('SET_TARGET_CKID_RANDOM_KEY', CLAUSE, {
  ...plain,
  CKID: u32(),
  Attributes: u8({ bits: randomKeyAttributeBits }),
  Reserved2: reserved(6),
  ...keys,
});

export const clearTargetCkidKey = layout('CLEAR_TARGET_CKID_KEY', CLAUSE, {
  ...plain,
  CKID: u32(),
});

const range = {
  ...plain,
  RangeID: u32(),
  RangeStart: u64(),
  RangeEnd: u64(),
  Reserved2: reserved(7),
  ...keys,
} as const;

export const clearTargetRangeKey = layout('CLEAR_TARGET_RANGE_KEY', CLAUSE, {
  ...plain,
  RangeID: u32(),
});

const memoryRange = layout('MemoryRange', CLAUSE, { StartingAddress: u64(), Length: u64() });

export const setTargetTeState = layout('SET_TARGET_TE_STATE', CLAUSE, {
  ...header,
  TEState: u8(),
  NumberOfMemoryRanges: countOf('MemoryRanges', 1),
  Reserved: reserved(12),
  MemoryRanges: list(struct(memoryRange), { count: (v) => v.NumberOfMemoryRanges }),
});

export const delayedRsp = layout('DELAYED_RSP', CLAUSE, { ...plain, DelayTime: u32() });

export const errorRsp = layout('ERROR_RSP', CLAUSE, {
  ...plain,
  ErrorCode: u32({ names: tspErrorNames }),
  ErrorData: u32(),
  ExtendedErrorData: rest(),
});

/** Messages that say no more than their op code. */
const bare = (name: keyof typeof TspOpCodes) => layout(name, CLAUSE, plain);

/** op code -> layout; a layout's name is the message's name */
export const tspLayouts: Readonly<Record<number, Layout>> = {
  [TspOpCodes.GET_TARGET_TSP_VERSION]: bare('GET_TARGET_TSP_VERSION'),
  [TspOpCodes.GET_TARGET_CAPABILITIES]: bare('GET_TARGET_CAPABILITIES'),
  [TspOpCodes.SET_TARGET_CONFIGURATION]: setTargetConfiguration,
  [TspOpCodes.GET_TARGET_CONFIGURATION]: bare('GET_TARGET_CONFIGURATION'),
  [TspOpCodes.GET_TARGET_CONFIGURATION_REPORT]: getTargetConfigurationReport,
  [TspOpCodes.LOCK_TARGET_CONFIGURATION]: bare('LOCK_TARGET_CONFIGURATION'),
  [TspOpCodes.SET_TARGET_CKID_SPECIFIC_KEY]: setTargetCkidSpecificKey,
  [TspOpCodes.SET_TARGET_CKID_RANDOM_KEY]: setTargetCkidRandomKey,
  [TspOpCodes.CLEAR_TARGET_CKID_KEY]: clearTargetCkidKey,
  [TspOpCodes.SET_TARGET_RANGE_SPECIFIC_KEY]: layout(
    'SET_TARGET_RANGE_SPECIFIC_KEY',
    CLAUSE,
    range,
  ),
  [TspOpCodes.SET_TARGET_RANGE_RANDOM_KEY]: layout('SET_TARGET_RANGE_RANDOM_KEY', CLAUSE, range),
  [TspOpCodes.CLEAR_TARGET_RANGE_KEY]: clearTargetRangeKey,
  [TspOpCodes.SET_TARGET_TE_STATE]: setTargetTeState,
  [TspOpCodes.CHECK_TARGET_DELAYED_COMPLETION]: bare('CHECK_TARGET_DELAYED_COMPLETION'),
  [TspOpCodes.GET_TARGET_TSP_VERSION_RSP]: getTargetTspVersionRsp,
  [TspOpCodes.GET_TARGET_CAPABILITIES_RSP]: getTargetCapabilitiesRsp,
  [TspOpCodes.SET_TARGET_CONFIGURATION_RSP]: bare('SET_TARGET_CONFIGURATION_RSP'),
  [TspOpCodes.GET_TARGET_CONFIGURATION_RSP]: getTargetConfigurationRsp,
  [TspOpCodes.GET_TARGET_CONFIGURATION_REPORT_RSP]: getTargetConfigurationReportRsp,
  [TspOpCodes.LOCK_TARGET_CONFIGURATION_RSP]: bare('LOCK_TARGET_CONFIGURATION_RSP'),
  [TspOpCodes.SET_TARGET_CKID_SPECIFIC_KEY_RSP]: bare('SET_TARGET_CKID_SPECIFIC_KEY_RSP'),
  [TspOpCodes.SET_TARGET_CKID_RANDOM_KEY_RSP]: bare('SET_TARGET_CKID_RANDOM_KEY_RSP'),
  [TspOpCodes.CLEAR_TARGET_CKID_KEY_RSP]: bare('CLEAR_TARGET_CKID_KEY_RSP'),
  [TspOpCodes.SET_TARGET_RANGE_SPECIFIC_KEY_RSP]: bare('SET_TARGET_RANGE_SPECIFIC_KEY_RSP'),
  [TspOpCodes.SET_TARGET_RANGE_RANDOM_KEY_RSP]: bare('SET_TARGET_RANGE_RANDOM_KEY_RSP'),
  [TspOpCodes.CLEAR_TARGET_RANGE_KEY_RSP]: bare('CLEAR_TARGET_RANGE_KEY_RSP'),
  [TspOpCodes.SET_TARGET_TE_STATE_RSP]: bare('SET_TARGET_TE_STATE_RSP'),
  [TspOpCodes.CHECK_TARGET_DELAYED_COMPLETION_RSP]: bare('CHECK_TARGET_DELAYED_COMPLETION_RSP'),
  [TspOpCodes.DELAYED_RSP]: delayedRsp,
  [TspOpCodes.ERROR_RSP]: errorRsp,
} satisfies Record<TspOpCode, Layout>;

/** A key a target was given for an SPDM PSK session, and the PSKHint that names it. */
export interface SecondarySessionPsk {
  readonly hint: Uint8Array;
  readonly psk: Uint8Array;
}

/**
 * The PSKs a SET_TARGET_CONFIGURATION hands out, for the sessions its validity flags name; none if
 * `payload` is another message or does not decode.
 *
 * The PSKHint of PSK_EXCHANGE is the string with its terminating zero byte: so it goes over the wire
 * in DMTF reference emulator traffic.
 */
export function secondarySessionPsks(payload: Uint8Array): SecondarySessionPsk[] {
  if (payload[1] !== TspOpCodes.SET_TARGET_CONFIGURATION) return [];
  const decoded = decode(setTargetConfiguration, payload);
  if (!decoded.ok) return [];
  const { ConfigurationValidityFlags, SecondarySessionPSKKeyMaterial } = decoded.value;
  return SecondarySessionPSKKeyMaterial.flatMap((psk, n) =>
    (ConfigurationValidityFlags >>> n) & 1
      ? [{ hint: ascii(`SECONDARY_SESSION_${n}_PSK\0`), psk }]
      : [],
  );
}
