/**
 * The IDE Extended Capability as tables: registers, fields, access (PCIe Base 6.x clause 7.9.26, names
 * as there). Offsets are relative to the capability; registers are 32-bit little-endian DWs.
 * Counts in the IDE Capability register are encoded minus one.
 */

import { LocalError } from '../codec/refusal.ts';

export const IDE_CAPABILITY_ID = 0x0030;
export const IDE_CAPABILITY_VERSION = 1;

/** Fixed part and block sizes, in bytes. */
export const IdeOffsets = {
  HEADER: 0x00,
  CAPABILITY: 0x04,
  CONTROL: 0x08,
  BLOCKS: 0x0c,
  LINK_BLOCK_SIZE: 8,
  SELECTIVE_BLOCK_SIZE: 0x14,
  ADDRESS_BLOCK_SIZE: 12,
} as const;

export const IdeLimits = {
  LINK_STREAMS: 8,
  /** the register field could say 256, IDE_KM knows 255 */
  SELECTIVE_STREAMS: 255,
  ADDRESS_ASSOCIATIONS: 15,
  STREAM_ID: 0xff,
} as const;

export type Access = 'RO' | 'RW' | 'RW1C';
export interface RegisterField {
  readonly lsb: number;
  readonly width: number;
  readonly access: Access;
  /** altering it while the stream is enabled makes the stream Insecure */
  readonly frozen: boolean;
}
export type Register = Readonly<Record<string, RegisterField>>;

const ro = (lsb: number, width = 1): RegisterField => ({ lsb, width, access: 'RO', frozen: false });
const rw = (lsb: number, width = 1): RegisterField => ({ lsb, width, access: 'RW', frozen: false });
const frozen = (lsb: number, width = 1): RegisterField => ({ ...rw(lsb, width), frozen: true });
const rw1c = (lsb: number): RegisterField => ({ lsb, width: 1, access: 'RW1C', frozen: false });

/** 04h */
export const IdeCapability = {
  LinkIdeStreamSupported: ro(0),
  SelectiveIdeStreamsSupported: ro(1),
  FlowThroughIdeStreamSupported: ro(2),
  PartialHeaderEncryptionSupported: ro(3),
  AggregationSupported: ro(4),
  PcrcSupported: ro(5),
  IdeKmProtocolSupported: ro(6),
  SelectiveIdeForConfigurationRequestsSupported: ro(7),
  SupportedAlgorithms: ro(8, 5),
  NumberOfTcsSupportedForLinkIde: ro(13, 3),
  NumberOfSelectiveIdeStreamsSupported: ro(16, 8),
  TeeLimitedStreamSupported: ro(24),
  XtSupported: ro(25),
} as const satisfies Register;

/** 08h */
export const IdeControl = { FlowThroughIdeStreamEnabled: rw(2) } as const satisfies Register;

/** Link IDE Stream Control and Selective IDE Stream Control: one layout, some fields selective only. */
export const StreamControl = {
  Enable: rw(0),
  XtEnable: frozen(1),
  TxAggregationModeNpr: frozen(2, 2),
  TxAggregationModePr: frozen(4, 2),
  TxAggregationModeCpl: frozen(6, 2),
  PcrcEnable: frozen(8),
  SelectiveIdeForConfigurationRequestsEnable: frozen(9),
  PartialHeaderEncryptionMode: frozen(10, 4),
  SelectedAlgorithm: frozen(14, 5),
  Tc: frozen(19, 3),
  DefaultStream: frozen(22),
  TeeLimitedStream: frozen(23),
  StreamId: frozen(24, 8),
} as const satisfies Register;

export const StreamStatus = {
  State: ro(0, 4),
  ReceivedIntegrityCheckFailMessage: rw1c(31),
} as const satisfies Register;
/** Values of StreamStatus.State; all others are reserved. */
export const StatusStates = { INSECURE: 0, SECURE: 2 } as const;

export const SelectiveCapability = {
  NumberOfAddressAssociationRegisterBlocks: ro(0, 4),
} as const satisfies Register;
export const RidAssociation1 = { RidLimit: frozen(8, 16) } as const satisfies Register;
export const RidAssociation2 = {
  Valid: frozen(0),
  RidBase: frozen(8, 16),
  SegmentBase: frozen(24, 8),
} as const satisfies Register;
export const AddressAssociation1 = {
  Valid: frozen(0),
  MemoryBaseLower: frozen(8, 12),
  MemoryLimitLower: frozen(20, 12),
} as const satisfies Register;
/** The trap: register 2 is the limit, register 3 the base. */
export const AddressAssociation2 = { MemoryLimitUpper: frozen(0, 32) } as const satisfies Register;
export const AddressAssociation3 = { MemoryBaseUpper: frozen(0, 32) } as const satisfies Register;

/** The value of one field of a register. */
export function field(value: number, { lsb, width }: RegisterField): number {
  return Math.floor((value >>> 0) / 2 ** lsb) % 2 ** width;
}

/** `value` with one field replaced. @throws LocalError if `part` has more bits than the field. */
export function withField(value: number, at: RegisterField, part: number): number {
  if (!Number.isInteger(part) || part < 0 || part >= 2 ** at.width)
    throw new LocalError(`part: expected ${at.width} bits, got ${part}`);
  return ((value >>> 0) - field(value, at) * 2 ** at.lsb + part * 2 ** at.lsb) >>> 0;
}

/** Register value of named fields; fields not named are 0. @throws LocalError on a misfit. */
export function registerValue<R extends Register>(
  register: R,
  values: Partial<Record<keyof R, number>>,
): number {
  let out = 0;
  for (const [name, part] of Object.entries(values) as [string, number][]) {
    const at = register[name];
    if (at === undefined) throw new LocalError(`values: no field named ${name}`);
    out = withField(out, at, part);
  }
  return out;
}

/** All fields of a register value by name. */
export function fieldsOf<R extends Register>(
  register: R,
  value: number,
): { readonly [K in keyof R]: number } {
  const out: Record<string, number> = {};
  for (const [name, at] of Object.entries(register)) out[name] = field(value, at);
  return out as { [K in keyof R]: number };
}

/** Bits of `register` whose fields satisfy `test`. */
export function maskOf(register: Register, test: (at: RegisterField, name: string) => boolean) {
  let mask = 0;
  for (const [name, at] of Object.entries(register))
    if (test(at, name)) mask |= ((2 ** at.width - 1) * 2 ** at.lsb) >>> 0;
  return mask >>> 0;
}

export interface RidAssociation {
  readonly valid: boolean;
  /** first and last Requester ID, inclusive */
  readonly base: number;
  readonly limit: number;
  readonly segmentBase: number;
}

/** IDE RID Association registers 1 and 2. @throws LocalError on an ID that is no 16-bit number. */
export function encodeRidAssociation(
  a: Partial<RidAssociation> & { readonly base: number; readonly limit: number },
): readonly [number, number] {
  const { RidLimit } = RidAssociation1;
  if (a.limit < a.base) throw new LocalError(`limit: ${a.limit} is below base ${a.base}`);
  const second = registerValue(RidAssociation2, {
    Valid: (a.valid ?? true) ? 1 : 0,
    RidBase: a.base,
    SegmentBase: a.segmentBase ?? 0,
  });
  return [withField(0, RidLimit, a.limit), second];
}

export function decodeRidAssociation(first: number, second: number): RidAssociation {
  const { Valid, RidBase, SegmentBase } = fieldsOf(RidAssociation2, second);
  const limit = field(first, RidAssociation1.RidLimit);
  return { valid: Valid === 1, base: RidBase, limit, segmentBase: SegmentBase };
}

export interface AddressAssociation {
  readonly valid: boolean;
  /** first byte, a multiple of 1 MiB */
  readonly base: number;
  /** last byte, one below a multiple of 1 MiB; above 2^53 rounded, which keeps comparisons sensible */
  readonly limit: number;
}
const MIB = 2 ** 20;
const FOUR_GIB = 2 ** 32;

/**
 * IDE Address Association registers 1, 2 and 3 for the byte range `base`..`limit`, both inclusive.
 * @throws LocalError if an end is not on its 1 MiB granule or the range is empty.
 */
export function encodeAddressAssociation(
  a: Partial<AddressAssociation> & { readonly base: number; readonly limit: number },
): readonly [number, number, number] {
  const { base, limit } = a;
  if (!Number.isSafeInteger(base) || base < 0 || base % MIB !== 0)
    throw new LocalError(`base: expected a multiple of 1 MiB, got ${base}`);
  if (!Number.isSafeInteger(limit) || limit < base || (limit + 1) % MIB !== 0)
    throw new LocalError(`limit: expected the last byte of a MiB above base, got ${limit}`);
  const first = registerValue(AddressAssociation1, {
    Valid: (a.valid ?? true) ? 1 : 0,
    MemoryBaseLower: Math.floor((base % FOUR_GIB) / MIB),
    MemoryLimitLower: Math.floor((limit % FOUR_GIB) / MIB),
  });
  return [first, Math.floor(limit / FOUR_GIB), Math.floor(base / FOUR_GIB)];
}

export function decodeAddressAssociation(
  first: number,
  second: number,
  third: number,
): AddressAssociation {
  const { Valid, MemoryBaseLower, MemoryLimitLower } = fieldsOf(AddressAssociation1, first);
  return {
    valid: Valid === 1,
    base: (third >>> 0) * FOUR_GIB + MemoryBaseLower * MIB,
    limit: (second >>> 0) * FOUR_GIB + MemoryLimitLower * MIB + (MIB - 1),
  };
}
