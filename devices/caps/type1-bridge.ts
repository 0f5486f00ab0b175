/**
 * The type 1 header of a Root Port or switch port: bus numbers, memory and prefetchable windows, bridge
 * control (PCIe Base 6.x clause 7.5.1.3), and the windows' encodings for both sides. There is no I/O
 * window: its registers read 0, which says so.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';
import { barRegisters, romRegister } from './bar.ts';
import { commonRegisters, errorStatusFields, type IdentityOptions } from './header.ts';
import { type RegisterSpec, whole } from './register-block.ts';

export interface Type1Options extends IdentityOptions {
  readonly type: 1;
}

export const Type1Offsets = {
  BUS_NUMBERS: 0x18,
  MEMORY: 0x20,
  PREFETCHABLE: 0x24,
  PREFETCHABLE_BASE_UPPER: 0x28,
  PREFETCHABLE_LIMIT_UPPER: 0x2c,
} as const;

const MIB = 1n << 20n;
const ADDRESS64_SUPPORTED = 1;

/** An address range, both ends included: the base on a 1 MiB boundary, the limit just below one. */
export interface Window {
  readonly base: bigint;
  readonly limit: bigint;
}

export interface BusNumbers {
  readonly primary: number;
  readonly secondary: number;
  readonly subordinate: number;
}

/** All registers of a type 1 header. */
export function type1Registers(options: Type1Options): RegisterSpec[] {
  const rom = options.expansionRomBytes;
  const windowEnd = (name: string, offset: number): RegisterSpec => ({
    name,
    offset,
    bytes: 2,
    fields: [{ name: '', lsb: 4, width: 12, access: 'RW' }],
  });
  const windowEnd64 = (name: string, offset: number): RegisterSpec => ({
    name,
    offset,
    bytes: 2,
    fields: [
      { name: 'Address_64', lsb: 0, width: 4, access: 'HwInit', reset: ADDRESS64_SUPPORTED },
      { name: '', lsb: 4, width: 12, access: 'RW' },
    ],
  });
  return [
    ...commonRegisters(options, 1),
    ...barRegisters(options.bars ?? [], 2),
    whole('Primary Bus Number', 0x18, 1, 'RW'),
    whole('Secondary Bus Number', 0x19, 1, 'RW'),
    whole('Subordinate Bus Number', 0x1a, 1, 'RW'),
    { name: 'Secondary Status', offset: 0x1e, bytes: 2, fields: errorStatusFields },
    windowEnd('Memory Base', 0x20),
    windowEnd('Memory Limit', 0x22),
    windowEnd64('Prefetchable Memory Base', 0x24),
    windowEnd64('Prefetchable Memory Limit', 0x26),
    whole('Prefetchable Base Upper 32 Bits', 0x28, 4, 'RW'),
    whole('Prefetchable Limit Upper 32 Bits', 0x2c, 4, 'RW'),
    ...(rom === undefined ? [] : [romRegister(0x38, rom)]),
    {
      name: 'Bridge Control',
      offset: 0x3e,
      bytes: 2,
      fields: [
        { name: 'Parity_Error_Response', lsb: 0, access: 'RW' },
        { name: 'SERR_Enable', lsb: 1, access: 'RW' },
        { name: 'Secondary_Bus_Reset', lsb: 6, access: 'RW' },
      ],
    },
  ];
}

function checkWindow(window: Window, limitMax: bigint): void {
  const { base, limit } = window;
  if (base < 0n || base % MIB !== 0n)
    throw new LocalError(`base: ${base.toString(16)} is not on a 1 MiB boundary`);
  if ((limit + 1n) % MIB !== 0n || limit > limitMax)
    throw new LocalError(
      `limit: ${limit.toString(16)} does not end a MiB within the address range`,
    );
  if (limit < base) throw new LocalError('limit: below base');
}

/** Base field above limit field: how software closes a window. */
const CLOSED_DW = 0x0000fff0;

/**
 * The DW at 20h for the non-prefetchable window, below 4 GiB; undefined closes it.
 * @throws LocalError on a window that 1 MiB granules cannot say.
 */
export function encodeMemoryWindow(window: Window | undefined): number {
  if (window === undefined) return CLOSED_DW;
  checkWindow(window, 0xffffffffn);
  return endsOf(window);
}

/** Address bits 31:20 of both ends, as the DW of a base and a limit register has them. */
function endsOf(window: Window): number {
  const field = (address: bigint) => Number((address >> 16n) & 0xfff0n);
  return (field(window.base) | (field(window.limit) << 16)) >>> 0;
}

/**
 * The DWs at 24h, 28h and 2Ch for the 64-bit prefetchable window; undefined closes it.
 * @throws LocalError on a window that 1 MiB granules cannot say.
 */
export function encodePrefetchableWindow(
  window: Window | undefined,
): readonly [ends: number, baseUpper: number, limitUpper: number] {
  if (window === undefined) return [CLOSED_DW, 0, 0];
  checkWindow(window, (1n << 64n) - 1n);
  return [endsOf(window), Number(window.base >> 32n), Number(window.limit >> 32n)];
}

/** The DW at 18h, Secondary Latency Timer 0. @throws LocalError on a bus out of range. */
export function encodeBusNumbers({ primary, secondary, subordinate }: BusNumbers): number {
  for (const [name, bus] of Object.entries({ primary, secondary, subordinate }))
    if (!Number.isInteger(bus) || bus < 0 || bus > 255)
      throw new LocalError(`${name}: bus ${bus} is none of 0..255`);
  return primary | (secondary << 8) | (subordinate << 16);
}

type Read = (offset: number) => number;

/** Bus numbers as they stand; `read` gives a header's DW. */
export function busNumbers(read: Read): BusNumbers {
  const dw = read(Type1Offsets.BUS_NUMBERS);
  return { primary: dw & 0xff, secondary: (dw >>> 8) & 0xff, subordinate: (dw >>> 16) & 0xff };
}

function windowOf(ends: number, baseUpper: number, limitUpper: number): Window | undefined {
  const base = (BigInt(baseUpper) << 32n) | (BigInt(ends & 0xfff0) << 16n);
  const limit = (BigInt(limitUpper) << 32n) | (BigInt((ends >>> 16) & 0xfff0) << 16n) | (MIB - 1n);
  return base > limit ? undefined : { base, limit };
}

/** The non-prefetchable window as it stands; undefined while closed. Command.MSE is not looked at. */
export function memoryWindow(read: Read): Window | undefined {
  return windowOf(read(Type1Offsets.MEMORY), 0, 0);
}

/** The prefetchable window as it stands; undefined while closed. Command.MSE is not looked at. */
export function prefetchableWindow(read: Read): Window | undefined {
  return windowOf(
    read(Type1Offsets.PREFETCHABLE),
    read(Type1Offsets.PREFETCHABLE_BASE_UPPER),
    read(Type1Offsets.PREFETCHABLE_LIMIT_UPPER),
  );
}
