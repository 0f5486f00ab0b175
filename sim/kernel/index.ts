/** The package entry `tdisp-sim/kernel`: simulated time, events, processes, randomness and traces. */

export { KernelError, type KernelErrorCode, KernelErrorCodes } from './errors.ts';
export {
  EventHandle,
  Kernel,
  type KernelLimits,
  type KernelOptions,
  type RunReason,
  type RunResult,
} from './kernel.ts';
export { Mailbox } from './mailbox.ts';
export { Interrupt, type Outcome, Process, type ProcessState, RunError } from './process.ts';
export { EventQueue, PRIORITY_MAX, PRIORITY_MIN } from './queue.ts';
export { Random } from './random.ts';
export { Counters, Histogram, type HistogramSummary } from './stats.ts';
export { Resource, Signal, use } from './sync.ts';
export { addTime, formatTime, MS, NS, PS, parseDuration, S, TIME_MAX_PS, US } from './time.ts';
export {
  type AnyRecord,
  type RecordMap,
  TraceBus,
  type TraceListener,
  type TraceRecord,
  type TraceRecords,
} from './trace.ts';
export { canonicalLine, TraceHash } from './trace-text.ts';
export {
  anyOf,
  type Cancellable,
  type Clock,
  delay,
  type First,
  type Task,
  type TimeoutResult,
  timeout,
  Wait,
  type Waiter,
  type WaitValue,
} from './wait.ts';
