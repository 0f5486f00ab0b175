/**
 * The host's walk over a function's capability list and extended chain (PCIe Base 6.x clauses 7.5.1.1.11
 * and 7.6.3), as a generator over DW reads. The links are the function's word: a walk ends at the first
 * one that leads back or out of bounds, and says so.
 */

import { capabilityName, extendedCapabilityName } from './names.ts';

export interface FoundCapability {
  readonly id: number;
  /** byte offset in configuration space */
  readonly offset: number;
  /** extended capabilities: header version; others 0 */
  readonly version: number;
  readonly name: string;
}

export const WalkProblems = {
  /** the function answers with all ones: it is not there */
  ABSENT: 'ABSENT',
  /** a link leads to a capability already seen */
  LOOP: 'LOOP',
  /** a link leads into the header, or an extended one below 100h */
  OUT_OF_RANGE: 'OUT_OF_RANGE',
} as const;

export interface WalkProblem {
  readonly code: (typeof WalkProblems)[keyof typeof WalkProblems];
  readonly list: 'standard' | 'extended';
  /** where the link led */
  readonly offset: number;
}

export interface CapabilityList {
  readonly standard: readonly FoundCapability[];
  readonly extended: readonly FoundCapability[];
  readonly problems: readonly WalkProblem[];
}

/** The DW at a byte offset is wanted. */
export interface ConfigRead {
  readonly read: number;
}

const STATUS_CAPABILITIES_LIST = 0x00100000;
const ALL_ONES = 0xffffffff;

type Walked = { found: FoundCapability[]; problem?: WalkProblem };

function* walkStandard(): Generator<ConfigRead, Walked, number> {
  const found: FoundCapability[] = [];
  const stop = (code: WalkProblem['code'], offset: number): Walked => ({
    found,
    problem: { code, list: 'standard', offset },
  });
  const identity = yield { read: 0x00 };
  if (identity >>> 0 === ALL_ONES) return stop(WalkProblems.ABSENT, 0);
  const status = yield { read: 0x04 };
  if ((status & STATUS_CAPABILITIES_LIST) === 0) return { found };
  const seen = new Set<number>();
  let offset = (yield { read: 0x34 }) & 0xfc;
  while (offset !== 0) {
    if (offset < 0x40) return stop(WalkProblems.OUT_OF_RANGE, offset);
    if (seen.has(offset)) return stop(WalkProblems.LOOP, offset);
    seen.add(offset);
    const header = yield { read: offset };
    if (header >>> 0 === ALL_ONES) return stop(WalkProblems.ABSENT, offset);
    const id = header & 0xff;
    found.push({ id, offset, version: 0, name: capabilityName(id) });
    offset = (header >>> 8) & 0xfc;
  }
  return { found };
}

function* walkExtended(): Generator<ConfigRead, Walked, number> {
  const found: FoundCapability[] = [];
  const stop = (code: WalkProblem['code'], offset: number): Walked => ({
    found,
    problem: { code, list: 'extended', offset },
  });
  const seen = new Set<number>();
  let offset = 0x100;
  do {
    if (offset < 0x100) return stop(WalkProblems.OUT_OF_RANGE, offset);
    if (seen.has(offset)) return stop(WalkProblems.LOOP, offset);
    seen.add(offset);
    const header = (yield { read: offset }) >>> 0;
    // All ones at 100h is how a function without an extended space may answer.
    if (header === ALL_ONES && offset > 0x100) return stop(WalkProblems.ABSENT, offset);
    if (header === 0 || header === ALL_ONES) break;
    const id = header & 0xffff;
    const version = (header >>> 16) & 0xf;
    found.push({ id, offset, version, name: extendedCapabilityName(id) });
    offset = (header >>> 20) & 0xffc;
  } while (offset !== 0);
  return { found };
}

/** Lists both kinds of capabilities in at most 48 + 960 reads besides the header's three. */
export function* walkCapabilities(): Generator<ConfigRead, CapabilityList, number> {
  const standard = yield* walkStandard();
  if (standard.problem?.code === WalkProblems.ABSENT && standard.found.length === 0)
    return { standard: [], extended: [], problems: [standard.problem] };
  const extended = yield* walkExtended();
  const problems = [standard.problem, extended.problem].filter((p) => p !== undefined);
  return { standard: standard.found, extended: extended.found, problems };
}
