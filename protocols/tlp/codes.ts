/**
 * TLP codes as tables: types, prefixes, messages, completion statuses; and routing IDs (PCIe Base 6.x,
 * clauses 2.2.1, 2.2.4, 2.2.8, 2.2.9 and 2.2.10, non-flit encodings). Byte 0 of a header is Fmt[2:0]
 * and Type[4:0].
 */

/** Flow-control class; the number is also the IDE sub-stream of the class (PR, NPR, CPL). */
export const FlowClasses = { POSTED: 0, NON_POSTED: 1, COMPLETION: 2 } as const;
export type FlowClass = (typeof FlowClasses)[keyof typeof FlowClasses];
export const SUB_STREAM_NAMES = ['PR', 'NPR', 'CPL'] as const;

/** How a switch finds the egress port (2.2.4). */
export const Routes = { ADDRESS: 0, ID: 1, IMPLICIT: 2 } as const;
export type Route = (typeof Routes)[keyof typeof Routes];

export type HeaderFormatName =
  | 'memory32'
  | 'memory64'
  | 'config'
  | 'message'
  | 'messageById'
  | 'messageByAddress'
  | 'completion';

export interface TlpType {
  readonly name: string;
  /** Fmt[2:0]: 0 3DW, 1 4DW, 2 3DW with data, 3 4DW with data */
  readonly fmt: number;
  /** Type[4:0]; for messages the routing subfield stands in the low three bits */
  readonly type: number;
  readonly flow: FlowClass;
  /** header layout; a message's depends on its routing as well */
  readonly header: HeaderFormatName;
  readonly route: Route;
  readonly meaning: string;
}

const row = <const N extends string>(
  name: N,
  fmt: number,
  type: number,
  flow: FlowClass,
  header: HeaderFormatName,
  route: Route,
  meaning: string,
) => ({ name, fmt, type, flow, header, route, meaning });

const { POSTED: P, NON_POSTED: NP, COMPLETION: CPL } = FlowClasses;
const { ADDRESS, ID, IMPLICIT } = Routes;

/** All TLP types of Table 2-3 that are not prefixes. */
export const TLP_TYPES = [
  row('MRd32', 0, 0x00, NP, 'memory32', ADDRESS, 'Memory Read Request'),
  row('MRd64', 1, 0x00, NP, 'memory64', ADDRESS, 'Memory Read Request'),
  row('MRdLk32', 0, 0x01, NP, 'memory32', ADDRESS, 'Memory Read Request-Locked'),
  row('MRdLk64', 1, 0x01, NP, 'memory64', ADDRESS, 'Memory Read Request-Locked'),
  row('MWr32', 2, 0x00, P, 'memory32', ADDRESS, 'Memory Write Request'),
  row('MWr64', 3, 0x00, P, 'memory64', ADDRESS, 'Memory Write Request'),
  row('IORd', 0, 0x02, NP, 'memory32', ADDRESS, 'I/O Read Request'),
  row('IOWr', 2, 0x02, NP, 'memory32', ADDRESS, 'I/O Write Request'),
  row('CfgRd0', 0, 0x04, NP, 'config', ID, 'Configuration Read Type 0'),
  row('CfgWr0', 2, 0x04, NP, 'config', ID, 'Configuration Write Type 0'),
  row('CfgRd1', 0, 0x05, NP, 'config', ID, 'Configuration Read Type 1'),
  row('CfgWr1', 2, 0x05, NP, 'config', ID, 'Configuration Write Type 1'),
  row('Cpl', 0, 0x0a, CPL, 'completion', ID, 'Completion without Data'),
  row('CplD', 2, 0x0a, CPL, 'completion', ID, 'Completion with Data'),
  row('CplLk', 0, 0x0b, CPL, 'completion', ID, 'Completion for Locked Memory Read without Data'),
  row('CplDLk', 2, 0x0b, CPL, 'completion', ID, 'Completion for Locked Memory Read'),
  row('FetchAdd32', 2, 0x0c, NP, 'memory32', ADDRESS, 'Fetch and Add AtomicOp Request'),
  row('FetchAdd64', 3, 0x0c, NP, 'memory64', ADDRESS, 'Fetch and Add AtomicOp Request'),
  row('Swap32', 2, 0x0d, NP, 'memory32', ADDRESS, 'Unconditional Swap AtomicOp Request'),
  row('Swap64', 3, 0x0d, NP, 'memory64', ADDRESS, 'Unconditional Swap AtomicOp Request'),
  row('CAS32', 2, 0x0e, NP, 'memory32', ADDRESS, 'Compare and Swap AtomicOp Request'),
  row('CAS64', 3, 0x0e, NP, 'memory64', ADDRESS, 'Compare and Swap AtomicOp Request'),
  row('DMWr32', 2, 0x1b, NP, 'memory32', ADDRESS, 'Deferrable Memory Write Request'),
  row('DMWr64', 3, 0x1b, NP, 'memory64', ADDRESS, 'Deferrable Memory Write Request'),
  row('Msg', 1, 0x10, P, 'message', IMPLICIT, 'Message Request'),
  row('MsgD', 3, 0x10, P, 'message', IMPLICIT, 'Message Request with data payload'),
] as const satisfies readonly TlpType[];
export type TlpTypeName = (typeof TLP_TYPES)[number]['name'];

const MESSAGE_TYPE = 0x10;
const ROUTING_MASK = 7;

/** Byte 0 of a header of `type`; `routing` counts for messages only. */
export function byte0Of(type: TlpType, routing = 0): number {
  const low = type.type === MESSAGE_TYPE ? type.type | (routing & ROUTING_MASK) : type.type;
  return (type.fmt << 5) | low;
}

export const UNKNOWN_TYPE = 0xff;
/** header byte 0 -> index into `TLP_TYPES`, or `UNKNOWN_TYPE` */
export const TYPE_INDEX: Uint8Array = new Uint8Array(256).fill(UNKNOWN_TYPE);
for (const [index, type] of TLP_TYPES.entries()) {
  const routings = type.type === MESSAGE_TYPE ? ROUTING_MASK + 1 : 1;
  for (let r = 0; r < routings; r++) TYPE_INDEX[byte0Of(type, r)] = index;
}

const BY_NAME: ReadonlyMap<string, TlpType> = new Map(TLP_TYPES.map((type) => [type.name, type]));
/** The table row of a type name; undefined for a name that is none. */
export function tlpType(name: string): TlpType | undefined {
  return BY_NAME.get(name);
}

/** r[2:0] of Msg and MsgD (Table 2-20); 6 and 7 are reserved. */
export const MessageRoutings = {
  TO_ROOT_COMPLEX: 0,
  BY_ADDRESS: 1,
  BY_ID: 2,
  BROADCAST: 3,
  LOCAL: 4,
  GATHER: 5,
} as const;
export const MESSAGE_ROUTING_NAMES = [
  'to Root Complex',
  'by Address',
  'by ID',
  'broadcast from Root Complex',
  'local - terminate at Receiver',
  'gathered to Root Complex',
] as const;
export const MESSAGE_ROUTING_MAX = 5;

export interface MessageCode {
  readonly code: number;
  readonly name: string;
  /** routings the message may use */
  readonly routings: readonly number[];
  /** whether it carries data: Msg, MsgD or either */
  readonly data: 'no' | 'yes' | 'either';
}
const msg = (
  code: number,
  name: string,
  routings: readonly number[],
  data: MessageCode['data'] = 'no',
): MessageCode => ({ code, name, routings, data });

/**
 * Message codes (2.2.8). IDE_Sync 0x54 and IDE_Fail 0x55, and their two routings (local for a Link
 * IDE Stream, by ID for a Selective one), are a choice: no public text confirms them.
 */
export const MESSAGE_CODES: readonly MessageCode[] = [
  msg(0x00, 'Unlock', [3]),
  msg(0x01, 'Invalidate Request', [2], 'yes'),
  msg(0x02, 'Invalidate Completion', [2]),
  msg(0x04, 'Page Request', [0]),
  msg(0x05, 'PRG Response', [2]),
  msg(0x10, 'LTR', [4]),
  msg(0x12, 'OBFF', [4]),
  msg(0x14, 'PM_Active_State_Nak', [4]),
  msg(0x18, 'PM_PME', [0]),
  msg(0x19, 'PME_Turn_Off', [3]),
  msg(0x1b, 'PME_TO_Ack', [5]),
  msg(0x20, 'Assert_INTA', [4]),
  msg(0x21, 'Assert_INTB', [4]),
  msg(0x22, 'Assert_INTC', [4]),
  msg(0x23, 'Assert_INTD', [4]),
  msg(0x24, 'Deassert_INTA', [4]),
  msg(0x25, 'Deassert_INTB', [4]),
  msg(0x26, 'Deassert_INTC', [4]),
  msg(0x27, 'Deassert_INTD', [4]),
  msg(0x30, 'ERR_COR', [0]),
  msg(0x31, 'ERR_NONFATAL', [0]),
  msg(0x33, 'ERR_FATAL', [0]),
  msg(0x50, 'Set_Slot_Power_Limit', [4], 'yes'),
  msg(0x52, 'PTM Request', [4]),
  msg(0x53, 'PTM Response', [4], 'either'),
  msg(0x54, 'IDE_Sync', [2, 4], 'either'),
  msg(0x55, 'IDE_Fail', [2, 4], 'either'),
  msg(0x7e, 'Vendor_Defined Type 0', [0, 2, 3, 4], 'either'),
  msg(0x7f, 'Vendor_Defined Type 1', [0, 2, 3, 4], 'either'),
];
const MESSAGE_BY_CODE: ReadonlyMap<number, MessageCode> = new Map(
  MESSAGE_CODES.map((entry) => [entry.code, entry]),
);
/** The table row of a message code; undefined for a code nobody defined. */
export function messageByCode(code: number): MessageCode | undefined {
  return MESSAGE_BY_CODE.get(code);
}

/** Completion Status (Table 2-39); a reserved value is treated as UR by a requester. */
export const CompletionStatuses = { SC: 0, UR: 1, RRS: 2, CA: 4 } as const;
export type CompletionStatus = (typeof CompletionStatuses)[keyof typeof CompletionStatuses];
export const COMPLETION_STATUS_NAMES: Readonly<Record<number, string>> = {
  0: 'SC',
  1: 'UR',
  2: 'RRS',
  4: 'CA',
};

export interface PrefixCode {
  readonly byte0: number;
  readonly name: string;
  readonly endEnd: boolean;
}
/** TLP prefixes (2.2.10). 0x92 for IDE is the value public excerpts show. */
export const PREFIX_CODES: readonly PrefixCode[] = [
  { byte0: 0x80, name: 'MR-IOV', endEnd: false },
  { byte0: 0x8e, name: 'VendPrefixL0', endEnd: false },
  { byte0: 0x8f, name: 'VendPrefixL1', endEnd: false },
  { byte0: 0x90, name: 'ExtTPH', endEnd: true },
  { byte0: 0x91, name: 'PASID', endEnd: true },
  { byte0: 0x92, name: 'IDE', endEnd: true },
  { byte0: 0x9e, name: 'VendPrefixE0', endEnd: true },
  { byte0: 0x9f, name: 'VendPrefixE1', endEnd: true },
];
const PREFIX_BY_BYTE0: ReadonlyMap<number, PrefixCode> = new Map(
  PREFIX_CODES.map((entry) => [entry.byte0, entry]),
);
/** The table row of a prefix by its byte 0. */
export function prefixByByte0(byte0: number): PrefixCode | undefined {
  return PREFIX_BY_BYTE0.get(byte0);
}

export const END_END_PREFIXES_MAX = 4;
export const PREFIX_BYTES = 4;

const hex2 = (value: number): string => value.toString(16).padStart(2, '0');

/** A routing ID (bus 15:8, device 7:3, function 2:0) as lspci writes it: `01:00.1` for 0x0101. */
export function bdf(id: number): string {
  return `${hex2((id >> 8) & 0xff)}:${hex2((id >> 3) & 0x1f)}.${id & 7}`;
}

/** The ID that `01:00.1` writes; undefined for any other text. */
export function parseBdf(text: string): number | undefined {
  const match = /^([0-9a-f]{2}):([01][0-9a-f])\.([0-7])$/i.exec(text);
  if (match === null) return undefined;
  const [, bus, device, fn] = match;
  return (
    (Number.parseInt(bus!, 16) << 8) | (Number.parseInt(device!, 16) << 3) | Number.parseInt(fn!, 8)
  );
}
