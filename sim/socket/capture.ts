/** What passes a socket, kept as a pcap that spdm_dump and `tdisp-sim dump` read: one packet per message. */

import { closeSync, openSync, writeSync } from 'node:fs';
import { concat } from '../../protocols/codec/bytes.ts';
import { LocalError } from '../../protocols/codec/refusal.ts';
import { encodePcapHeader, encodePcapRecord, LinkTypes } from '../sinks/pcap.ts';
import type { SocketTransportName } from './transport.ts';

/** spdm_dump takes no capture that announces longer packets. */
const SNAP_BYTES = 0x10000;
/** The header the emulators make up for MCTP: version and endpoints zero, one packet per message. */
const MCTP_HEADER = Uint8Array.of(0, 0, 0, 0xc0);
const MS_PER_S = 1000;
const US_PER_MS = 1000;

const linkTypes: Readonly<Partial<Record<SocketTransportName, number>>> = {
  PCI_DOE: LinkTypes.PCI_DOE,
  MCTP: LinkTypes.MCTP,
};

/** A record stamped with the time of day; the simulator's own clock ends after two and a half hours. */
function stamped(bytes: Uint8Array, nowMs: number): Uint8Array {
  const record = encodePcapRecord(0, bytes, SNAP_BYTES);
  const view = new DataView(record.buffer);
  view.setUint32(0, Math.floor(nowMs / MS_PER_S), true);
  view.setUint32(4, Math.floor(nowMs % MS_PER_S) * US_PER_MS, true);
  return record;
}

export class SocketCapture {
  readonly #file: number;
  readonly #head: Uint8Array;
  #open = true;

  /**
   * @throws LocalError for a transport without a link type; Error of node:fs if the file cannot be made
   */
  constructor(path: string, transport: SocketTransportName) {
    const linkType = linkTypes[transport];
    if (linkType === undefined)
      throw new LocalError(`transport: no pcap link type stands for ${transport}`);
    this.#head = transport === 'MCTP' ? MCTP_HEADER : new Uint8Array(0);
    this.#file = openSync(path, 'w');
    writeSync(this.#file, encodePcapHeader(linkType, SNAP_BYTES));
  }

  /** Appends one payload. */
  write(payload: Uint8Array): void {
    if (this.#open) writeSync(this.#file, stamped(concat(this.#head, payload), Date.now()));
  }

  close(): void {
    if (this.#open) closeSync(this.#file);
    this.#open = false;
  }
}
