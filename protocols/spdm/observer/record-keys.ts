/**
 * The keys of one session as a listener needs them: it does not see whether an update was taken before it
 * happens, so each direction may have a next key besides the one in use, and the first record that opens
 * with it tells (DSP0274 10.17, DSP0277).
 */

import type { Decoded } from '../../codec/refusal.ts';
import {
  dataKeys,
  type HandshakeKeys,
  handshakeKeys,
  type KeyScope,
  updatedKeys,
  verifyData,
} from '../key-schedule.ts';
import { openRecord, type RecordDirection, type RecordScope } from '../secured-message.ts';
import type { Side } from '../session-keys.ts';

interface Direction {
  current: RecordDirection;
  next: RecordDirection | undefined;
}

export class ObservedKeys {
  private readonly scope: KeyScope;
  private readonly records: RecordScope;
  private readonly handshake: HandshakeKeys;
  private readonly directions: Record<Side, Direction>;

  constructor(
    scopes: { readonly keys: KeyScope; readonly records: RecordScope },
    secret: Uint8Array,
    th1: Uint8Array,
    isPsk: boolean,
  ) {
    this.scope = scopes.keys;
    this.records = scopes.records;
    this.handshake = handshakeKeys(scopes.keys, secret, th1, isPsk);
    const { request, response } = this.handshake;
    this.directions = {
      request: { current: { keys: request, sequence: 0 }, next: undefined },
      response: { current: { keys: response, sequence: 0 }, next: undefined },
    };
  }

  enterDataPhase(th2: Uint8Array): void {
    const { request, response } = dataKeys(this.scope, this.handshake.handshakeSecret, th2);
    this.directions.request = { current: { keys: request, sequence: 0 }, next: undefined };
    this.directions.response = { current: { keys: response, sequence: 0 }, next: undefined };
  }

  /** A KEY_UPDATE of this direction was asked for. */
  mayUpdate(side: Side): void {
    const direction = this.directions[side];
    const keys = updatedKeys(this.scope, direction.current.keys);
    direction.next = { keys, sequence: 0 };
  }

  open(side: Side, record: Uint8Array): Decoded<Uint8Array> {
    const direction = this.directions[side];
    const opened = openRecord(this.records, direction.current, record);
    if (opened.ok || direction.next === undefined) return opened;
    const renewed = openRecord(this.records, direction.next, record);
    if (!renewed.ok) return opened;
    this.directions[side] = { current: direction.next, next: undefined };
    return renewed;
  }

  /** Records of this direction under its current key so far. */
  sequence(side: Side): number {
    return this.directions[side].current.sequence;
  }

  /** HMAC of FINISH (`request`) or of the responder's answers (`response`). */
  verifyData(side: Side, transcript: Uint8Array): Uint8Array {
    const { crypto, hash } = this.scope;
    const { requestFinishedKey, responseFinishedKey } = this.handshake;
    const key = side === 'request' ? requestFinishedKey : responseFinishedKey;
    return verifyData(this.scope, key, crypto.hash(hash, transcript));
  }
}
