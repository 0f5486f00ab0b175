/** T=1 DMA lands in memory, or reads it, only while the TDI that asks is in RUN. */

import type { SimRecords } from '../../devices/records.ts';
import { bdf } from '../../protocols/tlp/index.ts';
import type { Kernel } from '../kernel/index.ts';
import { BaseChecker } from './checker.ts';

const CPU_AGENTS: readonly string[] = ['guest', 'host'];

export class TeeDmaInRun extends BaseChecker {
  readonly name = 'tee-dma-in-run';
  readonly claim = 'T=1 DMA touches memory only while its TDI is in RUN';
  private readonly states = new Map<string, string>();

  constructor(kernel: Kernel<SimRecords>) {
    super(kernel);
    kernel.bus.on('tdi', ({ data }) => this.states.set(bdf(data.functionId), data.to));
    kernel.bus.on('memory-write', ({ data }) => this.access(data.by, data.tee, 'written'));
    kernel.bus.on('memory-read', ({ data }) => this.access(data.by, data.tee, 'read'));
  }

  private access(by: string, tee: boolean, how: string): void {
    if (!tee || CPU_AGENTS.includes(by)) return;
    const state = this.states.get(by) ?? 'CONFIG_UNLOCKED';
    this.look(state === 'RUN' ? undefined : `memory ${how} with T=1 by ${by} in ${state}`);
  }
}
