/** Runs one case and says what came out: rates, spread, and ratios to every peer. */

import type { Case } from './benchmark.ts';
import { type External, type MeasureOptions, measure, median, ratio } from './measure.ts';

export interface ResultRow {
  readonly name: string;
  readonly peer: boolean;
  /** operations a second, from the median */
  readonly perSecond: number;
  readonly medianMs: number;
  readonly minMs: number;
  readonly maxMs: number;
  readonly samples: number;
  /** how many times as quick as each peer; empty for a peer */
  readonly ratios: readonly { readonly peer: string; readonly ratio: number }[];
}
export interface CaseResult {
  readonly name: string;
  readonly rows: readonly ResultRow[];
}

export function runCase(
  { name, contenders, peers }: Case,
  externals: readonly External[],
  options: MeasureOptions,
): CaseResult {
  const timed = measure(contenders, externals, options);
  const names = [...peers, ...externals.map((external) => external.name)];
  const peerTimes = timed.filter((one) => names.includes(one.name));
  const rows = timed.map((one): ResultRow => {
    const isPeer = peerTimes.includes(one);
    const medianMs = median(one.samples);
    return {
      name: one.name,
      peer: isPeer,
      perSecond: 1000 / medianMs,
      medianMs,
      minMs: Math.min(...one.samples),
      maxMs: Math.max(...one.samples),
      samples: one.samples.length,
      ratios: isPeer ? [] : peerTimes.map((peer) => ({ peer: peer.name, ratio: ratio(one, peer) })),
    };
  });
  return { name, rows };
}

/** Three significant digits, without an exponent. */
export function short(value: number): string {
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(value, 1e-6))));
  return value.toFixed(Math.min(6, digits));
}

/** The rows of one case under a heading, one line each. */
export function caseLines({ name, rows }: CaseResult, unit: string): string[] {
  const cells = rows.map((row) => [
    row.name,
    short(row.perSecond),
    short(row.medianMs),
    short(row.minMs),
    short(row.maxMs),
    String(row.samples),
    row.peer ? 'peer' : row.ratios.map((one) => `${short(one.ratio)} x ${one.peer}`).join(', '),
  ]);
  const heads = [name, `${unit}/s`, 'median ms', 'min', 'max', 'samples', 'ratio'];
  const table = [heads, ...cells];
  const widths = heads.map((_, column) => Math.max(...table.map((line) => line[column]!.length)));
  return table.map((line) =>
    line
      .map((cell, i) => {
        const isText = i === 0 || i === line.length - 1;
        return isText ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!);
      })
      .join('  ')
      .trimEnd(),
  );
}
