/**
 * One IDE Stream of a port: its register block, its keys and counters, and its state, which moves by
 * the table of `stream-state.ts` only (PCIe Base 6.x clause 6.33.3).
 */

import { PrReceivedCounters, PrSentCounters } from './counters.ts';
import type { IdeEffect } from './effects.ts';
import { SubStreams } from './idekm.ts';
import { type KeySlot, StreamKeys } from './keys.ts';
import {
  type AddressAssociation,
  decodeAddressAssociation,
  decodeRidAssociation,
  field,
  type RidAssociation,
  registerValue,
  StatusStates,
  StreamControl,
  StreamStatus,
} from './registers.ts';
import { STREAM_TABLE, type StreamEvent, type StreamState } from './stream-state.ts';

export interface StreamOptions {
  readonly portIndex: number;
  readonly kind: 'link' | 'selective';
  /** index of its block among those of its kind */
  readonly index: number;
  readonly addressAssociations: number;
}

/** What a completion sealed after Enable was cleared needs: see `takeLastCompletion`. */
export interface LastCompletion {
  readonly streamId: number;
  readonly slot: KeySlot;
  readonly keySet: 0 | 1;
}

export class IdeStream {
  readonly portIndex: number;
  readonly kind: 'link' | 'selective';
  readonly index: number;

  /** registers as written; Status is computed */
  control = 0;
  readonly ridDws = new Uint32Array(2);
  /** three DWs per address association */
  readonly addressDws: Uint32Array;
  failMessageReceived = false;

  state: StreamState = 'INSECURE_NO_KEYS';
  readonly keys = new StreamKeys();
  prSent = new PrSentCounters();
  prReceived = new PrReceivedCounters();
  /** sub-streams an IDE TLP has arrived on since the stream became Secure */
  received: [boolean, boolean, boolean] = [false, false, false];

  // Decoded once per register write: every TLP asks for them.
  #rid: RidAssociation = decodeRidAssociation(0, 0);
  #addresses: readonly AddressAssociation[] = [];
  #lastCompletion: LastCompletion | undefined;

  constructor(options: StreamOptions) {
    this.portIndex = options.portIndex;
    this.kind = options.kind;
    this.index = options.index;
    this.addressDws = new Uint32Array(options.addressAssociations * 3);
  }

  get streamId(): number {
    return field(this.control, StreamControl.StreamId);
  }
  get tc(): number {
    return field(this.control, StreamControl.Tc);
  }
  get enabled(): boolean {
    return (this.control & 1) === 1;
  }
  get secure(): boolean {
    return this.state === 'SECURE';
  }
  get defaultStream(): boolean {
    return field(this.control, StreamControl.DefaultStream) === 1;
  }
  get teeLimited(): boolean {
    return field(this.control, StreamControl.TeeLimitedStream) === 1;
  }
  get forConfigRequests(): boolean {
    return field(this.control, StreamControl.SelectiveIdeForConfigurationRequestsEnable) === 1;
  }
  get rid(): RidAssociation {
    return this.#rid;
  }
  get addresses(): readonly AddressAssociation[] {
    return this.#addresses;
  }
  /** Requester ID of the partner port; undefined on a Link stream, whose partner is the other end. */
  get partnerId(): number | undefined {
    return this.kind === 'link' ? undefined : this.#rid.base;
  }

  /** Stream Status register. State reads 0 while Enable is 0, since no such state is SECURE. */
  get status(): number {
    return registerValue(StreamStatus, {
      State: this.secure ? StatusStates.SECURE : StatusStates.INSECURE,
      ReceivedIntegrityCheckFailMessage: this.failMessageReceived ? 1 : 0,
    });
  }

  /** To be called after `ridDws` or `addressDws` were written. */
  associationsWritten(): void {
    this.#rid = decodeRidAssociation(this.ridDws[0]!, this.ridDws[1]!);
    const dws = this.addressDws;
    const all: AddressAssociation[] = [];
    for (let at = 0; at < dws.length; at += 3)
      all.push(decodeAddressAssociation(dws[at]!, dws[at + 1]!, dws[at + 2]!));
    this.#addresses = all.filter((a) => a.valid);
  }

  coversId(id: number): boolean {
    return this.#rid.valid && id >= this.#rid.base && id <= this.#rid.limit;
  }
  coversAddress(address: number): boolean {
    return this.#addresses.some((a) => address >= a.base && address <= a.limit);
  }

  /** Whether anything that `sessionId` programmed is left. */
  heldBy(sessionId: number): boolean {
    return this.keys.holds(sessionId) || this.#lastCompletion?.slot.sessionId === sessionId;
  }

  /** Moves the state by the table. A refused event changes nothing and has no effect. */
  fire(event: StreamEvent, reason: string): IdeEffect[] {
    const from = this.state;
    const step = STREAM_TABLE[from][event];
    if ('refused' in step) return [];
    const keysInvalidated = step.invalidate && this.keys.any;
    if (step.invalidate) {
      this.#forgetLastCompletion();
      if (event === 'ENABLE_CLEARED') this.#keepLastCompletion();
      this.keys.clear();
    }
    this.state = step.next;
    if (this.state === 'SECURE' && from !== 'SECURE') this.#start();
    if (from === this.state && !keysInvalidated) return [];
    const { portIndex, streamId } = this;
    return [
      {
        type: 'ide-stream-state',
        portIndex,
        streamId,
        from,
        to: this.state,
        event,
        reason,
        keysInvalidated,
      },
    ];
  }

  /** Tells the state machine how many keys there are now. */
  keysChanged(reason: string): IdeEffect[] {
    return this.fire(this.keys.level(this.secure), reason);
  }

  #start(): void {
    this.#forgetLastCompletion();
    this.prSent = new PrSentCounters();
    this.prReceived = new PrReceivedCounters();
    this.received = [false, false, false];
  }

  /**
   * The completion of the configuration write that cleared Enable still goes as an IDE TLP if the
   * write came as one. The key for it outlives the others by that one TLP.
   */
  #keepLastCompletion(): void {
    const channel = this.keys.channel('TX', SubStreams.CPL);
    const keySet = channel.next();
    const slot = keySet === undefined ? undefined : channel.detach(keySet);
    if (keySet === undefined || slot === undefined) return;
    this.#lastCompletion = { streamId: this.streamId, slot, keySet };
  }

  /** The key for that one completion, if it is still there. The caller destroys it after use. */
  takeLastCompletion(streamId: number): LastCompletion | undefined {
    const last = this.#lastCompletion;
    if (last === undefined || last.streamId !== streamId) return undefined;
    this.#lastCompletion = undefined;
    return last;
  }
  #forgetLastCompletion(): void {
    this.#lastCompletion?.slot.sealer.dispose();
    this.#lastCompletion = undefined;
  }
}
