/** What the two targets have in common: a run of many tries, cut into epochs that start from a seed. */

/** One thing that must not happen, with what brings it about again. */
export interface Finding {
  readonly role: Role;
  readonly epoch: number;
  readonly index: number;
  readonly what: string;
  readonly bytes: string;
}
export type Role = 'responder' | 'requester';

export interface Tally {
  tries: number;
  /** how often each outcome came about: an ERROR's name, a fault's code, `answered`, `silence` */
  readonly outcomes: Map<string, number>;
  readonly findings: Finding[];
  slowestMs: number;
}

export const newTally = (): Tally => ({
  tries: 0,
  outcomes: new Map(),
  findings: [],
  slowestMs: 0,
});

export function count(tally: Tally, outcome: string): void {
  tally.outcomes.set(outcome, (tally.outcomes.get(outcome) ?? 0) + 1);
}

/** Tries that share one start; a finding is brought about again by its epoch alone. */
export const EPOCH_TRIES = 1000;
/** One message may not take longer: most of the time is signatures. */
export const SLOW_MS = 2000;

export type Epoch = (epoch: number, tries: number, tally: Tally) => void;
