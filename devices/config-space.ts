/**
 * A function's 4 KiB configuration space: header, capability list and extended capability chain (PCIe
 * Base 6.x clause 7.5.1 and 7.6.3). Capabilities are registered and get their place and their links;
 * the device behind reads and writes DWs with byte enables, as config TLPs bring them.
 */

import { LocalError } from '../protocols/codec/refusal.ts';
import { type BarRange, type BarSpec, barRange } from './caps/bar.ts';
import { HEADER_BYTES, type Type0Options, type0Registers } from './caps/header.ts';
import {
  type Capability,
  RegisterBlock,
  type RegisterChange,
  type ResetKind,
} from './caps/register-block.ts';
import { type Type1Options, type1Registers } from './caps/type1-bridge.ts';

export const CONFIG_BYTES = 0x1000;
export const EXTENDED_BASE = 0x100;
const ALL_BYTES = 0xf;

/** A field that software gave another value, and the DW it stands in. */
export interface ConfigChange extends RegisterChange {
  /** byte offset of the DW from the start of configuration space */
  readonly offset: number;
}

export type ConfigSpaceOptions = Type0Options | Type1Options;

interface Placed {
  readonly capability: Capability;
  readonly offset: number;
  readonly extended: boolean;
  next: number;
}

export class ConfigSpace {
  readonly type: 0 | 1;
  readonly header: RegisterBlock;
  readonly #bars: readonly BarSpec[];
  readonly #placed: Placed[] = [];
  /** which capability a DW belongs to */
  readonly #owner: (Placed | undefined)[] = new Array(CONFIG_BYTES / 4).fill(undefined);
  readonly #listeners: ((change: ConfigChange) => void)[] = [];

  /** @throws LocalError on an identity, BAR or ROM out of range. */
  constructor(options: ConfigSpaceOptions) {
    this.type = options.type;
    const registers = options.type === 0 ? type0Registers(options) : type1Registers(options);
    checkIdentity(options);
    this.header = new RegisterBlock(HEADER_BYTES, registers);
    this.#bars = options.bars ?? [];
  }

  /**
   * Appends to the capability list; `at` asks for a place, otherwise the first free one is taken.
   * @returns its offset
   * @throws LocalError if it does not fit there.
   */
  addCapability(capability: Capability, at?: number): number {
    const placed = this.#place(capability, at, false);
    const last = this.#last(false);
    if (last === undefined) {
      this.header.set('Capabilities Pointer', placed.offset);
      this.header.set('Status.Capabilities_List', 1);
    } else last.next = placed.offset;
    this.#placed.push(placed);
    return placed.offset;
  }

  /**
   * Appends to the extended capability chain, which starts at 100h.
   * @returns its offset
   * @throws LocalError if it does not fit, or the first one is asked to stand elsewhere.
   */
  addExtendedCapability(capability: Capability, at?: number): number {
    const last = this.#last(true);
    if (last === undefined && at !== undefined && at !== EXTENDED_BASE)
      throw new LocalError('at: the first extended capability stands at 100h');
    const placed = this.#place(capability, at, true);
    if (last !== undefined) last.next = placed.offset;
    this.#placed.push(placed);
    return placed.offset;
  }

  /** Where `capability` stands; undefined if it was not added. */
  offsetOf(capability: Capability): number | undefined {
    return this.#placed.find((placed) => placed.capability === capability)?.offset;
  }

  /** Calls `listener` for every field software changes. @returns how to stop it */
  onChange(listener: (change: ConfigChange) => void): () => void {
    this.#listeners.push(listener);
    return () => {
      const index = this.#listeners.indexOf(listener);
      if (index >= 0) this.#listeners.splice(index, 1);
    };
  }

  /**
   * The DW at byte offset `offset`; 0 where nothing is implemented.
   * @throws LocalError on an offset that is no DW of configuration space.
   */
  read(offset: number): number {
    checkOffset(offset);
    if (offset < HEADER_BYTES) return this.header.read(offset);
    const placed = this.#owner[offset >>> 2];
    if (placed === undefined) return 0;
    const { capability } = placed;
    if (offset !== placed.offset) return capability.read(offset - placed.offset) >>> 0;
    if (placed.extended)
      return (capability.id | ((capability.version ?? 1) << 16) | (placed.next << 20)) >>> 0;
    return ((capability.read(0) & 0xffff0000) | (placed.next << 8) | capability.id) >>> 0;
  }

  /**
   * Writes the bytes of `value` that `byteEnable` (bit 0 for bits 7:0) names.
   * @throws LocalError on an offset that is no DW of configuration space.
   */
  write(offset: number, value: number, byteEnable: number = ALL_BYTES): void {
    checkOffset(offset);
    const changed = (change: RegisterChange) => {
      for (const listener of [...this.#listeners]) listener({ ...change, offset });
    };
    if (offset < HEADER_BYTES) {
      this.header.write(offset, value >>> 0, byteEnable, changed);
      return;
    }
    const placed = this.#owner[offset >>> 2];
    if (placed === undefined) return;
    let enabled = byteEnable & ALL_BYTES;
    // The id and the link to the next capability are nobody's to write.
    if (offset === placed.offset) enabled &= placed.extended ? 0 : 0xc;
    if (enabled !== 0)
      placed.capability.write(offset - placed.offset, value >>> 0, enabled, changed);
  }

  /** Value of a header field, as `Command.MSE` or `Secondary Bus Number`. @throws LocalError if unknown */
  get(register: string): number {
    return this.header.get(register);
  }

  /** What each BAR decodes as it stands; Command.MSE and Command.IOSE say whether it does. */
  bars(): BarRange[] {
    return this.#bars.map((bar) => barRange(bar, this.header));
  }

  /** FLR or conventional reset of the header and of every capability; reported to no listener. */
  reset(kind: ResetKind): void {
    this.header.reset(kind);
    for (const { capability } of this.#placed) capability.reset(kind);
  }

  #last(extended: boolean): Placed | undefined {
    return this.#placed.findLast((placed) => placed.extended === extended);
  }

  #place(capability: Capability, at: number | undefined, extended: boolean): Placed {
    const start = extended ? EXTENDED_BASE : HEADER_BYTES;
    const end = extended ? CONFIG_BYTES : EXTENDED_BASE;
    const size = (capability.size + 3) & ~3;
    if (size < 4) throw new LocalError('capability: smaller than its header');
    if (this.offsetOf(capability) !== undefined) throw new LocalError('capability: added twice');
    const free = (offset: number) => {
      if (offset < start || offset % 4 !== 0 || offset + size > end) return false;
      for (let dw = offset; dw < offset + size; dw += 4)
        if (this.#owner[dw >>> 2] !== undefined) return false;
      return true;
    };
    let offset = at ?? start;
    if (at === undefined) while (offset + size <= end && !free(offset)) offset += 4;
    if (!free(offset))
      throw new LocalError(
        `capability: no room for ${size} bytes${at === undefined ? '' : ' there'}`,
      );
    const placed: Placed = { capability, offset, extended, next: 0 };
    for (let dw = offset; dw < offset + size; dw += 4) this.#owner[dw >>> 2] = placed;
    return placed;
  }
}

function checkOffset(offset: number): void {
  if (!Number.isInteger(offset) || offset < 0 || offset >= CONFIG_BYTES || offset % 4 !== 0)
    throw new LocalError(`offset: ${offset} is no DW of configuration space`);
}

function checkIdentity(options: ConfigSpaceOptions): void {
  const limits: readonly [name: string, value: number | undefined, max: number][] = [
    ['vendorId', options.vendorId, 0xffff],
    ['deviceId', options.deviceId, 0xffff],
    ['revisionId', options.revisionId, 0xff],
    ['classCode', options.classCode, 0xffffff],
    ['interruptPin', options.interruptPin, 4],
  ];
  for (const [name, value = 0, max] of limits)
    if (!Number.isInteger(value) || value < 0 || value > max)
      throw new LocalError(`${name}: expected 0..${max}, got ${value}`);
}
