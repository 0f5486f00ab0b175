/**
 * Who touches the device: the guest from inside its TEE (T=1, what the TSM grants) and the host (T=0,
 * whatever it likes). Both drive the same DMA engine through its registers.
 */

import { concat, le, readLE } from '../../protocols/codec/bytes.ts';
import { delay, type Task } from '../../sim/kernel/index.ts';
import { DmaCommands, DmaRegisters, DmaStatus } from '../dma-engine.ts';
import type { AccessResult, RootComplex } from '../root-complex.ts';
import type { FoundFunction } from './pci.ts';
import type { TdiAssignment } from './tdi-assignment.ts';

const ALL_ONES = 0xff;
const POLL_PS = 1_000_000;
const POLLS_MAX = 1000;

export type DmaResult =
  | { readonly status: 'done' }
  | { readonly status: 'failed' | 'unreachable'; readonly reason: string };

export interface DmaJob {
  readonly direction: 'to-device' | 'from-device';
  readonly iova: number;
  /** offset in device memory */
  readonly local: number;
  readonly length: number;
}

export abstract class MmioAgent {
  abstract readonly name: 'guest' | 'host';
  protected readonly complex: RootComplex;
  protected readonly found: FoundFunction;

  constructor(complex: RootComplex, found: FoundFunction) {
    this.complex = complex;
    this.found = found;
  }

  /** Why the agent cannot even try; undefined: it can. */
  protected abstract forbidden(bar: number, offset: number, length: number): string | undefined;
  protected abstract readonly tee: boolean;

  private addressOf(bar: number, offset: number): number | undefined {
    const found = this.found.bars.find((each) => each.index === bar);
    return found === undefined ? undefined : found.address + offset;
  }

  *read(bar: number, offset: number, length: number): Task<AccessResult> {
    const address = this.addressOf(bar, offset);
    const reason = this.forbidden(bar, offset, length);
    const data = new Uint8Array(length).fill(ALL_ONES);
    if (address === undefined) return { ok: false, data, reason: `no BAR ${bar}` };
    if (reason !== undefined) return { ok: false, data, reason };
    return yield* this.complex.mmioRead(address, length, this.tee);
  }

  *write(bar: number, offset: number, data: Uint8Array): Task<AccessResult> {
    const address = this.addressOf(bar, offset);
    const reason = this.forbidden(bar, offset, data.length);
    if (address === undefined) return { ok: false, data, reason: `no BAR ${bar}` };
    if (reason !== undefined) return { ok: false, data, reason };
    return yield* this.complex.mmioWrite(address, data, this.tee);
  }

  /** Programs the engine, rings its doorbell and polls its status. */
  *dma(job: DmaJob): Task<DmaResult> {
    const { TO_DEVICE, FROM_DEVICE } = DmaCommands;
    const command = job.direction === 'to-device' ? TO_DEVICE : FROM_DEVICE;
    const registers = concat(le(job.iova, 8), le(job.local, 4), le(job.length, 4));
    const set = yield* this.write(0, DmaRegisters.IOVA, registers);
    if (!set.ok) return { status: 'unreachable', reason: set.reason };
    const rung = yield* this.write(0, DmaRegisters.DOORBELL, le(command, 4));
    if (!rung.ok) return { status: 'unreachable', reason: rung.reason };
    for (let polls = 0; polls < POLLS_MAX; polls++) {
      const status = yield* this.read(0, DmaRegisters.STATUS, 4);
      if (!status.ok) return { status: 'unreachable', reason: status.reason };
      const value = readLE(status.data, 0, 4);
      if (value === DmaStatus.DONE) return { status: 'done' };
      if (value !== DmaStatus.BUSY) return { status: 'failed', reason: `engine status ${value}` };
      yield* delay(POLL_PS);
    }
    return { status: 'failed', reason: 'the engine stayed busy' };
  }
}

/** The guest: T=1, and only where the TSM has granted it a private mapping. */
export class GuestAgent extends MmioAgent {
  readonly name = 'guest';
  protected readonly tee = true;
  private readonly assignment: TdiAssignment;

  constructor(complex: RootComplex, found: FoundFunction, assignment: TdiAssignment) {
    super(complex, found);
    this.assignment = assignment;
  }

  protected forbidden(bar: number, offset: number, length: number): string | undefined {
    return this.assignment.grants(bar, offset, length)
      ? undefined
      : 'the TSM has granted the guest no private mapping of it';
  }
}

/** The host: T=0 to anything. */
export class HostAgent extends MmioAgent {
  readonly name = 'host';
  protected readonly tee = false;

  protected forbidden(): string | undefined {
    return undefined;
  }
}
