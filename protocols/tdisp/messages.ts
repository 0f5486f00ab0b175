/**
 * Layouts of every TDISP message (PCIe Base 6.x 11.3). Payloads start at TDISPVersion: the PCI-SIG
 * protocol id byte in front of them belongs to the carrier. All integers little-endian.
 */

import {
  bytes,
  countOf,
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
import { decode, encode } from '../codec/layout.ts';
import { type Decoded, RefusalCodes, refuse } from '../codec/refusal.ts';
import {
  interfaceInfoBits,
  lockFlagBits,
  rangeAttributeBits,
  START_INTERFACE_NONCE_SIZE,
  TDISP_VERSION_1_0,
  TdispRequests,
  TdispResponses,
  tdiStateNames,
  tdispErrorNames,
  tdispMessageNames,
} from './codes.ts';

export const TDISP_HEADER_SIZE = 16;
const CLAUSE = 'PCIe Base 6.x 11.3';
const LATER = 'PCIe Base 7.x 11.3';

export const interfaceId = layout('INTERFACE_ID', CLAUSE, {
  FUNCTION_ID: u32(),
  Reserved: reserved(8),
});

/** The 16 bytes every message starts with. */
export const header = {
  TDISPVersion: u8(),
  MessageType: u8({ names: tdispMessageNames }),
  Reserved: reserved(2),
  INTERFACE_ID: struct(interfaceId),
} as const;
export const tdispHeader = layout('TDISP header', CLAUSE, header);

/** A message of the header alone. */
const bare = (name: string, clause = CLAUSE) => layout(name, clause, header);

export const getVersion = bare('GET_TDISP_VERSION');
export const version = layout('TDISP_VERSION', CLAUSE, {
  ...header,
  VERSION_NUM_COUNT: countOf('VERSION_NUM_ENTRY', 1),
  VERSION_NUM_ENTRY: list(u8(), { count: (v) => v.VERSION_NUM_COUNT }),
});

export const getCapabilities = layout('GET_TDISP_CAPABILITIES', CLAUSE, {
  ...header,
  TSM_CAPS: u32(),
});
const REQ_MSGS_SUPPORTED_SIZE = 16;
export const capabilities = layout('TDISP_CAPABILITIES', CLAUSE, {
  ...header,
  DSM_CAPS: u32({ bits: { XT_MODE_SUPPORTED: [0] } }),
  REQ_MSGS_SUPPORTED: bytes(REQ_MSGS_SUPPORTED_SIZE),
  LOCK_INTERFACE_FLAGS_SUPPORTED: u16({ bits: lockFlagBits }),
  Reserved2: reserved(3),
  DEV_ADDR_WIDTH: u8(),
  NUM_REQ_THIS: u8(),
  NUM_REQ_ALL: u8(),
});

export const lockRequest = layout('LOCK_INTERFACE_REQUEST', CLAUSE, {
  ...header,
  FLAGS: u16({ bits: lockFlagBits }),
  DEFAULT_STREAM_ID: u8(),
  Reserved2: reserved(1),
  MMIO_REPORTING_OFFSET: u64(),
  BIND_P2P_ADDRESS_MASK: u64(),
});
export const lockResponse = layout('LOCK_INTERFACE_RESPONSE', CLAUSE, {
  ...header,
  START_INTERFACE_NONCE: bytes(START_INTERFACE_NONCE_SIZE),
});

export const getReport = layout('GET_DEVICE_INTERFACE_REPORT', CLAUSE, {
  ...header,
  OFFSET: u16(),
  LENGTH: u16(),
});
export const reportPortion = layout('DEVICE_INTERFACE_REPORT', CLAUSE, {
  ...header,
  PORTION_LENGTH: lengthOf('REPORT_BYTES', 2),
  REMAINDER_LENGTH: u16(),
  REPORT_BYTES: bytes((v) => v.PORTION_LENGTH),
});

export const getState = bare('GET_DEVICE_INTERFACE_STATE');
export const state = layout('DEVICE_INTERFACE_STATE', CLAUSE, {
  ...header,
  TDI_STATE: u8({ names: tdiStateNames }),
});

export const startRequest = layout('START_INTERFACE_REQUEST', CLAUSE, {
  ...header,
  START_INTERFACE_NONCE: bytes(START_INTERFACE_NONCE_SIZE),
});
export const startResponse = bare('START_INTERFACE_RESPONSE');
export const stopRequest = bare('STOP_INTERFACE_REQUEST');
export const stopResponse = bare('STOP_INTERFACE_RESPONSE');

const p2pStream = { ...header, P2P_STREAM_ID: u8() } as const;
export const bindP2p = layout('BIND_P2P_STREAM_REQUEST', CLAUSE, p2pStream);
export const bindP2pResponse = bare('BIND_P2P_STREAM_RESPONSE');
export const unbindP2p = layout('UNBIND_P2P_STREAM_REQUEST', CLAUSE, p2pStream);
export const unbindP2pResponse = bare('UNBIND_P2P_STREAM_RESPONSE');

/** One run of pages; FIRST_PAGE counts 4 KiB pages and has the reporting offset added. */
export const mmioRange = layout('MMIO_RANGE', CLAUSE, {
  FIRST_PAGE: u64(),
  NUMBER_OF_PAGES: u32(),
  RANGE_ATTRIBUTES: u16({ bits: rangeAttributeBits }),
  RANGE_ID: u16(),
});
export type MmioRange = ValueOf<typeof mmioRange>;

export const setMmioAttribute = layout('SET_MMIO_ATTRIBUTE_REQUEST', CLAUSE, {
  ...header,
  MMIO_RANGE: struct(mmioRange),
});
export const setMmioAttributeResponse = bare('SET_MMIO_ATTRIBUTE_RESPONSE');

/** What follows the header of a VDM, and the extended data of a vendor specific error. */
const vendor = {
  REGISTRY_ID: u8({ names: { 0: 'PCI-SIG', 1: 'CXL' } }),
  VENDOR_ID_LEN: lengthOf('VENDOR_ID', 1),
  VENDOR_ID: bytes((v) => v.VENDOR_ID_LEN),
  VENDOR_DATA: rest(),
} as const;
export const vendorData = layout('vendor specific data', CLAUSE, vendor);
export const vdmRequest = layout('VDM_REQUEST', CLAUSE, { ...header, ...vendor });
export const vdmResponse = layout('VDM_RESPONSE', CLAUSE, { ...header, ...vendor });

export const tdispError = layout('TDISP_ERROR', CLAUSE, {
  ...header,
  ERROR_CODE: u32({ names: tdispErrorNames }),
  ERROR_DATA: u32(),
  EXTENDED_ERROR_DATA: rest(),
});

export const setConfig = layout('SET_TDISP_CONFIG_REQUEST', LATER, {
  ...header,
  TDISP_CONFIG: u32({ bits: { XT_MODE_ENABLE: [0], XT_BIT_FOR_LOCKED_MSIX: [1] } }),
});
export const setConfigResponse = bare('SET_TDISP_CONFIG_RESPONSE', LATER);

/** The report itself, put together from its portions. */
export const interfaceReport = layout('DEVICE_INTERFACE_REPORT structure', CLAUSE, {
  INTERFACE_INFO: u16({ bits: interfaceInfoBits }),
  Reserved: reserved(2),
  MSI_X_MESSAGE_CONTROL: u16(),
  LNR_CONTROL: u16(),
  TPH_CONTROL: u32(),
  MMIO_RANGE_COUNT: countOf('MMIO_RANGE', 4),
  MMIO_RANGE: list(struct(mmioRange), { count: (v) => v.MMIO_RANGE_COUNT }),
  DEVICE_SPECIFIC_INFO_LEN: lengthOf('DEVICE_SPECIFIC_INFO', 4),
  DEVICE_SPECIFIC_INFO: bytes((v) => v.DEVICE_SPECIFIC_INFO_LEN),
});
export type InterfaceReport = ValueOf<typeof interfaceReport>;

export const tdispLayouts = {
  [TdispRequests.GET_TDISP_VERSION]: getVersion,
  [TdispResponses.TDISP_VERSION]: version,
  [TdispRequests.GET_TDISP_CAPABILITIES]: getCapabilities,
  [TdispResponses.TDISP_CAPABILITIES]: capabilities,
  [TdispRequests.LOCK_INTERFACE_REQUEST]: lockRequest,
  [TdispResponses.LOCK_INTERFACE_RESPONSE]: lockResponse,
  [TdispRequests.GET_DEVICE_INTERFACE_REPORT]: getReport,
  [TdispResponses.DEVICE_INTERFACE_REPORT]: reportPortion,
  [TdispRequests.GET_DEVICE_INTERFACE_STATE]: getState,
  [TdispResponses.DEVICE_INTERFACE_STATE]: state,
  [TdispRequests.START_INTERFACE_REQUEST]: startRequest,
  [TdispResponses.START_INTERFACE_RESPONSE]: startResponse,
  [TdispRequests.STOP_INTERFACE_REQUEST]: stopRequest,
  [TdispResponses.STOP_INTERFACE_RESPONSE]: stopResponse,
  [TdispRequests.BIND_P2P_STREAM_REQUEST]: bindP2p,
  [TdispResponses.BIND_P2P_STREAM_RESPONSE]: bindP2pResponse,
  [TdispRequests.UNBIND_P2P_STREAM_REQUEST]: unbindP2p,
  [TdispResponses.UNBIND_P2P_STREAM_RESPONSE]: unbindP2pResponse,
  [TdispRequests.SET_MMIO_ATTRIBUTE_REQUEST]: setMmioAttribute,
  [TdispResponses.SET_MMIO_ATTRIBUTE_RESPONSE]: setMmioAttributeResponse,
  [TdispRequests.VDM_REQUEST]: vdmRequest,
  [TdispResponses.VDM_RESPONSE]: vdmResponse,
  [TdispRequests.SET_TDISP_CONFIG_REQUEST]: setConfig,
  [TdispResponses.SET_TDISP_CONFIG_RESPONSE]: setConfigResponse,
  [TdispResponses.TDISP_ERROR]: tdispError,
} as const;
export type TdispCode = keyof typeof tdispLayouts;
export type TdispValue<C extends TdispCode> = ValueOf<(typeof tdispLayouts)[C]>;
export type TdispHeader = ValueOf<typeof tdispHeader>;
/** The fields of a message after its header. */
export type TdispBody<C extends TdispCode> = Omit<TdispValue<C>, keyof typeof header>;

/** The layout of a message by MessageType, or undefined for a code nobody here knows. */
export function tdispLayout(code: number): Layout | undefined {
  return (tdispLayouts as Readonly<Record<number, Layout>>)[code];
}

/**
 * The bytes of one message.
 * @param functionWord FUNCTION_ID of the INTERFACE_ID, 32 bits
 * @throws LocalError naming the field on a missing or unfitting value
 */
export function encodeTdisp<C extends TdispCode>(
  code: C,
  functionWord: number,
  body: TdispBody<C>,
  tdispVersion: number = TDISP_VERSION_1_0,
): Uint8Array {
  return encode(tdispLayouts[code] as Layout, {
    TDISPVersion: tdispVersion,
    MessageType: code,
    INTERFACE_ID: { FUNCTION_ID: functionWord },
    ...body,
  });
}

export interface TdispMessage {
  /** as in `tdispMessageNames` */
  readonly name: string;
  readonly header: TdispHeader;
  /** every field of the message after its header, by name */
  readonly body: Readonly<Record<string, unknown>>;
}

/** Decodes one message by its MessageType. The carrier gives an exact length: trailing bytes are refused. */
export function decodeTdisp(payload: Uint8Array): Decoded<TdispMessage> {
  const head = decode(tdispHeader, payload, {}, { trailing: 'leave' });
  if (!head.ok) return head;
  const code = head.value.MessageType;
  const table = tdispLayout(code);
  if (table === undefined)
    return refuse(RefusalCodes.UNKNOWN_CODE, 'MessageType', 1, `no TDISP message ${code}`);
  const whole = decode(table, payload);
  if (!whole.ok) return whole;
  const body = Object.fromEntries(
    Object.entries(whole.value as Record<string, unknown>).filter(([name]) => !(name in header)),
  );
  return {
    ok: true,
    value: { name: table.name, header: head.value, body },
    size: payload.length,
  };
}
