/** Every byte written by DMA is found in memory, or its TLP was refused by name. Nothing is lost. */

import type { HostMemory } from '../../devices/memory.ts';
import type { SimRecords } from '../../devices/records.ts';
import { equal } from '../../protocols/codec/bytes.ts';
import { bdf, checkTlp, hasData, typeOf } from '../../protocols/tlp/index.ts';
import type { Kernel } from '../kernel/index.ts';
import { BaseChecker } from './checker.ts';

interface Posted {
  readonly by: string;
  readonly data: Uint8Array;
}

const MAC_BYTES = 12;
const isWrite = (bytes: Uint8Array) =>
  (checkTlp(bytes) === undefined || checkTlp(bytes, MAC_BYTES) === undefined) &&
  hasData(bytes) &&
  typeOf(bytes).startsWith('MWr');

export class DmaComplete extends BaseChecker {
  readonly name = 'dma-complete';
  readonly claim = 'every byte written by DMA is in memory, or its TLP was refused by name';
  private readonly memory: HostMemory;
  private readonly receiver: string;
  /** posted writes on their way, in order: the link and its streams keep it */
  private readonly underWay: Posted[] = [];

  /** `receiver`: the root port, as its records name it. */
  constructor(kernel: Kernel<SimRecords>, memory: HostMemory, receiver: string) {
    super(kernel);
    this.memory = memory;
    this.receiver = receiver;
    const { bus } = kernel;
    bus.on('dma-write', ({ data }) =>
      this.underWay.push({ by: bdf(data.functionId), data: data.data.slice() }),
    );
    bus.on('memory-write', ({ data }) => this.landed(data.by, data.address, data.data));
    bus.on('tlp-dropped', ({ data, source }) => {
      if (source === this.receiver && isWrite(data.bytes)) this.underWay.shift();
    });
  }

  private landed(by: string, address: number, data: Uint8Array): void {
    if (!by.includes(':')) return;
    const posted = this.underWay.shift();
    const inMemory = this.memory.peek(address, data.length);
    if (posted === undefined) this.look(`${by} wrote what no DMA posted`);
    else if (posted.by !== by) this.look(`${by} wrote where ${posted.by} was next`);
    else
      this.look(
        equal(posted.data, inMemory) ? undefined : `memory at ${address} holds other bytes`,
      );
  }

  override finish(): void {
    this.look(
      this.underWay.length === 0 ? undefined : `${this.underWay.length} DMA writes vanished`,
    );
  }
}
