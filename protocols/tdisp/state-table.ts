/**
 * The TDI state machine (PCIe Base 6.x 11.2) as data: what each request does in each state, and what
 * each event does. A refused request never moves the state. The engines, the exhaustive test, the
 * diagram and the conformance oracle all read these tables.
 */

import { LockFlags, type TdiState, type TdispRequestName, tdiStates } from './codes.ts';

/** A request in a state: the state after its success, or undefined for INVALID_INTERFACE_STATE. */
export type RequestRow = Readonly<Record<TdiState, TdiState | undefined>>;

const anyState: RequestRow = {
  CONFIG_UNLOCKED: 'CONFIG_UNLOCKED',
  CONFIG_LOCKED: 'CONFIG_LOCKED',
  RUN: 'RUN',
  ERROR: 'ERROR',
};
const runOnly: RequestRow = {
  CONFIG_UNLOCKED: undefined,
  CONFIG_LOCKED: undefined,
  RUN: 'RUN',
  ERROR: undefined,
};

export const requestTable = {
  GET_TDISP_VERSION: anyState,
  GET_TDISP_CAPABILITIES: anyState,
  GET_DEVICE_INTERFACE_STATE: anyState,
  VDM_REQUEST: anyState,
  LOCK_INTERFACE_REQUEST: {
    CONFIG_UNLOCKED: 'CONFIG_LOCKED',
    CONFIG_LOCKED: undefined,
    RUN: undefined,
    ERROR: undefined,
  },
  GET_DEVICE_INTERFACE_REPORT: {
    CONFIG_UNLOCKED: undefined,
    CONFIG_LOCKED: 'CONFIG_LOCKED',
    RUN: 'RUN',
    ERROR: undefined,
  },
  START_INTERFACE_REQUEST: {
    CONFIG_UNLOCKED: undefined,
    CONFIG_LOCKED: 'RUN',
    RUN: undefined,
    ERROR: undefined,
  },
  // In CONFIG_UNLOCKED nothing is left to stop: implementations differ, here it succeeds as a no-op.
  STOP_INTERFACE_REQUEST: {
    CONFIG_UNLOCKED: 'CONFIG_UNLOCKED',
    CONFIG_LOCKED: 'CONFIG_UNLOCKED',
    RUN: 'CONFIG_UNLOCKED',
    ERROR: 'CONFIG_UNLOCKED',
  },
  BIND_P2P_STREAM_REQUEST: runOnly,
  UNBIND_P2P_STREAM_REQUEST: runOnly,
  SET_MMIO_ATTRIBUTE_REQUEST: runOnly,
  SET_TDISP_CONFIG_REQUEST: {
    CONFIG_UNLOCKED: 'CONFIG_UNLOCKED',
    CONFIG_LOCKED: undefined,
    RUN: undefined,
    ERROR: undefined,
  },
} as const satisfies Readonly<Record<TdispRequestName, RequestRow>>;

/**
 * Requests that only the session which locked the TDI may make while it is not CONFIG_UNLOCKED.
 * The others tell nothing secret and change nothing, so any secured session may ask them.
 */
export const ownerOnly: ReadonlySet<TdispRequestName> = new Set([
  'LOCK_INTERFACE_REQUEST',
  'GET_DEVICE_INTERFACE_REPORT',
  'START_INTERFACE_REQUEST',
  'STOP_INTERFACE_REQUEST',
  'BIND_P2P_STREAM_REQUEST',
  'UNBIND_P2P_STREAM_REQUEST',
  'SET_MMIO_ATTRIBUTE_REQUEST',
  'VDM_REQUEST',
  'SET_TDISP_CONFIG_REQUEST',
]);

/** An event in a state: the state after it. */
type EventMove = Readonly<Record<TdiState, TdiState>>;

/** The four things an event can do. */
export const verdicts = {
  /** CONFIG_LOCKED and RUN fall to ERROR; nothing to lose elsewhere */
  error: {
    CONFIG_UNLOCKED: 'CONFIG_UNLOCKED',
    CONFIG_LOCKED: 'ERROR',
    RUN: 'ERROR',
    ERROR: 'ERROR',
  },
  /** everything is forgotten, secrets included */
  reset: {
    CONFIG_UNLOCKED: 'CONFIG_UNLOCKED',
    CONFIG_LOCKED: 'CONFIG_UNLOCKED',
    RUN: 'CONFIG_UNLOCKED',
    ERROR: 'CONFIG_UNLOCKED',
  },
  /** the device has scrubbed by itself what ERROR left behind */
  scrub: {
    CONFIG_UNLOCKED: 'CONFIG_UNLOCKED',
    CONFIG_LOCKED: 'CONFIG_LOCKED',
    RUN: 'RUN',
    ERROR: 'CONFIG_UNLOCKED',
  },
  /** seen, and of no consequence */
  ignore: {
    CONFIG_UNLOCKED: 'CONFIG_UNLOCKED',
    CONFIG_LOCKED: 'CONFIG_LOCKED',
    RUN: 'RUN',
    ERROR: 'ERROR',
  },
} as const satisfies Readonly<Record<string, EventMove>>;
export type EventVerdict = keyof typeof verdicts;

export interface EventRow {
  readonly verdict: EventVerdict;
  /** the event counts only for TDIs locked with this LOCK_INTERFACE_REQUEST flag */
  readonly onlyWith?: number;
}

/**
 * Events by name. The base specification leaves several registers to the device; where public texts
 * do not settle a row, the stricter reading (ERROR) is chosen, and marked `choice`.
 */
export const eventTable = {
  'stream-insecure': { verdict: 'error' },
  'session-ended': { verdict: 'error' },
  'ide-configuration-changed': { verdict: 'error' },
  'function-reset': { verdict: 'error' },
  // Texts differ for CONFIG_LOCKED and RUN (ERROR or CONFIG_UNLOCKED); a reset forgets everything.
  'conventional-reset': { verdict: 'reset' },
  'requester-id-changed': { verdict: 'error' },
  'memory-space-disabled': { verdict: 'error' },
  'memory-space-enabled': { verdict: 'ignore' },
  'bus-master-disabled': { verdict: 'error' },
  'bus-master-enabled': { verdict: 'ignore' },
  'bar-changed': { verdict: 'error' },
  // choice: the expansion ROM is no TEE MMIO
  'expansion-rom-changed': { verdict: 'ignore' },
  'msix-changed-while-locked': { verdict: 'error', onlyWith: LockFlags.LOCK_MSIX },
  'msi-changed': { verdict: 'ignore' },
  // choice, for these registers: enables and parameters alike
  'ats-changed': { verdict: 'error' },
  'pri-changed': { verdict: 'error' },
  'pasid-changed': { verdict: 'error' },
  'tph-changed': { verdict: 'error' },
  'lnr-changed': { verdict: 'error' },
  'max-payload-size-changed': { verdict: 'error' },
  'extended-tag-changed': { verdict: 'error' },
  'power-state-lost': { verdict: 'error' },
  'acs-changed': { verdict: 'error' },
  'vf-enable-cleared': { verdict: 'error' },
  // choice: performance hints, no change in who may reach what
  'max-read-request-size-changed': { verdict: 'ignore' },
  'relaxed-ordering-changed': { verdict: 'ignore' },
  'no-snoop-changed': { verdict: 'ignore' },
  'security-posture-changed': { verdict: 'error' },
  'poisoned-data': { verdict: 'error' },
  'completion-error': { verdict: 'error' },
  'translation-completion-not-tee': { verdict: 'error' },
  'page-response-not-tee': { verdict: 'error' },
  'tee-access-rejected': { verdict: 'ignore' },
  'firmware-update-refused': { verdict: 'ignore' },
  scrubbed: { verdict: 'scrub' },
} as const satisfies Readonly<Record<string, EventRow>>;
export type TdiEventName = keyof typeof eventTable;
export const tdiEventNames = Object.keys(eventTable) as readonly TdiEventName[];

/** State after a request that is otherwise in order; undefined: INVALID_INTERFACE_STATE. */
export function afterRequest(state: TdiState, request: TdispRequestName): TdiState | undefined {
  return requestTable[request][state];
}

/** State after an event, for a TDI locked with `lockFlags`. */
export function afterEvent(state: TdiState, event: TdiEventName, lockFlags: number): TdiState {
  const row: EventRow = eventTable[event];
  if (row.onlyWith !== undefined && (lockFlags & row.onlyWith) === 0) return state;
  return verdicts[row.verdict][state];
}

/** The machine as a Mermaid state diagram: one arrow per pair of states, with everything that takes it. */
export function tdiMermaid(): string {
  const arrows = new Map<string, string[]>();
  const add = (from: TdiState, to: TdiState, label: string) => {
    if (from === to) return;
    const key = `${from} --> ${to}`;
    arrows.set(key, [...(arrows.get(key) ?? []), label]);
  };
  for (const from of tdiStates) {
    for (const [name, row] of Object.entries(requestTable)) {
      const to = (row as RequestRow)[from];
      if (to !== undefined) add(from, to, name);
    }
    for (const [name, row] of Object.entries(eventTable))
      add(from, verdicts[row.verdict][from], name);
  }
  const lines = ['stateDiagram-v2', '  [*] --> CONFIG_UNLOCKED'];
  for (const [arrow, labels] of arrows) lines.push(`  ${arrow} : ${labels.join(', ')}`);
  return `${lines.join('\n')}\n`;
}

/** What a device does about a firmware update while TDIs and sessions stand. */
export type FirmwareUpdateVerdict = 'refuse' | 'update-and-end-session' | 'update';

/**
 * Firmware update by SPDM SessionPolicy.TerminationPolicy and NO_FW_UPDATE.
 * @param terminationPolicy 0: an update ends the session; 1: the session may survive it
 * @param forbidden some TDI is CONFIG_LOCKED or RUN and was locked with NO_FW_UPDATE
 */
export function firmwareUpdateVerdict(
  terminationPolicy: 0 | 1,
  forbidden: boolean,
): FirmwareUpdateVerdict {
  if (forbidden) return 'refuse';
  return terminationPolicy === 0 ? 'update-and-end-session' : 'update';
}
