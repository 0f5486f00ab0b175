/** What a benchmark is: cases of contenders, some of them peers that the others are held against. */

import type { Contender } from './measure.ts';

export interface Case {
  readonly name: string;
  readonly contenders: readonly Contender[];
  /** names of the contenders that are peers */
  readonly peers: readonly string[];
}

export interface CaseChoice {
  readonly name: string;
  /** left out unless everything is asked for: slow, or of interest to few */
  readonly extra?: boolean;
  /** builds what is to be timed: keys, certificates, connections */
  readonly prepare: () => Case;
}

export interface Benchmark {
  readonly name: string;
  /** one line for the help */
  readonly summary: string;
  /** what is counted, in the plural: sessions, TLPs, events */
  readonly unit: string;
  readonly cases: readonly CaseChoice[];
}
