/**
 * Counters and a log-linear histogram in the manner of HdrHistogram: every value is kept to so many
 * significant decimal digits, memory is bounded and allocated per power of two in use. Times are ps.
 */

import { KernelError, KernelErrorCodes } from './errors.ts';

/** Named sums that start at zero. */
export class Counters {
  private readonly sums = new Map<string, number>();

  /** Adds `amount` (default 1) to the counter `name`. */
  add(name: string, amount = 1): void {
    this.sums.set(name, (this.sums.get(name) ?? 0) + amount);
  }

  get(name: string): number {
    return this.sums.get(name) ?? 0;
  }

  /** All counters, sorted by name. */
  entries(): [name: string, sum: number][] {
    return [...this.sums].sort(([a], [b]) => (a < b ? -1 : 1));
  }
}

export interface HistogramSummary {
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

/** digits -> log2 of the number of equal steps that hold every value below it exactly */
const STEP_BITS = { 1: 5, 2: 8, 3: 11 } as const;

export class Histogram {
  private readonly bits: number;
  /** counts of [0, 2^bits), then one array per octave above, each of 2^(bits-1) steps */
  private readonly octaves: (Float64Array | undefined)[] = [];
  private total = 0;
  private sum = 0;
  private least = Number.POSITIVE_INFINITY;
  private most = 0;

  /** @param digits significant decimal digits kept of each value */
  constructor(digits: 1 | 2 | 3 = 3) {
    this.bits = STEP_BITS[digits];
  }

  get count(): number {
    return this.total;
  }
  /** Exact; 0 while empty, as are `max` and `mean`. */
  get min(): number {
    return this.total === 0 ? 0 : this.least;
  }
  get max(): number {
    return this.most;
  }
  get mean(): number {
    return this.total === 0 ? 0 : this.sum / this.total;
  }

  /**
   * Counts `value` `times` times.
   * @throws KernelError BAD_ARGUMENT unless value is a non-negative safe integer.
   */
  record(value: number, times = 1): void {
    if (!Number.isSafeInteger(value) || value < 0)
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `value: expected a non-negative safe integer, got ${value}`,
      );
    const octave = this.octaveOf(value);
    const counts = this.countsOf(octave);
    const at = this.stepOf(value, octave);
    counts[at] = counts[at]! + times;
    this.total += times;
    this.sum += value * times;
    if (value < this.least) this.least = value;
    if (value > this.most) this.most = value;
  }

  /**
   * The value that `percent` percent of the counted ones do not exceed, to the digits kept; 0 while
   * empty, the exact maximum at 100.
   */
  percentile(percent: number): number {
    if (!(percent >= 0 && percent <= 100))
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `percent: expected a number in [0, 100], got ${percent}`,
      );
    if (this.total === 0) return 0;
    const rank = Math.max(1, Math.ceil((percent * this.total) / 100));
    let seen = 0;
    for (const [, high, count] of this.steps()) {
      seen += count;
      if (seen >= rank) return Math.min(high, this.most);
    }
    return this.most;
  }

  /** The steps with counts, ascending: lowest and highest value of the step, and how many. */
  *steps(): Generator<[low: number, high: number, count: number]> {
    for (const [octave, counts] of this.octaves.entries()) {
      if (counts === undefined) continue;
      const width = octave === 0 ? 1 : 2 ** octave;
      const base = octave === 0 ? 0 : 2 ** (this.bits + octave - 1);
      for (const [at, count] of counts.entries())
        if (count > 0) yield [base + at * width, base + (at + 1) * width - 1, count];
    }
  }

  /** Adds everything `other` counted; both must keep the same digits. */
  merge(other: Histogram): void {
    if (other.bits !== this.bits)
      throw new KernelError(KernelErrorCodes.BAD_ARGUMENT, 'other: keeps different digits');
    for (const [octave, counts] of other.octaves.entries()) {
      if (counts === undefined) continue;
      const mine = this.countsOf(octave);
      for (const [at, count] of counts.entries()) mine[at] = mine[at]! + count;
    }
    this.total += other.total;
    this.sum += other.sum;
    this.least = Math.min(this.least, other.least);
    this.most = Math.max(this.most, other.most);
  }

  summary(): HistogramSummary {
    const { count, min, max, mean } = this;
    const at = (percent: number) => this.percentile(percent);
    return { count, min, max, mean, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9) };
  }

  /** 0 below 2^bits, else 1 for [2^bits, 2^(bits+1)) and so on. */
  private octaveOf(value: number): number {
    if (value < 2 ** this.bits) return 0;
    const high = Math.floor(value / 2 ** 32);
    const log2 = high > 0 ? 63 - Math.clz32(high) : 31 - Math.clz32(value);
    return log2 - this.bits + 1;
  }

  private stepOf(value: number, octave: number): number {
    if (octave === 0) return value;
    return Math.floor(value / 2 ** octave) - 2 ** (this.bits - 1);
  }

  private countsOf(octave: number): Float64Array {
    this.octaves[octave] ??= new Float64Array(2 ** (octave === 0 ? this.bits : this.bits - 1));
    return this.octaves[octave];
  }
}
