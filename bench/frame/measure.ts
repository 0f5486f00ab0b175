/**
 * Times contenders against each other in one run. Machines drift: so every round gives each contender
 * one sample, in turns of who comes first, and a ratio is the median of the rounds' own ratios. A round
 * does about the same time of work for everybody, however quick.
 */

import { performance } from 'node:perf_hooks';

/** Something to be timed here. */
export interface Contender {
  readonly name: string;
  /** does the thing once */
  readonly run: () => void;
  /** runs before it is as quick as it gets; default 1, and a share of the time budget in any case */
  readonly warmUpRuns?: number;
}

/** Something that times itself elsewhere. */
export interface External {
  readonly name: string;
  /** milliseconds per operation */
  readonly measure: () => number;
}

export interface Timed {
  readonly name: string;
  /** milliseconds per operation, in the order taken */
  readonly samples: readonly number[];
  /** which part of the run each sample is from */
  readonly parts: readonly number[];
}

export interface MeasureOptions {
  /** milliseconds of measuring; warming up takes up to half as much again */
  readonly budgetMs: number;
  readonly onProgress?: (done: number) => void;
}

const SAMPLE_MS = 5;
const TIMING_MS = 0.2;
const RECENT_RUNS = 15;
/** Externals are asked at the start of each part, so that their figures lie between the others'. */
const PARTS = 3;
const WARM_UP_SHARE = 0.5;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

interface Pace {
  /** runs that are timed together, so that the clock is not what is measured */
  readonly together: number;
  /** such timings in one sample */
  readonly timings: number;
}

/** Milliseconds per run: the median of a few timings, since on a busy machine some are interrupted. */
function sample(run: () => void, { together, timings }: Pace): number {
  const taken: number[] = [];
  for (let i = 0; i < timings; i++) {
    const start = performance.now();
    for (let k = 0; k < together; k++) run();
    taken.push((performance.now() - start) / together);
  }
  return median(taken);
}

/** Warms up; says how to take one sample. */
function warmUp({ run, warmUpRuns = 1 }: Contender, budgetMs: number): Pace {
  const start = performance.now();
  const last: number[] = [];
  for (let runs = 0; runs < warmUpRuns || performance.now() - start < budgetMs; runs++) {
    last[runs % RECENT_RUNS] = sample(run, { together: 1, timings: 1 });
  }
  const ms = Math.max(median(last), 1e-5);
  const together = Math.max(1, Math.round(TIMING_MS / ms));
  return { together, timings: Math.max(1, Math.round(SAMPLE_MS / (ms * together))) };
}

/** Samples of all contenders, round by round, at least one round a part. */
export function measure(
  contenders: readonly Contender[],
  externals: readonly External[],
  { budgetMs, onProgress = () => {} }: MeasureOptions,
): Timed[] {
  const share = (WARM_UP_SHARE * budgetMs) / contenders.length;
  const entries = contenders.map((contender) => ({
    ...contender,
    pace: warmUp(contender, share),
    samples: [] as number[],
    parts: [] as number[],
  }));
  const outside = externals.map((one) => ({
    ...one,
    samples: [] as number[],
    parts: [] as number[],
  }));
  for (let part = 0, round = 0; part < PARTS; part++) {
    for (const one of outside) {
      one.samples.push(one.measure());
      one.parts.push(part);
    }
    const start = performance.now();
    do {
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[(i + round) % entries.length]!;
        entry.samples.push(sample(entry.run, entry.pace));
        entry.parts.push(part);
      }
      round++;
      const passed = Math.min(1, ((performance.now() - start) * PARTS) / budgetMs);
      onProgress((part + passed) / PARTS);
    } while (performance.now() - start < budgetMs / PARTS);
  }
  return [...entries, ...outside].map(({ name, samples, parts }) => ({ name, samples, parts }));
}

const partsOf = ({ samples, parts }: Timed): number[] =>
  [...new Set(parts)].map((part) => median(samples.filter((_, i) => parts[i] === part)));

/** How many times as quick as the peer: above 1 is quicker. */
export function ratio(own: Timed, peer: Timed): number {
  const paired = own.samples.length === peer.samples.length;
  const [ours, theirs] = paired ? [own.samples, peer.samples] : [partsOf(own), partsOf(peer)];
  return median(ours.map((ms, i) => theirs[i]! / ms));
}
