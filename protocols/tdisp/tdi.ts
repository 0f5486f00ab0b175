/**
 * One TDI as the responder remembers it: its state and everything a lock brought with it. Leaving
 * CONFIG_LOCKED destroys the nonce; leaving RUN or CONFIG_LOCKED makes the report unreachable;
 * CONFIG_UNLOCKED remembers nothing (PCIe Base 6.x 11.2).
 */

import type { TdiState } from './codes.ts';
import type { LockRequest, TdiStateEffect } from './device.ts';
import type { ReportedRange } from './report.ts';

/** What LOCK_INTERFACE_REQUEST leaves behind. */
export interface Lock {
  readonly request: LockRequest;
  /** the session that locked; undefined once that session is gone */
  readonly sessionId: number | undefined;
  /** snapshot taken at the lock */
  readonly report: Uint8Array;
  readonly ranges: readonly ReportedRange[];
}

/** A TDI as others may see it; without its nonce. */
export interface TdiView {
  readonly functionId: number;
  readonly state: TdiState;
  readonly lock: Lock | undefined;
  readonly p2pStreams: readonly number[];
}

export class Tdi implements TdiView {
  functionId: number;
  state: TdiState = 'CONFIG_UNLOCKED';
  lock: Lock | undefined = undefined;
  nonce: Uint8Array | undefined = undefined;
  readonly p2p = new Set<number>();

  constructor(functionId: number) {
    this.functionId = functionId;
  }

  get p2pStreams(): readonly number[] {
    return [...this.p2p];
  }

  /** True if `sessionId` may command this TDI: nobody locked it, the locker is gone, or it is the locker. */
  ownedBy(sessionId: number): boolean {
    return this.lock?.sessionId === undefined || this.lock.sessionId === sessionId;
  }

  /** The lock's session ended: whoever comes next may STOP. */
  orphan(): void {
    if (this.lock !== undefined) this.lock = { ...this.lock, sessionId: undefined };
  }

  private forgetNonce(): void {
    this.nonce?.fill(0);
    this.nonce = undefined;
  }

  /** Moves to `to` and forgets what may not survive the move; no effect if it stays. */
  move(to: TdiState, cause: string): TdiStateEffect[] {
    const from = this.state;
    if (from === to) return [];
    this.state = to;
    if (to !== 'CONFIG_LOCKED') this.forgetNonce();
    if (to !== 'RUN') this.p2p.clear();
    if (to === 'CONFIG_UNLOCKED') this.lock = undefined;
    return [{ type: 'tdi-state', functionId: this.functionId, from, to, cause }];
  }
}
