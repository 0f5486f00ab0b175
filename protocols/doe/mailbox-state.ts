/**
 * The responder's mailbox as a table: state x event -> next state and action, or a refusal that changes
 * nothing (PCIe Base 6.x clause 6.30.2). Everything that decides what the mailbox does next stands here;
 * `mailbox.ts` turns register accesses into these events and carries the actions out.
 *
 * Where the clause leaves the responder free, this one
 * - clears Busy with the response, so that Busy means "computing" and nothing else;
 * - buffers data writes at any time but while Busy, even in ERROR, where only Abort discards them;
 * - answers Go on an unread response with Error, since losing either object silently would let a host
 *   take an old response for a new one;
 * - answers an advance without a response, and a write beyond the buffer, with Error.
 */

export const MailboxStates = ['IDLE', 'COLLECT', 'PROCESS', 'RESPOND', 'ERROR'] as const;
export type MailboxState = (typeof MailboxStates)[number];

export const MailboxEvents = [
  /** DW written to the Write Data Mailbox, and room for it */
  'write',
  /** DW written with the buffer full */
  'overflow',
  /** Go with as many DWs collected as Length says, and of a type supported here */
  'go',
  /** Go with anything else collected */
  'goUnfit',
  /** Abort, whether or not Go is written with it */
  'abort',
  /** the Read Data Mailbox is read */
  'read',
  /** the Read Data Mailbox is written, with more DWs to come */
  'advance',
  /** the Read Data Mailbox is written on the last DW, nothing collected meanwhile */
  'advanceLast',
  /** the same with DWs of the next object already collected */
  'advanceLastCollected',
  /** the owner has a response */
  'respond',
  /** the owner has no response to this object */
  'drop',
  /** the owner failed */
  'fail',
  /** conventional reset, or FLR of the owning Function */
  'reset',
] as const;
export type MailboxEvent = (typeof MailboxEvents)[number];

export type MailboxAction =
  /** take the DW in */
  | 'append'
  /** hand the collected object to the owner */
  | 'deliver'
  /** forget the collected DWs; no Ready, no Error */
  | 'discard'
  /** show the current DW of the response */
  | 'present'
  /** go to the next DW of the response */
  | 'step'
  /** forget the response */
  | 'finish'
  /** take the response in */
  | 'load'
  /** forget everything */
  | 'clear';

export type MailboxRefusal =
  /** the responder is computing and takes nothing in */
  | 'BUSY'
  /** there is no response to read */
  | 'NOT_READY'
  /** Error is set; only Abort helps */
  | 'IN_ERROR'
  /** the owner's result belongs to no object that is being processed */
  | 'NOT_PENDING';

export type MailboxRow =
  | { readonly next: MailboxState; readonly action: MailboxAction }
  | { readonly refusal: MailboxRefusal };

const to = (next: MailboxState, action: MailboxAction): MailboxRow => ({ next, action });
const refusal = (code: MailboxRefusal): MailboxRow => ({ refusal: code });

const LATE = refusal('NOT_PENDING');
const clear = to('IDLE', 'clear');
const underflow = to('ERROR', 'clear');
const lateResults = { respond: LATE, drop: LATE, fail: LATE } as const;
/** An advance with no response is an underflow, whatever the response's length might have been. */
const noResponse = {
  read: refusal('NOT_READY'),
  advance: underflow,
  advanceLast: underflow,
  advanceLastCollected: underflow,
} as const;

export const mailboxTable: Readonly<
  Record<MailboxState, Readonly<Record<MailboxEvent, MailboxRow>>>
> = {
  IDLE: {
    write: to('COLLECT', 'append'),
    overflow: to('ERROR', 'clear'),
    go: to('PROCESS', 'deliver'),
    goUnfit: to('IDLE', 'discard'),
    abort: clear,
    ...noResponse,
    ...lateResults,
    reset: clear,
  },
  COLLECT: {
    write: to('COLLECT', 'append'),
    overflow: to('ERROR', 'clear'),
    go: to('PROCESS', 'deliver'),
    goUnfit: to('IDLE', 'discard'),
    abort: clear,
    ...noResponse,
    ...lateResults,
    reset: clear,
  },
  PROCESS: {
    write: refusal('BUSY'),
    overflow: refusal('BUSY'),
    go: refusal('BUSY'),
    goUnfit: refusal('BUSY'),
    abort: clear,
    ...noResponse,
    respond: to('RESPOND', 'load'),
    drop: to('IDLE', 'clear'),
    fail: to('ERROR', 'clear'),
    reset: clear,
  },
  RESPOND: {
    write: to('RESPOND', 'append'),
    overflow: to('ERROR', 'clear'),
    go: to('ERROR', 'clear'),
    goUnfit: to('ERROR', 'clear'),
    abort: clear,
    read: to('RESPOND', 'present'),
    advance: to('RESPOND', 'step'),
    advanceLast: to('IDLE', 'finish'),
    advanceLastCollected: to('COLLECT', 'finish'),
    ...lateResults,
    reset: clear,
  },
  ERROR: {
    write: to('ERROR', 'append'),
    overflow: refusal('IN_ERROR'),
    go: refusal('IN_ERROR'),
    goUnfit: refusal('IN_ERROR'),
    abort: clear,
    read: refusal('IN_ERROR'),
    advance: refusal('IN_ERROR'),
    advanceLast: refusal('IN_ERROR'),
    advanceLastCollected: refusal('IN_ERROR'),
    ...lateResults,
    reset: clear,
  },
};

/** DOE Status bits of each state, Interrupt Status apart. */
export const statusOf: Readonly<
  Record<MailboxState, { readonly busy: boolean; readonly ready: boolean; readonly error: boolean }>
> = {
  IDLE: { busy: false, ready: false, error: false },
  COLLECT: { busy: false, ready: false, error: false },
  PROCESS: { busy: true, ready: false, error: false },
  RESPOND: { busy: false, ready: true, error: false },
  ERROR: { busy: false, ready: false, error: true },
};
