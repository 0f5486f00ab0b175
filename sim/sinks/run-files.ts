/** What `--out DIR` keeps of a run: the trace line by line, and the DOE objects as a capture. */

import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { SimRecords } from '../../devices/records.ts';
import { type AnyRecord, canonicalLine } from '../kernel/index.ts';
import { LinkTypes, PcapWriter } from './pcap.ts';

const FLUSH_CHARACTERS = 1 << 20;
/** The reference dump tool takes no capture that announces longer packets. */
const SNAP_BYTES = 0x10000;

/** Writes `trace.jsonl` and `doe.pcap` as the run goes; its SHA-256 is the run's trace hash. */
export class RunFiles {
  readonly tracePath: string;
  readonly pcapPath: string;
  private readonly trace: number;
  private readonly capture: number;
  private readonly pcap: PcapWriter;
  private pending = '';

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true });
    this.tracePath = join(folder, 'trace.jsonl');
    this.pcapPath = join(folder, 'doe.pcap');
    this.trace = openSync(this.tracePath, 'w');
    this.capture = openSync(this.pcapPath, 'w');
    this.pcap = new PcapWriter(
      LinkTypes.PCI_DOE,
      (bytes) => writeSync(this.capture, bytes),
      SNAP_BYTES,
    );
  }

  record(record: AnyRecord<SimRecords>): void {
    this.pending += `${canonicalLine(record)}\n`;
    if (this.pending.length > FLUSH_CHARACTERS) this.flush();
    if (record.kind === 'doe') this.pcap.write(record.time, record.data.object);
  }

  private flush(): void {
    writeSync(this.trace, this.pending);
    this.pending = '';
  }

  close(): void {
    this.flush();
    closeSync(this.trace);
    closeSync(this.capture);
  }
}
