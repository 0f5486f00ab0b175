/**
 * Key slots of one IDE Stream (PCIe Base 6.x clauses 6.33.3 and 6.33.4): for each direction and
 * sub-stream two key sets, of which one is in use and the other may be waiting for its first TLP.
 * Keys go in and never come out.
 */

import type { InvocationCounter } from './counters.ts';
import {
  KEY_DIRECTIONS,
  type KeyDirection,
  type KeySet,
  SUB_STREAMS,
  type SubStream,
} from './idekm.ts';
import type { KeyedSealer } from './seal.ts';

export interface KeySlot {
  readonly sealer: KeyedSealer;
  /** fingerprint: first 8 hex digits of SHA-256 of the key */
  readonly keyId: string;
  readonly sessionId: number | undefined;
  readonly counter: InvocationCounter;
  /** K_SET_GO was given */
  go: boolean;
}

/** The two key sets of one direction of one sub-stream. */
export class KeyChannel {
  readonly #slots: [KeySlot | undefined, KeySlot | undefined] = [undefined, undefined];
  /** set of the last TLP */
  current: KeySet | undefined;
  /** started by K_SET_GO, first TLP still to come */
  pending: KeySet | undefined;

  slot(set: KeySet): KeySlot | undefined {
    return this.#slots[set];
  }
  get started(): boolean {
    return this.#slots.some((slot) => slot?.go === true);
  }

  program(set: KeySet, slot: KeySlot): void {
    this.drop(set);
    this.#slots[set] = slot;
  }

  /** K_SET_GO: the set is used from the next TLP on (Tx), or accepted from now on (Rx). */
  go(set: KeySet): void {
    const slot = this.#slots[set];
    if (slot === undefined || slot.go) return;
    slot.go = true;
    if (this.pending !== undefined) this.current = this.pending;
    this.pending = set;
  }

  /** The set to seal the next TLP with. Taking up a new set ends the old one. */
  next(): KeySet | undefined {
    if (this.pending !== undefined) this.#switchTo(this.pending);
    return this.current;
  }

  /** Whether a TLP of this set may arrive now. */
  accepts(set: KeySet): boolean {
    return this.#slots[set]?.go === true;
  }
  /** A TLP of this set was verified: the first one of a new set ends the old one. True if it did. */
  verified(set: KeySet): boolean {
    if (set !== this.pending) return false;
    this.#switchTo(set);
    return true;
  }

  #switchTo(set: KeySet): void {
    const other = (1 - set) as KeySet;
    if (this.#slots[other]?.go === true) this.drop(other);
    this.current = set;
    this.pending = undefined;
  }

  /** Takes a slot out without destroying its key. */
  detach(set: KeySet): KeySlot | undefined {
    const slot = this.#slots[set];
    this.#slots[set] = undefined;
    if (this.current === set) this.current = undefined;
    if (this.pending === set) this.pending = undefined;
    return slot;
  }

  /** Destroys one key. */
  drop(set: KeySet): void {
    this.detach(set)?.sealer.dispose();
  }
}

export type KeyLevel = 'KEYS_INCOMPLETE' | 'KEYS_COMPLETE' | 'GO_COMPLETE';

/** All twelve slots of a stream. */
export class StreamKeys {
  readonly #channels: Readonly<Record<KeyDirection, readonly KeyChannel[]>> = {
    RX: SUB_STREAMS.map(() => new KeyChannel()),
    TX: SUB_STREAMS.map(() => new KeyChannel()),
  };

  channel(direction: KeyDirection, subStream: SubStream): KeyChannel {
    return this.#channels[direction][subStream]!;
  }

  #every(test: (channel: KeyChannel) => boolean): boolean {
    return KEY_DIRECTIONS.every((direction) => this.#channels[direction].every(test));
  }

  /** Whether all six keys of a set are programmed. */
  complete(set: KeySet): boolean {
    return this.#every((channel) => channel.slot(set) !== undefined);
  }

  /**
   * How far the keys are. A Secure stream only needs a started key for each direction and sub-stream:
   * these change their set one by one during a refresh.
   */
  level(secure: boolean): KeyLevel {
    const sets: readonly KeySet[] = [0, 1];
    const go = (set: KeySet) => this.#every((channel) => channel.slot(set)?.go === true);
    if (secure ? this.#every((channel) => channel.started) : sets.some(go)) return 'GO_COMPLETE';
    return sets.some((set) => this.complete(set)) ? 'KEYS_COMPLETE' : 'KEYS_INCOMPLETE';
  }

  /** The session that programmed a key for each of the six, if it was one and the same. */
  get keyedBy(): number | undefined {
    const sessions = new Set<number | undefined>();
    const all = this.#every((channel) => {
      const slots = [channel.slot(0), channel.slot(1)].filter((slot) => slot !== undefined);
      for (const slot of slots) sessions.add(slot.sessionId);
      return slots.length > 0;
    });
    return all && sessions.size === 1 ? [...sessions][0] : undefined;
  }

  /** Whether any slot holds a key. */
  get any(): boolean {
    return !this.#every(
      (channel) => channel.slot(0) === undefined && channel.slot(1) === undefined,
    );
  }

  /** Whether any key came over this session. */
  holds(sessionId: number): boolean {
    return !this.#every(
      (channel) =>
        channel.slot(0)?.sessionId !== sessionId && channel.slot(1)?.sessionId !== sessionId,
    );
  }

  /** Destroys all keys. */
  clear(): void {
    for (const direction of KEY_DIRECTIONS)
      for (const channel of this.#channels[direction]) {
        channel.drop(0);
        channel.drop(1);
      }
  }
}
