/** The listing `dump` prints: a line per message, what was checked below it, totals at the end. */

import { toHex } from '../../protocols/codec/bytes.ts';
import type { DescribedField } from '../../protocols/codec/describe.ts';
import { versionText } from '../../protocols/spdm/codes.ts';
import type { Check } from '../../protocols/spdm/observer/observer.ts';
import { keyFacts } from './dump-facts.ts';
import type { Dump, DumpMessage, DumpTotals } from './dump-read.ts';
import type { Colours } from './io.ts';

export interface TextOptions {
  /** every field below its message */
  readonly fields: boolean;
  /** the bytes below each message */
  readonly hex: boolean;
  readonly colours: Colours;
}

const INDENT = '        ';
const HEX_LINE_BYTES = 32;
/** Before this many seconds since 1970 a capture's clock is a simulation's, starting at zero. */
const SIMULATED_SECONDS_MAX = 100_000_000;

/** What to subtract from the times of a capture: nothing from simulated ones, else the first one. */
function timeBase(messages: readonly DumpMessage[]): number {
  const first = messages[0]?.seconds ?? 0;
  return first < SIMULATED_SECONDS_MAX ? 0 : first;
}

function timeText(message: DumpMessage, base: number): string {
  const micros = String(Math.floor(message.nanoseconds / 1000)).padStart(6, '0');
  return `${message.seconds - base}.${micros}`.padStart(10);
}

const arrows = { request: '->', response: '<-' } as const;

function headLine(message: DumpMessage, base: number, paint: Colours): string {
  const { direction, vendor, secured, sessionId, version } = message;
  const session = secured
    ? (sessionId ?? 0).toString(16).padStart(8, '0')
    : paint.dim('plain'.padEnd(8));
  const bad = message.undecrypted || message.refusal !== undefined;
  const name = (bad ? paint.bad : paint.name)(message.name);
  const what =
    vendor === undefined ? name : `${name} ${vendor.protocol} ${paint.bold(vendor.name)}`;
  const facts = keyFacts(message);
  return [
    String(message.index).padStart(5),
    paint.dim(timeText(message, base)),
    direction === undefined ? '--' : arrows[direction],
    session,
    version === undefined ? '   ' : versionText(version),
    facts.length === 0 ? what : `${what}  ${facts.join(', ')}`,
  ].join(' ');
}

function checkLine({ what, result, detail }: Check, paint: Colours): string {
  const painted = {
    verified: () => paint.good('verified'),
    failed: () => paint.bad('FAILED'),
    unverifiable: () => paint.warn('unverifiable'),
  }[result]();
  return `${INDENT}${what}: ${painted}${detail === '' ? '' : ` (${detail})`}`;
}

function fieldLines(fields: readonly DescribedField[], paint: Colours, indent = INDENT): string[] {
  return fields.map(
    ({ path, offset, text }) =>
      `${indent}${paint.dim(String(offset).padStart(4))} ${path}: ${text}`,
  );
}

function hexLines(bytes: Uint8Array, paint: Colours): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += HEX_LINE_BYTES) {
    const offset = at.toString(16).padStart(6, '0');
    lines.push(`${INDENT}${paint.dim(offset)} ${toHex(bytes.subarray(at, at + HEX_LINE_BYTES))}`);
  }
  return lines;
}

function messageLines(message: DumpMessage, base: number, options: TextOptions): string[] {
  const { colours: paint } = options;
  const lines = [headLine(message, base, paint)];
  if (message.refusal !== undefined) lines.push(`${INDENT}${paint.bad(message.refusal)}`);
  for (const check of message.checks) lines.push(checkLine(check, paint));
  if (options.fields) {
    lines.push(...fieldLines(message.fields, paint));
    if (message.vendor !== undefined) {
      lines.push(`${INDENT}${message.vendor.protocol} ${message.vendor.name}`);
      lines.push(...fieldLines(message.vendor.fields, paint, `${INDENT}  `));
    }
  }
  if (options.hex) lines.push(...hexLines(message.bytes, paint));
  return lines;
}

/** The lines of all messages, in pieces that keep memory small. */
export function* dumpLines(dump: Dump, options: TextOptions): Generator<string> {
  const base = timeBase(dump.messages);
  for (const message of dump.messages)
    for (const line of messageLines(message, base, options)) yield line;
}

/** `176 messages: 0 undecoded, ...; signatures and HMACs: 10 verified, ...` */
export function totalsLine(totals: DumpTotals, paint: Colours): string {
  const part = (count: number, name: string, colour: (text: string) => string) =>
    count === 0 ? `0 ${name}` : colour(`${count} ${name}`);
  const { messages, undecoded, undecrypted, verified, failed, unverifiable } = totals;
  return (
    `${messages} messages: ${part(undecoded, 'undecoded', paint.bad)}, ` +
    `${part(undecrypted, 'undecrypted', paint.bad)}; signatures and HMACs: ` +
    `${part(verified, 'verified', paint.good)}, ${part(failed, 'failed', paint.bad)}, ` +
    `${part(unverifiable, 'unverifiable', paint.warn)}`
  );
}
