/**
 * Processes: generators that yield waits, as in SimPy. Each starts and resumes as an event of the
 * queue, so that what runs when is decided by time, priority and sequence alone.
 */

import { KernelError, KernelErrorCodes } from './errors.ts';
import { Signal } from './sync.ts';
import { formatTime } from './time.ts';
import { type Cancellable, type Clock, type Task, Wait, type Waiter } from './wait.ts';

/** Thrown into a process at the wait it stands at by `interrupt`. */
export class Interrupt extends Error {
  override readonly name = 'Interrupt';
  readonly reason: unknown;

  constructor(reason: unknown) {
    super(`interrupted: ${String(reason)}`);
    this.reason = reason;
  }
}

/** What ended a run: `cause` is the original exception. */
export class RunError extends Error {
  override readonly name = 'RunError';
  /** simulated time of the failure, ps */
  readonly timePs: number;
  /** the process that threw, or undefined for a plain event handler */
  readonly process: string | undefined;

  constructor(timePs: number, process: string | undefined, cause: unknown) {
    const who = process === undefined ? 'event handler' : `process "${process}"`;
    const what = cause instanceof Error ? `${cause.name}: ${cause.message}` : String(cause);
    super(`${who} at ${formatTime(timePs)} (${timePs} ps): ${what}`, { cause });
    this.timePs = timePs;
    this.process = process;
  }
}

/** How a process ended. One that throws anything else ends the run instead. */
export type Outcome<T> =
  | { readonly status: 'done'; readonly value: T }
  | { readonly status: 'cancelled' }
  | { readonly status: 'interrupted'; readonly reason: unknown };

export type ProcessState = 'ready' | 'running' | 'waiting' | 'ended';

/** How the generator is to be entered next. */
type Entry = 'next' | 'throw' | 'return';

function step(stepped: Process<unknown>): void {
  stepped.step();
}

export class Process<T> implements Waiter {
  readonly name: string;
  readonly clock: Clock;
  private readonly task: Task<T>;
  private readonly end = new Signal<Outcome<T>>({ once: true });
  private readonly onEnd: (process: Process<unknown>) => void;
  private phase: ProcessState = 'ready';
  private entry: Entry = 'next';
  private value: unknown = undefined;
  /** an event that will step this process is in the queue */
  private due = true;
  private closing = false;
  /** the last interrupt thrown in: it may come out again after finally blocks that wait */
  private interruption: Interrupt | undefined = undefined;
  private wait: Wait<unknown> | undefined = undefined;
  private armed: Cancellable | undefined = undefined;

  /** Use `Kernel.spawn`. */
  constructor(
    clock: Clock,
    name: string,
    task: Task<T>,
    onEnd: (process: Process<unknown>) => void,
    priority: number,
  ) {
    this.clock = clock;
    this.name = name;
    this.task = task;
    this.onEnd = onEnd;
    clock.post(0, step, this as Process<unknown>, priority);
  }

  get state(): ProcessState {
    return this.phase;
  }
  /** How it ended, or undefined while it lives. */
  get outcome(): Outcome<T> | undefined {
    return this.end.value;
  }

  /** Waits for the end, whatever it is. */
  ended(): Wait<Outcome<T>> {
    return this.end.wait();
  }

  /**
   * Waits for the end and gives the value returned.
   * @throws KernelError JOINED_PROCESS_ENDED into the caller if it was cancelled or interrupted.
   */
  *join(): Task<T> {
    const outcome = yield* this.ended();
    if (outcome.status === 'done') return outcome.value;
    throw new KernelError(
      KernelErrorCodes.JOINED_PROCESS_ENDED,
      `process "${this.name}" was ${outcome.status}`,
    );
  }

  /**
   * Ends the process where it stands: its finally blocks run, as an event at the current time, and
   * may wait. A process that cancels itself ends at its next wait. False if it has ended, or is
   * ending already.
   */
  cancel(): boolean {
    return this.inject('return', undefined);
  }

  /**
   * Throws `Interrupt` with this reason at the wait the process stands at. One that does not catch it
   * ends as interrupted, which is no failure of the run. False as for `cancel`, and if another
   * interrupt is on its way.
   */
  interrupt(reason: unknown): boolean {
    return this.inject('throw', new Interrupt(reason));
  }

  settle(value: unknown): void {
    this.value = value;
    this.due = true;
    this.clock.post(0, step, this as Process<unknown>);
  }

  settleNow(value: unknown): void {
    this.value = value;
    this.step();
  }

  /** Runs the generator up to its next wait; called by the kernel's events only. */
  step(): void {
    const { entry, value } = this;
    this.phase = 'running';
    this.due = false;
    this.entry = 'next';
    this.value = undefined;
    this.wait = undefined;
    this.armed = undefined;
    try {
      const result = this.enter(entry, value);
      if (result.done)
        this.finish(
          this.closing ? { status: 'cancelled' } : { status: 'done', value: result.value },
        );
      else this.stand(result.value);
    } catch (error) {
      this.phase = 'ended';
      const { interruption } = this;
      if (interruption === undefined || error !== interruption)
        throw new RunError(this.clock.now, this.name, error);
      this.finish({ status: 'interrupted', reason: interruption.reason });
    }
  }

  private enter(entry: Entry, value: unknown): IteratorResult<Wait<unknown>, T> {
    if (entry === 'next') return this.task.next(value);
    if (entry === 'throw') {
      this.interruption = value as Interrupt;
      return this.task.throw(value);
    }
    this.closing = true;
    return this.task.return(undefined as T);
  }

  /** Arms what the generator yielded, unless the process was ended while it ran. */
  private stand(wait: unknown): void {
    if (!(wait instanceof Wait))
      throw new KernelError(
        KernelErrorCodes.NOT_A_WAIT,
        `yielded ${String(wait)}; expected a Wait such as delay(ps)`,
      );
    this.phase = 'waiting';
    if (this.entry !== 'next') {
      this.due = true;
      this.clock.post(0, step, this as Process<unknown>);
      return;
    }
    this.wait = wait;
    this.armed = wait.arm(this);
  }

  private inject(entry: Entry, value: unknown): boolean {
    if (this.phase === 'ended' || this.closing || this.entry === 'return') return false;
    if (this.entry === 'throw' && entry === 'throw') return false;
    const { phase, wait } = this;
    if (phase === 'waiting' && this.entry === 'next' && wait !== undefined) {
      if (this.due) wait.undo(this.value);
      else this.armed?.cancel();
    }
    this.entry = entry;
    this.value = value;
    if (phase === 'waiting' && !this.due) {
      this.due = true;
      this.clock.post(0, step, this as Process<unknown>);
    }
    return true;
  }

  private finish(outcome: Outcome<T>): void {
    this.phase = 'ended';
    this.onEnd(this as Process<unknown>);
    this.end.fire(outcome);
  }
}
