/** Byte helpers: tables of values and hex, and what they refuse. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  ascii,
  concat,
  equal,
  fromHex,
  le,
  popcount,
  readDwBE,
  readDwLE,
  readLE,
  toHex,
  writeDwBE,
  writeDwLE,
  writeLE,
} from '../../../protocols/codec/bytes.ts';

const test = suite('bytes');
const dirty = (size: number) => new Uint8Array(size).fill(0xa5);

test('hex both ways', () => {
  for (const [bytes, hex] of [
    [[], ''],
    [[0], '00'],
    [[0x0f, 0xf0, 0xff], '0ff0ff'],
    [[0xde, 0xad, 0xbe, 0xef], 'deadbeef'],
  ] as const) {
    assert.is(toHex(Uint8Array.from(bytes)), hex);
    assert.equal(fromHex(hex), Uint8Array.from(bytes));
  }
});

test('hex as people write it', () => {
  for (const text of ['DEADBEEF', 'de ad be ef', 'de:ad:be:ef', 'de_ad|be\nef\t'])
    assert.is(toHex(fromHex(text)), 'deadbeef', text);
  for (const text of ['d', 'deadb', 'de a', 'xy', '0x', 'de-ad', 'gg'])
    assert.throws(
      () => fromHex(text),
      (e: unknown) => e instanceof TypeError,
      text,
    );
});

test('little-endian integers of 1 to 6 bytes', () => {
  for (const [value, width, hex] of [
    [0, 1, '00'],
    [0xff, 1, 'ff'],
    [0x1234, 2, '3412'],
    [0x123456, 3, '563412'],
    [0x12345678, 4, '78563412'],
    [0xffffffff, 4, 'ffffffff'],
    [0x123456789a, 5, '9a78563412'],
    [0xffffffffffff, 6, 'ffffffffffff'],
    [1, 6, '010000000000'],
  ] as const) {
    assert.is(toHex(le(value, width)), hex);
    const around = dirty(width + 2);
    writeLE(around, 1, width, value);
    assert.is(toHex(around), `a5${hex}a5`);
    assert.is(readLE(around, 1, width), value);
  }
});

test('DWs: wire order and register order', () => {
  for (const [value, be, little] of [
    [0, '00000000', '00000000'],
    [0x01020304, '01020304', '04030201'],
    [0x80000000, '80000000', '00000080'],
    [0xfffffffe, 'fffffffe', 'feffffff'],
  ] as const) {
    const around = dirty(6);
    writeDwBE(around, 1, value);
    assert.is(toHex(around), `a5${be}a5`);
    assert.is(readDwBE(around, 1), value);
    writeDwLE(around, 1, value);
    assert.is(toHex(around), `a5${little}a5`);
    assert.is(readDwLE(around, 1), value);
  }
});

test('concat, equal, ascii, popcount', () => {
  assert.is(toHex(concat()), '');
  assert.is(toHex(concat(fromHex('01'), fromHex(''), fromHex('0203'))), '010203');
  for (const [a, b, same] of [
    ['', '', true],
    ['00', '00', true],
    ['00', '', false],
    ['0000', '00', false],
    ['0001', '0000', false],
    ['8000', '0000', false],
    ['0110', '1001', false],
  ] as const)
    assert.is(equal(fromHex(a), fromHex(b)), same, `${a} ${b}`);
  assert.is(toHex(ascii('dmtf')), '646d7466');
  for (const [word, count] of [
    [0, 0],
    [1, 1],
    [0x80000000, 1],
    [0xffffffff, 32],
    [0x0f0f0f0f, 16],
    [-1, 32],
  ] as const)
    assert.is(popcount(word), count);
});

test('random: what was written is read, the neighbours stay', () => {
  const property = fc.property(
    fc
      .integer({ min: 1, max: 6 })
      .chain((width) =>
        fc.tuple(fc.constant(width), fc.integer({ min: 0, max: 256 ** width - 1 })),
      ),
    ([width, value]) => {
      const bytes = dirty(width + 2);
      writeLE(bytes, 1, width, value);
      assert.is(readLE(bytes, 1, width), value);
      assert.is(bytes[0]! + bytes[width + 1]!, 2 * 0xa5);
    },
  );
  fc.assert(property, { seed: 1, numRuns: 300 });
  const hex = fc.property(fc.uint8Array(), (bytes) => assert.equal(fromHex(toHex(bytes)), bytes));
  fc.assert(hex, { seed: 1, numRuns: 200 });
});

test.run();
