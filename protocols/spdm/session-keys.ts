/** The record layer of one session through its phases: handshake keys, data keys, key updates. */

import { toHex } from '../codec/bytes.ts';
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
import { encryptedSession } from './negotiate.ts';
import {
  openRecord,
  type RecordBinding,
  type RecordDirection,
  type RecordScope,
  recordIv,
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

export class SessionKeys {
  readonly scope: KeyScope;
  readonly records: RecordScope;
  readonly handshake: HandshakeKeys;
  private directions: Record<Side, RecordDirection>;
  /** the direction before a KEY_UPDATE that is not yet verified */
  private retired: Partial<Record<Side, RecordDirection>> = {};
  /** exported secret, known once the data keys are */
  exportMasterSecret: Uint8Array | undefined;

  constructor(
    scope: KeyScope,
    records: RecordScope,
    secret: Uint8Array,
    th1: Uint8Array,
    psk = false,
  ) {
    this.scope = scope;
    this.records = records;
    this.handshake = handshakeKeys(scope, secret, th1, psk);
    this.directions = {
      request: { keys: this.handshake.request, sequence: 0 },
      response: { keys: this.handshake.response, sequence: 0 },
    };
  }

  /** Switches both directions to application keys; sequence numbers start again. */
  enterDataPhase(th2: Uint8Array): void {
    const keys = dataKeys(this.scope, this.handshake.handshakeSecret, th2);
    this.exportMasterSecret = keys.exportMasterSecret;
    this.directions = {
      request: { keys: keys.request, sequence: 0 },
      response: { keys: keys.response, sequence: 0 },
    };
  }

  /** KEY_UPDATE of one direction; the old keys are kept until `dropRetired`. */
  update(side: Side): void {
    const old = this.directions[side];
    this.retired[side] = old;
    this.directions[side] = { keys: updatedKeys(this.scope, old.keys), sequence: 0 };
  }

  /** Takes back an update that was refused. */
  restore(side: Side): void {
    const old = this.retired[side];
    if (old !== undefined) this.directions[side] = old;
    delete this.retired[side];
  }

  dropRetired(): void {
    this.retired = {};
  }

  /** Which key and IV the next record of a direction is sealed with: for traces and checkers. */
  nextSeal(side: Side): SealFacts {
    const { keys, sequence } = this.directions[side];
    const keyId = toHex(this.scope.crypto.hash('SHA_256', keys.key).subarray(0, KEY_ID_BYTES));
    return { keyId, iv: toHex(recordIv(keys.iv, sequence)) };
  }

  seal(side: Side, sessionId: number, message: Uint8Array): Uint8Array {
    return sealRecord(this.records, this.directions[side], sessionId, message);
  }

  open(side: Side, record: Uint8Array): Decoded<Uint8Array> {
    return openRecord(this.records, this.directions[side], record);
  }

  /** HMAC of FINISH (`request`) or of the responder's answers (`response`). */
  verifyData(side: Side, transcript: Uint8Array): Uint8Array {
    const { crypto, hash } = this.scope;
    const { requestFinishedKey, responseFinishedKey } = this.handshake;
    const key = side === 'request' ? requestFinishedKey : responseFinishedKey;
    return verifyData(this.scope, key, crypto.hash(hash, transcript));
  }
}

/** Key and record scopes of a connection; undefined if a negotiated algorithm is not ours to compute. */
export function sessionScopes(
  crypto: CryptoProvider,
  negotiated: Negotiated,
  binding: RecordBinding,
): { keys: KeyScope; records: RecordScope; hash: HashName; aead: AeadName } | undefined {
  const suite = suiteOf(negotiated);
  if (suite?.aead === undefined) return undefined;
  const { hash, aead } = suite;
  const encrypted = encryptedSession(negotiated);
  return {
    hash,
    aead,
    keys: { crypto, hash, version: negotiated.version, aead },
    records: { crypto, aead, binding, encrypted },
  };
}
