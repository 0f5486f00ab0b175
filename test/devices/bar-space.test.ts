import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BarMemory, BarSpace } from '../../devices/bar-space.ts';
import { LocalError } from '../../protocols/codec/refusal.ts';

const test = suite('bar space');

const ALL = () => true;
const isLocal = (error: unknown) => error instanceof LocalError;

function space() {
  const low = new BarMemory('low', 0, 16);
  const high = new BarMemory('high', 32, 16);
  return { low, high, bar: new BarSpace(0, 64, [high, low]) };
}

test('reads and writes reach the regions they touch, and nothing between them', () => {
  const { low, high, bar } = space();
  const data = Uint8Array.from({ length: 48 }, (_, i) => i + 1);
  bar.write(8, data, ALL);
  assert.equal([...low.bytes], [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal([...high.bytes], [25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40]);
  const back = bar.read(8, 48);
  assert.equal([...back.subarray(0, 8)], [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal([...back.subarray(8, 24)], new Array(16).fill(0));
  assert.equal([...back.subarray(24, 40)], [...high.bytes]);
  assert.equal([...back.subarray(40)], new Array(8).fill(0));
});

test('byte enables count from the write’s first byte, in every region it reaches', () => {
  const rows: [offset: number, length: number, holes: number[]][] = [
    [0, 4, [1, 2]],
    [14, 4, [0]],
    [14, 24, [1, 18, 19, 23]],
    [30, 8, [2, 7]],
  ];
  for (const [offset, length, holes] of rows) {
    const { bar } = space();
    bar.write(0, new Uint8Array(64).fill(0xee), ALL);
    const before = bar.read(0, 64);
    const data = Uint8Array.from({ length }, (_, i) => i + 1);
    bar.write(offset, data, (i) => !holes.includes(i));
    const wanted = before.slice();
    for (const [i, byte] of data.entries())
      if (!holes.includes(i) && before[offset + i] === 0xee) wanted[offset + i] = byte;
    assert.equal(bar.read(0, 64), wanted, `${offset}+${length}`);
  }
});

test('an access past the BAR’s end reads zero and is dropped', () => {
  const { bar, high } = space();
  const full = new BarSpace(0, 16, [new BarMemory('all', 0, 16)]);
  full.write(12, new Uint8Array(8).fill(5), ALL);
  assert.equal([...full.read(12, 8)], [5, 5, 5, 5, 0, 0, 0, 0]);
  bar.write(60, new Uint8Array(8).fill(1), ALL);
  assert.ok(high.bytes.every((byte) => byte === 0));
  assert.is(bar.read(64, 4).length, 4);
  assert.is(bar.read(0, 0).length, 0);
});

test('any sequence of writes leaves what a plain array would hold', () => {
  const write = fc.tuple(fc.nat(70), fc.uint8Array({ maxLength: 70 }), fc.bigInt(0n, 2n ** 70n));
  fc.assert(
    fc.property(fc.array(write, { maxLength: 5 }), (writes) => {
      const { bar } = space();
      const model = new Uint8Array(140);
      for (const [offset, data, mask] of writes) {
        const on = (i: number) => ((mask >> BigInt(i)) & 1n) === 1n;
        bar.write(offset, data, on);
        for (const [i, byte] of data.entries()) {
          const at = offset + i;
          if (on(i) && (at < 16 || (at >= 32 && at < 48))) model[at] = byte;
        }
      }
      assert.equal(bar.read(0, 64), model.slice(0, 64));
    }),
    { seed: 1, numRuns: 200 },
  );
});

test('regions that overlap or leave the BAR are the caller’s mistake', () => {
  const region = (offset: number, size: number) => new BarMemory('r', offset, size);
  assert.throws(() => new BarSpace(0, 64, [region(0, 17), region(16, 16)]), isLocal);
  assert.throws(() => new BarSpace(0, 64, [region(56, 16)]), isLocal);
  new BarSpace(0, 64, [region(16, 48), region(0, 16)]);
});

test('a scrubbed region is zero', () => {
  const region = new BarMemory('r', 0, 8);
  region.write(0, new Uint8Array(8).fill(3), ALL);
  region.scrub();
  assert.equal(region.bytes, new Uint8Array(8));
});

test.run();
