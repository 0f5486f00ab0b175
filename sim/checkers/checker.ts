/**
 * Checkers only look: each holds one invariant over the trace bus, counts how often it looked, and
 * keeps what it found wrong. A checker that never looked says so in the report.
 */

import type { SimRecords } from '../../devices/records.ts';
import type { Kernel } from '../kernel/index.ts';

export interface Violation {
  /** simulated time, ps */
  readonly time: number;
  readonly detail: string;
}

export interface Checker {
  readonly name: string;
  /** the invariant, as a sentence */
  readonly claim: string;
  readonly looked: number;
  readonly violations: readonly Violation[];
  /** the run is over: what could only be seen now */
  finish(): void;
}

export abstract class BaseChecker implements Checker {
  abstract readonly name: string;
  abstract readonly claim: string;
  protected readonly kernel: Kernel<SimRecords>;
  private looks = 0;
  private readonly found: Violation[] = [];

  constructor(kernel: Kernel<SimRecords>) {
    this.kernel = kernel;
  }

  get looked(): number {
    return this.looks;
  }
  get violations(): readonly Violation[] {
    return this.found;
  }

  /** One look: `wrong` is what is wrong, or undefined. */
  protected look(wrong: string | undefined): void {
    this.looks++;
    if (wrong !== undefined) this.found.push({ time: this.kernel.now, detail: wrong });
  }

  finish(): void {}
}
