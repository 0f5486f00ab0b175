/**
 * The IDE Stream state machine as a table: state x event -> next state, or a refusal that changes
 * nothing (PCIe Base 6.x clause 6.33.3). The specification's Insecure and Secure are split by what
 * decides the next step: which keys are there, and whether Enable is set.
 *
 * Choices where public texts are silent: Enable may be set before the last K_SET_GO, which then makes
 * the stream Secure; a stream that left Secure, or was altered while enabled, has lost its keys and
 * stays Insecure until Enable has been cleared, whatever is programmed meanwhile; a received IDE_Fail
 * sets its status bit and leaves the state alone.
 */

export const StreamStates = {
  /** Enable=0, not all keys of a set */
  INSECURE_NO_KEYS: 'INSECURE_NO_KEYS',
  /** Enable=0, six keys of a set */
  INSECURE_READY: 'INSECURE_READY',
  /** Enable=0, six keys and K_SET_GO for all of them */
  INSECURE_GO: 'INSECURE_GO',
  /** Enable=1, not all keys of a set: TLPs of the stream are held back */
  ENABLED_NO_KEYS: 'ENABLED_NO_KEYS',
  /** Enable=1, six keys, K_SET_GO missing */
  ENABLED_READY: 'ENABLED_READY',
  SECURE: 'SECURE',
  /** Enable=1 after a failure: nothing passes until Enable is cleared */
  INSECURE_FAILED: 'INSECURE_FAILED',
} as const;
export type StreamState = keyof typeof StreamStates;

export const StreamEvents = {
  /** how many keys there are, told after every change: no set has all six */
  KEYS_INCOMPLETE: 'KEYS_INCOMPLETE',
  /** all six of a set, not all of them started */
  KEYS_COMPLETE: 'KEYS_COMPLETE',
  /** all six started; in Secure: each direction and sub-stream has a started key */
  GO_COMPLETE: 'GO_COMPLETE',
  ENABLE_SET: 'ENABLE_SET',
  /** Enable set over registers that cannot work: no valid RID association, unknown algorithm ... */
  ENABLE_SET_MISCONFIGURED: 'ENABLE_SET_MISCONFIGURED',
  ENABLE_CLEARED: 'ENABLE_CLEARED',
  IDE_CHECK_FAILED: 'IDE_CHECK_FAILED',
  /** a frozen field or an association was altered */
  CONFIG_ALTERED: 'CONFIG_ALTERED',
  /** Stream ID altered while disabled: keys belong to a Stream ID */
  STREAM_ID_CHANGED: 'STREAM_ID_CHANGED',
  SESSION_ENDED: 'SESSION_ENDED',
  RESET: 'RESET',
  IDE_FAIL_RECEIVED: 'IDE_FAIL_RECEIVED',
} as const;
export type StreamEvent = keyof typeof StreamEvents;

export type StreamRefusal = 'NOT_ENABLED' | 'ALREADY_ENABLED' | 'NOT_SECURE' | 'NOT_WHILE_ENABLED';
export type Step =
  | { readonly next: StreamState /** all keys are destroyed */; readonly invalidate: boolean }
  | { readonly refused: StreamRefusal };

const to = (next: StreamState): Step => ({ next, invalidate: false });
const wipe = (next: StreamState): Step => ({ next, invalidate: true });
const no = (refused: StreamRefusal): Step => ({ refused });

/** What is the same in the three states with Enable=0. */
const disabled = {
  KEYS_INCOMPLETE: to('INSECURE_NO_KEYS'),
  KEYS_COMPLETE: to('INSECURE_READY'),
  GO_COMPLETE: to('INSECURE_GO'),
  ENABLE_SET_MISCONFIGURED: wipe('INSECURE_FAILED'),
  ENABLE_CLEARED: no('NOT_ENABLED'),
  IDE_CHECK_FAILED: no('NOT_SECURE'),
  STREAM_ID_CHANGED: wipe('INSECURE_NO_KEYS'),
  SESSION_ENDED: wipe('INSECURE_NO_KEYS'),
  RESET: wipe('INSECURE_NO_KEYS'),
} as const;

/** What is the same in the four states with Enable=1. */
const enabled = {
  ENABLE_SET: no('ALREADY_ENABLED'),
  ENABLE_SET_MISCONFIGURED: no('ALREADY_ENABLED'),
  CONFIG_ALTERED: wipe('INSECURE_FAILED'),
  STREAM_ID_CHANGED: no('NOT_WHILE_ENABLED'),
  RESET: wipe('INSECURE_NO_KEYS'),
} as const;

/** Waiting for keys with Enable=1. */
const waiting = {
  ...enabled,
  KEYS_INCOMPLETE: to('ENABLED_NO_KEYS'),
  KEYS_COMPLETE: to('ENABLED_READY'),
  GO_COMPLETE: to('SECURE'),
  IDE_CHECK_FAILED: no('NOT_SECURE'),
  SESSION_ENDED: wipe('ENABLED_NO_KEYS'),
} as const;

export const STREAM_TABLE: Readonly<Record<StreamState, Readonly<Record<StreamEvent, Step>>>> = {
  INSECURE_NO_KEYS: {
    ...disabled,
    ENABLE_SET: to('ENABLED_NO_KEYS'),
    CONFIG_ALTERED: to('INSECURE_NO_KEYS'),
    IDE_FAIL_RECEIVED: to('INSECURE_NO_KEYS'),
  },
  INSECURE_READY: {
    ...disabled,
    ENABLE_SET: to('ENABLED_READY'),
    CONFIG_ALTERED: to('INSECURE_READY'),
    IDE_FAIL_RECEIVED: to('INSECURE_READY'),
  },
  INSECURE_GO: {
    ...disabled,
    ENABLE_SET: to('SECURE'),
    CONFIG_ALTERED: to('INSECURE_GO'),
    IDE_FAIL_RECEIVED: to('INSECURE_GO'),
  },
  ENABLED_NO_KEYS: {
    ...waiting,
    ENABLE_CLEARED: to('INSECURE_NO_KEYS'),
    IDE_FAIL_RECEIVED: to('ENABLED_NO_KEYS'),
  },
  ENABLED_READY: {
    ...waiting,
    ENABLE_CLEARED: to('INSECURE_READY'),
    IDE_FAIL_RECEIVED: to('ENABLED_READY'),
  },
  SECURE: {
    ...enabled,
    KEYS_INCOMPLETE: wipe('INSECURE_FAILED'),
    KEYS_COMPLETE: wipe('INSECURE_FAILED'),
    GO_COMPLETE: to('SECURE'),
    ENABLE_CLEARED: wipe('INSECURE_NO_KEYS'),
    IDE_CHECK_FAILED: wipe('INSECURE_FAILED'),
    SESSION_ENDED: wipe('INSECURE_FAILED'),
    IDE_FAIL_RECEIVED: to('SECURE'),
  },
  INSECURE_FAILED: {
    ...enabled,
    KEYS_INCOMPLETE: to('INSECURE_FAILED'),
    KEYS_COMPLETE: to('INSECURE_FAILED'),
    GO_COMPLETE: to('INSECURE_FAILED'),
    // Keys programmed since the failure are fresh; the next keys event tells how many there are.
    ENABLE_CLEARED: to('INSECURE_NO_KEYS'),
    IDE_CHECK_FAILED: no('NOT_SECURE'),
    SESSION_ENDED: wipe('INSECURE_FAILED'),
    IDE_FAIL_RECEIVED: to('INSECURE_FAILED'),
  },
};

/** States in which the Enable bit reads 1. */
export const ENABLED_STATES: readonly StreamState[] = [
  'ENABLED_NO_KEYS',
  'ENABLED_READY',
  'SECURE',
  'INSECURE_FAILED',
];

/** The table as a Mermaid state diagram; self-transitions and refusals are left out. */
export function streamStateDiagram(): string {
  const lines = ['stateDiagram-v2', '  [*] --> INSECURE_NO_KEYS'];
  for (const [from, row] of Object.entries(STREAM_TABLE)) {
    const byNext = new Map<string, string[]>();
    for (const [event, step] of Object.entries(row)) {
      if ('refused' in step || step.next === from) continue;
      byNext.set(step.next, [...(byNext.get(step.next) ?? []), event]);
    }
    for (const [next, events] of byNext) lines.push(`  ${from} --> ${next}: ${events.join(', ')}`);
  }
  return `${lines.join('\n')}\n`;
}
