/**
 * Enumeration as firmware and kernel do it, over configuration TLPs only: buses numbered, functions
 * found, capabilities walked, BARs sized and placed, bridge windows opened.
 */

import { bdf } from '../../protocols/tlp/index.ts';
import type { Task } from '../../sim/kernel/index.ts';
import { CapabilityIds } from '../caps/names.ts';
import {
  encodeBusNumbers,
  encodeMemoryWindow,
  encodePrefetchableWindow,
  Type1Offsets,
} from '../caps/type1-bridge.ts';
import type { CapabilityList } from '../caps/walk.ts';
import { walkCapabilities } from '../caps/walk.ts';
import type { RootComplex } from '../root-complex.ts';

export interface FoundBar {
  readonly index: number;
  readonly size: number;
  readonly prefetchable: boolean;
  address: number;
}

export interface FoundFunction {
  readonly rid: number;
  readonly bdf: string;
  readonly vendorId: number;
  readonly deviceId: number;
  readonly classCode: number;
  readonly capabilities: CapabilityList;
  readonly bars: readonly FoundBar[];
  /** Device Capabilities: TEE-IO Supported */
  readonly teeIo: boolean;
}

/** Where MMIO windows are cut from; both at 1 MiB granules. */
export interface MmioRoom {
  readonly memoryBase: number;
  readonly prefetchableBase: number;
}

export interface Enumeration {
  readonly rootPort: FoundFunction;
  readonly functions: readonly FoundFunction[];
  readonly memoryWindow: { base: number; limit: number };
  readonly prefetchableWindow: { base: number; limit: number };
}

const ALL_ONES = 0xffffffff;
const COMMAND = 0x04;
const COMMAND_MSE_BME = 0x6;
const BAR_OFFSET = 0x10;
const BAR_COUNT = 6;
const MULTI_FUNCTION = 0x00800000;
const TEE_IO_SUPPORTED = 0x40000000;
const DEVICE_CAPABILITIES = 0x04;
const DEVICE_CONTROL = 0x08;
/** Max_Payload_Size 256 bytes, Max_Read_Request_Size 512, with the default enables */
const DEVICE_CONTROL_VALUE = 0x2930;
const MIB = 2 ** 20;
const FOUR_GIB = 2 ** 32;

const alignUp = (value: number, granule: number) => Math.ceil(value / granule) * granule;

/** Capability walk over config reads. */
export function* readCapabilities(complex: RootComplex, rid: number): Task<CapabilityList> {
  const walk = walkCapabilities();
  let step = walk.next();
  while (!step.done) step = walk.next(yield* complex.configRead(rid, step.value.read));
  return step.value;
}

export function capabilityOffset(found: FoundFunction, id: number): number | undefined {
  return found.capabilities.standard.find((cap) => cap.id === id)?.offset;
}
export function extendedOffset(found: FoundFunction, id: number): number | undefined {
  return found.capabilities.extended.find((cap) => cap.id === id)?.offset;
}

function* readFunction(
  complex: RootComplex,
  rid: number,
  barCount: number,
): Task<FoundFunction | undefined> {
  const identity = yield* complex.configRead(rid, 0);
  if (identity === ALL_ONES) return undefined;
  const classCode = (yield* complex.configRead(rid, 0x08)) >>> 8;
  const capabilities = yield* readCapabilities(complex, rid);
  const bars = yield* sizeBars(complex, rid, barCount);
  const express = capabilities.standard.find((cap) => cap.id === CapabilityIds.EXPRESS);
  const devcap =
    express === undefined
      ? 0
      : yield* complex.configRead(rid, express.offset + DEVICE_CAPABILITIES);
  return {
    rid,
    bdf: bdf(rid),
    vendorId: identity & 0xffff,
    deviceId: identity >>> 16,
    classCode,
    capabilities,
    bars,
    teeIo: (devcap & TEE_IO_SUPPORTED) !== 0,
  };
}

/** Writes all ones, reads the size mask back, leaves the BAR at zero. */
function* sizeBars(complex: RootComplex, rid: number, count: number): Task<FoundBar[]> {
  const bars: FoundBar[] = [];
  for (let index = 0; index < count; index++) {
    const offset = BAR_OFFSET + 4 * index;
    const before = yield* complex.configRead(rid, offset);
    yield* complex.configWrite(rid, offset, ALL_ONES);
    const low = yield* complex.configRead(rid, offset);
    const wide = (before & 6) === 4;
    if (wide) yield* complex.configWrite(rid, offset + 4, ALL_ONES);
    const high = wide ? yield* complex.configRead(rid, offset + 4) : ALL_ONES;
    yield* complex.configWrite(rid, offset, 0);
    if (wide) yield* complex.configWrite(rid, offset + 4, 0);
    const mask = (BigInt(high >>> 0) << 32n) | BigInt((low & ~0xf) >>> 0);
    const prefetchable = (before & 8) !== 0;
    const isMemory = (before & 1) === 0 && low !== 0;
    const size = Number(BigInt.asUintN(64, ~mask + 1n));
    if (isMemory) bars.push({ index, size, prefetchable, address: 0 });
    if (wide) index++;
  }
  return bars;
}

function* placeBars(
  complex: RootComplex,
  functions: readonly FoundFunction[],
  prefetchable: boolean,
  base: number,
): Task<{ base: number; limit: number }> {
  let at = base;
  for (const found of functions)
    for (const bar of found.bars) {
      if (bar.prefetchable !== prefetchable) continue;
      at = alignUp(at, bar.size);
      bar.address = at;
      at += bar.size;
      const offset = BAR_OFFSET + 4 * bar.index;
      yield* complex.configWrite(found.rid, offset, bar.address % FOUR_GIB);
      yield* complex.configWrite(found.rid, offset + 4, Math.floor(bar.address / FOUR_GIB));
    }
  return { base, limit: alignUp(Math.max(at, base + 1), MIB) - 1 };
}

function* openWindows(
  complex: RootComplex,
  rid: number,
  memory: { base: number; limit: number },
  prefetchable: { base: number; limit: number },
): Task<void> {
  const big = ({ base, limit }: { base: number; limit: number }) => ({
    base: BigInt(base),
    limit: BigInt(limit),
  });
  yield* complex.configWrite(rid, Type1Offsets.MEMORY, encodeMemoryWindow(big(memory)));
  const [ends, baseUpper, limitUpper] = encodePrefetchableWindow(big(prefetchable));
  yield* complex.configWrite(rid, Type1Offsets.PREFETCHABLE, ends);
  yield* complex.configWrite(rid, Type1Offsets.PREFETCHABLE_BASE_UPPER, baseUpper);
  yield* complex.configWrite(rid, Type1Offsets.PREFETCHABLE_LIMIT_UPPER, limitUpper);
}

/** Brings up everything below the root port. Undefined if there is no device. */
export function* enumerate(complex: RootComplex, room: MmioRoom): Task<Enumeration | undefined> {
  const port = complex.rootPort.rid;
  const buses = encodeBusNumbers({ primary: 0, secondary: 1, subordinate: 1 });
  yield* complex.configWrite(port, Type1Offsets.BUS_NUMBERS, buses);
  const rootPort = yield* readFunction(complex, port, 0);
  if (rootPort === undefined) return undefined;
  const functions: FoundFunction[] = [];
  const first = 1 << 8;
  const header = yield* complex.configRead(first, 0x0c);
  if (header === ALL_ONES) return undefined;
  const count = (header & MULTI_FUNCTION) === 0 ? 1 : 8;
  for (let number = 0; number < count; number++) {
    const found = yield* readFunction(complex, first | number, BAR_COUNT);
    if (found !== undefined) functions.push(found);
  }
  const memoryWindow = yield* placeBars(complex, functions, false, room.memoryBase);
  const prefetchableWindow = yield* placeBars(complex, functions, true, room.prefetchableBase);
  yield* openWindows(complex, port, memoryWindow, prefetchableWindow);
  for (const found of [rootPort, ...functions]) {
    const express = capabilityOffset(found, CapabilityIds.EXPRESS);
    if (express !== undefined)
      yield* complex.configWrite(found.rid, express + DEVICE_CONTROL, DEVICE_CONTROL_VALUE, 0x3);
    yield* complex.configWrite(found.rid, COMMAND, COMMAND_MSE_BME, 0x3);
  }
  return { rootPort, functions, memoryWindow, prefetchableWindow };
}
