/**
 * A PCIe link: two directions, each a wire that serialises one TLP after the other and delivers it
 * after the propagation delay (PCIe Base 6.x chapter 4 for rates and encodings). Interposers wrap the
 * transit of a direction; the ports know nothing of them.
 */

import { tlpPs } from '../protocols/tlp/index.ts';
import type { Kernel } from '../sim/kernel/index.ts';
import type { LinkDirection, SimRecords } from './records.ts';

export interface LinkOptions {
  readonly name: string;
  /** 1 to 6: 2.5 to 64 GT/s */
  readonly generation: number;
  /** lanes */
  readonly width: number;
  readonly propagationPs: number;
}

/** What becomes of one TLP on its way: usually itself; nothing, or several, under an interposer. */
export type Transit = (tlp: Uint8Array, direction: LinkDirection) => readonly Uint8Array[];

export class Link {
  readonly name: string;
  readonly options: LinkOptions;
  private readonly kernel: Kernel<SimRecords>;
  private transit: Transit = (tlp) => [tlp];
  private readonly busyUntil: Record<LinkDirection, number> = { downstream: 0, upstream: 0 };
  private readonly receivers: Partial<Record<LinkDirection, (tlp: Uint8Array) => void>> = {};
  /** TLPs and bytes that left in each direction */
  readonly sent = { downstream: { tlps: 0, bytes: 0 }, upstream: { tlps: 0, bytes: 0 } };

  constructor(kernel: Kernel<SimRecords>, options: LinkOptions) {
    this.kernel = kernel;
    this.options = options;
    this.name = options.name;
    // A wrong generation or width is the caller's mistake: better told now than at the first TLP.
    tlpPs(options.generation, options.width, 1);
  }

  /** Who gets what travels in `direction`. */
  connect(direction: LinkDirection, receiver: (tlp: Uint8Array) => void): void {
    this.receivers[direction] = receiver;
  }

  /** Wraps the transit; the innermost wrapper sees a TLP first. */
  interpose(wrap: (next: Transit) => Transit): void {
    this.transit = wrap(this.transit);
  }

  /** Queues `tlp` behind what is already leaving in `direction`. */
  send(direction: LinkDirection, tlp: Uint8Array): void {
    const { kernel } = this;
    const { generation, width } = this.options;
    const takes = tlpPs(generation, width, tlp.length);
    const start = Math.max(kernel.now, this.busyUntil[direction]);
    this.busyUntil[direction] = start + takes;
    const count = this.sent[direction];
    count.tlps++;
    count.bytes += tlp.length;
    kernel.schedule(start + takes - kernel.now, () => this.onWire(direction, tlp));
  }

  private onWire(direction: LinkDirection, tlp: Uint8Array): void {
    const { kernel, name } = this;
    kernel.bus.emit('tlp', name, { direction, bytes: tlp });
    for (const passed of this.transit(tlp, direction))
      kernel.schedule(this.options.propagationPs, () => this.receivers[direction]?.(passed));
  }
}
