/** The listing `dump` prints: a line per message, what was checked below it, totals at the end. */

import { toHex } from '../../protocols/codec/bytes.ts';
import type { DescribedField } from '../../protocols/codec/describe.ts';
import { versionText } from '../../protocols/spdm/codes.ts';
import type { Check, ObservedContent } from '../../protocols/spdm/observer/observer.ts';
import { keyFacts } from './dump-facts.ts';
import type { Dump, DumpMessage, DumpTotals, SealedSession } from './dump-read.ts';
import type { Colours } from './io.ts';

export interface TextOptions {
  /** every field below its message */
  readonly fields: boolean;
  /** the bytes below each message */
  readonly hex: boolean;
  readonly colours: Colours;
}

type Shown = Pick<ObservedContent, 'name' | 'fields'> &
  Pick<DumpMessage, 'vendor'> & {
    readonly carried?: ObservedContent['carried'];
    readonly chunk?: ObservedContent['chunk'];
  };

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

/** Name, what is inside, and the facts worth a place on the line. */
function whatText(content: Shown, isBad: boolean, paint: Colours): string {
  const { vendor } = content;
  const name = (isBad ? paint.bad : paint.name)(content.name);
  const what =
    vendor === undefined ? name : `${name} ${vendor.protocol} ${paint.bold(vendor.name)}`;
  const facts = keyFacts(content);
  return facts.length === 0 ? what : `${what}  ${facts.join(', ')}`;
}

function headLine(message: DumpMessage, base: number, paint: Colours): string {
  const { direction, secured, sessionId, version } = message;
  const session = secured
    ? (sessionId ?? 0).toString(16).padStart(8, '0')
    : paint.dim('plain'.padEnd(8));
  const bad = message.undecrypted || message.refusal !== undefined;
  return [
    String(message.index).padStart(5),
    paint.dim(timeText(message, base)),
    direction === undefined ? '--' : arrows[direction],
    session,
    version === undefined ? '   ' : versionText(version),
    whatText(message, bad, paint),
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

/** The fields of a message, those of what it contains below. */
function allFields(content: Shown, paint: Colours, indent: string): string[] {
  const { vendor, carried } = content;
  const lines = fieldLines(content.fields, paint, indent);
  if (vendor !== undefined) {
    lines.push(`${indent}${vendor.protocol} ${vendor.name}`);
    lines.push(...fieldLines(vendor.fields, paint, `${indent}  `));
  }
  if (carried !== undefined) {
    lines.push(`${indent}${carried.message.name}`);
    lines.push(...allFields(carried.message, paint, `${indent}  `));
  }
  return lines;
}

/** The messages that this one brings to their end. */
function carriedLines({ carried }: Pick<Shown, 'carried'>, options: TextOptions): string[] {
  if (carried === undefined) return [];
  const { how, message } = carried;
  const { colours: paint } = options;
  const bad = message.refusal !== undefined;
  const line = `${INDENT}${paint.dim(`${how}:`)} ${whatText(message, bad, paint)}`;
  return [line, ...carriedLines(message, options)];
}

function messageLines(message: DumpMessage, base: number, options: TextOptions): string[] {
  const { colours: paint } = options;
  const lines = [headLine(message, base, paint)];
  lines.push(...carriedLines(message, options));
  if (message.refusal !== undefined) lines.push(`${INDENT}${paint.bad(message.refusal)}`);
  for (const check of message.checks) lines.push(checkLine(check, paint));
  if (options.fields) lines.push(...allFields(message, paint, INDENT));
  if (options.hex) lines.push(...hexLines(message.bytes, paint));
  return lines;
}

/** The lines of all messages, in pieces that keep memory small. */
export function* dumpLines(dump: Dump, options: TextOptions): Generator<string> {
  const base = timeBase(dump.messages);
  for (const message of dump.messages)
    for (const line of messageLines(message, base, options)) yield line;
}

const HOW_TO_GIVE = 'give --dhe-secret HEX, --kem-secret HEX, --psk HEX or --keylog FILE';

/** Why records stay sealed, a line for each session. */
export function sealedLines(sealed: readonly SealedSession[]): string[] {
  return sealed.map(({ why, records }) => {
    const what = records === 1 ? '1 record' : `${records} records`;
    return `${what} undecrypted: ${why}${/no secret given fits$/.test(why) ? `; ${HOW_TO_GIVE}` : ''}`;
  });
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
