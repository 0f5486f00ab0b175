/**
 * The responder side of a DOE instance: its registers from DOE Capabilities on, a DWORD at a time (PCIe
 * Base 6.x clauses 6.30.2 and 7.9.24). It answers Discovery by itself and hands every other object of a
 * supported type to its owner, who later calls `respond`, `drop` or `fail` with the object's ticket.
 *
 * A late result, for an object that an Abort or a reset has discarded meanwhile, is refused: it must not
 * answer the next object.
 */

import { readDwLE, writeDwLE } from '../codec/bytes.ts';
import { decode } from '../codec/layout.ts';
import { LocalError } from '../codec/refusal.ts';
import {
  type MailboxAction,
  type MailboxEvent,
  type MailboxRefusal,
  type MailboxState,
  mailboxTable,
  statusOf,
} from './mailbox-state.ts';
import {
  type DoeObject,
  type DoeObjectType,
  DoeTypes,
  DW_BYTES,
  decodeObject,
  discoveryRequest,
  encodeDiscoveryResponse,
  OBJECT_BYTES_MAX,
  sameType,
  TYPE_NONE,
  VENDOR_NONE,
  VENDOR_PCI_SIG,
} from './object.ts';
import {
  CONTROL_ABORT,
  CONTROL_GO,
  CONTROL_INTERRUPT_ENABLE,
  DoeRegisters,
  has,
  INTERRUPT_MESSAGE_LSB,
  INTERRUPT_MESSAGE_MAX,
  INTERRUPT_SUPPORT,
  STATUS_BUSY,
  STATUS_ERROR,
  STATUS_INTERRUPT,
  STATUS_READY,
} from './registers.ts';

const DISCOVERY: DoeObjectType = { VendorID: VENDOR_PCI_SIG, DataObjectType: DoeTypes.DISCOVERY };
const DISCOVERY_BYTES_MIN = 4;
/** An index is one byte, and Next Index 0 ends the list. */
const TYPES_MAX = 256;
const ALL_BYTES = 0xf;

export interface DoeMailboxOptions {
  /** the object types besides Discovery, in the order Discovery lists them */
  readonly types: readonly DoeObjectType[];
  /** Interrupt Message Number; undefined: no Interrupt Support */
  readonly interruptMessage?: number;
  /** room for one request in bytes; default and limit 2^20 */
  readonly requestBytesMax?: number;
}

/** Why a complete object was discarded in silence. */
export type DoeDiscard = 'LENGTH_MISMATCH' | 'UNSUPPORTED_TYPE' | 'TOO_SHORT';
/** Why Error was set. */
export type DoeErrorCause = 'UNDERFLOW' | 'OVERFLOW' | 'RESPONSE_UNREAD' | 'OWNER_FAILED';

/** What one access, or one result of the owner, did. */
export type MailboxOutcome = {
  /** the message of Interrupt Message Number is to be sent */
  readonly interrupt: boolean;
  /** ticket of an object in process that was discarded by this */
  readonly cancelled: number | undefined;
} & (
  | { readonly type: 'none' }
  | { readonly type: 'refused'; readonly code: MailboxRefusal }
  | { readonly type: 'collected' }
  | { readonly type: 'object'; readonly object: DoeObject; readonly ticket: number }
  /** the response is there to be read: Discovery's own, or the owner's */
  | { readonly type: 'ready' }
  | { readonly type: 'discarded'; readonly reason: DoeDiscard | 'NO_RESPONSE' }
  | { readonly type: 'advanced' }
  /** the last DW of the response was taken */
  | { readonly type: 'finished' }
  | { readonly type: 'error'; readonly cause: DoeErrorCause }
  | { readonly type: 'cleared' }
);

type Result = MailboxOutcome extends infer O
  ? O extends MailboxOutcome
    ? Omit<O, 'interrupt' | 'cancelled'>
    : never
  : never;

export class DoeMailbox {
  readonly types: readonly DoeObjectType[];
  readonly interruptMessage: number | undefined;
  readonly requestBytesMax: number;
  #state: MailboxState = 'IDLE';
  #interruptEnable = false;
  #interruptStatus = false;
  #collected = new Uint8Array(256);
  #collectedBytes = 0;
  #response = new Uint8Array(0);
  #responseAt = 0;
  #ticket = 0;

  /** @throws LocalError on an option out of range. */
  constructor(options: DoeMailboxOptions) {
    const { interruptMessage, requestBytesMax = OBJECT_BYTES_MAX } = options;
    this.types = [DISCOVERY, ...options.types.filter((type) => !sameType(type, DISCOVERY))];
    if (this.types.length > TYPES_MAX)
      throw new LocalError(`types: at most ${TYPES_MAX - 1} besides Discovery`);
    if (
      interruptMessage !== undefined &&
      !(interruptMessage >= 0 && interruptMessage <= INTERRUPT_MESSAGE_MAX)
    )
      throw new LocalError(`interruptMessage: expected 0..${INTERRUPT_MESSAGE_MAX}`);
    if (
      requestBytesMax % DW_BYTES !== 0 ||
      requestBytesMax < 12 ||
      requestBytesMax > OBJECT_BYTES_MAX
    )
      throw new LocalError(`requestBytesMax: expected DWs, 12..${OBJECT_BYTES_MAX} bytes`);
    this.interruptMessage = interruptMessage;
    this.requestBytesMax = requestBytesMax;
  }

  get state(): MailboxState {
    return this.#state;
  }

  /** The DW at `offset` from the capability; the header and offsets without a register read 0. */
  read(offset: number): number {
    switch (offset) {
      case DoeRegisters.CAPABILITIES:
        return this.interruptMessage === undefined
          ? 0
          : INTERRUPT_SUPPORT | (this.interruptMessage << INTERRUPT_MESSAGE_LSB);
      case DoeRegisters.CONTROL:
        return this.#interruptEnable ? CONTROL_INTERRUPT_ENABLE : 0;
      case DoeRegisters.STATUS:
        return this.#status();
      case DoeRegisters.READ_MAILBOX: {
        const row = mailboxTable[this.#state].read;
        return 'refusal' in row ? 0 : readDwLE(this.#response, this.#responseAt);
      }
      default:
        return 0;
    }
  }

  /**
   * Writes the bytes of `value` that `byteEnable` names. The mailbox registers take whole DWs only; in
   * Control and Status each byte counts by itself.
   */
  write(offset: number, value: number, byteEnable: number = ALL_BYTES): MailboxOutcome {
    const whole = (byteEnable & ALL_BYTES) === ALL_BYTES;
    switch (offset) {
      case DoeRegisters.CONTROL:
        return this.#control(value, byteEnable);
      case DoeRegisters.STATUS:
        if ((byteEnable & 1) !== 0 && has(value, STATUS_INTERRUPT)) this.#interruptStatus = false;
        return this.#nothing();
      case DoeRegisters.WRITE_MAILBOX:
        return whole ? this.#collect(value) : this.#nothing();
      case DoeRegisters.READ_MAILBOX:
        return whole ? this.#advance() : this.#nothing();
      default:
        return this.#nothing();
    }
  }

  /**
   * The owner's response to the object of `ticket`. `object` is the whole object, header included, and
   * goes out as it is: a fault injector may give one that lies.
   * @throws LocalError unless `object` is 1 to 2^18 DWs.
   */
  respond(ticket: number, object: Uint8Array): MailboxOutcome {
    if (object.length === 0 || object.length % DW_BYTES !== 0 || object.length > OBJECT_BYTES_MAX)
      throw new LocalError(`object: ${object.length} bytes are not 1 to 2^18 DWs`);
    if (ticket !== this.#ticket) return this.#stale();
    return this.#fire('respond', { type: 'ready' }, object);
  }

  /** There is no response to the object of `ticket`: the initiator will see a timeout. */
  drop(ticket: number): MailboxOutcome {
    if (ticket !== this.#ticket) return this.#stale();
    return this.#fire('drop', { type: 'discarded', reason: 'NO_RESPONSE' });
  }

  /** The owner cannot go on with the object of `ticket`: Error is set. */
  fail(ticket: number): MailboxOutcome {
    if (ticket !== this.#ticket) return this.#stale();
    return this.#fire('fail', { type: 'error', cause: 'OWNER_FAILED' });
  }

  /** Conventional reset, or FLR of the owning Function. Sends no interrupt. */
  reset(): MailboxOutcome {
    this.#interruptEnable = false;
    this.#interruptStatus = false;
    return this.#fire('reset', { type: 'cleared' });
  }

  #status(): number {
    const { busy, ready, error } = statusOf[this.#state];
    const bits =
      (busy ? STATUS_BUSY : 0) |
      (this.#interruptStatus ? STATUS_INTERRUPT : 0) |
      (error ? STATUS_ERROR : 0) |
      (ready ? STATUS_READY : 0);
    return bits >>> 0;
  }

  #nothing(): MailboxOutcome {
    return { type: 'none', interrupt: false, cancelled: undefined };
  }

  #stale(): MailboxOutcome {
    return { type: 'refused', code: 'NOT_PENDING', interrupt: false, cancelled: undefined };
  }

  #control(value: number, byteEnable: number): MailboxOutcome {
    const low = (byteEnable & 1) !== 0;
    if (low && this.interruptMessage !== undefined)
      this.#interruptEnable = has(value, CONTROL_INTERRUPT_ENABLE);
    if (low && has(value, CONTROL_ABORT)) return this.#fire('abort', { type: 'cleared' });
    if ((byteEnable & 8) !== 0 && has(value, CONTROL_GO)) return this.#go();
    return this.#nothing();
  }

  #collect(value: number): MailboxOutcome {
    if (this.#collectedBytes >= this.requestBytesMax)
      return this.#fire('overflow', { type: 'error', cause: 'OVERFLOW' });
    return this.#fire('write', { type: 'collected' }, undefined, value);
  }

  #advance(): MailboxOutcome {
    const last = this.#responseAt + DW_BYTES >= this.#response.length;
    const result: Result =
      this.#state !== 'RESPOND'
        ? { type: 'error', cause: 'UNDERFLOW' }
        : { type: last ? 'finished' : 'advanced' };
    if (!last) return this.#fire('advance', result);
    return this.#fire(this.#collectedBytes > 0 ? 'advanceLastCollected' : 'advanceLast', result);
  }

  #go(): MailboxOutcome {
    const object = decodeObject(this.#collected.subarray(0, this.#collectedBytes));
    const reason = object.ok ? this.#unfit(object.value) : 'LENGTH_MISMATCH';
    const unread: Result = { type: 'error', cause: 'RESPONSE_UNREAD' };
    if (this.#state === 'RESPOND')
      return this.#fire(reason === undefined ? 'go' : 'goUnfit', unread);
    if (!object.ok || reason !== undefined)
      return this.#fire('goUnfit', { type: 'discarded', reason: reason ?? 'LENGTH_MISMATCH' });
    const ticket = this.#ticket + 1;
    const outcome = this.#fire('go', { type: 'object', object: object.value, ticket });
    if (outcome.type !== 'object' || !sameType(object.value, DISCOVERY)) return outcome;
    return this.respond(ticket, this.#discovery(object.value.payload));
  }

  /** Why a whole object is none for this mailbox. */
  #unfit(object: DoeObject): DoeDiscard | undefined {
    if (!this.types.some((supported) => sameType(supported, object))) return 'UNSUPPORTED_TYPE';
    if (sameType(object, DISCOVERY) && object.payload.length < DISCOVERY_BYTES_MIN)
      return 'TOO_SHORT';
    return undefined;
  }

  /** An index beyond the list answers with vendor FFFFh and, unlike QEMU, ends the list. */
  #discovery(payload: Uint8Array): Uint8Array {
    const request = decode(discoveryRequest, payload, {}, { trailing: 'leave' });
    const index = request.ok ? request.value.Index : TYPES_MAX;
    const entry = this.types[index];
    if (entry === undefined)
      return encodeDiscoveryResponse({ VendorID: VENDOR_NONE, DataObjectType: TYPE_NONE }, 0);
    return encodeDiscoveryResponse(entry, index + 1 < this.types.length ? index + 1 : 0);
  }

  /** Looks `event` up, carries the action out and settles the interrupt. */
  #fire(event: MailboxEvent, result: Result, response?: Uint8Array, dw = 0): MailboxOutcome {
    const row = mailboxTable[this.#state][event];
    if ('refusal' in row)
      return { type: 'refused', code: row.refusal, interrupt: false, cancelled: undefined };
    const before = statusOf[this.#state];
    const cancelled =
      this.#state === 'PROCESS' && event !== 'respond' && event !== 'drop' && event !== 'fail'
        ? this.#ticket
        : undefined;
    this.#act(row.action, response, dw);
    this.#state = row.next;
    const after = statusOf[this.#state];
    // A choice: Busy falling counts too, as Linux expects; QEMU raises on Ready and Error alone.
    const edge =
      (after.ready && !before.ready) ||
      (after.error && !before.error) ||
      (before.busy && !after.busy);
    const interrupt = edge && this.#interruptEnable && !this.#interruptStatus;
    if (edge && this.#interruptEnable) this.#interruptStatus = true;
    return { ...result, interrupt, cancelled };
  }

  #act(action: MailboxAction, response: Uint8Array | undefined, dw: number): void {
    switch (action) {
      case 'append':
        this.#append(dw);
        return;
      case 'deliver':
        this.#ticket++;
        this.#collectedBytes = 0;
        return;
      case 'discard':
        this.#collectedBytes = 0;
        return;
      case 'load':
        this.#response = response?.slice() ?? new Uint8Array(0);
        this.#responseAt = 0;
        return;
      case 'step':
        this.#responseAt += DW_BYTES;
        return;
      case 'clear':
        this.#collectedBytes = 0;
        this.#finish();
        return;
      case 'finish':
        this.#finish();
        return;
      case 'present':
        return;
    }
  }

  #finish(): void {
    this.#response = new Uint8Array(0);
    this.#responseAt = 0;
  }

  #append(dw: number): void {
    if (this.#collectedBytes + DW_BYTES > this.#collected.length) {
      const grown = new Uint8Array(this.#collected.length * 2);
      grown.set(this.#collected);
      this.#collected = grown;
    }
    writeDwLE(this.#collected, this.#collectedBytes, dw);
    this.#collectedBytes += DW_BYTES;
  }
}
