/**
 * What lies behind a BAR: regions of device memory or registers, addressed from the BAR's start.
 * Reads of nothing give zero, writes to nothing are dropped, as an unimplemented register does.
 */

import { LocalError } from '../protocols/codec/refusal.ts';

export interface BarRegion {
  readonly name: string;
  readonly offset: number;
  /** bytes */
  readonly size: number;
  /** bytes at `offset` from the region's start */
  read(offset: number, length: number): Uint8Array;
  /** `enabled` says which of the bytes the request's byte enables name */
  write(offset: number, data: Uint8Array, enabled: (index: number) => boolean): void;
}

/** Plain memory behind a BAR. */
export class BarMemory implements BarRegion {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  readonly bytes: Uint8Array;

  constructor(name: string, offset: number, size: number) {
    this.name = name;
    this.offset = offset;
    this.size = size;
    this.bytes = new Uint8Array(size);
  }

  read(offset: number, length: number): Uint8Array {
    return this.bytes.slice(offset, offset + length);
  }

  write(offset: number, data: Uint8Array, enabled: (index: number) => boolean): void {
    for (const [i, byte] of data.entries()) if (enabled(i)) this.bytes[offset + i] = byte;
  }

  /** Overwrites everything with zero: nothing of the last owner stays. */
  scrub(): void {
    this.bytes.fill(0);
  }
}

export class BarSpace {
  readonly index: number;
  readonly size: number;
  private readonly regions: readonly BarRegion[];

  /** @throws LocalError on regions that overlap or leave the BAR. */
  constructor(index: number, size: number, regions: readonly BarRegion[]) {
    this.index = index;
    this.size = size;
    this.regions = [...regions].sort((a, b) => a.offset - b.offset);
    for (const [i, region] of this.regions.entries()) {
      const before = this.regions[i - 1];
      if (region.offset + region.size > size)
        throw new LocalError(`regions.${region.name}: leaves BAR ${index} of ${size} bytes`);
      if (before !== undefined && before.offset + before.size > region.offset)
        throw new LocalError(`regions.${region.name}: overlaps ${before.name}`);
    }
  }

  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (const { region, from, to } of this.parts(offset, length))
      out.set(region.read(from - region.offset, to - from), from - offset);
    return out;
  }

  write(offset: number, data: Uint8Array, enabled: (index: number) => boolean): void {
    for (const { region, from, to } of this.parts(offset, data.length)) {
      const skip = from - offset;
      region.write(from - region.offset, data.subarray(skip, to - offset), (i) =>
        enabled(i + skip),
      );
    }
  }

  private *parts(offset: number, length: number) {
    for (const region of this.regions) {
      const from = Math.max(offset, region.offset);
      const to = Math.min(offset + length, region.offset + region.size);
      if (from < to) yield { region, from, to };
    }
  }
}
