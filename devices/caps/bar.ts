/**
 * Base Address registers and the Expansion ROM base (PCIe Base 6.x clause 7.5.1.2.1 and 7.5.1.2.4).
 * Sizing needs no case of its own: the address bits below the size are read-only zero, so what reads
 * back after writing all ones is the size mask.
 */

import { LocalError } from '../../protocols/codec/refusal.ts';
import { ones, type RegisterBlock, type RegisterSpec } from './register-block.ts';

const BAR_OFFSET = 0x10;
const MEMORY_BYTES_MIN = 16;
const MEMORY32_BYTES_MAX = 2 ** 31;
const MEMORY64_BYTES_MAX = 2 ** 63;
const IO_BYTES_MIN = 4;
const IO_BYTES_MAX = 256;
const ROM_BYTES_MIN = 2 ** 11;
const ROM_BYTES_MAX = 2 ** 24;

/** One BAR; sizes are in bytes and powers of two. A 64-bit one takes the next index as well. */
export type BarSpec =
  | {
      readonly index: number;
      readonly kind: 'memory';
      readonly size: number;
      readonly width?: 32 | 64;
      readonly prefetchable?: boolean;
    }
  | { readonly index: number; readonly kind: 'io'; readonly size: number };

/** What a BAR decodes as it stands. */
export interface BarRange {
  readonly index: number;
  readonly kind: 'memory' | 'io';
  readonly base: bigint;
  readonly size: bigint;
  readonly width: 32 | 64;
  readonly prefetchable: boolean;
}

function powerOfTwo(name: string, size: number, min: number, max: number): void {
  if (!(size >= min && size <= max) || !Number.isInteger(Math.log2(size)))
    throw new LocalError(`${name}: expected a power of two of ${min}..${max} bytes, got ${size}`);
}

/** The register of address bits `from`..31 above `typeBits`. */
function baseRegister(
  name: string,
  offset: number,
  from: number,
  typeWidth: number,
  type: number,
): RegisterSpec {
  const fields: RegisterSpec['fields'][number][] = [];
  if (typeWidth > 0)
    fields.push({ name: 'Type', lsb: 0, width: typeWidth, access: 'HwInit', reset: type });
  // The address keeps the register's own name, and its low bits, which cannot be written, read 0.
  if (from < 32) fields.push({ name: '', lsb: from, width: 32 - from, access: 'RW' });
  return { name, offset, bytes: 4, fields };
}

function checkIndex(bar: BarSpec, count: number, taken: Set<number>, slots: number): void {
  for (let index = bar.index; index < bar.index + slots; index++) {
    if (!Number.isInteger(index) || index < 0 || index >= count)
      throw new LocalError(`bars: BAR${index} is beyond the ${count} this header has`);
    if (taken.has(index)) throw new LocalError(`bars: BAR${index} is taken twice`);
    taken.add(index);
  }
}

/**
 * The registers of `bars` in a header with `count` of them (6 in type 0, 2 in type 1).
 * @throws LocalError on a bad size, an index out of range or used twice.
 */
export function barRegisters(bars: readonly BarSpec[], count: number): RegisterSpec[] {
  const taken = new Set<number>();
  const registers: RegisterSpec[] = [];
  for (const bar of bars) {
    const name = `BAR${bar.index}`;
    const offset = BAR_OFFSET + 4 * bar.index;
    if (bar.kind === 'io') {
      checkIndex(bar, count, taken, 1);
      powerOfTwo(name, bar.size, IO_BYTES_MIN, IO_BYTES_MAX);
      registers.push(baseRegister(name, offset, Math.log2(bar.size), 2, 0x1));
      continue;
    }
    const is64 = bar.width === 64;
    checkIndex(bar, count, taken, is64 ? 2 : 1);
    powerOfTwo(name, bar.size, MEMORY_BYTES_MIN, is64 ? MEMORY64_BYTES_MAX : MEMORY32_BYTES_MAX);
    const bits = Math.log2(bar.size);
    const type = (is64 ? 0x4 : 0) | (bar.prefetchable === true ? 0x8 : 0);
    registers.push(baseRegister(name, offset, Math.min(bits, 32), 4, type));
    if (is64)
      registers.push(baseRegister(`BAR${bar.index + 1}`, offset + 4, Math.max(bits - 32, 0), 0, 0));
  }
  return registers;
}

/** The Expansion ROM register at `offset`. @throws LocalError on a bad size. */
export function romRegister(offset: number, size: number): RegisterSpec {
  powerOfTwo('expansionRomBytes', size, ROM_BYTES_MIN, ROM_BYTES_MAX);
  const bits = Math.log2(size);
  return {
    name: 'Expansion ROM',
    offset,
    bytes: 4,
    fields: [
      { name: 'Enable', lsb: 0, access: 'RW' },
      { name: '', lsb: bits, width: 32 - bits, access: 'RW' },
    ],
  };
}

/** What `bar` decodes with the values now in `header`; Command enables are not looked at. */
export function barRange(bar: BarSpec, header: RegisterBlock): BarRange {
  const offset = BAR_OFFSET + 4 * bar.index;
  const low = header.read(offset);
  const size = BigInt(bar.size);
  if (bar.kind === 'io') {
    const base = BigInt((low & ~ones(2)) >>> 0);
    return { index: bar.index, kind: 'io', base, size, width: 32, prefetchable: false };
  }
  const width = bar.width ?? 32;
  const high = width === 64 ? header.read(offset + 4) : 0;
  return {
    index: bar.index,
    kind: 'memory',
    base: (BigInt(high) << 32n) | BigInt((low & ~ones(4)) >>> 0),
    size,
    width,
    prefetchable: bar.prefetchable === true,
  };
}
