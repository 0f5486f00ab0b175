/**
 * How a function's engine reaches the fabric: Bus Master Enable, the T bit its TDI's state allows, and
 * the rule that a completion is taken only if the TDI's state stayed what it was since the request.
 */

import { le } from '../protocols/codec/bytes.ts';
import { LockFlags, type TdiState } from '../protocols/tdisp/index.ts';
import { memoryRead, memoryWrite } from '../protocols/tlp/index.ts';
import type { Kernel, Task } from '../sim/kernel/index.ts';
import type { DmaBus } from './dma-engine.ts';
import type { PciFunction } from './function.ts';
import type { PciePort } from './pcie-port.ts';
import type { SimRecords } from './records.ts';
import { requesterTable } from './tdi-gate.ts';

export interface FunctionBusOptions {
  readonly port: () => PciePort;
  readonly self: () => PciFunction;
  readonly requesterId: () => number;
  readonly state: () => TdiState;
  /** counts the TDI's state changes */
  readonly epoch: () => number;
  readonly lockFlags: () => number;
  /** a T=1 request of a running TDI failed */
  readonly onFailure: (event: 'completion-error' | 'poisoned-data') => void;
}

export class FunctionBus implements DmaBus {
  private readonly kernel: Kernel<SimRecords>;
  private readonly options: FunctionBusOptions;

  constructor(kernel: Kernel<SimRecords>, options: FunctionBusOptions) {
    this.kernel = kernel;
    this.options = options;
  }

  get functionId(): number {
    return this.options.requesterId();
  }

  permission(): { tee: boolean } | { refused: string } {
    if (!this.options.self().busMaster) return { refused: 'Bus Master Enable is clear' };
    const state = this.options.state();
    const tee = requesterTable[state];
    return tee === undefined ? { refused: `the TDI is in ${state}` } : { tee };
  }

  maxPayload(): number {
    return this.options.self().pcie.maxPayloadBytes;
  }
  maxReadRequest(): number {
    return this.options.self().pcie.maxReadRequestBytes;
  }

  write(address: number, data: Uint8Array, tee: boolean): { sent: boolean; reason: string } {
    const functionId = this.functionId;
    const tlp = memoryWrite({ requesterId: functionId, address, data });
    const outcome = this.options.port().post(tlp, tee);
    if (outcome.sent)
      this.kernel.bus.emit('dma-write', 'dma', { functionId, iova: address, data, tee });
    return outcome;
  }

  *read(address: number, length: number, tee: boolean): Task<Uint8Array | { reason: string }> {
    const requesterId = this.functionId;
    const epoch = this.options.epoch();
    const build = (tag: number) => memoryRead({ requesterId, tag, address, length });
    const done = yield* this.options.port().request(build, tee);
    // For T=0 as well: what was asked for before a lock must not land after it.
    if (this.options.epoch() !== epoch) return { reason: 'the TDI changed its state meanwhile' };
    if (done.status === 'SC') return done.data;
    if (tee)
      this.options.onFailure(done.status === 'poisoned' ? 'poisoned-data' : 'completion-error');
    return { reason: `read: ${done.status} (${done.reason})` };
  }

  interrupt(): void {
    const vector = this.options.self().vector(0);
    if (vector === undefined || 'refused' in this.permission()) return;
    const locked = (this.options.lockFlags() & LockFlags.LOCK_MSIX) !== 0;
    const tee = locked && this.options.state() === 'RUN';
    const { address, data } = vector;
    const requesterId = this.functionId;
    this.options.port().post(memoryWrite({ requesterId, address, data: le(data, 4) }), tee);
  }
}
