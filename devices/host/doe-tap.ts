/**
 * Sees whole data objects in a driver's register steps: what was written before Go, and what was read
 * and acknowledged DW by DW. Discovery passes here as everything else does.
 */

import { writeDwLE } from '../../protocols/codec/bytes.ts';
import { HEADER_DWS, lengthDws } from '../../protocols/doe/object.ts';
import { CONTROL_ABORT, CONTROL_GO, DoeRegisters, has } from '../../protocols/doe/registers.ts';

type Seen = (direction: 'request' | 'response', object: Uint8Array) => void;

function bytesOf(dws: readonly number[]): Uint8Array {
  const out = new Uint8Array(dws.length * 4);
  for (const [i, dw] of dws.entries()) writeDwLE(out, 4 * i, dw);
  return out;
}

export class DoeTap {
  private readonly seen: Seen;
  private request: number[] = [];
  private response: number[] = [];
  private latest = 0;

  constructor(seen: Seen) {
    this.seen = seen;
  }

  read(register: number, value: number): void {
    if (register === DoeRegisters.READ_MAILBOX) this.latest = value >>> 0;
  }

  write(register: number, value: number): void {
    if (register === DoeRegisters.WRITE_MAILBOX) this.request.push(value >>> 0);
    if (register === DoeRegisters.READ_MAILBOX) this.acknowledged();
    if (register !== DoeRegisters.CONTROL) return;
    if (has(value, CONTROL_ABORT)) this.request = [];
    else if (has(value, CONTROL_GO)) {
      this.seen('request', bytesOf(this.request));
      this.request = [];
    }
    this.response = [];
  }

  /** A write to the read mailbox takes the DW that was read last. */
  private acknowledged(): void {
    this.response.push(this.latest);
    if (this.response.length < HEADER_DWS) return;
    if (this.response.length < lengthDws(this.response[1]!)) return;
    this.seen('response', bytesOf(this.response));
    this.response = [];
  }
}
