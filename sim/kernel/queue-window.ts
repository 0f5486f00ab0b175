/**
 * Where the event queue's rung of buckets should stand: from the earliest far event over the densest
 * stretch that still takes about half of them or more. Taking a fixed share each time bounds the
 * passes over the far list; following density keeps buckets small under skew.
 */

export interface Window {
  /** ps; the earliest event */
  start: number;
  /** ps; start + buckets * width */
  end: number;
  /** ps per bucket, a power of two, so that dividing by it is exact */
  width: number;
  buckets: number;
}

const SAMPLES = 64;
const BUCKETS_MAX = 2 ** 20;
/** events a bucket should hold when it is opened */
const OCCUPANCY = 1;
/** a longer window is taken while its density is above this share of the best */
const DENSITY_SHARE = 0.25;
/** golden ratio: sample places spread evenly and never in step with a pattern in the list */
const GOLDEN = (Math.sqrt(5) - 1) / 2;

const samples = new Float64Array(SAMPLES);

/** Plans a window over the first `size` (at least 1) of `times` into `out`. */
export function planWindow(times: Float64Array, size: number, out: Window): void {
  let start = times[0]!;
  for (let i = 1; i < size; i++) if (times[i]! < start) start = times[i]!;
  for (let i = 0; i < SAMPLES; i++) {
    const turn = i * GOLDEN;
    samples[i] = times[Math.floor((turn - Math.floor(turn)) * size)]!;
  }
  samples.sort();

  let bestDensity = 0;
  let taken = SAMPLES / 2;
  for (let count = SAMPLES / 2; count <= SAMPLES; count += SAMPLES / 8) {
    const density = count / (samples[count - 1]! - start + 1);
    if (density > bestDensity) bestDensity = density;
    if (density >= bestDensity * DENSITY_SHARE) taken = count;
  }
  const span = samples[taken - 1]! - start + 1;
  const wanted = Math.max(1, (size * taken) / SAMPLES / OCCUPANCY);
  let width = 1;
  while (width * wanted < span || width * BUCKETS_MAX < span) width *= 2;
  out.start = start;
  out.width = width;
  out.buckets = Math.ceil(span / width);
  out.end = start + out.buckets * width;
}
