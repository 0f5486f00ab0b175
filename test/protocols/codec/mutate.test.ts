/** Mutation points, and random tables with random values: round trips, and bad bytes that never throw. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import {
  type AnyField,
  bytes,
  countOf,
  type Layout,
  layout,
  lengthOf,
  list,
  reserved,
  struct,
  u8,
  u16,
  u24,
  u32,
  u64,
} from '../../../protocols/codec/field.ts';
import { decode, encode } from '../../../protocols/codec/layout.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import {
  isPeerFault,
  peerFault,
  RefusalCodes,
  refusalText,
  refuse,
} from '../../../protocols/codec/refusal.ts';

const test = suite('mutate');

const message = layout('MESSAGE', 'test', {
  Length: lengthOf('Data', 2),
  Reserved: reserved(2),
  Data: bytes((s) => s.Length),
});

test('every mutation of a small message', () => {
  const made = [...mutations(message, fromHex('0200 0000 aabb'))];
  assert.equal(
    made.map(({ name, bytes: wire }) => [name, toHex(wire)]),
    [
      ['Length:cut-before', ''],
      ['Length:zero', '00000000aabb'],
      ['Length:plus-one', '03000000aabb'],
      ['Length:minus-one', '01000000aabb'],
      ['Length:all-ones', 'ffff0000aabb'],
      ['Reserved:cut-before', '0200'],
      ['Reserved:reserved-set-first', '02000100aabb'],
      ['Reserved:reserved-set-last', '02000080aabb'],
      ['Data:cut-before', '02000000'],
      ['Data:flip-first', '02000000abbb'],
      ['Data:flip-last', '02000000aa3b'],
      ['end:one-byte-more', '02000000aabb00'],
      ['end:one-byte-less', '02000000aa'],
    ],
  );
});

test('integers wrap at their width, empty fields are only cut, bytes that do not decode give none', () => {
  const one = layout('ONE', 'test', { A: u8(), None: bytes(0) });
  const byName = (hex: string) =>
    Object.fromEntries([...mutations(one, fromHex(hex))].map((m) => [m.name, toHex(m.bytes)]));
  assert.is(byName('00')['A:minus-one'], 'ff');
  assert.is(byName('ff')['A:plus-one'], '00');
  assert.equal(
    Object.keys(byName('00')).filter((name) => name.startsWith('None')),
    ['None:cut-before'],
  );
  assert.equal([...mutations(message, fromHex('0300 0000 aabb'))], []);
});

test('mutants do not share bytes with the original', () => {
  const wire = fromHex('0200 0000 aabb');
  for (const mutant of mutations(message, wire)) mutant.bytes.fill(0xee);
  assert.is(toHex(wire), '02000000aabb');
});

interface Made {
  readonly table: Layout;
  readonly value: Record<string, unknown>;
}
type Part = readonly [fields: Record<string, AnyField>, value: Record<string, unknown>];

const integer = fc
  .constantFrom(u8(), u16(), u24(), u32())
  .chain((field) =>
    fc.nat({ max: 256 ** field.width - 1 }).map((n): [AnyField, unknown] => [field, n]),
  );
const whole = fc
  .bigInt({ min: 0n, max: 2n ** 64n - 1n })
  .map((n): [AnyField, unknown] => [u64(), n]);
const rows = fc.array(fc.nat({ max: 0xffff }), { maxLength: 5 });
const blob = fc.uint8Array({ maxLength: 20 });

/** A few fields that belong together, named by their place in the table. */
const part = (at: number): fc.Arbitrary<Part> => {
  const [size, field] = [`Size${at}`, `Field${at}`];
  return fc.oneof(
    fc.oneof(integer, whole).map(([kind, n]): Part => [{ [field]: kind }, { [field]: n }]),
    fc.nat({ max: 4 }).map((n): Part => [{ [field]: reserved(n) }, {}]),
    blob.map(
      (data): Part => [
        { [size]: lengthOf(field, 2), [field]: bytes((s) => s[size]) },
        { [size]: data.length, [field]: data },
      ],
    ),
    rows.map(
      (items): Part => [
        { [size]: countOf(field, 1), [field]: list(u16(), { count: (s) => s[size] }) },
        { [size]: items.length, [field]: items },
      ],
    ),
    fc.array(blob, { maxLength: 4 }).map((items): Part => {
      const item = layout('ITEM', 'test', { N: lengthOf('D', 1), D: bytes((s) => s.N) });
      return [
        {
          [size]: lengthOf(field, 2, 2),
          [field]: list(struct(item), { bytes: (s) => s[size] - 2 }),
        },
        {
          [size]: items.reduce((sum, d) => sum + 1 + d.length, 2),
          [field]: items.map((D) => ({ N: D.length, D })),
        },
      ];
    }),
  );
};
const made: fc.Arbitrary<Made> = fc
  .integer({ min: 1, max: 6 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, at) => part(at))))
  .map((parts) => ({
    table: layout('RANDOM', 'test', Object.assign({}, ...parts.map(([fields]) => fields))),
    value: Object.assign({}, ...parts.map(([, value]) => value)),
  }));

/** The value without the lengths and counts that encoding fills in. */
function underived(value: Record<string, unknown>): Record<string, unknown> {
  const kept = Object.entries(value).filter(([name]) => !name.startsWith('Size'));
  return Object.fromEntries(
    kept.map(([name, x]) => [
      name,
      Array.isArray(x) ? x.map((item) => (typeof item === 'object' ? { D: item.D } : item)) : x,
    ]),
  );
}

const known = new Set<string>(Object.values(RefusalCodes));

test('random tables: decode undoes encode, with and without derived lengths', () => {
  const property = fc.property(made, ({ table, value }) => {
    const wire = encode(table, value as never);
    const result = decode(table, wire);
    assert.equal(result, { ok: true, value, size: wire.length });
    assert.equal(encode(table, underived(value) as never), wire);
  });
  fc.assert(property, { seed: 1, numRuns: 300 });
});

test('random tables: a mutant is refused by name or is a message of its own', () => {
  const property = fc.property(made, ({ table, value }) => {
    const wire = encode(table, value as never);
    for (const mutant of mutations(table, wire)) {
      const result = decode(table, mutant.bytes);
      if (!result.ok) {
        assert.ok(known.has(result.code), result.code);
        assert.ok(result.offset <= mutant.bytes.length, `${mutant.name} at ${result.offset}`);
        continue;
      }
      assert.is(result.size, mutant.bytes.length, mutant.name);
      // Reserved bytes are ignored when read, so only they may differ after another round.
      const again = decode(table, encode(table, result.value as never));
      assert.equal(again.ok && again.value, result.value, mutant.name);
    }
  });
  fc.assert(property, { seed: 1, numRuns: 150 });
});

test('random tables: any bytes at all are taken or refused', () => {
  const property = fc.property(made, fc.uint8Array({ maxLength: 60 }), ({ table }, wire) => {
    const before = toHex(wire);
    const result = decode(table, wire);
    assert.ok(result.ok ? result.size === wire.length : known.has(result.code));
    assert.is(toHex(wire), before);
  });
  fc.assert(property, { seed: 1, numRuns: 500 });
});

test('refusals and peer faults read as one line and are told from values', () => {
  assert.is(
    refusalText(refuse('TRUNCATED', 'Record[2].Size', 7, 'needs 2 bytes, 1 left')),
    'TRUNCATED at Record[2].Size (byte 7): needs 2 bytes, 1 left',
  );
  assert.is(refusalText(refuse('TRAILING', '', 9, 'x')), 'TRAILING at start (byte 9): x');
  assert.ok(isPeerFault(peerFault('TIMEOUT', 'no answer')));
  for (const other of [
    undefined,
    null,
    1,
    'fault',
    {},
    { fault: 1 },
    refuse('TRAILING', '', 0, ''),
  ])
    assert.not(isPeerFault(other));
});

test.run();
