/**
 * The counters of an IDE Stream (PCIe Base 6.x clause 6.33.5): the invocation field of each key, and
 * the PR counters that prove to the far side that no posted request was dropped, or overtaken by a
 * later non-posted request or completion.
 */

import type { InvocationField } from './idekm.ts';

const DW_MAX = 0xffffffff;

/** A 64-bit invocation field that counts up once per MAC and never wraps. */
export class InvocationCounter implements InvocationField {
  hi: number;
  lo: number;
  /** the last value has been used */
  exhausted = false;

  constructor(initial: InvocationField) {
    this.hi = initial.hi;
    this.lo = initial.lo;
  }

  /** This value is the last one there is. */
  get last(): boolean {
    return this.hi === DW_MAX && this.lo === DW_MAX;
  }

  advance(): void {
    if (this.lo < DW_MAX) {
      this.lo++;
    } else if (this.hi < DW_MAX) {
      this.lo = 0;
      this.hi++;
    } else {
      this.exhausted = true;
    }
  }
}

export const PR_SENT_COUNTER_MAX = 0xff;
/**
 * IDE_Sync counts itself, so it must leave while its field still fits eight bits. When exactly is
 * implementation-specific; here, at the last moment.
 */
export const PR_SENT_SYNC_THRESHOLD = PR_SENT_COUNTER_MAX - 1;
/** Width of the receiver's counters is not public: a choice. Going past it is an IDE Check Failed. */
export const PR_RECEIVED_COUNTER_MAX = 0xffff;

/** Transmit side: posted requests sent since the last NPR and since the last CPL. */
export class PrSentCounters {
  npr = 0;
  cpl = 0;

  /** Whether IDE_Sync must be sent before one more posted request. */
  get syncDue(): boolean {
    return this.npr >= PR_SENT_SYNC_THRESHOLD || this.cpl >= PR_SENT_SYNC_THRESHOLD;
  }
  posted(): void {
    this.npr++;
    this.cpl++;
  }
  /** PR_Sent_Counter of the NPR about to be sent. */
  takeNpr(): number {
    const value = this.npr;
    this.npr = 0;
    return value;
  }
  takeCpl(): number {
    const value = this.cpl;
    this.cpl = 0;
    return value;
  }
  /** Both counters as IDE_Sync carries them, itself included. */
  takeSync(): { npr: number; cpl: number } {
    return { npr: this.takeNpr() + 1, cpl: this.takeCpl() + 1 };
  }
}

export type PrCounterFault = 'PR_COUNTER_UNDERFLOW' | 'PR_COUNTER_OVERFLOW';

/** Receive side: posted requests received and not yet claimed by an NPR, a CPL or an IDE_Sync. */
export class PrReceivedCounters {
  npr = 0;
  cpl = 0;

  posted(): PrCounterFault | undefined {
    this.npr++;
    this.cpl++;
    const most = Math.max(this.npr, this.cpl);
    return most > PR_RECEIVED_COUNTER_MAX ? 'PR_COUNTER_OVERFLOW' : undefined;
  }
  nonPosted(claimed: number): PrCounterFault | undefined {
    this.npr -= claimed;
    return this.npr < 0 ? 'PR_COUNTER_UNDERFLOW' : undefined;
  }
  completion(claimed: number): PrCounterFault | undefined {
    this.cpl -= claimed;
    return this.cpl < 0 ? 'PR_COUNTER_UNDERFLOW' : undefined;
  }
  /** IDE_Sync is a posted request that claims itself among the others. */
  sync(claimed: { readonly npr: number; readonly cpl: number }): PrCounterFault | undefined {
    return this.posted() ?? this.nonPosted(claimed.npr) ?? this.completion(claimed.cpl);
  }
}
