/** Random streams: published vectors, split by name, exact ratios. */

import { sha256 } from '@noble/hashes/sha2.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KernelError } from '../../../sim/kernel/errors.ts';
import { Random } from '../../../sim/kernel/random.ts';

const badArgument = (error: unknown) =>
  error instanceof KernelError && error.code === 'BAD_ARGUMENT';
const draws = (random: Random, count = 8) => Array.from({ length: count }, () => random.u32());

const stream = suite('random stream');

stream("xoshiro128** from state 1, 2, 3, 4 (the authors' C code)", () => {
  const key = new Uint8Array(32);
  for (let i = 0; i < 4; i++) key[4 * i] = i + 1;
  assert.equal(
    draws(new Random(key), 10),
    [
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ],
  );
});

stream('an all-zero key is no dead stream', () => {
  assert.ok(draws(new Random(new Uint8Array(32))).some((word) => word !== 0));
});

stream('seed and name go through SHA-256', () => {
  const utf8 = new TextEncoder();
  const root = sha256(utf8.encode('7'));
  const key = sha256(Uint8Array.of(...root, ...utf8.encode('link0')));
  assert.equal(draws(Random.fromSeed(7).split('link0')), draws(new Random(key)));
  assert.equal(draws(Random.fromSeed('7')), draws(new Random(root)));
});

stream('a split does not depend on what was drawn or split before', () => {
  const fresh = Random.fromSeed('s').split('b');
  const root = Random.fromSeed('s');
  draws(root);
  draws(root.split('a'));
  assert.equal(draws(root.split('b')), draws(fresh));
});

stream('names, nesting and seeds all tell streams apart', () => {
  const root = Random.fromSeed(1);
  const all = [
    root,
    root.split('a'),
    root.split('b'),
    root.split('a').split('b'),
    root.split('ab'),
    Random.fromSeed(2).split('a'),
  ].map((random) => draws(random).join());
  assert.is(new Set(all).size, all.length);
});

stream.run();

const values = suite('random values');

values('below: in range, every value about as often', () => {
  const random = Random.fromSeed('below');
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < 70_000; i++) counts[random.below(7)]!++;
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 400, String(counts));
});

values('below: no bias where a plain remainder has the worst', () => {
  // With 2^32 mod n left in, the lower third would come up half the time.
  const random = Random.fromSeed('bias');
  const n = 3 * 2 ** 30;
  let low = 0;
  for (let i = 0; i < 30_000; i++) if (random.below(n) < 2 ** 30) low++;
  assert.ok(Math.abs(low - 10_000) < 400, String(low));
});

values('below: past 32 bits', () => {
  const random = Random.fromSeed('wide');
  let high = 0;
  for (let i = 0; i < 1000; i++) {
    const value = random.below(2 ** 53);
    assert.ok(Number.isSafeInteger(value) && value >= 0);
    if (value >= 2 ** 52) high++;
  }
  assert.ok(high > 400 && high < 600);
  assert.is(random.below(1), 0);
});

values('chance: never, always, and the ratio asked for', () => {
  const random = Random.fromSeed('chance');
  let hits = 0;
  for (let i = 0; i < 30_000; i++) {
    assert.is(random.chance(0, 5), false);
    assert.is(random.chance(5, 5), true);
    if (random.chance(1, 3)) hits++;
  }
  assert.ok(Math.abs(hits - 10_000) < 400, String(hits));
});

values('bytes are the words, least significant byte first', () => {
  const words = draws(Random.fromSeed(3), 2);
  const bytes = Random.fromSeed(3).bytes(7);
  const view = new DataView(Uint8Array.of(...bytes, 0).buffer);
  assert.is(view.getUint32(0, true), words[0]);
  assert.is(view.getUint32(4, true), words[1]! & 0xffffff);
  assert.is(Random.fromSeed(3).bytes(0).length, 0);
});

values('between, pick and shuffle', () => {
  const random = Random.fromSeed(4);
  const seen = new Set(Array.from({ length: 200 }, () => random.between(-1, 1)));
  assert.equal([...seen].sort(), [-1, 0, 1]);
  assert.is(new Set(Array.from({ length: 200 }, () => random.pick(['a', 'b']))).size, 2);
  const shuffled = random.shuffle(Array.from({ length: 20 }, (_, i) => i));
  assert.not.equal(
    shuffled,
    Array.from({ length: 20 }, (_, i) => i),
  );
  assert.equal(
    shuffled.toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => i),
  );
});

values('arguments out of range are named', () => {
  const random = Random.fromSeed(5);
  for (const n of [0, -1, 1.5, 2 ** 53 + 2, Number.NaN])
    assert.throws(() => random.below(n), badArgument);
  assert.throws(() => random.chance(2, 1), badArgument);
  assert.throws(() => random.chance(-1, 1), badArgument);
  assert.throws(() => random.pick([]), badArgument);
  assert.throws(() => random.bytes(-1), badArgument);
  assert.throws(() => new Random(new Uint8Array(16)), badArgument);
});

values.run();
