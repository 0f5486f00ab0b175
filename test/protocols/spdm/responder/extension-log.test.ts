/** GET_MEASUREMENT_EXTENSION_LOG: portions within bounds, the log's entries, and their replay. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import {
  decodeLog,
  encodeLog,
  entriesOf,
  extendedMeasurement,
} from '../../../../protocols/spdm/extension-log.ts';
import type { LogEntry, Measured } from '../../../../protocols/spdm/measurements.ts';
import { getMeasurements, summaryFits } from '../../../../protocols/spdm/requester/auth.ts';
import {
  extensionLogFault,
  getMeasurementExtensionLog,
} from '../../../../protocols/spdm/requester/extension-log.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { crypto, measured, Pair, type PairOptions, suites } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm measurement extension log');

const boot: readonly LogEntry[] = [
  { melIndex: 1, valueType: 0x89, value: fromHex('6c6f61646572') },
  { melIndex: 3, valueType: 1, value: new Uint8Array(32).fill(7) },
];
const later: readonly LogEntry[] = [{ melIndex: 2, valueType: 0x89, value: fromHex('00') }];
const items: readonly Measured[] = [
  ...measured,
  extendedMeasurement(0x10, boot, true),
  extendedMeasurement(0x11, later, false),
];
const LOG = [
  '03000000 48000000 0000000000000000',
  '01000000 10 000000 89 0600 6c6f61646572',
  '02000000 11 000000 89 0100 00',
  `03000000 10 000000 01 2000 ${'07'.repeat(32)}`,
]
  .join('')
  .replace(/ /g, '');

const algorithms = { ...suites.P256.algorithms, melSpecification: 1 };
const options = (change: PairOptions = {}): PairOptions => ({
  version: 0x13,
  ...change,
  responderFlags: { MEL_CAP: 1, ...change.responderFlags },
  requester: { algorithms, ...change.requester },
  responder: { algorithms, measure: () => items, ...change.responder },
});
const ready = (change: PairOptions = {}): Pair => {
  const pair = new Pair(options(change));
  pair.good(negotiate(pair.requester));
  return pair;
};

test('the log byte by byte, in the order of MELIndex', () => {
  assert.is(toHex(encodeLog(entriesOf(items))), LOG);
  const back = decodeLog(fromHex(LOG));
  assert.ok(!isPeerFault(back));
  assert.equal(back, entriesOf(items));
});

test('a HashExtend measurement is what its entries give one after the other', () => {
  const pair = ready();
  const asked = { slot: 0, operation: 0x10, signed: false, raw: true };
  const { blocks } = pair.good(getMeasurements(pair.requester, undefined, asked));
  const step = (value: Uint8Array, entry: string) =>
    crypto.hash('SHA_256', concat(value, fromHex(entry)));
  const first = step(new Uint8Array(32), '01000000100000008906006c6f61646572');
  const expected = step(first, `0300000010000000012000${'07'.repeat(32)}`);
  assert.equal(blocks[0]!.ValueType, 8);
  assert.is(toHex(blocks[0]!.Value), toHex(expected));
});

for (const version of [0x13, 0x14])
  for (const inSession of [false, true])
    test(`${version.toString(16)}${inSession ? ', in a session' : ''}: the whole log, replayed`, () => {
      const pair = new Pair(options({ version })).authenticate();
      const session = inSession ? pair.session() : undefined;
      const log = pair.good(getMeasurementExtensionLog(pair.requester, session));
      assert.equal(log, entriesOf(items));
      const asked = { slot: 0, operation: 0xff, signed: true };
      const { blocks } = pair.good(getMeasurements(pair.requester, session, asked));
      assert.is(extensionLogFault(pair.requester, log, blocks), undefined);
    });

test('the summary of all measurements covers the extended ones', () => {
  const pair = new Pair(options()).authenticate();
  const session = pair.session(0xff);
  const asked = { slot: 0, operation: 0xff, signed: false };
  const { blocks } = pair.good(getMeasurements(pair.requester, session, asked));
  assert.ok(summaryFits(pair.requester, session.summary!, blocks));
});

test('a log that grew between two signed measurements is a changed content', () => {
  let now = items;
  const pair = new Pair(options({ responder: { measure: () => now } })).authenticate();
  const asked = { slot: 0, operation: 0xff, signed: false };
  pair.good(getMeasurements(pair.requester, undefined, asked));
  const more = { melIndex: 4, valueType: 0x89, value: fromHex('01') };
  now = [...measured, extendedMeasurement(0x10, [...boot, more], true)];
  const signed = { ...asked, signed: true };
  const { contentChanged } = pair.good(getMeasurements(pair.requester, undefined, signed));
  assert.is(contentChanged, true);
});

test('in portions, where one message does not hold the log', () => {
  const value = new Uint8Array(900).fill(5);
  const long = Array.from({ length: 20 }, (_, i) => ({ melIndex: i, valueType: 0x89, value }));
  const measure = () => [extendedMeasurement(1, long, true)];
  const small = { dataTransferSize: 300, maxSpdmMsgSize: 300 };
  const pair = ready({ requester: small, responder: { measure, ...small } });
  const log = pair.good(getMeasurementExtensionLog(pair.requester));
  assert.equal(log, entriesOf(measure()));
  const greedy = pair.plain(portion(0, 0xffffffff))!;
  assert.is(greedy.length, 300);
  assert.ok(pair.wire.length > 60);
  assert.ok(pair.wire.every(({ response }) => response!.bytes.length <= 300));
});

const SIZE = LOG.length / 2;
const portion = (offset: number, length: number) =>
  concat(fromHex('13ef0000'), le(offset, 4), le(length, 4));
const portions: [offset: number, length: number, size: number | undefined][] = [
  [0, SIZE, SIZE],
  [0, 1, 1],
  [0, 0, 0],
  [0, 0xffffffff, SIZE],
  [1, 0xffffffff, SIZE - 1],
  [1, 0xfffffffe, SIZE - 1],
  [SIZE - 1, 0xffffffff, 1],
  [SIZE - 1, 1, 1],
  [SIZE, 0, undefined],
  [SIZE, 0xffffffff, undefined],
  [0xffffffff, 1, undefined],
  [0xffffffff, 0xffffffff, undefined],
  [0x80000000, 0x80000000, undefined],
];
for (const [offset, length, size] of portions)
  test(`GHSA-m4wc-xmvg-369f offset ${offset}, length ${length}: nothing beyond the log`, () => {
    const pair = ready();
    const before = snapshotOf(pair.responder);
    const answer = toHex(pair.plain(portion(offset, length))!);
    const head = (n: number) => `136f0000${toHex(le(n, 4))}${toHex(le(SIZE - offset - n, 4))}`;
    const expected =
      size === undefined ? '137f0100' : head(size) + LOG.slice(2 * offset, 2 * (offset + size));
    assert.is(answer, expected);
    assert.is(snapshotOf(pair.responder), before);
  });

test('GHSA-m4wc-xmvg-369f any offset and length', () => {
  const pair = ready();
  const number = fc.oneof(fc.nat(2 * SIZE), fc.integer({ min: 0, max: 0xffffffff }));
  fc.assert(
    fc.property(number, number, (offset, length) => {
      const answer = toHex(pair.plain(portion(offset, length))!);
      if (offset >= SIZE) return answer === '137f0100';
      const end = Math.min(SIZE, offset + length);
      return answer.slice(24) === LOG.slice(2 * offset, 2 * end);
    }),
    { seed: 1, numRuns: 300 },
  );
});

const refusals: [what: string, change: PairOptions, request: string, answer: string][] = [
  ['1.2', { version: 0x12 }, '12ef00000000000001000000', '127f07ef'],
  ['no MEL_CAP', { responderFlags: { MEL_CAP: 0 } }, '13ef00000000000001000000', '137f07ef'],
  ['no Length', {}, '13ef000000000000', '137f0100'],
  [
    'no log specification was agreed on',
    { requester: { algorithms: suites.P256.algorithms } },
    '13ef00000000000001000000',
    '137f0400',
  ],
  [
    'a device without a log, though the flag says so',
    { responder: { measure: () => measured } },
    '13ef00000000000001000000',
    '137f07ef',
  ],
];
for (const [what, change, request, answer] of refusals)
  test(`refused: ${what}`, () => {
    const pair = ready(change);
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.plain(request)!), answer);
    assert.is(snapshotOf(pair.responder), before);
  });

/** Answers each request with a portion that `lie` makes of the request's number. */
function lied(lie: (index: number, length: number) => [data: Uint8Array, remainder: number]) {
  const pair = ready();
  let index = 0;
  pair.tap = (packet, direction) => {
    if (direction === 'request') return packet;
    const { request } = { request: pair.wire.at(-1)!.request };
    const length = new DataView(request.bytes.slice().buffer).getUint32(8, true);
    const [data, remainder] = lie(index++, length);
    const bytes = concat(fromHex('136f0000'), le(data.length, 4), le(remainder, 4), data);
    return { ...packet, bytes };
  };
  const got = pair.run(getMeasurementExtensionLog(pair.requester));
  return { code: isPeerFault(got) ? got.code : 'good', steps: index };
}
const byte = new Uint8Array(1);
const lies: [what: string, lie: Parameters<typeof lied>[0], code: string, steps: number][] = [
  ['portions of nothing', () => [new Uint8Array(0), 8], 'EXTENSION_LOG_PORTION', 1],
  ['more than was asked for', (_i, n) => [new Uint8Array(n + 1), 0], 'EXTENSION_LOG_PORTION', 1],
  ['more than a log may have', () => [byte, 0xffffffff], 'EXTENSION_LOG_PORTION', 1],
  ['a log that shrinks', (i) => [byte, 100 - 2 * i], 'EXTENSION_LOG_PORTION', 2],
  ['a byte at a time, with no end', () => [byte, 0xfffff - 1], 'EXTENSION_LOG_PORTION', 3],
  ['a byte at a time', (i) => [byte, 0x100000 - 1 - i], 'EXTENSION_LOG_PORTION', 4096],
  ['bytes that are no log', () => [new Uint8Array(15), 0], 'EXTENSION_LOG_ENCODING', 1],
];
for (const [what, lie, code, steps] of lies)
  test(`F-S08 the requester ends on ${what}`, () => {
    assert.equal(lied(lie), { code, steps });
  });

const entry = (melIndex: number, index = '10') => `${toHex(le(melIndex, 4))}${index}000000890000`;
const logOf = (count: number, ...entries: string[]) =>
  fromHex(
    `${toHex(le(count, 4))}${toHex(le(11 * entries.length, 4))}${'00'.repeat(8)}${entries.join('')}`,
  );
test('the entries of a log are checked', () => {
  const rows: [Uint8Array, string][] = [
    [logOf(1, entry(1), entry(2)), 'EXTENSION_LOG_ENCODING'],
    [logOf(3, entry(1), entry(2)), 'EXTENSION_LOG_ENCODING'],
    [logOf(2, entry(2), entry(1)), 'EXTENSION_LOG_ORDER'],
    [logOf(2, entry(1), entry(1)), 'EXTENSION_LOG_ORDER'],
    [logOf(2, entry(1), entry(2)), 'good'],
  ];
  for (const [bytes, code] of rows) {
    const log = decodeLog(bytes);
    assert.is(isPeerFault(log) ? log.code : 'good', code);
  }
});

test('a log that does not give the measurements is a fault', () => {
  const pair = ready();
  const asked = { slot: 0, operation: 0xff, signed: false };
  const { blocks } = pair.good(getMeasurements(pair.requester, undefined, asked));
  const log = [...pair.good(getMeasurementExtensionLog(pair.requester))];
  const code = (entries: typeof log) => extensionLogFault(pair.requester, entries, blocks)?.code;
  assert.is(code(log), undefined);
  assert.is(code(log.slice(1)), 'EXTENSION_LOG_REPLAY');
  assert.is(code([{ ...log[0]!, value: fromHex('01') }, ...log.slice(1)]), 'EXTENSION_LOG_REPLAY');
  assert.is(code([{ ...log[0]!, measIndex: 2 }, ...log.slice(1)]), 'EXTENSION_LOG_INDEX');
});

test.run();
