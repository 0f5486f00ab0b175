/**
 * The event queue: least (time, priority, sequence) first. A sorted run and a small heap hold what is
 * next; a rung of unsorted buckets holds a near window; a far list holds the rest. Each event moves
 * down at most once per level, and the window follows the events' own density, so neither equal times
 * nor skewed ones make it slow. With few events pending only the run and the heap are in use.
 *
 * Events are slots, small integers whose keys live in typed arrays here and whose payload lives with
 * the caller; nothing is allocated per event once the arrays have grown.
 *
 * After W. T. Tang, R. S. M. Goh, I. L.-J. Thng, "Ladder Queue", ACM TOMACS 15(3), 2005.
 */

import { KernelError, KernelErrorCodes } from './errors.ts';
import { EventHeap } from './heap.ts';
import { planWindow, type Window } from './queue-window.ts';
import { SortedRun } from './sorted-run.ts';

/** Smaller runs first among equal times. */
export const PRIORITY_MIN = -256;
export const PRIORITY_MAX = 255;

const SEQUENCES = 2 ** 44;
const CAPACITY_START = 256;
/** with so few events left, everything goes to the bottom and the rung rests */
const BOTTOM_ONLY = 16;
/** the heap may hold so many, and this share of all events, before they are spread anew */
const HEAP_MAX = 24;
const HEAP_SHARE = 4;
/** cancelled events may outnumber live ones by so many before they are swept out */
const DEAD_SLACK = 256;

/** slot record: time, tie (two doubles), then next slot and state (two 32-bit words) */
const F64_STRIDE = 3;
const I32_STRIDE = 6;
const TIE = 1;
const NEXT = 4;
const STATE = 5;
const FREE = 0;
const PENDING = 1;
const CANCELLED = 2;
const NONE = -1;

export class EventQueue {
  private keys = new Float64Array(CAPACITY_START * F64_STRIDE);
  private words = new Int32Array(this.keys.buffer);
  private capacity = CAPACITY_START;
  private slotsUsed = 0;
  private freeHead = NONE;
  private live = 0;
  private dead = 0;
  private sequence = 0;

  private readonly run = new SortedRun();
  private readonly heap = new EventHeap();
  /** what is before this time goes to run or heap */
  private bottomEnd = Number.POSITIVE_INFINITY;

  private readonly window: Window = { start: 0, end: 0, width: 1, buckets: 0 };
  private perWidth = 1;
  private rungEnd = Number.POSITIVE_INFINITY;
  private heads = new Int32Array(0);
  private bucket = 0;
  private rungSize = 0;

  private farTime = new Float64Array(CAPACITY_START);
  private farSlot = new Int32Array(CAPACITY_START);
  private farSize = 0;

  /** Number of events pending, without cancelled ones. */
  get size(): number {
    return this.live;
  }

  /**
   * Adds an event and returns its slot, which stays its own until it is popped or cancelled.
   * @param time ps, a non-negative safe integer (not checked here)
   * @param priority integer in [PRIORITY_MIN, PRIORITY_MAX] (not checked here)
   */
  push(time: number, priority: number): number {
    if (this.sequence >= SEQUENCES)
      throw new KernelError(KernelErrorCodes.SEQUENCE_OVERFLOW, 'more than 2^44 events in a run');
    const tie = priority * SEQUENCES + this.sequence++;
    let slot = this.freeHead;
    if (slot !== NONE) this.freeHead = this.words[slot * I32_STRIDE + NEXT]!;
    else slot = this.newSlot();
    this.keys[slot * F64_STRIDE] = time;
    this.keys[slot * F64_STRIDE + TIE] = tie;
    this.words[slot * I32_STRIDE + STATE] = PENDING;
    this.live++;
    if (time < this.bottomEnd) this.toBottom(time, tie, slot);
    else if (time < this.rungEnd) this.toRung(time, slot);
    else this.toFar(time, slot);
    return slot;
  }

  /**
   * Removes the next event if it is not after `until` and returns its slot, or -1. The slot's key
   * may be read until the next `push`.
   */
  pop(until: number = Number.POSITIVE_INFINITY): number {
    for (;;) {
      const fromHeap = this.nextInHeap();
      const { run, heap } = this;
      if (!fromHeap && run.head === run.tail) return NONE;
      if ((fromHeap ? heap.time[0]! : run.time[run.head]!) > until) return NONE;
      const slot = fromHeap ? heap.pop() : run.slot[run.head++]!;
      if (this.release(slot) === PENDING) {
        this.live--;
        return slot;
      }
      this.dead--;
    }
  }

  /** Time of the next event in ps, or Infinity if there is none. */
  peekTime(): number {
    for (;;) {
      const fromHeap = this.nextInHeap();
      const { run, heap } = this;
      if (!fromHeap && run.head === run.tail) return Number.POSITIVE_INFINITY;
      const slot = fromHeap ? heap.slot[0]! : run.slot[run.head]!;
      if (this.words[slot * I32_STRIDE + STATE] === PENDING) return this.timeOf(slot);
      if (fromHeap) heap.pop();
      else run.head++;
      this.release(slot);
      this.dead--;
    }
  }

  /**
   * Cancels the event that `push` put into `slot` with `tie`; false if it is gone already. Its memory
   * is given back when its time comes, or sooner when many have been cancelled.
   */
  cancel(slot: number, tie: number): boolean {
    const state = slot * I32_STRIDE + STATE;
    if (this.words[state] !== PENDING || this.keys[slot * F64_STRIDE + TIE] !== tie) return false;
    this.words[state] = CANCELLED;
    this.live--;
    this.dead++;
    if (this.dead > this.live + DEAD_SLACK) this.respread();
    return true;
  }

  /** Time of a slot's event, ps. */
  timeOf(slot: number): number {
    return this.keys[slot * F64_STRIDE]!;
  }

  /** What tells this event from all others: it goes with the slot to `cancel`. */
  tieOf(slot: number): number {
    return this.keys[slot * F64_STRIDE + TIE]!;
  }

  /** Whether the next event is in the heap; if bottom is empty, refills it from above first. */
  private nextInHeap(): boolean {
    const { run, heap } = this;
    if (run.head === run.tail) {
      if (heap.size > 0) return true;
      this.advance();
      return false;
    }
    if (heap.size === 0) return false;
    const step = heap.time[0]! - run.time[run.head]!;
    return step < 0 || (step === 0 && heap.tie[0]! < run.tie[run.head]!);
  }

  private toBottom(time: number, tie: number, slot: number): void {
    if (this.run.append(time, tie, slot)) return;
    const { heap } = this;
    heap.push(time, tie, slot);
    if (heap.size > HEAP_MAX && (heap.size - HEAP_MAX) * HEAP_SHARE > this.live + this.dead)
      this.respread();
  }

  private toRung(time: number, slot: number): void {
    const at = ((time - this.window.start) * this.perWidth) | 0;
    this.words[slot * I32_STRIDE + NEXT] = this.heads[at]!;
    this.heads[at] = slot;
    this.rungSize++;
  }

  private toFar(time: number, slot: number): void {
    if (this.farSize === this.farTime.length) this.growFar();
    this.farTime[this.farSize] = time;
    this.farSlot[this.farSize++] = slot;
  }

  /** Brings the next events down into the empty bottom; leaves it empty if there are none. */
  private advance(): void {
    while (this.run.head === this.run.tail) {
      if (this.rungSize > 0) this.loadBucket();
      else if (this.farSize > 0) this.spread();
      else {
        this.bottomEnd = Number.POSITIVE_INFINITY;
        this.rungEnd = Number.POSITIVE_INFINITY;
        return;
      }
    }
  }

  /** Sorts the next bucket that is not empty into the run. */
  private loadBucket(): void {
    const { heads, run } = this;
    let at = this.bucket;
    while (heads[at] === NONE) at++;
    let slot = heads[at]!;
    heads[at] = NONE;
    this.bucket = at + 1;
    this.bottomEnd = this.window.start + this.bucket * this.window.width;
    // The list is newest first; oldest first it is already in order wherever times are equal.
    let oldest = NONE;
    while (slot !== NONE) {
      const next = this.words[slot * I32_STRIDE + NEXT]!;
      this.words[slot * I32_STRIDE + NEXT] = oldest;
      oldest = slot;
      slot = next;
    }
    run.head = 0;
    run.tail = 0;
    for (slot = oldest; slot !== NONE; ) {
      const next = this.words[slot * I32_STRIDE + NEXT]!;
      this.rungSize--;
      if (this.words[slot * I32_STRIDE + STATE] === PENDING)
        run.add(this.keys[slot * F64_STRIDE]!, this.keys[slot * F64_STRIDE + TIE]!, slot);
      else this.bury(slot);
      slot = next;
    }
    run.sort();
  }

  /** Opens a new window over the far list; the rung must be empty. */
  private spread(): void {
    const { farTime, farSlot, farSize } = this;
    if (farSize <= BOTTOM_ONLY) {
      this.bottomEnd = Number.POSITIVE_INFINITY;
      this.rungEnd = Number.POSITIVE_INFINITY;
    } else {
      const { window } = this;
      planWindow(farTime, farSize, window);
      this.perWidth = 1 / window.width;
      this.bottomEnd = window.start;
      this.rungEnd = window.end;
      this.bucket = 0;
      if (this.heads.length < window.buckets)
        this.heads = new Int32Array(window.buckets).fill(NONE);
    }
    let kept = 0;
    for (let i = 0; i < farSize; i++) {
      const time = farTime[i]!;
      const slot = farSlot[i]!;
      if (time >= this.rungEnd) {
        farTime[kept] = time;
        farSlot[kept++] = slot;
      } else if (time >= this.bottomEnd) this.toRung(time, slot);
      else if (this.words[slot * I32_STRIDE + STATE] === CANCELLED) this.bury(slot);
      else this.run.add(time, this.keys[slot * F64_STRIDE + TIE]!, slot);
    }
    this.farSize = kept;
    if (this.run.tail > this.run.head) this.run.sort();
  }

  /** Takes everything back to the far list, without what was cancelled, and spreads it anew. */
  private respread(): void {
    const { run, heap, farTime, farSlot, farSize } = this;
    this.farSize = 0;
    for (let i = 0; i < farSize; i++) this.backToFar(farTime[i]!, farSlot[i]!);
    for (; run.head < run.tail; run.head++)
      this.backToFar(run.time[run.head]!, run.slot[run.head]!);
    for (let i = 0; i < heap.size; i++) this.backToFar(heap.time[i]!, heap.slot[i]!);
    heap.size = 0;
    for (let at = this.bucket; this.rungSize > 0; at++) {
      for (let slot = this.heads[at]!; slot !== NONE; ) {
        const next = this.words[slot * I32_STRIDE + NEXT]!;
        this.backToFar(this.keys[slot * F64_STRIDE]!, slot);
        this.rungSize--;
        slot = next;
      }
      this.heads[at] = NONE;
    }
    this.advance();
  }

  private backToFar(time: number, slot: number): void {
    if (this.words[slot * I32_STRIDE + STATE] === PENDING) this.toFar(time, slot);
    else this.bury(slot);
  }

  /** Frees a cancelled event's slot. */
  private bury(slot: number): void {
    this.release(slot);
    this.dead--;
  }

  /** Frees a slot and returns the state it had. */
  private release(slot: number): number {
    const at = slot * I32_STRIDE;
    const state = this.words[at + STATE]!;
    this.words[at + STATE] = FREE;
    this.words[at + NEXT] = this.freeHead;
    this.freeHead = slot;
    return state;
  }

  private newSlot(): number {
    if (this.slotsUsed === this.capacity) {
      this.capacity *= 2;
      const keys = new Float64Array(this.capacity * F64_STRIDE);
      keys.set(this.keys);
      this.keys = keys;
      this.words = new Int32Array(keys.buffer);
    }
    return this.slotsUsed++;
  }

  private growFar(): void {
    const { farTime, farSlot } = this;
    this.farTime = new Float64Array(farTime.length * 2);
    this.farSlot = new Int32Array(farSlot.length * 2);
    this.farTime.set(farTime);
    this.farSlot.set(farSlot);
  }
}
