/** Layout tables of single fields and structs: values and hex both ways, refusals, caller's mistakes. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import {
  bytes,
  type Facts,
  type Layout,
  layout,
  lengthOf,
  reserved,
  rest,
  since,
  struct,
  u8,
  u16,
  u24,
  u32,
  u64,
  uint,
  type ValueOf,
  when,
} from '../../../protocols/codec/field.ts';
import { decode, encode, type Span } from '../../../protocols/codec/layout.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';

const test = suite('layout');

const widths = layout('WIDTHS', 'test', {
  A: u8(),
  B: u16(),
  C: u24(),
  D: u32(),
  E: uint(6),
  F: u64(),
});
const blob = layout('BLOB', 'test', {
  Code: u8({ only: [1, 2] }),
  Reserved: reserved(1),
  DataLength: lengthOf('Data', 2),
  Level: u8({ max: 4 }),
  Data: bytes((s) => s.DataLength),
});
/** Length counts the two bytes before Data as well. */
const inclusive = layout('INCLUSIVE', 'test', {
  Length: lengthOf('Data', 1, 2),
  Kind: u8(),
  Data: bytes((s) => s.Length - 2),
});
const versioned = layout('VERSIONED', 'test', {
  Flags: u8(),
  Slot: since(0x11, u8()),
  Context: since(0x13, bytes(4)),
  Signature: when(
    (_s, facts) => facts['signed'] === 1,
    bytes((_s, facts) => facts['size'] ?? 0),
  ),
  Extra: when((s) => (s.Flags & 0x80) !== 0, u16()),
});
const inner = layout('INNER', 'test', { Size: lengthOf('Body', 1), Body: bytes((s) => s.Size) });
const outer = layout('OUTER', 'test', { Head: struct(inner), Tail: rest() });

type Case<L extends Layout> = readonly [value: ValueOf<L>, hex: string, facts?: Facts];

/** Encodes and decodes every row; derived lengths the row leaves out are expected in the result. */
function both<L extends Layout>(table: L, cases: readonly Case<L>[], derived: string[] = []): void {
  for (const [value, hex, facts] of cases) {
    assert.is(toHex(encode(table, value, facts)), toHex(fromHex(hex)), hex);
    const result = decode(table, fromHex(hex), facts);
    if (!result.ok) assert.unreachable(`${hex}: ${result.detail}`);
    else {
      const plain = { ...(result.value as Record<string, unknown>) };
      for (const name of derived) delete plain[name];
      assert.equal(plain, value, hex);
      assert.is(result.size, fromHex(hex).length);
    }
  }
}

/** Refused bytes: [hex, code, path, offset, facts]. */
type BadRow = readonly [hex: string, code: string, path: string, offset: number, facts?: Facts];
function refused(table: Layout, rows: readonly BadRow[]): void {
  for (const [hex, code, path, offset, facts] of rows) {
    const result = decode(table, fromHex(hex), facts);
    if (result.ok) assert.unreachable(`${hex} was taken`);
    else {
      const { detail, ...where } = result;
      assert.equal(where, { ok: false, code, path, offset }, `'${hex}': ${detail}`);
      assert.ok(detail.length > 0);
    }
  }
}

function misuse(run: () => unknown, says: string): void {
  assert.throws(
    run,
    (e: unknown) => e instanceof LocalError && e.message.includes(says),
    `expected LocalError: ${says}`,
  );
}

test('integers of every width, least and greatest', () => {
  both(widths, [
    [{ A: 0, B: 0, C: 0, D: 0, E: 0, F: 0n }, '00'.repeat(24)],
    [
      { A: 1, B: 0x203, C: 0x40506, D: 0x708090a, E: 0xb0c0d0e0f10, F: 0x1112131415161718n },
      '01 0302 060504 0a090807 100f0e0d0c0b 1817161514131211',
    ],
    [
      { A: 0xff, B: 0xffff, C: 0xffffff, D: 0xffffffff, E: 2 ** 48 - 1, F: 2n ** 64n - 1n },
      'ff'.repeat(24),
    ],
  ]);
  refused(widths, [
    ['', 'TRUNCATED', 'A', 0],
    ['00', 'TRUNCATED', 'B', 1],
    ['0000', 'TRUNCATED', 'B', 1],
    ['00'.repeat(15), 'TRUNCATED', 'E', 10],
    ['00'.repeat(23), 'TRUNCATED', 'F', 16],
    ['00'.repeat(25), 'TRAILING', '', 24],
  ]);
});

test('a derived length is filled in; reserved bytes are zero, and ignored when read', () => {
  both(
    blob,
    [
      [{ Code: 1, Level: 4, Data: fromHex('') }, '01 00 0000 04'],
      [{ Code: 2, Level: 0, Data: fromHex('aabbcc') }, '02 00 0300 00 aabbcc'],
    ],
    ['DataLength'],
  );
  const read = decode(blob, fromHex('01 ff 0100 02 aa'));
  assert.ok(read.ok);
  assert.equal(read.value, { Code: 1, DataLength: 1, Level: 2, Data: fromHex('aa') });
  both(inclusive, [[{ Kind: 9, Data: fromHex('0102') }, '04 09 0102']], ['Length']);
});

test('a peer that lies about lengths and values is refused, with the place', () => {
  refused(blob, [
    ['01 00 0400 04 aabbcc', 'TRUNCATED', 'Data', 5],
    ['01 00 ffff 04 aabbcc', 'TRUNCATED', 'Data', 5],
    ['01 00 0200 04 aabbcc', 'TRAILING', '', 7],
    ['03 00 0000 04', 'BAD_VALUE', 'Code', 0],
    ['01 00 0000 05', 'BAD_VALUE', 'Level', 4],
    ['01', 'TRUNCATED', 'Reserved', 1],
  ]);
  refused(inclusive, [
    ['01 09', 'BAD_LENGTH', 'Data', 2],
    ['00 09', 'BAD_LENGTH', 'Data', 2],
    ['03 09', 'TRUNCATED', 'Data', 2],
    ['02 09 00', 'TRAILING', '', 2],
  ]);
});

test('a caller may lie about a length: it is written as named', () => {
  for (const [DataLength, hex] of [
    [0, '01 00 0000 02 aabb'],
    [1, '01 00 0100 02 aabb'],
    [0xffff, '01 00 ffff 02 aabb'],
  ] as const) {
    const value = { Code: 1, DataLength, Level: 2, Data: fromHex('aabb') };
    assert.is(toHex(encode(blob, value)), toHex(fromHex(hex)));
  }
  const codes = encode(blob, { Code: 77, Level: 200, Data: fromHex('') });
  assert.is(toHex(codes), '4d000000c8', 'values outside the set may be written too');
});

test('since and when: fields come with versions, facts and flags', () => {
  const Signature = fromHex('5151');
  both(versioned, [
    [{ Flags: 1 }, '01', { version: 0x10 }],
    [{ Flags: 1 }, '01'],
    [{ Flags: 1, Slot: 2 }, '01 02', { version: 0x11 }],
    [{ Flags: 1, Slot: 2, Context: fromHex('aabbccdd') }, '01 02 aabbccdd', { version: 0x13 }],
    [{ Flags: 1, Signature }, '01 5151', { signed: 1, size: 2 }],
    [{ Flags: 0x80, Extra: 0x1234 }, '80 3412', { version: 0x10 }],
  ]);
  refused(versioned, [
    ['01 02', 'TRAILING', '', 1, { version: 0x10 }],
    ['01', 'TRUNCATED', 'Slot', 1, { version: 0x12 }],
    ['01 02 aabbcc', 'TRUNCATED', 'Context', 2, { version: 0x14 }],
    ['01 51', 'TRUNCATED', 'Signature', 1, { signed: 1, size: 2 }],
    ['01 51', 'BAD_LENGTH', 'Signature', 1, { signed: 1, size: Number.NaN }],
    ['80 34', 'TRUNCATED', 'Extra', 1],
  ]);
  const early = encode(versioned, { Flags: 0, Slot: 3, Extra: 1 }, { version: 0x10 });
  assert.is(toHex(early), '00', 'a field that is not there is not written');
});

test('nested structs carry their own lengths and name the whole path', () => {
  const value = { Head: { Body: fromHex('aabb') }, Tail: fromHex('ccdd') };
  assert.is(toHex(encode(outer, value)), '02aabbccdd');
  const result = decode(outer, fromHex('02aabbccdd'));
  assert.equal(result.ok && result.value, {
    Head: { Size: 2, Body: fromHex('aabb') },
    Tail: fromHex('ccdd'),
  });
  refused(outer, [
    ['', 'TRUNCATED', 'Head.Size', 0],
    ['03aabb', 'TRUNCATED', 'Head.Body', 1],
  ]);
  misuse(() => encode(outer, { Head: {}, Tail: fromHex('') } as never), 'OUTER.Head.Body');
  misuse(() => encode(outer, { Tail: fromHex('') } as never), 'OUTER.Head.Body');
});

test('decoded bytes are a copy', () => {
  const wire = fromHex('02aabbcc');
  const result = decode(outer, wire);
  wire.fill(0);
  assert.equal(result.ok && result.value.Tail, fromHex('cc'));
});

test('trailing bytes may be left, and decoding may start further in', () => {
  const wire = fromHex('ffff 02 09 00000000');
  const result = decode(inclusive, wire, {}, { offset: 2, trailing: 'leave' });
  assert.ok(result.ok);
  assert.is(result.size, 2);
  const late = decode(inclusive, wire, {}, { offset: 2 });
  assert.is(!late.ok && late.code, 'TRAILING');
  assert.is(!late.ok && late.offset, 4);
  const beyond = decode(inclusive, wire, {}, { offset: 99 });
  assert.is(!beyond.ok && beyond.code, 'TRUNCATED');
});

test('spans: path, place and value of every leaf, up to the refusal', () => {
  const spans: Span[] = [];
  decode(blob, fromHex('01 00 0900 02 aa'), {}, { spans });
  assert.equal(
    spans.map(({ path, offset, size, value }) => [path, offset, size, value]),
    [
      ['Code', 0, 1, 1],
      ['Reserved', 1, 1, undefined],
      ['DataLength', 2, 2, 9],
      ['Level', 4, 1, 2],
    ],
  );
});

test("a value that does not fit its field is the caller's mistake", () => {
  const good = { A: 0, B: 0, C: 0, D: 0, E: 0, F: 0n };
  for (const [wrong, says] of [
    [{ A: 256 }, 'WIDTHS.A: expected an unsigned integer of 1 bytes, got 256'],
    [{ A: -1 }, 'WIDTHS.A'],
    [{ B: 0x10000 }, 'WIDTHS.B'],
    [{ B: 1.5 }, 'WIDTHS.B'],
    [{ C: Number.NaN }, 'WIDTHS.C'],
    [{ D: '1' }, 'WIDTHS.D'],
    [{ D: undefined }, 'WIDTHS.D: expected an unsigned integer of 4 bytes, got undefined'],
    [{ E: 2 ** 48 }, 'WIDTHS.E'],
    [{ F: 1 }, 'WIDTHS.F: expected an unsigned 64-bit bigint'],
    [{ F: -1n }, 'WIDTHS.F'],
    [{ F: 2n ** 64n }, 'WIDTHS.F'],
  ] as const)
    misuse(() => encode(widths, { ...good, ...wrong } as never), says);
  misuse(
    () => encode(blob, { Code: 1, Level: 1 } as never),
    'BLOB.Data: expected bytes, got undefined',
  );
  misuse(
    () => encode(blob, { Code: 1, Level: 1, Data: [1] } as never),
    'BLOB.Data: expected bytes',
  );
  misuse(() => encode(blob, undefined as never), 'BLOB.Data');
  const facts = { version: 0x13 };
  const short = { Flags: 0, Slot: 0, Context: fromHex('aa') };
  misuse(() => encode(versioned, short, facts), 'VERSIONED.Context: expected 4 bytes, got 1');
  const long = new Uint8Array(256);
  misuse(
    () => encode(inner, { Body: long }),
    'INNER.Size: expected an unsigned integer of 1 bytes',
  );
});

test("a reserved size that makes no sense is the table's or the caller's mistake, never a crash", () => {
  const odd = layout('ODD', 'test', { N: u8(), Pad: reserved((s) => 4 - s.N) });
  assert.is(toHex(encode(odd, { N: 3 })), '0300');
  misuse(() => encode(odd, { N: 5 }), 'ODD.Pad: its size comes out as -1');
  refused(odd, [['05', 'BAD_LENGTH', 'Pad', 1]]);
});

test.run();
