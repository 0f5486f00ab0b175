/**
 * Host memory: sparse pages, and regions that are shared (the host may look) or private to the guest.
 * Private memory keeps the host out by itself; devices are kept out by the IOMMU.
 */

import { LocalError } from '../protocols/codec/refusal.ts';
import type { Kernel } from '../sim/kernel/index.ts';
import type { SimRecords } from './records.ts';

export type MemoryKind = 'private' | 'shared' | 'host';
export interface MemoryRegion {
  readonly name: string;
  readonly kind: MemoryKind;
  readonly base: number;
  /** bytes */
  readonly size: number;
}

const PAGE_SIZE = 4096;
/** What the host reads where it may not look. */
const ALL_ONES = 0xff;

export class HostMemory {
  readonly regions: readonly MemoryRegion[];
  private readonly kernel: Kernel<SimRecords>;
  private readonly pages = new Map<number, Uint8Array>();

  /** @throws LocalError on overlapping or unaligned regions. */
  constructor(kernel: Kernel<SimRecords>, regions: readonly MemoryRegion[]) {
    this.kernel = kernel;
    this.regions = [...regions].sort((a, b) => a.base - b.base);
    for (const [i, region] of this.regions.entries()) {
      if (region.base % PAGE_SIZE !== 0 || region.size % PAGE_SIZE !== 0 || region.size <= 0)
        throw new LocalError(`regions.${region.name}: base and size must be whole 4 KiB pages`);
      const before = this.regions[i - 1];
      if (before !== undefined && before.base + before.size > region.base)
        throw new LocalError(`regions.${region.name}: overlaps ${before.name}`);
    }
  }

  /** The region holding all of these bytes. */
  regionOf(address: number, length: number): MemoryRegion | undefined {
    return this.regions.find(
      ({ base, size }) => address >= base && address + length <= base + size,
    );
  }

  /** A device, through the IOMMU; false if there is no memory there. */
  write(by: string, tee: boolean, address: number, data: Uint8Array): boolean {
    if (this.regionOf(address, data.length) === undefined) return false;
    this.copyIn(address, data);
    this.kernel.bus.emit('memory-write', 'memory', { by, tee, address, data: data.slice() });
    return true;
  }

  read(by: string, tee: boolean, address: number, length: number): Uint8Array | undefined {
    if (this.regionOf(address, length) === undefined) return undefined;
    this.kernel.bus.emit('memory-read', 'memory', { by, tee, address, length });
    return this.peek(address, length);
  }

  /** The host's own CPU: private memory answers with all ones. */
  hostRead(address: number, length: number): Uint8Array {
    const region = this.regionOf(address, length);
    if (region !== undefined && region.kind !== 'private')
      return this.read('host', false, address, length)!;
    const reason = region === undefined ? 'no memory there' : 'private to the guest';
    this.kernel.bus.emit('memory-refused', 'memory', { by: 'host', address, write: false, reason });
    return new Uint8Array(length).fill(ALL_ONES);
  }

  private guestMay(address: number, length: number): boolean {
    const region = this.regionOf(address, length);
    return region !== undefined && region.kind !== 'host';
  }

  /**
   * The guest's CPU may touch its private and the shared regions.
   * @throws LocalError elsewhere, as `guestWrite` does
   */
  guestRead(address: number, length: number): Uint8Array {
    const bytes = this.guestMay(address, length)
      ? this.read('guest', true, address, length)
      : undefined;
    if (bytes === undefined)
      throw new LocalError(`address: no memory of the guest's at 0x${address.toString(16)}`);
    return bytes;
  }
  guestWrite(address: number, data: Uint8Array): void {
    if (!this.guestMay(address, data.length) || !this.write('guest', true, address, data))
      throw new LocalError(`address: no memory of the guest's at 0x${address.toString(16)}`);
  }

  /** Bytes as they are, leaving no trace: for checkers. */
  peek(address: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = address + done;
      const offset = at % PAGE_SIZE;
      const size = Math.min(length - done, PAGE_SIZE - offset);
      const page = this.pages.get(at - offset);
      if (page !== undefined) out.set(page.subarray(offset, offset + size), done);
      done += size;
    }
    return out;
  }

  private copyIn(address: number, data: Uint8Array): void {
    for (let done = 0; done < data.length; ) {
      const at = address + done;
      const offset = at % PAGE_SIZE;
      const size = Math.min(data.length - done, PAGE_SIZE - offset);
      let page = this.pages.get(at - offset);
      if (page === undefined) {
        page = new Uint8Array(PAGE_SIZE);
        this.pages.set(at - offset, page);
      }
      page.set(data.subarray(done, done + size), offset);
      done += size;
    }
  }
}
