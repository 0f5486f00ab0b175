/**
 * A DMA engine as found on an accelerator: a few registers behind BAR 0 and a doorbell. It copies
 * between device memory and host memory with ordinary memory TLPs, cut at MPS, MRRS and 4 KiB.
 */

import { readLE, writeLE } from '../protocols/codec/bytes.ts';
import { splitRequest } from '../protocols/tlp/index.ts';
import type { Kernel, Process, Task } from '../sim/kernel/index.ts';
import type { BarMemory, BarRegion } from './bar-space.ts';
import type { SimRecords } from './records.ts';

/** Register offsets inside the engine's page; all little-endian. */
export const DmaRegisters = {
  /** 64 bits: address in host memory as the IOMMU sees it */
  IOVA: 0x00,
  /** 32 bits: offset in device memory */
  LOCAL: 0x08,
  /** 32 bits: bytes */
  LENGTH: 0x0c,
  /** write 1 to copy host to device, 2 device to host; bit 8: interrupt when done */
  DOORBELL: 0x10,
  /** read only: 0 idle, 1 busy, 2 done, 3 failed */
  STATUS: 0x14,
} as const;
export const DmaCommands = { TO_DEVICE: 1, FROM_DEVICE: 2, INTERRUPT: 0x100 } as const;
export const DmaStatus = { IDLE: 0, BUSY: 1, DONE: 2, FAILED: 3 } as const;
const REGISTER_BYTES = 0x18;
/** bytes of an address the engine can drive; the others must be 0 */
const IOVA_BYTES = 6;

/** What the engine may do on the fabric; the function behind it decides about T bits and states. */
export interface DmaBus {
  readonly functionId: number;
  /** T of requests now, or the reason why there may be none */
  permission(): { tee: boolean } | { refused: string };
  maxPayload(): number;
  maxReadRequest(): number;
  write(address: number, data: Uint8Array, tee: boolean): { sent: boolean; reason: string };
  read(address: number, length: number, tee: boolean): Task<Uint8Array | { reason: string }>;
  interrupt(): void;
}

export class DmaEngine implements BarRegion {
  readonly name = 'dma';
  readonly offset: number;
  readonly size = 4096;
  private readonly kernel: Kernel<SimRecords>;
  private readonly bus: DmaBus;
  private readonly local: BarMemory;
  private readonly registers = new Uint8Array(REGISTER_BYTES);
  private running: Process<void> | undefined;

  constructor(kernel: Kernel<SimRecords>, bus: DmaBus, local: BarMemory, offset: number) {
    this.kernel = kernel;
    this.bus = bus;
    this.local = local;
    this.offset = offset;
  }

  get busy(): boolean {
    return this.running !== undefined;
  }

  read(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    out.set(
      this.registers.subarray(offset, Math.max(offset, Math.min(offset + length, REGISTER_BYTES))),
    );
    return out;
  }

  write(offset: number, data: Uint8Array, enabled: (index: number) => boolean): void {
    let rung = false;
    for (const [i, byte] of data.entries()) {
      const at = offset + i;
      if (!enabled(i) || at >= DmaRegisters.STATUS) continue;
      this.registers[at] = byte;
      rung ||= at === DmaRegisters.DOORBELL;
    }
    if (rung && !this.busy) this.start();
  }

  /** Stops at once and forgets everything: reset, STOP_INTERFACE, ERROR. */
  reset(reason: string): void {
    if (this.running !== undefined) {
      this.running.cancel();
      this.end(DmaStatus.FAILED, reason);
    }
    this.registers.fill(0);
  }

  private start(): void {
    const at = (register: number, width: number) => readLE(this.registers, register, width);
    const command = at(DmaRegisters.DOORBELL, 4);
    const iova = at(DmaRegisters.IOVA, IOVA_BYTES);
    const length = at(DmaRegisters.LENGTH, 4);
    const local = at(DmaRegisters.LOCAL, 4);
    const beyond = at(DmaRegisters.IOVA + IOVA_BYTES, 8 - IOVA_BYTES) !== 0;
    const write = (command & 3) === DmaCommands.FROM_DEVICE;
    const legal = (command & 3) === DmaCommands.TO_DEVICE || write;
    if (!legal || beyond || local + length > this.local.size || length === 0) {
      this.setStatus(DmaStatus.FAILED);
      return;
    }
    this.setStatus(DmaStatus.BUSY);
    const job = { iova, local, length, write, interrupt: (command & DmaCommands.INTERRUPT) !== 0 };
    this.running = this.kernel.spawn(`dma ${this.bus.functionId}`, this.copy(job));
  }

  private *copy(job: {
    iova: number;
    local: number;
    length: number;
    write: boolean;
    interrupt: boolean;
  }): Task<void> {
    const { iova, local, length, write } = job;
    const { functionId } = this.bus;
    const permission = this.bus.permission();
    if ('refused' in permission) return this.end(DmaStatus.FAILED, permission.refused);
    const { tee } = permission;
    this.emitStart({ functionId, write, tee, iova, length });
    const limit = write ? this.bus.maxPayload() : this.bus.maxReadRequest();
    for (const span of splitRequest(iova, length, limit)) {
      // Each request asks anew: bus mastering or the TDI's state may have gone since the last.
      const now = this.bus.permission();
      if ('refused' in now) return this.end(DmaStatus.FAILED, now.refused);
      if (now.tee !== tee) return this.end(DmaStatus.FAILED, 'the T bit changed meanwhile');
      const at = local + (span.address - iova);
      if (write) {
        const data = this.local.bytes.slice(at, at + span.length);
        const { sent, reason } = this.bus.write(span.address, data, tee);
        if (!sent) return this.end(DmaStatus.FAILED, reason);
      } else {
        const data = yield* this.bus.read(span.address, span.length, tee);
        if (!(data instanceof Uint8Array)) return this.end(DmaStatus.FAILED, data.reason);
        this.local.bytes.set(data, at);
      }
    }
    this.end(DmaStatus.DONE, '');
    if (job.interrupt) this.bus.interrupt();
  }

  private emitStart(data: SimRecords['dma-start']): void {
    this.kernel.bus.emit('dma-start', 'dma', data);
  }

  private end(status: number, reason: string): void {
    // A failure may have reset the engine before the copy itself hears of it.
    if (this.running === undefined) return;
    this.running = undefined;
    this.setStatus(status);
    const { functionId } = this.bus;
    this.kernel.bus.emit('dma-end', 'dma', { functionId, ok: status === DmaStatus.DONE, reason });
  }

  private setStatus(status: number): void {
    writeLE(this.registers, DmaRegisters.STATUS, 4, status);
  }
}
