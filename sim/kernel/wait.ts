/**
 * What a process can wait for. A `Wait` is armed with a waiter, which it settles once; `yield*` on it
 * gives its value with the right type. Ready-made here: a delay, the first of several, a timeout.
 */

/** Anything that can be called off. */
export interface Cancellable {
  cancel(): unknown;
}

/** The part of the kernel that waits and processes use. */
export interface Clock {
  readonly now: number;
  schedule<A>(delayPs: number, fn: (arg: A) => void, priority: number, arg: A): Cancellable;
  post<A>(delayPs: number, fn: (arg: A) => void, arg: A, priority?: number): void;
}

/** Who waits. Exactly one of the two is called, at most once per arming. */
export interface Waiter {
  readonly clock: Clock;
  /** resumes through the event queue, after what is already due now */
  settle(value: unknown): void;
  /** resumes at once: for waits that are an event of the queue themselves; never while arming */
  settleNow(value: unknown): void;
}

/** A generator that yields waits: the body of a process, or a part of one called with `yield*`. */
export type Task<T> = Generator<Wait<unknown>, T, unknown>;
/** The value that waiting gives. */
export type WaitValue<W> = W extends Wait<infer T> ? T : never;

/** For waits that settle while they are armed. */
export const NOTHING_TO_CANCEL: Cancellable = { cancel: () => false };

export abstract class Wait<T> {
  /** Starts waiting. The result calls it off, and has no effect once the waiter is settled. */
  abstract arm(waiter: Waiter): Cancellable;

  /** Gives back what was settled on a waiter that was cancelled before it could take it. */
  undo(_value: T): void {}

  *[Symbol.iterator](): Task<T> {
    return (yield this) as T;
  }
}

function settleNow(waiter: Waiter): void {
  waiter.settleNow(undefined);
}

class Delay extends Wait<void> {
  private readonly ps: number;
  private readonly priority: number;

  constructor(ps: number, priority: number) {
    super();
    this.ps = ps;
    this.priority = priority;
  }

  override arm(waiter: Waiter): Cancellable {
    return waiter.clock.schedule(this.ps, settleNow, this.priority, waiter);
  }
}

/** Waits `ps` picoseconds; 0 lets everything else that is due now go first. May be used again. */
export function delay(ps: number, priority = 0): Wait<void> {
  return new Delay(ps, priority);
}

/** What settled first: its place in the argument list and its value. */
export interface First<T> {
  readonly index: number;
  readonly value: T;
}

/** One arming of `AnyOf`: the first branch to settle calls off the others. */
class Contest implements Cancellable {
  readonly waiter: Waiter;
  private readonly armed: Cancellable[] = [];
  private over = false;

  constructor(waiter: Waiter, waits: readonly Wait<unknown>[]) {
    this.waiter = waiter;
    for (const [index, wait] of waits.entries()) {
      const armed = wait.arm({
        clock: waiter.clock,
        settle: (value) => waiter.settle(this.end({ index, value })),
        settleNow: (value) => waiter.settleNow(this.end({ index, value })),
      });
      if (this.over) return;
      this.armed.push(armed);
    }
  }

  cancel(): void {
    this.over = true;
    for (const armed of this.armed) armed.cancel();
  }

  private end(first: First<unknown>): First<unknown> {
    this.cancel();
    return first;
  }
}

class AnyOf<T> extends Wait<First<T>> {
  private readonly waits: readonly Wait<T>[];

  constructor(waits: readonly Wait<T>[]) {
    super();
    this.waits = waits;
  }

  override arm(waiter: Waiter): Cancellable {
    return new Contest(waiter, this.waits);
  }

  override undo(first: First<T>): void {
    this.waits[first.index]!.undo(first.value);
  }
}

/** Waits for the first of `waits`; the others are called off and lose nothing. */
export function anyOf<W extends readonly Wait<unknown>[]>(
  ...waits: W
): Wait<First<WaitValue<W[number]>>> {
  return new AnyOf(waits as unknown as readonly Wait<WaitValue<W[number]>>[]);
}

export type TimeoutResult<T> =
  | { readonly timedOut: false; readonly value: T }
  | { readonly timedOut: true };

class Timeout<T> extends Wait<TimeoutResult<T>> {
  private readonly wait: Wait<T>;
  private readonly limit: Wait<void>;

  constructor(wait: Wait<T>, ps: number) {
    super();
    this.wait = wait;
    this.limit = delay(ps);
  }

  override arm(waiter: Waiter): Cancellable {
    const result = (first: unknown): TimeoutResult<T> => {
      const { index, value } = first as First<T>;
      return index === 0 ? { timedOut: false, value } : { timedOut: true };
    };
    const inner: Waiter = {
      clock: waiter.clock,
      settle: (first) => waiter.settle(result(first)),
      settleNow: (first) => waiter.settleNow(result(first)),
    };
    return new Contest(inner, [this.wait, this.limit]);
  }

  override undo(result: TimeoutResult<T>): void {
    if (!result.timedOut) this.wait.undo(result.value);
  }
}

/**
 * Waits for `wait`, at most `ps` picoseconds. If both come at the same time, whichever was scheduled
 * first wins; a wait that settles while it is armed always does.
 */
export function timeout<T>(wait: Wait<T>, ps: number): Wait<TimeoutResult<T>> {
  return new Timeout(wait, ps);
}
