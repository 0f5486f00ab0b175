/**
 * Simulated time: an integer number of picoseconds in a safe integer, so that one symbol time of the
 * fastest link is exact and a run may last about 2.5 hours. Past that, a named error and no rounding.
 */

import { KernelError, KernelErrorCodes } from './errors.ts';

export const PS = 1;
export const NS = 1_000;
export const US = 1_000_000;
export const MS = 1_000_000_000;
export const S = 1_000_000_000_000;

/** The last moment there is. */
export const TIME_MAX_PS = Number.MAX_SAFE_INTEGER;

/** unit name -> ps, largest first */
const UNITS: readonly (readonly [name: string, ps: number])[] = [
  ['s', S],
  ['ms', MS],
  ['us', US],
  ['ns', NS],
  ['ps', PS],
];
const DECIMALS_MAX = 6;

/**
 * `start + delay`, both in ps.
 * @throws KernelError BAD_TIME on a negative or fractional delay, TIME_OVERFLOW past 2^53 - 1.
 */
export function addTime(startPs: number, delayPs: number): number {
  const sum = startPs + delayPs;
  if (delayPs >= 0 && Number.isSafeInteger(sum) && Number.isInteger(delayPs)) return sum;
  if (delayPs >= 0 && sum > TIME_MAX_PS)
    throw new KernelError(
      KernelErrorCodes.TIME_OVERFLOW,
      `delayPs: ${startPs} + ${delayPs} ps is past the end of simulated time, 2^53 - 1 ps`,
    );
  throw new KernelError(
    KernelErrorCodes.BAD_TIME,
    `delayPs: expected a non-negative integer of picoseconds, got ${delayPs}`,
  );
}

/**
 * Picoseconds of a text such as `250ns`, `1.5 us` or `2s`; exact, never rounded.
 * @throws KernelError BAD_DURATION naming the text, TIME_OVERFLOW past 2^53 - 1 ps.
 */
export function parseDuration(text: string): number {
  const match = /^\s*(\d+)(?:\.(\d+))?\s*(ps|ns|us|µs|μs|ms|s)\s*$/.exec(text);
  if (match === null)
    throw new KernelError(
      KernelErrorCodes.BAD_DURATION,
      `"${text}": expected a number and one of ps, ns, us, ms, s, such as 1.5us`,
    );
  const [, whole = '', fraction = '', name = ''] = match;
  const unit = UNITS.find(([unitName]) => unitName === name.replace(/[µμ]/, 'u'))![1];
  const scaled = BigInt(whole + fraction) * BigInt(unit);
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n)
    throw new KernelError(
      KernelErrorCodes.BAD_DURATION,
      `"${text}": finer than a picosecond, the unit of simulated time`,
    );
  const ps = scaled / divisor;
  if (ps > BigInt(TIME_MAX_PS))
    throw new KernelError(
      KernelErrorCodes.TIME_OVERFLOW,
      `"${text}": past the end of simulated time, 2^53 - 1 ps`,
    );
  return Number(ps);
}

/**
 * Text for people: the largest unit that leaves a whole part, at most six decimals (rounded half up
 * for ms and s, exact below), no trailing zeros: `0 ps`, `1.5 us`, `1.234567 ms`.
 */
export function formatTime(ps: number): string {
  if (ps < 0) return `-${formatTime(-ps)}`;
  for (let i = UNITS.length - 1; i >= 0; i--) {
    const [name, unit] = UNITS[i]!;
    const grain = Math.max(1, unit / 10 ** DECIMALS_MAX);
    const grains = Math.floor(ps / grain) + ((ps % grain) * 2 >= grain && grain > 1 ? 1 : 0);
    const perUnit = unit / grain;
    // Rounding may carry into the next unit: 999.9999999 ms is 1 s.
    if (grains >= 1000 * perUnit && i > 0) continue;
    const whole = Math.floor(grains / perUnit);
    const digits = String(perUnit).length - 1;
    const fraction = String(grains % perUnit)
      .padStart(digits, '0')
      .replace(/0+$/, '');
    return fraction === '' || digits === 0 ? `${whole} ${name}` : `${whole}.${fraction} ${name}`;
  }
  return `${ps} ps`;
}
