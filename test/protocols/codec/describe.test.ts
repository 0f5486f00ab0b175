/** Pretty-printing: one line a field, names of codes and bits, and what stood before a refusal. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { describe } from '../../../protocols/codec/describe.ts';
import {
  bytes,
  layout,
  lengthOf,
  list,
  reserved,
  rest,
  since,
  struct,
  u8,
  u16,
  u32,
  u64,
} from '../../../protocols/codec/field.ts';

const test = suite('describe');

const message = layout('MESSAGE', 'test', {
  Code: u8({ names: { 129: 'GET_DIGESTS' } }),
  Flags: u16({ bits: { CACHE_CAP: [0], MEAS_CAP: [3, 2], HBEAT_CAP: [15] } }),
  Reserved: reserved(1),
  Small: u16(),
  Large: u32(),
  Stamp: since(0x12, u64()),
  DataLength: lengthOf('Data', 1),
  Data: bytes((s) => s.DataLength),
  Items: list(struct(layout('ITEM', 'test', { Id: u8() })), { count: 2 }),
});

test('fields in wire order, with offsets; reserved bytes are left out', () => {
  const hex = '81 1980 00 0700 2a000000 1122334455667788 02 cafe 01 0a';
  const { fields, refusal } = describe(message, fromHex(hex), { version: 0x12 });
  assert.is(refusal, undefined);
  assert.equal(
    fields.map(({ path, offset, size, text }) => [path, offset, size, text]),
    [
      ['Code', 0, 1, '0x81 GET_DIGESTS'],
      ['Flags', 1, 2, '0x8019 CACHE_CAP|MEAS_CAP=3|HBEAT_CAP'],
      ['Small', 4, 2, '7'],
      ['Large', 6, 4, '0x0000002a (42)'],
      ['Stamp', 10, 8, '0x8877665544332211'],
      ['DataLength', 18, 1, '0x02 (2)'],
      ['Data', 19, 2, 'cafe'],
      ['Items[0].Id', 21, 1, '0x01 (1)'],
      ['Items[1].Id', 22, 1, '0x0a (10)'],
    ],
  );
});

test('a code nobody named, and no bit set', () => {
  const { fields } = describe(message, fromHex('7f 0000 00 0000 00000000 00 01 0a'));
  assert.equal(
    fields.slice(0, 2).map(({ text }) => text),
    ['0x7f (127)', '0x0000'],
  );
});

test('what was read before a refusal is kept, and trailing bytes refuse nothing', () => {
  const cut = describe(message, fromHex('81 0000 00 07'));
  assert.equal(
    cut.fields.map(({ path }) => path),
    ['Code', 'Flags'],
  );
  assert.is(cut.refusal?.code, 'TRUNCATED');
  assert.is(cut.refusal?.path, 'Small');
  const padded = describe(message, fromHex('81 0000 00 0000 00000000 00 01 0a ffff'));
  assert.is(padded.refusal, undefined);
});

test('long bytes are cut after 64, with their number', () => {
  const table = layout('LONG', 'test', { Data: rest() });
  const data = new Uint8Array(65).fill(0xab);
  assert.is(describe(table, data).fields[0]?.text, `${'ab'.repeat(64)}... (65 bytes)`);
  const shorter = data.subarray(1);
  assert.is(describe(table, shorter).fields[0]?.text, toHex(shorter));
});

test.run();
