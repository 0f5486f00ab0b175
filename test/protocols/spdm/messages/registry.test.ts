/** SPDM messages: recorded bytes both ways, fields by version, and what wrong bytes are refused with. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import type { Facts, Layout } from '../../../../protocols/codec/field.ts';
import { decode, encode } from '../../../../protocols/codec/layout.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { RefusalCodes } from '../../../../protocols/codec/refusal.ts';
import { decodeMessage, layoutOf, layouts } from '../../../../protocols/spdm/messages/registry.ts';
import { recorded } from '../recorded.ts';

const test = suite('spdm messages');

/** P-384, SHA-384, handshake in the clear: what the recorded connection agreed on. */
const agreed = (version: number, extra: Facts = {}): Facts => ({
  version,
  hashSize: 48,
  signatureSize: 96,
  requestExchangeSize: 96,
  responseExchangeSize: 96,
  handshakeInTheClear: 1,
  ...extra,
});

for (const { name, hex, extra, fields } of recorded)
  test(`${name} ${hex.slice(0, 2)}: recorded bytes`, () => {
    const bytes = fromHex(hex);
    const facts = agreed(bytes[0]!, extra);
    const table = layoutOf(bytes[1]!)!;
    assert.is(table.name, name);
    const decoded = decode(table, bytes, facts);
    assert.ok(decoded.ok, decoded.ok ? '' : decoded.detail);
    const value = decoded.value as Record<string, unknown>;
    for (const [path, expected] of Object.entries(fields)) {
      const found = path
        .split('.')
        .reduce((at: unknown, part) => (at as Record<string, unknown>)[part], value);
      assert.equal(found instanceof Uint8Array ? toHex(found) : found, expected, path);
    }
    assert.is(toHex(encode(table, value, facts)), toHex(bytes));
  });

test('lengths and counts are derived where the value does not name them', () => {
  for (const { hex, extra } of recorded) {
    const bytes = fromHex(hex);
    const facts = agreed(bytes[0]!, extra);
    const table = layoutOf(bytes[1]!)!;
    const decoded = decode(table, bytes, facts);
    if (!decoded.ok) throw new Error(table.name);
    const value = Object.fromEntries(
      Object.entries(decoded.value).filter(([name]) => {
        const field = table.fields[name]!;
        return field.kind !== 'uint' || (field.lengthOf ?? field.countOf) === undefined;
      }),
    );
    assert.is(toHex(encode(table, value, facts)), toHex(bytes), table.name);
  }
});

const NONE: Facts = {};
const SUMMARY: Facts = { summary: 1 };
const SIGNED: Facts = { signed: 1 };
/** DSP0274: bytes of a message without variable parts, by version; undefined: not in that version. */
const sizes: [code: number, param1: number, extra: Facts, sizes: Record<number, number>][] = [
  [0x84, 0, NONE, { 16: 4 }],
  [0xe1, 0, NONE, { 16: 4, 17: 12, 18: 20, 19: 20, 20: 20 }],
  [0x61, 0, NONE, { 16: 12, 17: 12, 18: 20, 19: 20, 20: 20 }],
  [0xe3, 0, NONE, { 16: 32, 17: 32, 18: 32, 19: 32 }],
  [0x63, 0, NONE, { 16: 36, 17: 36, 18: 36, 19: 36 }],
  [0x83, 0, NONE, { 16: 36, 17: 36, 18: 36, 19: 44, 20: 44 }],
  [0x03, 0, NONE, { 16: 182, 18: 182, 19: 190, 20: 190 }],
  [0x03, 0, SUMMARY, { 16: 230, 18: 230, 19: 238, 20: 238 }],
  [0xe0, 0, NONE, { 16: 4, 17: 4, 18: 4, 19: 12, 20: 12 }],
  [0xe0, 1, NONE, { 16: 36, 17: 37, 18: 37, 19: 45, 20: 45 }],
  [0x60, 0, NONE, { 16: 42, 17: 42, 18: 42, 19: 50 }],
  [0x60, 0, SIGNED, { 16: 138, 17: 138, 18: 138, 19: 146 }],
  [0xe4, 0, NONE, { 17: 138, 18: 138, 19: 138 }],
  [0x64, 0, NONE, { 17: 234, 18: 234, 19: 234 }],
  [0x64, 0, SUMMARY, { 17: 282, 18: 282, 19: 282 }],
  [0x64, 0, { handshakeInTheClear: 0 }, { 17: 282, 18: 282, 19: 282 }],
  [0xe5, 0, NONE, { 17: 52, 18: 52, 19: 52, 20: 54 }],
  [0xe5, 1, { requesterSignatureSize: 96 }, { 18: 148, 20: 150 }],
  [0x65, 0, NONE, { 17: 52, 18: 52, 20: 54 }],
  [0x65, 0, { handshakeInTheClear: 0 }, { 17: 4, 18: 4, 20: 6 }],
  [0xe8, 0, NONE, { 17: 4, 20: 4 }],
  [0xec, 0, NONE, { 17: 4, 20: 4 }],
  [0x01, 0, NONE, { 16: 4, 20: 4 }],
  [0x82, 0, NONE, { 16: 8, 19: 8 }],
  [0x02, 0, NONE, { 16: 8, 19: 8 }],
];
for (const [code, param1, extra, byVersion] of sizes)
  test(`${layoutOf(code)!.name} Param1 ${param1} ${JSON.stringify(extra)}: size by version`, () => {
    for (const [version, size] of Object.entries(byVersion)) {
      const facts = agreed(Number(version), extra);
      const zeros = new Uint8Array(size);
      zeros.set([Number(version), code, param1, 0]);
      const exact = decode(layoutOf(code)!, zeros, facts);
      assert.ok(exact.ok, `${size} bytes in ${version}`);
      assert.is(decode(layoutOf(code)!, zeros.slice(0, -1), facts).ok, false, `${version} cut`);
      const more = decode(layoutOf(code)!, concat(zeros, new Uint8Array(1)), facts);
      assert.is(more.ok ? 'ok' : more.code, RefusalCodes.TRAILING, `${version} longer`);
    }
  });

const refusals: [name: string, hex: string, extra: Facts, code: string, path: string][] = [
  ['no bytes', '', NONE, 'TRUNCATED', 'header'],
  ['three bytes', '128400', NONE, 'TRUNCATED', 'header'],
  ['a code nobody knows', '12990000', NONE, 'UNKNOWN_CODE', 'RequestResponseCode'],
  ['VERSION with an entry less', '10040000 0002 0012', NONE, 'TRUNCATED', 'VersionNumberEntry[1]'],
  ['CERTIFICATE cut', '12020000 0200 0000 aa', NONE, 'TRUNCATED', 'CertChain'],
  [
    'CHALLENGE_AUTH with OpaqueDataLength of all ones',
    `12030001${'00'.repeat(80)}ffff${'00'.repeat(96)}`,
    NONE,
    'TRUNCATED',
    'OpaqueData',
  ],
  [
    'MEASUREMENTS with a block less than announced',
    `12600000 02 070000 01 01 0300 01 0000${'00'.repeat(34)}`,
    NONE,
    'BAD_LENGTH',
    '',
  ],
  [
    'MEASUREMENTS with sizes that disagree',
    `12600000 01 090000 01 01 0500 01 0100 aabb${'00'.repeat(34)}`,
    NONE,
    'BAD_LENGTH',
    'MeasurementRecord[0]',
  ],
  [
    'MEASUREMENTS whose record runs past the end',
    `12600000 01 ffffff 01 01 0300 01 0000${'00'.repeat(34)}`,
    NONE,
    'BAD_LENGTH',
    'MeasurementRecord',
  ],
  [
    'MEASUREMENTS whose block runs past the record',
    `12600000 01 070000 01 01 0400 01 0100 aa${'00'.repeat(34)}`,
    NONE,
    'TRUNCATED',
    'MeasurementRecord[0].Value',
  ],
  [
    'NEGOTIATE_ALGORITHMS with 15 extended algorithms it has not',
    `12e30100 2400 01 02 10000000 01000000 ${'00'.repeat(16)} 02 2f 0800`,
    NONE,
    'TRUNCATED',
    'AlgStruct[0].AlgExternal[0]',
  ],
];
for (const [name, hex, extra, code, path] of refusals)
  test(`refused: ${name}`, () => {
    const decoded = decodeMessage(fromHex(hex), agreed(0x12, extra), 'leave');
    assert.equal(decoded.ok ? 'ok' : [decoded.code, decoded.path], [code, path]);
  });

test('trailing bytes are left alone or refused, as the transport asks', () => {
  const padded = fromHex('12810000 000000');
  const left = decodeMessage(padded, agreed(0x12), 'leave');
  assert.is(left.ok && left.size, 4);
  const refused = decodeMessage(padded, agreed(0x12), 'refuse');
  assert.is(refused.ok ? 'ok' : refused.code, RefusalCodes.TRAILING);
});

test('no mutation of a recorded message throws, and what decodes encodes again', () => {
  let decodedCount = 0;
  for (const { hex, extra } of recorded) {
    const bytes = fromHex(hex);
    const facts = agreed(bytes[0]!, extra);
    const table = layoutOf(bytes[1]!)!;
    for (const { name, bytes: wrong } of mutations(table, bytes, facts)) {
      const decoded = decode(table, wrong, facts, { trailing: 'leave' });
      if (!decoded.ok) continue;
      decodedCount++;
      const again = encode(table, decoded.value, facts);
      assert.is(again.length, decoded.size, `${table.name} ${name}`);
    }
  }
  assert.ok(decodedCount > 100);
});

const codes = Object.keys(layouts).map(Number);
test('no bytes at all throw, whatever was agreed on', () => {
  const facts = fc.record({
    version: fc.constantFrom(0x10, 0x11, 0x12, 0x13, 0x14),
    hashSize: fc.constantFrom(0, 32, 48, 64),
    signatureSize: fc.constantFrom(0, 64, 96),
    requesterSignatureSize: fc.constantFrom(0, 64, 96),
    requestExchangeSize: fc.constantFrom(0, 64, 800),
    responseExchangeSize: fc.constantFrom(0, 64, 768),
    handshakeInTheClear: fc.constantFrom(0, 1),
    summary: fc.constantFrom(0, 1),
    signed: fc.constantFrom(0, 1),
    multiKey: fc.constantFrom(0, 1),
  });
  const body = fc.uint8Array({ maxLength: 300 });
  fc.assert(
    fc.property(fc.constantFrom(...codes), body, facts, (code, rest, known) => {
      const bytes = concat(Uint8Array.of(known.version, code), rest);
      for (const trailing of ['leave', 'refuse'] as const) {
        const decoded = decodeMessage(bytes, known, trailing);
        if (decoded.ok) assert.ok(decoded.size <= bytes.length);
        else assert.ok(decoded.offset <= bytes.length);
      }
    }),
    { seed: 1, numRuns: 3000 },
  );
});

test('counts that multiply end in bounded steps', () => {
  const digests = concat(fromHex('120100ff'), new Uint8Array(8));
  const decoded = decodeMessage(digests, { version: 0x12, hashSize: 0 }, 'leave');
  assert.is(decoded.ok ? 'ok' : decoded.code, RefusalCodes.BAD_LENGTH);
});

test('each layout is named as the code table names it', () => {
  for (const [code, table] of Object.entries(layouts)) {
    const named: Layout = table;
    assert.ok(named.clause.startsWith('DSP0274'), code);
  }
});

test.run();
