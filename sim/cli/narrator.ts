/**
 * Tells a run as a story: chapter by chapter, what was said and done, what crossed the link, and the
 * state each machine is in at the chapter's end. It reads the trace bus and nothing else.
 */

import type { SimRecords } from '../../devices/records.ts';
import { codeNames } from '../../protocols/spdm/codes.ts';
import { bdf, checkTlp, idePrefixOffset, typeOf } from '../../protocols/tlp/index.ts';
import { describeVendor } from '../../protocols/vendor/describe.ts';
import { type AnyRecord, MS } from '../kernel/index.ts';
import type { Colours } from './io.ts';

type Record_ = AnyRecord<SimRecords>;

const TIME_WIDTH = 14;
const ACTOR_WIDTH = 10;
const MAC_BYTES = 12;
const VENDOR_DEFINED: readonly number[] = [0xfe, 0x7e];
const TITLE_WIDTH = 13;
const WRAP = 90;

/** What passed since the chapter began. */
class Traffic {
  readonly messages = new Map<string, number>();
  doeObjects = 0;
  plain = 0;
  ide = 0;
  config = 0;

  tlp(bytes: Uint8Array): void {
    if (checkTlp(bytes) !== undefined && checkTlp(bytes, MAC_BYTES) !== undefined) return;
    if (idePrefixOffset(bytes) >= 0) this.ide++;
    else if (typeOf(bytes).startsWith('Cfg') || typeOf(bytes).startsWith('Cpl')) this.config++;
    else this.plain++;
  }

  spdm(name: string): void {
    this.messages.set(name, (this.messages.get(name) ?? 0) + 1);
  }
}

/** Name of an SPDM request; of a vendor message the object inside. */
function requestName(message: Uint8Array): string {
  const code = message[1] ?? 0;
  const name = codeNames[code] ?? `0x${code.toString(16)}`;
  if (!VENDOR_DEFINED.includes(code)) return name;
  // StandardID 2, VendorID length 1, VendorID 2, PayloadLength 2 after the four header bytes.
  const described = describeVendor(
    message[4]! | (message[5]! << 8),
    message.slice(7, 9),
    message.slice(11),
  );
  return described?.name ?? name;
}

/** Lines of at most `WRAP` characters, broken between items. */
function wrapped(items: readonly string[]): string[] {
  const lines: string[] = [];
  for (const item of items) {
    const last = lines.at(-1);
    if (last === undefined || last.length + item.length + 2 > WRAP) lines.push(item);
    else lines[lines.length - 1] = `${last}, ${item}`;
  }
  return lines.map((line, i) => (i < lines.length - 1 ? `${line},` : line));
}

export class Narrator {
  private readonly print: (line: string) => void;
  private readonly colours: Colours;
  private chapter = 0;
  private traffic = new Traffic();
  private session = 'none';
  private readonly streams = new Map<string, string>();
  private readonly tdis = new Map<number, string>();
  private readonly reported = new Set<string>();

  constructor(print: (line: string) => void, colours: Colours) {
    this.print = print;
    this.colours = colours;
  }

  record(record: Record_): void {
    switch (record.kind) {
      case 'chapter':
        this.endChapter();
        this.print('');
        this.print(this.colours.bold(`${++this.chapter}  ${record.data.title}`));
        return;
      case 'say':
        return this.line(record.time, record.data.actor, record.data.text);
      case 'finding':
        return this.line(record.time, 'finding', this.colours.bad(record.data.detail));
      case 'tlp':
        return this.traffic.tlp(record.data.bytes);
      case 'doe':
        this.traffic.doeObjects++;
        return;
      case 'spdm':
        if (record.data.direction === 'request') this.traffic.spdm(requestName(record.data.bytes));
        return;
      default:
        this.state(record);
    }
  }

  /** State changes, and what is refused: said as they happen. */
  private state(record: Record_): void {
    const { warn, good, bad } = this.colours;
    if (record.kind === 'session') {
      const id = `0x${record.data.sessionId.toString(16).padStart(8, '0')}`;
      this.session = record.data.state === 'established' ? id : 'none';
    } else if (record.kind === 'ide-stream') {
      const { from, to, reason } = record.data;
      this.streams.set(record.source, to);
      if (from === 'SECURE' && to === 'INSECURE_FAILED')
        this.line(
          record.time,
          record.source,
          bad(`IDE check failed: ${reason}; the stream is Insecure`),
        );
    } else if (record.kind === 'tdi') {
      const { functionId, from, to, cause } = record.data;
      this.tdis.set(functionId, to);
      const paint = to === 'ERROR' ? bad : to === 'RUN' ? good : warn;
      this.line(record.time, 'tdi', `${bdf(functionId)} ${from} -> ${paint(to)} (${cause})`);
    } else if (record.kind === 'interposed')
      this.line(
        record.time,
        'interposer',
        bad(`flipped ${record.data.what}, ${record.data.direction}`),
      );
    else if (record.kind === 'iommu-fault') {
      const { rid, tee, reason } = record.data;
      this.once(record, 'iommu', warn(`fault: T=${tee ? 1 : 0} of ${bdf(rid)}: ${reason}`));
    } else if (record.kind === 'mmio-refused')
      this.once(record, 'tdi', warn(`refused: ${record.data.reason}`));
    else if (record.kind === 'tlp-dropped' && record.data.code !== 'IOMMU_FAULT')
      this.once(record, record.source, warn(`dropped a TLP: ${record.data.code}`));
  }

  /** Says something that may come in swarms one time a chapter. */
  private once(record: Record_, actor: string, text: string): void {
    const key = `${actor} ${text}`;
    if (this.reported.has(key)) return;
    this.reported.add(key);
    this.line(record.time, actor, text);
  }

  private line(time: number, actor: string, text: string): void {
    const { dim, name } = this.colours;
    const when = dim(`${(time / MS).toFixed(6)} ms`.padStart(TIME_WIDTH));
    this.print(`${when}  ${name(actor.padEnd(ACTOR_WIDTH))} ${text}`);
  }

  /** What was exchanged, and where everybody stands. */
  private endChapter(): void {
    this.reported.clear();
    if (this.chapter === 0) return;
    const { messages, doeObjects, plain, ide, config } = this.traffic;
    const names = [...messages].map(([name, times]) => (times === 1 ? name : `${name} x${times}`));
    this.aside('exchanged', wrapped(names));
    const counts = [
      `${config} configuration TLPs`,
      `${doeObjects} DOE objects`,
      `${ide} IDE TLPs`,
      `${plain} other TLPs in clear`,
    ];
    this.aside('on the link', [counts.join(', ')]);
    const states = [...this.streams.values()];
    const secure = states.every((state) => state === 'SECURE') ? 'Secure' : 'Insecure';
    const stream = states.length === 0 ? 'none' : secure;
    const tdis = [...this.tdis].map(([id, state]) => `${bdf(id)} ${state}`);
    this.aside('states', [[`session ${this.session}`, `stream ${stream}`, ...tdis].join('; ')]);
    this.traffic = new Traffic();
  }

  /** A titled block of dim lines under the story's own. */
  private aside(title: string, lines: readonly string[]): void {
    const indent = ' '.repeat(TIME_WIDTH + 2);
    for (const [i, line] of lines.entries())
      this.print(this.colours.dim(`${indent}${(i === 0 ? title : '').padEnd(TITLE_WIDTH)}${line}`));
  }

  /** After the last record. */
  finish(): void {
    this.endChapter();
  }
}
