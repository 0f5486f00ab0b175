/**
 * An interposer that flips one payload bit of one TLP. It sits between the ports, below IDE and above
 * the link's own LCRC, which it would recompute: what a PCIe interposer card can do.
 */

import type { Link, Transit } from '../../devices/link.ts';
import type { LinkDirection, SimRecords } from '../../devices/records.ts';
import {
  checkTlp,
  headerOffset,
  idePrefixOffset,
  payloadOffset,
  typeOf,
} from '../../protocols/tlp/index.ts';
import type { Kernel } from '../kernel/index.ts';

export type FlipTarget = 'memory-write' | 'memory-read' | 'completion';

export interface FlipBit {
  readonly direction: LinkDirection;
  readonly tlp: FlipTarget;
  /** bit of the payload, counted from its first byte; past a shorter payload it wraps around */
  readonly bit: number;
}

const MAC_BYTES = 12;
const matches: Readonly<Record<FlipTarget, (type: string) => boolean>> = {
  'memory-write': (type) => type.startsWith('MWr'),
  'memory-read': (type) => type.startsWith('MRd'),
  completion: (type) => type.startsWith('Cpl'),
};

/** Where a flip may land: the payload, or the last header DW of a TLP that has none. */
function flipRange(bytes: Uint8Array): { start: number; size: number } {
  const start = payloadOffset(bytes);
  const size = bytes.length - start - MAC_BYTES;
  return size > 0 ? { start, size } : { start: start - 4, size: 4 };
}

/** Arms the fault: the next IDE TLP that fits is changed, once. */
export function armFlipBit(kernel: Kernel<SimRecords>, link: Link, fault: FlipBit): void {
  let armed = true;
  link.interpose((next: Transit) => (tlp, direction) => {
    const passed = next(tlp, direction);
    return passed.map((bytes) => {
      const ide = checkTlp(bytes, MAC_BYTES) === undefined && idePrefixOffset(bytes) >= 0;
      const wanted = ide && direction === fault.direction && headerOffset(bytes) > 0;
      if (!armed || !wanted || !matches[fault.tlp](typeOf(bytes))) return bytes;
      armed = false;
      const { start, size } = flipRange(bytes);
      const bit = fault.bit % (size * 8);
      const after = bytes.slice();
      const at = start + (bit >> 3);
      after[at] = after[at]! ^ (1 << (bit & 7));
      const what = `bit ${bit} of a ${typeOf(bytes)}`;
      kernel.bus.emit('interposed', 'interposer', { direction, what, before: bytes, after });
      return after;
    });
  });
}
