/** Durations in and out, and the end of simulated time. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { KernelError } from '../../../sim/kernel/errors.ts';
import {
  addTime,
  formatTime,
  MS,
  NS,
  PS,
  parseDuration,
  S,
  TIME_MAX_PS,
  US,
} from '../../../sim/kernel/time.ts';

const code = (expected: string) => (error: unknown) =>
  error instanceof KernelError && error.code === expected;

const parse = suite('parseDuration');

const GOOD: readonly (readonly [text: string, ps: number])[] = [
  ['0ps', 0],
  ['1ps', PS],
  ['250ns', 250 * NS],
  ['1.5us', 1_500_000],
  ['1.5 us', 1_500_000],
  ['3µs', 3 * US],
  ['0.1ms', 100 * US],
  ['2s', 2 * S],
  [' 0.000000000001s ', 1],
  ['9007.199254740991s', TIME_MAX_PS],
  ['1.10ns', 1100],
];
for (const [text, ps] of GOOD) parse(`"${text}"`, () => assert.is(parseDuration(text), ps));

const BAD = ['', '5', 'us', '-1us', '1.us', '.5us', '1e3ns', '1 m', '1us 2ns', '0x1ns', '1,5us'];
for (const text of BAD)
  parse(`refuses "${text}"`, () => {
    assert.throws(() => parseDuration(text), code('BAD_DURATION'));
    assert.throws(() => parseDuration(text), new RegExp(`"${text}": expected a number and one of`));
  });

parse('refuses what is finer than a picosecond, or past the end', () => {
  assert.throws(() => parseDuration('0.5ps'), code('BAD_DURATION'));
  assert.throws(() => parseDuration('1.0001ns'), code('BAD_DURATION'));
  assert.throws(() => parseDuration('9007.199254740992s'), code('TIME_OVERFLOW'));
});

parse.run();

const format = suite('formatTime');

const SHOWN: readonly (readonly [ps: number, text: string])[] = [
  [0, '0 ps'],
  [999, '999 ps'],
  [1000, '1 ns'],
  [1_001, '1.001 ns'],
  [1_500_000, '1.5 us'],
  [1_000_001, '1.000001 us'],
  [1_234_567_000, '1.234567 ms'],
  [1_234_567_499, '1.234567 ms'],
  [1_234_567_500, '1.234568 ms'],
  [999_999_999, '999.999999 us'],
  [999_999_999_499, '999.999999 ms'],
  [999_999_999_500, '1 s'],
  [3600 * S, '3600 s'],
  [TIME_MAX_PS, '9007.199255 s'],
  [-1500, '-1.5 ns'],
  [20 * MS, '20 ms'],
];
for (const [ps, text] of SHOWN) format(`${ps} ps`, () => assert.is(formatTime(ps), text));

format('below a millisecond nothing is lost', () => {
  fc.assert(
    fc.property(fc.nat(MS - 1), (ps) => parseDuration(formatTime(ps)) === ps),
    { seed: 1, numRuns: 500 },
  );
});

format.run();

const add = suite('addTime');

add('exact up to the end, a named error past it', () => {
  assert.is(addTime(TIME_MAX_PS - 1, 1), TIME_MAX_PS);
  assert.throws(() => addTime(TIME_MAX_PS, 1), code('TIME_OVERFLOW'));
  assert.throws(() => addTime(0, Number.POSITIVE_INFINITY), code('TIME_OVERFLOW'));
});

add('refuses negative, fractional and missing delays', () => {
  for (const delay of [-1, 0.5, Number.NaN, Number.NEGATIVE_INFINITY])
    assert.throws(() => addTime(10, delay), code('BAD_TIME'));
});

add.run();
