/**
 * The simulation kernel: a clock, the event queue and what hangs on them. A run takes the least event
 * by (time, priority, sequence) and calls it, until there is none, a limit is met or somebody stops
 * it. Nothing here knows what is simulated.
 */

import { KernelError, KernelErrorCodes } from './errors.ts';
import { Process, RunError } from './process.ts';
import { EventQueue, PRIORITY_MAX, PRIORITY_MIN } from './queue.ts';
import { Random } from './random.ts';
import { addTime } from './time.ts';
import { type RecordMap, TraceBus, type TraceRecords } from './trace.ts';
import type { Cancellable, Clock, Task } from './wait.ts';

export interface KernelLimits {
  /** the run ends before the event that would be one more */
  readonly events?: number;
  /** the run ends before the first event after this time, ps */
  readonly timePs?: number;
}

export interface KernelOptions {
  readonly seed: string | number;
  readonly limits?: KernelLimits;
}

/**
 * Why `run` returned: nothing left to do, time is up, a limit was met, `stop` was called; from
 * `runSome` also `more`: the slice is used up.
 */
export type RunReason = 'idle' | 'until' | 'event-limit' | 'time-limit' | 'stopped' | 'more';

export interface RunResult {
  readonly reason: RunReason;
  /** events handled since the kernel was made */
  readonly events: number;
  /** simulated time, ps */
  readonly now: number;
}

type Handler = (arg: unknown) => void;

/** A scheduled event. */
export class EventHandle implements Cancellable {
  private readonly calloff: (slot: number, tie: number) => boolean;
  private readonly slot: number;
  private readonly tie: number;
  /** when it is due, ps */
  readonly timePs: number;

  constructor(
    calloff: (slot: number, tie: number) => boolean,
    slot: number,
    tie: number,
    timePs: number,
  ) {
    this.calloff = calloff;
    this.slot = slot;
    this.tie = tie;
    this.timePs = timePs;
  }

  /** Calls the event off; false if it has happened or was cancelled before. */
  cancel(): boolean {
    return this.calloff(this.slot, this.tie);
  }
}

function boundOf(name: string, value: number | undefined, least: number): number {
  if (value === undefined || value === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
  if (Number.isSafeInteger(value) && value >= least) return value;
  throw new KernelError(
    KernelErrorCodes.BAD_ARGUMENT,
    `${name}: expected an integer not below ${least}, got ${value}`,
  );
}

export class Kernel<R extends RecordMap<R> = TraceRecords> implements Clock {
  readonly bus: TraceBus<R>;
  readonly seed: string | number;
  private readonly queue = new EventQueue();
  private readonly handlers: (Handler | undefined)[] = [];
  private readonly args: unknown[] = [];
  private readonly root: Random;
  private readonly streams = new Map<string, Random>();
  private readonly living = new Set<Process<unknown>>();
  private readonly eventsMax: number;
  private readonly timeMaxPs: number;
  private time = 0;
  private handled = 0;
  private running = false;
  private stopping = false;
  private failed = false;

  constructor(options: KernelOptions) {
    this.seed = options.seed;
    this.root = Random.fromSeed(options.seed);
    this.eventsMax = boundOf('limits.events', options.limits?.events, 0);
    this.timeMaxPs = boundOf('limits.timePs', options.limits?.timePs, 0);
    this.bus = new TraceBus<R>(this);
  }

  /** Simulated time, ps. */
  get now(): number {
    return this.time;
  }
  /** Events handled since the kernel was made. */
  get events(): number {
    return this.handled;
  }
  /** Events still to come. */
  get pending(): number {
    return this.queue.size;
  }
  /** Processes that have not ended, in the order they were spawned: at `idle`, those stuck in a wait. */
  get processes(): readonly Process<unknown>[] {
    return [...this.living];
  }

  /**
   * Calls `fn` (with `arg`, if given) after `delayPs`; at equal times smaller `priority` goes first,
   * then the earlier call of `schedule` or `post`.
   * @throws KernelError BAD_TIME, TIME_OVERFLOW, or BAD_ARGUMENT for a priority outside [-256, 255].
   */
  schedule(delayPs: number, fn: () => void, priority?: number): EventHandle;
  schedule<A>(delayPs: number, fn: (arg: A) => void, priority: number, arg: A): EventHandle;
  schedule(delayPs: number, fn: Handler, priority = 0, arg?: unknown): EventHandle {
    const slot = this.insert(delayPs, fn, arg, priority);
    return new EventHandle(this.calloff, slot, this.queue.tieOf(slot), this.queue.timeOf(slot));
  }

  /** `schedule` without a handle and without allocation: for hot paths, with a shared `fn`. */
  post<A>(delayPs: number, fn: (arg: A) => void, arg: A, priority = 0): void {
    this.insert(delayPs, fn as Handler, arg, priority);
  }

  /** Starts a process now, as an event of its own. `name` stands in traces and error messages. */
  spawn<T>(name: string, task: Task<T> | (() => Task<T>), priority = 0): Process<T> {
    const body = typeof task === 'function' ? task() : task;
    const spawned = new Process(this, name, body, this.bury, priority);
    this.living.add(spawned as Process<unknown>);
    return spawned;
  }

  /** The random stream of a component; the same name gives the same stream object again. */
  random(name: string): Random {
    let stream = this.streams.get(name);
    if (stream === undefined) {
      stream = this.root.split(name);
      this.streams.set(name, stream);
    }
    return stream;
  }

  /**
   * Runs events up to and including those at `untilPs`, or all there are. If given and nothing ends
   * the run before, the clock then stands at `untilPs`.
   * @throws RunError if a handler or process throws; the kernel cannot run again after that.
   */
  run(untilPs?: number): RunResult {
    return this.runSome(Number.POSITIVE_INFINITY, untilPs);
  }

  /** `run`, but at most `maxEvents` events: `more` says that the slice ended before the run did. */
  runSome(maxEvents: number, untilPs?: number): RunResult {
    const slice = boundOf('maxEvents', maxEvents, 1);
    const until = boundOf('untilPs', untilPs, this.time);
    if (this.running)
      throw new KernelError(KernelErrorCodes.ALREADY_RUNNING, 'run: called inside a run');
    if (this.failed)
      throw new KernelError(KernelErrorCodes.RUN_FAILED, 'run: this run ended with an exception');
    this.running = true;
    try {
      const reason = this.loop(slice, until);
      return { reason, events: this.handled, now: this.time };
    } catch (error) {
      this.failed = true;
      throw error instanceof RunError ? error : new RunError(this.time, undefined, error);
    } finally {
      this.running = false;
    }
  }

  /** Ends the run after the event at hand, or the next run before its first; it may be run on. */
  stop(): void {
    this.stopping = true;
  }

  private loop(slice: number, until: number): RunReason {
    const { queue, handlers, args } = this;
    const horizon = Math.min(until, this.timeMaxPs);
    const sliceEnd = this.handled + slice;
    const eventsEnd = Math.min(sliceEnd, this.eventsMax);
    while (!this.stopping) {
      if (this.handled >= eventsEnd && queue.size > 0 && queue.peekTime() <= horizon)
        return this.handled >= this.eventsMax ? 'event-limit' : 'more';
      const slot = queue.pop(horizon);
      if (slot < 0) return this.rest(until, horizon);
      this.time = queue.timeOf(slot);
      const handler = handlers[slot]!;
      const arg = args[slot];
      handlers[slot] = undefined;
      args[slot] = undefined;
      this.handled++;
      handler(arg);
    }
    this.stopping = false;
    return 'stopped';
  }

  /** No event is left up to `horizon`: says why that ends the run and moves the clock there. */
  private rest(until: number, horizon: number): RunReason {
    const idle = this.queue.size === 0;
    if (horizon !== Number.POSITIVE_INFINITY && (!idle || horizon === until))
      this.time = Math.max(this.time, horizon);
    if (idle) return 'idle';
    return horizon === until ? 'until' : 'time-limit';
  }

  private insert(delayPs: number, fn: Handler, arg: unknown, priority: number): number {
    if (!(priority >= PRIORITY_MIN && priority <= PRIORITY_MAX && Number.isInteger(priority)))
      throw new KernelError(
        KernelErrorCodes.BAD_ARGUMENT,
        `priority: expected an integer in [${PRIORITY_MIN}, ${PRIORITY_MAX}], got ${priority}`,
      );
    const slot = this.queue.push(addTime(this.time, delayPs), priority);
    this.handlers[slot] = fn;
    this.args[slot] = arg;
    return slot;
  }

  private readonly calloff = (slot: number, tie: number): boolean => {
    if (!this.queue.cancel(slot, tie)) return false;
    this.handlers[slot] = undefined;
    this.args[slot] = undefined;
    return true;
  };

  private readonly bury = (ended: Process<unknown>): void => {
    this.living.delete(ended);
  };
}
