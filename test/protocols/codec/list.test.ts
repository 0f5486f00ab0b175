/** Lists: by count, by bytes, to the end; limits; and bounded steps whatever a peer counts. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import {
  bytes,
  countOf,
  type Layout,
  layout,
  lengthOf,
  list,
  struct,
  u8,
  u16,
} from '../../../protocols/codec/field.ts';
import { decode, encode } from '../../../protocols/codec/layout.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';

const test = suite('list');

const record = layout('RECORD', 'test', {
  Type: u8(),
  ValueSize: lengthOf('Value', 1),
  Value: bytes((s) => s.ValueSize),
});
const counted = layout('COUNTED', 'test', {
  Count: countOf('Records', 1),
  Pad: u8(),
  Records: list(struct(record), { count: (s) => s.Count }),
});
const sized = layout('SIZED', 'test', {
  Size: lengthOf('Items', 2),
  Items: list(u16(), { bytes: (s) => s.Size }),
  After: u8(),
});
const open = layout('OPEN', 'test', { Items: list(struct(record), { toEnd: true }) });
const fixed = layout('FIXED', 'test', { Items: list(u8(), { count: 3 }) });

function refused(table: Layout, hex: string, code: string, path: string, offset: number): void {
  const result = decode(table, fromHex(hex), {});
  if (result.ok) assert.unreachable(`${hex} was taken`);
  else assert.equal([result.code, result.path, result.offset], [code, path, offset], `'${hex}'`);
}

function misuse(run: () => unknown, says: string): void {
  assert.throws(run, (e: unknown) => e instanceof LocalError && e.message.includes(says), says);
}

test('by count: the count is derived, items are structs', () => {
  const Records = [
    { Type: 1, Value: fromHex('aa') },
    { Type: 2, Value: fromHex('') },
  ];
  assert.is(toHex(encode(counted, { Pad: 7, Records })), '02070101aa0200');
  const result = decode(counted, fromHex('02 07 0101aa 0200'));
  assert.equal(result.ok && result.value, {
    Count: 2,
    Pad: 7,
    Records: [
      { Type: 1, ValueSize: 1, Value: fromHex('aa') },
      { Type: 2, ValueSize: 0, Value: fromHex('') },
    ],
  });
  assert.is(toHex(encode(counted, { Pad: 0, Records: [] })), '0000');
  assert.is(toHex(encode(counted, { Count: 9, Pad: 0, Records: [] })), '0900', 'a lie is written');
});

test('by bytes and to the end', () => {
  assert.is(toHex(encode(sized, { Items: [1, 0x203], After: 9 })), '04000100030209');
  const result = decode(sized, fromHex('0400 0100 0302 09'));
  assert.equal(result.ok && result.value, { Size: 4, Items: [1, 0x203], After: 9 });
  assert.equal(decode(sized, fromHex('0000 09')), {
    ok: true,
    value: { Size: 0, Items: [], After: 9 },
    size: 3,
  });
  const all = decode(open, fromHex('0101aa 0200'));
  assert.is(all.ok && all.value.Items.length, 2);
  const none = decode(open, fromHex(''));
  assert.is(none.ok && none.value.Items.length, 0);
});

test('lies about counts and sizes are refused at the item', () => {
  refused(counted, '03 07 0101aa 0200', 'TRUNCATED', 'Records[2].Type', 7);
  refused(counted, 'ff 07', 'TRUNCATED', 'Records[0].Type', 2);
  refused(counted, '01 07 0101aa 0200', 'TRAILING', '', 5);
  refused(counted, '01 07 0109aa', 'TRUNCATED', 'Records[0].Value', 4);
  refused(sized, '0500 0100 0302 09', 'TRUNCATED', 'Items[2]', 6);
  refused(sized, '0300 0100 0302 09', 'TRUNCATED', 'Items[1]', 4);
  refused(sized, '0600 0100 0302 09', 'BAD_LENGTH', 'Items', 2);
  refused(sized, 'ffff 0100', 'BAD_LENGTH', 'Items', 2);
  refused(sized, '0200 0100', 'TRUNCATED', 'After', 4);
  refused(open, '01', 'TRUNCATED', 'Items[0].ValueSize', 1);
  refused(open, '0100 02', 'TRUNCATED', 'Items[1].ValueSize', 3);
  refused(fixed, '0102', 'TRUNCATED', 'Items[2]', 2);
});

test('an item may not reach past the bytes of its list', () => {
  const table = layout('WITHIN', 'test', {
    Size: lengthOf('Items', 1),
    Items: list(struct(record), { bytes: (s) => s.Size }),
    After: bytes(4),
  });
  refused(table, '03 0102aa bbccddee', 'TRUNCATED', 'Items[0].Value', 3);
});

test('extents that make no sense are refused', () => {
  for (const extent of [-1, Number.NaN, 1.5, Number.POSITIVE_INFINITY]) {
    for (const size of [{ count: () => extent }, { bytes: () => extent }]) {
      const table = layout('ODD', 'test', { N: u8(), Items: list(u8(), size) });
      refused(table, '00', 'BAD_LENGTH', 'Items', 1);
      refused(table, '00010203', 'BAD_LENGTH', 'Items', 1);
    }
  }
});

test('items without bytes are refused: no list goes on for ever, no counts multiply', () => {
  const nothing = layout('NOTHING', 'test', { Items: list(bytes(0), { toEnd: true }) });
  refused(nothing, '00', 'BAD_LENGTH', 'Items', 0);
  const row = layout('ROW', 'test', { Cells: list(bytes(0), { count: 4000 }) });
  const grid = layout('GRID', 'test', { N: u16(), Rows: list(struct(row), { count: (s) => s.N }) });
  refused(grid, 'a00f', 'BAD_LENGTH', 'Rows[0].Cells', 2);
});

test('no list has more than 4,096 items', () => {
  const many = layout('MANY', 'test', { Items: list(u8(), { toEnd: true }) });
  const full = decode(many, new Uint8Array(4096));
  assert.is(full.ok && full.value.Items.length, 4096);
  const over = decode(many, new Uint8Array(4097));
  assert.is(!over.ok && over.code, 'OVER_LIMIT');
  assert.is(!over.ok && over.offset, 4096);
  const claims = layout('CLAIMS', 'test', { Items: list(u8(), { count: 2 ** 50 }) });
  const claimed = decode(claims, new Uint8Array(10_000));
  assert.is(!claimed.ok && claimed.code, 'OVER_LIMIT');
});

test("what is no list, and an item that does not fit, are the caller's mistakes", () => {
  misuse(
    () => encode(sized, { After: 1 } as never),
    'SIZED.Items: expected an array, got undefined',
  );
  misuse(() => encode(sized, { Items: 7, After: 1 } as never), 'SIZED.Items: expected an array');
  misuse(() => encode(sized, { Items: [1, 0x10000], After: 1 }), 'SIZED.Items[1]');
  const bad = {
    Pad: 0,
    Records: [
      { Type: 1, Value: fromHex('') },
      { Type: 300, Value: fromHex('') },
    ],
  };
  misuse(() => encode(counted, bad), 'COUNTED.Records[1].Type');
  misuse(
    () => encode(counted, { Pad: 0, Records: Array(256).fill(bad.Records[0]) }),
    'COUNTED.Count',
  );
});

test.run();
