/** Counters and histogram. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Counters, Histogram } from '../../../sim/kernel/stats.ts';

const test = suite('stats');

test('counters add up and list by name', () => {
  const counters = new Counters();
  counters.add('tlp');
  counters.add('byte', 64);
  counters.add('tlp', 2);
  assert.is(counters.get('tlp'), 3);
  assert.is(counters.get('none'), 0);
  assert.equal(counters.entries(), [
    ['byte', 64],
    ['tlp', 3],
  ]);
});

test('an empty histogram is all zero', () => {
  const summary = new Histogram().summary();
  for (const value of Object.values(summary)) assert.is(value, 0);
});

test('values below 2048 are exact', () => {
  const histogram = new Histogram();
  for (let value = 1; value <= 1000; value++) histogram.record(value);
  assert.equal(histogram.summary(), {
    count: 1000,
    min: 1,
    max: 1000,
    mean: 500.5,
    p50: 500,
    p90: 900,
    p99: 990,
    p999: 999,
  });
  assert.is(histogram.percentile(0), 1);
  assert.is(histogram.percentile(100), 1000);
});

test('step edges of three digits: 2047 | 2048-2049 | ... | 4096-4099', () => {
  const histogram = new Histogram();
  for (const value of [2047, 2048, 2049, 2050, 4095, 4096, 4099, 4100]) histogram.record(value);
  assert.equal(
    [...histogram.steps()],
    [
      [2047, 2047, 1],
      [2048, 2049, 2],
      [2050, 2051, 1],
      [4094, 4095, 1],
      [4096, 4099, 2],
      [4100, 4103, 1],
    ],
  );
});

for (const [digits, error] of [
  [1, 0.1],
  [2, 0.01],
  [3, 0.001],
] as const)
  test(`${digits} digits: percentiles of any values are within ${error}`, () => {
    const value = fc.oneof(fc.nat(5000), fc.maxSafeNat(), fc.nat(2 ** 31 - 1));
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), (values) => {
        const histogram = new Histogram(digits);
        for (const each of values) histogram.record(each);
        const sorted = values.toSorted((a, b) => a - b);
        for (const percent of [1, 50, 90, 99, 100]) {
          const exact = sorted[Math.max(1, Math.ceil((percent / 100) * sorted.length)) - 1]!;
          const got = histogram.percentile(percent);
          assert.ok(got >= exact && got - exact <= exact * error, `${percent}: ${got}, ${exact}`);
        }
        assert.is(histogram.min, sorted[0]);
        assert.is(histogram.max, sorted.at(-1));
      }),
      { seed: 1, numRuns: 100 },
    );
  });

test('merging equals recording everything in one', () => {
  const [a, b, both] = [new Histogram(), new Histogram(), new Histogram()];
  for (const [i, value] of [3, 5_000_000, 77, 1e12, 0].entries()) {
    (i % 2 === 0 ? a : b).record(value, i + 1);
    both.record(value, i + 1);
  }
  a.merge(b);
  assert.equal(a.summary(), both.summary());
  assert.equal([...a.steps()], [...both.steps()]);
  assert.throws(() => a.merge(new Histogram(2)), /other/);
});

test('refuses what is no count of something', () => {
  const histogram = new Histogram();
  for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => histogram.record(value));
  for (const percent of [-1, 101, Number.NaN]) assert.throws(() => histogram.percentile(percent));
  assert.is(histogram.count, 0);
});

test.run();
