/**
 * KEY_UPDATE of one session as a table (DSP0274 10.17), and what both roles need for it. The direction of
 * requests: the responder keeps the old key beside the new one until VerifyNewKey arrives under the new
 * one. The direction of answers: with UpdateAllKeys the acknowledgement is the first record under its new
 * key. A responder that wants to update its own direction sends UpdateKey and VerifyNewKey encapsulated;
 * both sides then use `SessionKeys.update`, `restore` and `confirm` on `response` in the same way.
 */

import { ResponseCodes } from './codes.ts';
import { KeyUpdateOps } from './messages/session.ts';
import { toApplicationData } from './secured-message.ts';
import type { SessionKeys } from './session-keys.ts';

export type KeyUpdateOperation = keyof typeof KeyUpdateOps;

/** `updating-*`: acknowledged, and not yet verified. */
export const KeyUpdateStates = ['idle', 'updating-one', 'updating-all'] as const;
export type KeyUpdateState = (typeof KeyUpdateStates)[number];

const REFUSED = 'InvalidRequest';
type Row = Readonly<Record<KeyUpdateOperation, KeyUpdateState | typeof REFUSED>>;
const updating: Row = { UpdateKey: REFUSED, UpdateAllKeys: REFUSED, VerifyNewKey: 'idle' };

/** State x operation: the next state, or the ERROR. */
export const keyUpdateRules: Readonly<Record<KeyUpdateState, Row>> = {
  idle: { UpdateKey: 'updating-one', UpdateAllKeys: 'updating-all', VerifyNewKey: REFUSED },
  'updating-one': updating,
  'updating-all': updating,
};

/** The update that waits for its VerifyNewKey, or at the requester for its acknowledgement. */
export interface PendingUpdate {
  readonly operation: 'UpdateKey' | 'UpdateAllKeys';
  /** Param2: a retry bears the same one, anything else another */
  readonly tag: number;
}

export const keyUpdateState = (pending: PendingUpdate | undefined): KeyUpdateState => {
  if (pending === undefined) return 'idle';
  return pending.operation === 'UpdateKey' ? 'updating-one' : 'updating-all';
};

export function keyUpdateOperation(code: number): KeyUpdateOperation | undefined {
  const names = Object.keys(KeyUpdateOps) as KeyUpdateOperation[];
  return names.find((name) => KeyUpdateOps[name] === code);
}

export interface KeyUpdateRequest {
  readonly operation: KeyUpdateOperation;
  readonly tag: number;
  /** it came under the key that the pending update retires */
  readonly underRetired: boolean;
}

/**
 * What a responder makes of a KEY_UPDATE. Under the retired key only the retry of the pending update is
 * taken, whose acknowledgement was lost: it proves nothing of the new key, and starts no other update.
 */
export function keyUpdateStep(
  pending: PendingUpdate | undefined,
  { operation, tag, underRetired }: KeyUpdateRequest,
): KeyUpdateState | 'retry' | typeof REFUSED {
  if (!underRetired) return keyUpdateRules[keyUpdateState(pending)][operation];
  return pending?.operation === operation && pending.tag === tag ? 'retry' : REFUSED;
}

/**
 * Before `answer` is sealed in a session: the acknowledgement of UpdateAllKeys goes out as the first
 * record under the new key; that of a retry as the record that was lost.
 */
export function turnResponseKey(
  keys: SessionKeys,
  pending: PendingUpdate | undefined,
  answer: Uint8Array,
): void {
  const [, code, operation] = answer;
  if (code !== ResponseCodes.KEY_UPDATE_ACK) return;
  if (pending === undefined && operation === KeyUpdateOps.UpdateAllKeys) {
    keys.update('response');
    keys.confirm('response');
  }
  if (pending !== undefined && operation === KeyUpdateOps[pending.operation])
    keys.repeatLast('response', toApplicationData(keys.records.binding, answer));
}
