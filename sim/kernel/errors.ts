/**
 * The kernel's errors. `KernelError` is a caller's mistake or a limit of the simulation and carries a
 * stable code; `RunError` wraps what a handler or process threw and says who and when.
 */

export const KernelErrorCodes = {
  /** simulated time, or a delay added to it, would pass 2^53 - 1 ps */
  TIME_OVERFLOW: 'TIME_OVERFLOW',
  /** a time or delay that is no non-negative integer of picoseconds */
  BAD_TIME: 'BAD_TIME',
  /** text that is no duration */
  BAD_DURATION: 'BAD_DURATION',
  /** an argument outside its documented range */
  BAD_ARGUMENT: 'BAD_ARGUMENT',
  /** more than 2^44 events were scheduled in one run */
  SEQUENCE_OVERFLOW: 'SEQUENCE_OVERFLOW',
  /** a process yielded something that is no `Wait` */
  NOT_A_WAIT: 'NOT_A_WAIT',
  /** a process this one joined was cancelled or interrupted */
  JOINED_PROCESS_ENDED: 'JOINED_PROCESS_ENDED',
  /** `run` was called inside a handler of the same kernel */
  ALREADY_RUNNING: 'ALREADY_RUNNING',
  /** the run ended with an exception and cannot go on */
  RUN_FAILED: 'RUN_FAILED',
  /** trace data that has no canonical text */
  UNTRACEABLE: 'UNTRACEABLE',
} as const;
export type KernelErrorCode = (typeof KernelErrorCodes)[keyof typeof KernelErrorCodes];

export class KernelError extends Error {
  override readonly name = 'KernelError';
  readonly code: KernelErrorCode;

  constructor(code: KernelErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
