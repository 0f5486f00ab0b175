/** Every message in every version: there and back, cut, with each field wrong, and random bytes. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal, toHex } from '../../../../protocols/codec/bytes.ts';
import type { AnyField, Layout } from '../../../../protocols/codec/field.ts';
import { decode, encode, type Span } from '../../../../protocols/codec/layout.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { codeNames, RequestCodes, ResponseCodes } from '../../../../protocols/spdm/codes.ts';
import { inVersion, layouts, messageSince } from '../../../../protocols/spdm/messages/registry.ts';
import { type Sample, samples, samplesOf, versions } from './samples.ts';

const test = suite('every SPDM message');

const isDerived = (field: AnyField): boolean =>
  field.kind === 'uint' && (field.lengthOf ?? field.countOf) !== undefined;

/** The decoded value without what encoding derives: what a sample states. */
function stated(table: Layout, value: unknown): unknown {
  const given = value as Record<string, unknown>;
  return Object.fromEntries(
    Object.entries(given)
      .filter(([name]) => !isDerived(table.fields[name]!))
      .map(([name, part]) => [name, statedField(table.fields[name]!, part)]),
  );
}
function statedField(field: AnyField, part: unknown): unknown {
  if (field.kind === 'struct') return stated(field.layout, part);
  if (field.kind === 'list')
    return (part as unknown[]).map((item) => statedField(field.item, item));
  return part;
}

test('the samples cover every code in every version that has it', () => {
  for (const [code, since] of Object.entries(messageSince))
    for (const version of versions) {
      const plainOnly: readonly number[] = [RequestCodes.GET_VERSION, ResponseCodes.VERSION];
      const last = plainOnly.includes(Number(code)) ? 0x10 : 0x14;
      const expected = version >= since && version <= last;
      assert.is(samplesOf(Number(code), version).length > 0, expected, `${code} in ${version}`);
    }
});

for (const { name, table, bytes, facts, value } of samples)
  test(`${name}: there and back`, () => {
    const decoded = decode(table, bytes, facts);
    assert.ok(decoded.ok, decoded.ok ? '' : `${decoded.path} ${decoded.detail}`);
    assert.equal(stated(table, decoded.value), value);
    assert.is(decoded.size, bytes.length);
    assert.is(toHex(encode(table, decoded.value, facts)), toHex(bytes));
  });

/** Where a field without an end of its own starts: cutting from there on leaves a message whole. */
function openFrom({ table, bytes, facts }: Sample): number {
  const open = Object.entries(table.fields).filter(
    ([, field]) =>
      (field.kind === 'bytes' && field.size === undefined) ||
      (field.kind === 'list' && field.count === undefined && field.bytes === undefined),
  );
  const spans: Span[] = [];
  decode(table, bytes, facts, { spans });
  const tail = spans.find(({ path }) => open.some(([name]) => path.split('[')[0] === name));
  return tail?.offset ?? bytes.length;
}

test('a message cut short is refused, with the field named', () => {
  let cuts = 0;
  for (const sample of samples) {
    const { name, table, bytes, facts } = sample;
    const open = openFrom(sample);
    for (let size = 0; size < open; size++) {
      const decoded = decode(table, bytes.subarray(0, size), facts, { trailing: 'leave' });
      assert.not(decoded.ok, `${name} cut to ${size}`);
      if (decoded.ok) continue;
      assert.ok(['TRUNCATED', 'BAD_LENGTH'].includes(decoded.code), `${name} cut to ${size}`);
      assert.ok(decoded.path !== '', `${name} cut to ${size}`);
      cuts++;
    }
  }
  assert.ok(cuts > 10_000);
});

test('no wrong field throws; what still decodes encodes to the same bytes', () => {
  let refused = 0;
  let taken = 0;
  for (const { name, table, bytes, facts } of samples)
    for (const { name: change, bytes: wrong } of mutations(table, bytes, facts)) {
      const decoded = decode(table, wrong, facts, { trailing: 'leave' });
      if (!decoded.ok) {
        refused++;
        continue;
      }
      taken++;
      if (change.includes(':reserved-set')) continue;
      const again = encode(table, decoded.value, facts);
      assert.ok(equal(again, wrong.subarray(0, decoded.size)), `${name} ${change}`);
    }
  assert.ok(refused > 1000 && taken > 1000, `${refused} refused, ${taken} taken`);
});

test('a length or count that lies is refused, or makes another message', () => {
  let lies = 0;
  for (const sample of samples) {
    const { name, table, bytes, facts } = sample;
    // a field that takes all that is left makes up for any lie before it
    if (openFrom(sample) < bytes.length) continue;
    const derived = new Set<string>();
    const spans: Span[] = [];
    decode(table, bytes, facts, { spans });
    for (const span of spans) if (isDerived(span.field)) derived.add(span.path);
    for (const { name: change, bytes: wrong } of mutations(table, bytes, facts)) {
      const path = change.split(':')[0]!;
      if (!derived.has(path) || equal(wrong, bytes) || change.endsWith('cut-before')) continue;
      // in the large form the 16-bit length says nothing
      if (path === 'PortionLength' && (bytes[2]! & 0x80) !== 0) continue;
      lies++;
      const decoded = decode(table, wrong, facts);
      if (decoded.ok) assert.unreachable(`${name} ${change} decodes to the last byte`);
    }
  }
  assert.ok(lies > 300, `${lies}`);
});

test('random bytes never throw, by any layout in any version', () => {
  const body = fc.uint8Array({ maxLength: 400 });
  fc.assert(
    fc.property(fc.constantFrom(...samples), body, fc.nat(40), (sample, random, keep) => {
      const { table, bytes, facts } = sample;
      const mixed = concat(bytes.subarray(0, keep), random);
      const spans: Span[] = [];
      const decoded = decode(table, mixed, facts, { spans, trailing: 'leave' });
      if (decoded.ok) assert.ok(decoded.size <= mixed.length);
      else assert.ok(decoded.offset <= mixed.length);
      assert.ok(spans.length <= 2 * mixed.length + 40);
    }),
    { seed: 1, numRuns: 5000 },
  );
});

test('every code has a layout of its name, and a version it came with', () => {
  const codes = [...Object.values(RequestCodes), ...Object.values(ResponseCodes)];
  assert.equal(Object.keys(layouts).length, codes.length);
  for (const code of codes) {
    const { name } = layouts[code];
    if (name !== 'VENDOR_DEFINED') assert.is(name, codeNames[code]);
    const since = messageSince[code];
    assert.not(inVersion(code, since - 1));
    assert.ok(inVersion(code, since));
    assert.ok(inVersion(code, 0x14));
    // a response comes with its request
    if (code >= 0x80 && code !== RequestCodes.RESPOND_IF_READY)
      assert.is(messageSince[(code & 0x7f) as 0x01], since, codeNames[code]);
  }
  assert.not(inVersion(0x99, 0x14));
});

test.run();
