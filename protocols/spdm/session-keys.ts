/** The record layer of one session through its phases: handshake keys, data keys, key updates. */

import { equal, toHex } from '../codec/bytes.ts';
import type { Decoded } from '../codec/refusal.ts';
import type { AeadName, HashName } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { type Negotiated, suiteOf } from './algorithms.ts';
import {
  dataKeys,
  type HandshakeKeys,
  handshakeKeys,
  type KeyScope,
  updatedKeys,
  verifyData,
} from './key-schedule.ts';
import { bothHave, encryptedSession } from './negotiate.ts';
import {
  openRecord,
  type RecordBinding,
  type RecordDirection,
  type RecordScope,
  recordIv,
  recordLimit,
  sealRecord,
} from './secured-message.ts';

export type Side = 'request' | 'response';

export interface SealFacts {
  /** first 8 hex digits of SHA-256 of the key */
  readonly keyId: string;
  /** 12 bytes in hex */
  readonly iv: string;
}
const KEY_ID_BYTES = 4;

export interface SessionKeyOptions {
  /** the secret is a pre-shared key */
  readonly psk?: boolean;
  /** sequence numbers stay below 2^this (DSP0277 1.3); default 64 */
  readonly aeadLimitExponent?: number;
}

export class SessionKeys {
  readonly scope: KeyScope;
  readonly records: RecordScope;
  readonly handshake: HandshakeKeys;
  private directions: Record<Side, RecordDirection>;
  /** the direction before a KEY_UPDATE that is not yet verified */
  private retired: Partial<Record<Side, RecordDirection>> = {};
  /** the key that opened the last record of each side; `retired` since an update until one tells otherwise */
  readonly openedUnder: Record<Side, 'current' | 'retired'> = {
    request: 'current',
    response: 'current',
  };
  /** what each direction's last record under its present key was made of */
  private sealed: Partial<Record<Side, Uint8Array>> = {};
  /** exported secret, known once the data keys are */
  exportMasterSecret: Uint8Array | undefined;

  constructor(
    scope: KeyScope,
    records: RecordScope,
    secret: Uint8Array,
    th1: Uint8Array,
    options: SessionKeyOptions = {},
  ) {
    this.scope = scope;
    this.records = { ...records, sequenceLimit: 2 ** (options.aeadLimitExponent ?? 64) };
    this.handshake = handshakeKeys(scope, secret, th1, options.psk ?? false);
    this.directions = {
      request: { keys: this.handshake.request, sequence: 0 },
      response: { keys: this.handshake.response, sequence: 0 },
    };
  }

  /** Switches both directions to application keys; sequence numbers start again. */
  enterDataPhase(th2: Uint8Array): void {
    const keys = dataKeys(this.scope, this.handshake.handshakeSecret, th2);
    this.exportMasterSecret = keys.exportMasterSecret;
    this.sealed = {};
    this.directions = {
      request: { keys: keys.request, sequence: 0 },
      response: { keys: keys.response, sequence: 0 },
    };
  }

  /** KEY_UPDATE of one direction: seals with the new key; opens with either until `confirm` or `restore`. */
  update(side: Side): void {
    const old = this.directions[side];
    this.retired[side] = old;
    this.openedUnder[side] = 'retired';
    delete this.sealed[side];
    this.directions[side] = { keys: updatedKeys(this.scope, old.keys), sequence: 0 };
  }

  /** Takes back an update that was refused. */
  restore(side: Side): void {
    const old = this.retired[side];
    if (old !== undefined) this.directions[side] = old;
    delete this.sealed[side];
    this.confirm(side);
  }

  /** The new key of a direction is proven: the old one is gone. */
  confirm(side: Side): void {
    delete this.retired[side];
    this.openedUnder[side] = 'current';
  }

  dropRetired(): void {
    this.confirm('request');
    this.confirm('response');
  }

  /**
   * The record last sealed was lost, and `message` is to be sealed again: it becomes that very record, as
   * the receiver still waits for its sequence number. Any other message goes on with the next one.
   */
  repeatLast(side: Side, message: Uint8Array): void {
    const last = this.sealed[side];
    if (last !== undefined && equal(last, message)) this.directions[side].sequence--;
  }

  /** Which key and IV the next record of a direction is sealed with: for traces and checkers. */
  nextSeal(side: Side): SealFacts {
    const { keys, sequence } = this.directions[side];
    const keyId = toHex(this.scope.crypto.hash('SHA_256', keys.key).subarray(0, KEY_ID_BYTES));
    return { keyId, iv: toHex(recordIv(keys.iv, sequence)) };
  }

  seal(side: Side, sessionId: number, message: Uint8Array): Uint8Array {
    const record = sealRecord(this.records, this.directions[side], sessionId, message);
    this.sealed[side] = message.slice();
    return record;
  }

  /** Opens the next record; while an update is not verified, the one under the old key too. */
  open(side: Side, record: Uint8Array): Decoded<Uint8Array> {
    const opened = openRecord(this.records, this.directions[side], record);
    const old = this.retired[side];
    if (opened.ok) this.openedUnder[side] = 'current';
    if (opened.ok || old === undefined) return opened;
    const before = openRecord(this.records, old, record);
    if (!before.ok) return opened;
    this.openedUnder[side] = 'retired';
    return before;
  }

  /** The first sequence number that no key of this session may use. */
  get limit(): number {
    return recordLimit(this.records);
  }

  /** Records that a direction's key may still seal, or open. */
  left(side: Side): number {
    return Math.max(0, this.limit - this.directions[side].sequence);
  }

  /** True if the direction's next record would pass the AEAD limit: update the keys, or end the session. */
  exhausted(side: Side): boolean {
    return this.left(side) === 0;
  }

  /** HMAC of FINISH (`request`) or of the responder's answers (`response`). */
  verifyData(side: Side, transcript: Uint8Array): Uint8Array {
    const { crypto, hash } = this.scope;
    return this.verifyDataOf(side, crypto.hash(hash, transcript));
  }

  /** The same from the transcript's hash. */
  verifyDataOf(side: Side, transcriptHash: Uint8Array): Uint8Array {
    const { requestFinishedKey, responseFinishedKey } = this.handshake;
    const key = side === 'request' ? requestFinishedKey : responseFinishedKey;
    return verifyData(this.scope, key, transcriptHash);
  }
}

/**
 * Key and record scopes of a connection; undefined if a negotiated algorithm is not ours to compute, or if
 * one side does no MAC: DSP0277 has no records without one.
 */
export function sessionScopes(
  crypto: CryptoProvider,
  negotiated: Negotiated,
  binding: RecordBinding,
): { keys: KeyScope; records: RecordScope; hash: HashName; aead: AeadName } | undefined {
  const suite = suiteOf(negotiated);
  if (suite?.aead === undefined || !bothHave(negotiated, 'MAC_CAP')) return undefined;
  const { hash, aead } = suite;
  const encrypted = encryptedSession(negotiated);
  return {
    hash,
    aead,
    keys: { crypto, hash, version: negotiated.version, aead },
    records: { crypto, aead, binding, encrypted },
  };
}
