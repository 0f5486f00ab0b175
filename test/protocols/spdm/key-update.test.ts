/** KEY_UPDATE (DSP0274 10.17) at both roles: the table, the order of keys, lost messages, AEAD limits. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import {
  type KeyUpdateState,
  keyUpdateOperation,
  keyUpdateRules,
  keyUpdateState,
  keyUpdateStep,
  type PendingUpdate,
  turnResponseKey,
} from '../../../protocols/spdm/key-update.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import { SpdmObserver } from '../../../protocols/spdm/observer/observer.ts';
import type { KeyLogEntry } from '../../../protocols/spdm/party.ts';
import { updateKeys } from '../../../protocols/spdm/requester/key-update.ts';
import { endSession, heartbeat } from '../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../protocols/spdm/requester/state.ts';
import { doeBinding, mctpBinding } from '../../../protocols/spdm/secured-message.ts';
import type { SessionKeys } from '../../../protocols/spdm/session-keys.ts';
import { crypto, Pair, type PairOptions } from './pair.ts';
import { snapshotOf } from './snapshot.ts';

const test = suite('spdm key update');

const Ops = ['UpdateKey', 'UpdateAllKeys'] as const;
type Op = (typeof Ops)[number];
const error = (code: number, data = 0) => toHex(Uint8Array.of(0x12, 0x7f, code, data));
const message = (op: number, tag: number) => Uint8Array.of(0x12, 0xe9, op, tag);
const ack = (op: number, tag: number) => toHex(Uint8Array.of(0x12, 0x69, op, tag));

function opened(options: PairOptions = {}): [Pair, RequesterSession] {
  const flags = { KEY_UPD_CAP: 1, ...options.flags };
  const pair = new Pair({ ...options, flags }).authenticate();
  return [pair, pair.session()];
}
const responderKeys = (pair: Pair): SessionKeys =>
  [...pair.responder.state.sessions.values()][0]!.keys;
const pendingOf = (pair: Pair) => [...pair.responder.state.sessions.values()][0]?.keyUpdate;
const directionsOf = (keys: SessionKeys) =>
  (keys as unknown as { directions: Record<string, { sequence: number }> }).directions;

const steps: [KeyUpdateState, string][] = [
  ['idle', 'updating-one updating-all InvalidRequest'],
  ['updating-one', 'InvalidRequest InvalidRequest idle'],
  ['updating-all', 'InvalidRequest InvalidRequest idle'],
];
const pendings: Record<KeyUpdateState, PendingUpdate | undefined> = {
  idle: undefined,
  'updating-one': { operation: 'UpdateKey', tag: 7 },
  'updating-all': { operation: 'UpdateAllKeys', tag: 7 },
};
for (const [state, nexts] of steps)
  test(`the table: ${state}`, () => {
    const operations = ['UpdateKey', 'UpdateAllKeys', 'VerifyNewKey'] as const;
    assert.is(operations.map((op) => keyUpdateRules[state][op]).join(' '), nexts);
    const pending = pendings[state];
    assert.is(keyUpdateState(pending), state);
    for (const operation of operations)
      for (const tag of [7, 8]) {
        const at = (underRetired: boolean) =>
          keyUpdateStep(pending, { operation, tag, underRetired });
        assert.is(at(false), keyUpdateRules[state][operation]);
        const isRetry = pending?.operation === operation && tag === 7;
        assert.is(at(true), isRetry ? 'retry' : 'InvalidRequest');
      }
  });

test('operations by code', () => {
  const names = [0, 1, 2, 3, 4, 0xff].map((code) => keyUpdateOperation(code) ?? '-');
  assert.is(names.join(' '), '- UpdateKey UpdateAllKeys VerifyNewKey - -');
});

test('answers other than the acknowledgement of UpdateAllKeys turn no key', () => {
  const [pair] = opened();
  const keys = responderKeys(pair);
  const before = keys.nextSeal('response').keyId;
  for (const hex of ['12690107', '12690307', '12e90207', '127f0200', '12680000'])
    turnResponseKey(keys, undefined, fromHex(hex));
  assert.is(keys.nextSeal('response').keyId, before);
  turnResponseKey(keys, undefined, fromHex('12690207'));
  assert.is.not(keys.nextSeal('response').keyId, before);
});

for (const version of [0x11, 0x12, 0x13, 0x14])
  for (const op of Ops)
    test(`${version.toString(16)} ${op}: which record is under which key`, () => {
      const [pair, session] = opened({ version });
      const seals: string[] = [];
      const { receive } = pair.responder;
      pair.responder.receive = (packet) => {
        const outcome = receive.call(pair.responder, packet);
        seals.push(outcome.reply?.seal?.keyId ?? '-');
        return outcome;
      };
      const ids = () => [
        session.keys.nextSeal('request').keyId,
        responderKeys(pair).nextSeal('response').keyId,
      ];
      const [request, response] = ids();
      pair.good(updateKeys(pair.requester, session, op));
      const [nextRequest, nextResponse] = ids();
      assert.is.not(nextRequest, request);
      assert.is(nextResponse === response, op === 'UpdateKey');
      // The acknowledgement of UpdateAllKeys is already under the new key.
      assert.equal(seals, [nextResponse, nextResponse]);
      assert.is(session.keys.nextSeal('response').keyId, nextResponse);
      assert.is(responderKeys(pair).nextSeal('request').keyId, nextRequest);
      assert.is(pendingOf(pair), undefined);
      const done = { request: 'current', response: 'current' };
      assert.equal([session.keys.openedUnder, responderKeys(pair).openedUnder], [done, done]);
      assert.is(session.keyUpdate, undefined);
      pair.good(heartbeat(pair.requester, session));
      for (const again of Ops) pair.good(updateKeys(pair.requester, session, again));
      pair.good(heartbeat(pair.requester, session));
      pair.good(endSession(pair.requester, session));
    });

test('MAC only, and on MCTP', () => {
  const bindings = { requester: { binding: mctpBinding }, responder: { binding: mctpBinding } };
  for (const options of [{ flags: { ENCRYPT_CAP: 0 } }, bindings]) {
    const [pair, session] = opened(options);
    for (const op of Ops) pair.good(updateKeys(pair.requester, session, op));
    pair.good(heartbeat(pair.requester, session));
  }
});

test('a listener follows every update', () => {
  const secrets: Uint8Array[] = [];
  const keyLog = ({ secret }: KeyLogEntry) => void secrets.push(secret);
  const [pair, session] = opened({ requester: { keyLog } });
  for (const op of [...Ops, ...Ops]) {
    pair.good(updateKeys(pair.requester, session, op));
    pair.good(heartbeat(pair.requester, session));
  }
  const leafKey = leafKeyOfChain;
  const observer = new SpdmObserver({ crypto, binding: doeBinding, dheSecrets: secrets, leafKey });
  for (const { request, response } of pair.wire)
    for (const { secured, bytes } of [request, response!]) {
      const heard = secured ? observer.secured(bytes) : observer.plain(bytes);
      assert.is(heard.refusal, undefined, heard.name);
    }
});

test('what is out of order is InvalidRequest and changes nothing', () => {
  const [pair, session] = opened();
  const refused = (op: number, tag: number) => {
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.sealed(session, message(op, tag))!.bytes), error(1), `${op} ${tag}`);
    assert.is(snapshotOf(pair.responder), before);
  };
  for (const op of [0, 3, 4, 0xff]) refused(op, 1);
  const long = Uint8Array.of(...message(1, 1), 0);
  assert.is(toHex(pair.sealed(session, long)!.bytes), error(1));
  assert.is(toHex(pair.sealed(session, message(1, 7))!.bytes), ack(1, 7));
  // Under the old key: another tag, another operation, a VerifyNewKey that proves nothing.
  for (const [op, tag] of [
    [1, 8],
    [2, 7],
    [3, 7],
    [3, 9],
  ] as const)
    refused(op, tag);
  session.keys.update('request');
  session.keys.confirm('request');
  // Under the new key: a second update before VerifyNewKey, be it with the same tag.
  for (const [op, tag] of [
    [1, 7],
    [1, 8],
    [2, 7],
    [2, 8],
  ] as const)
    refused(op, tag);
  assert.is(toHex(pair.sealed(session, message(3, 7))!.bytes), ack(3, 7));
  refused(3, 7);
  pair.good(updateKeys(pair.requester, session, 'UpdateAllKeys'));
});

test('KEY_UPDATE takes KEY_UPD_CAP of both, and an established session', () => {
  for (const side of ['requesterFlags', 'responderFlags'] as const) {
    const [pair, session] = opened({ [side]: { KEY_UPD_CAP: 0 } });
    const fault = pair.run(updateKeys(pair.requester, session, 'UpdateKey'));
    assert.is(isPeerFault(fault) && fault.code, 'KEY_UPDATE_CAP');
    assert.is(toHex(pair.sealed(session, message(1, 1))!.bytes), error(7, 0xe9));
  }
  const [pair, session] = opened();
  session.established = false;
  assert.throws(() => updateKeys(pair.requester, session, 'UpdateKey').next(), /session/);
  assert.is(toHex(pair.plain(message(1, 1))!), error(0x0b));
});

/** Sends the first KEY_UPDATE of an update and loses its acknowledgement. */
function losing(pair: Pair, session: RequesterSession, op: Op): string {
  const exchange = updateKeys(pair.requester, session, op);
  const sent = exchange.next().value as { secured: boolean; bytes: Uint8Array };
  return toHex(pair.send(sent)!.bytes);
}
for (const op of Ops)
  test(`F-S19 ${op}, lost acknowledgement: the old key still decrypts until verified, then is gone`, () => {
    const [pair, session] = opened();
    const lost = losing(pair, session, op);
    assert.equal(pendingOf(pair)?.operation, op);
    const old = directionsOf(session.keys)['request'];
    const before = pair.wire.length;
    pair.good(updateKeys(pair.requester, session, op));
    assert.is(pair.wire.length, before + 2, 'the same update again, and VerifyNewKey');
    const again = toHex(pair.wire[before]!.response!.bytes);
    // No IV sees two messages: it is the very record that was lost.
    assert.is(again, lost);
    pair.good(heartbeat(pair.requester, session));
    directionsOf(session.keys)['request'] = old!;
    const refused = pair.run(heartbeat(pair.requester, session));
    assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_DecryptError');
    assert.is(pair.responder.state.sessions.size, 0);
  });

test('F-S19 UpdateKey given up by the requester: the session goes on under the old key', () => {
  const [pair, session] = opened();
  const lost = losing(pair, session, 'UpdateKey');
  assert.ok(session.keys.open('response', fromHex(lost)).ok);
  pair.good(heartbeat(pair.requester, session));
  assert.is(pendingOf(pair)?.operation, 'UpdateKey');
  // Another update finishes the one that is under way first, in records of their own.
  const before = pair.wire.length;
  pair.good(updateKeys(pair.requester, session, 'UpdateAllKeys'));
  assert.is(pair.wire.length, before + 4);
  assert.is.not(toHex(pair.wire[before]!.response!.bytes), lost);
  pair.good(heartbeat(pair.requester, session));
});

test('F-S19 VerifyNewKey missing: no second update, and VerifyNewKey is still taken later', () => {
  const [pair, session] = opened();
  assert.is(toHex(pair.sealed(session, message(1, 7))!.bytes), ack(1, 7));
  session.keys.update('request');
  session.keys.confirm('request');
  pair.good(heartbeat(pair.requester, session));
  const fault = pair.run(updateKeys(pair.requester, session, 'UpdateKey'));
  assert.is(isPeerFault(fault) && fault.code, 'SPDM_ERROR_InvalidRequest');
  assert.is(session.keyUpdate, undefined);
  assert.is(toHex(pair.sealed(session, message(3, 8))!.bytes), ack(3, 8));
  pair.good(updateKeys(pair.requester, session, 'UpdateAllKeys'));
});

test('F-S19 both ways at once: each direction has its own old and new key', () => {
  const [pair, session] = opened();
  const [left, right] = [session.keys, responderKeys(pair)];
  const pass = (from: SessionKeys, to: SessionKeys, side: 'request' | 'response') => {
    const result = to.open(side, from.seal(side, session.id, ascii('x')));
    assert.ok(result.ok, side);
    return to.openedUnder[side];
  };
  // Requester's UpdateKey is acknowledged, the responder's own one is about to be.
  right.update('request');
  left.update('response');
  assert.is(pass(left, right, 'request'), 'retired');
  assert.is(pass(right, left, 'response'), 'retired');
  left.update('request');
  right.update('response');
  assert.is(pass(left, right, 'request'), 'current');
  assert.is(pass(right, left, 'response'), 'current');
  right.confirm('request');
  assert.is(pass(left, right, 'request'), 'current');
  left.restore('request');
  assert.not(right.open('request', left.seal('request', session.id, ascii('x'))).ok);
  left.confirm('response');
  right.restore('response');
  assert.not(left.open('response', right.seal('response', session.id, ascii('x'))).ok);
});

test('until it is confirmed, old and new key open side by side, each with its own numbers', () => {
  const [pair, session] = opened();
  const [sender, receiver] = [session.keys, responderKeys(pair)];
  receiver.update('request');
  const make = () => sender.seal('request', session.id, ascii('x'));
  const old = [make(), make()];
  sender.update('request');
  const next = [make(), make()];
  for (const [record, under] of [
    [old[0], 'retired'],
    [next[0], 'current'],
    [old[1], 'retired'],
    [next[1], 'current'],
  ] as const) {
    assert.ok(receiver.open('request', record!).ok);
    assert.is(receiver.openedUnder.request, under);
    assert.not(receiver.open('request', record!).ok, 'once only');
  }
});

test('only the same message, and only the last, is sealed into the same record again', () => {
  const { keys } = opened()[1];
  const make = (text: string) => toHex(keys.seal('request', 1, ascii(text)));
  const records = [make('x'), make('y')];
  const { sequence } = directionsOf(keys)['request']!;
  for (const text of ['x', 'yy', '']) keys.repeatLast('request', ascii(text));
  keys.repeatLast('response', ascii('y'));
  assert.is(directionsOf(keys)['request']!.sequence, sequence);
  keys.repeatLast('request', ascii('y'));
  assert.is(make('y'), records[1]);
  keys.update('request');
  keys.repeatLast('request', ascii('y'));
  assert.is(directionsOf(keys)['request']!.sequence, 0);
  make('y');
  keys.enterDataPhase(new Uint8Array(32));
  keys.repeatLast('request', ascii('y'));
  assert.is(directionsOf(keys)['request']!.sequence, 0);
});

/** The responder answers the `index`th KEY_UPDATE with `bytes`; `turned`: under a new key. */
function answered(
  op: Op,
  index: number,
  bytes: string,
  options: PairOptions & { turned?: boolean } = {},
) {
  const [pair, session] = opened(options);
  const { receive } = pair.responder;
  let count = 0;
  pair.responder.receive = (packet) => {
    if (count++ !== index) return receive.call(pair.responder, packet);
    const keys = responderKeys(pair);
    assert.ok(keys.open('request', packet.bytes).ok);
    if (options.turned === true) keys.update('response');
    const reply = { secured: true, bytes: keys.seal('response', session.id, fromHex(bytes)) };
    const outcome = { request: packet.bytes, answer: undefined, sessionId: session.id };
    return { ...outcome, reply, work: [], effects: [] };
  };
  const fault = pair.run(updateKeys(pair.requester, session, op));
  const alive = pair.requester.sessions.has(session.id);
  return { pair, session, alive, code: isPeerFault(fault) ? fault.code : 'none' };
}
test('a refused update leaves the keys as they were', () => {
  for (const op of Ops) {
    const { code, alive, pair, session } = answered(op, 0, '127f0100');
    assert.equal([code, alive], ['SPDM_ERROR_InvalidRequest', true]);
    pair.good(heartbeat(pair.requester, session));
    pair.good(updateKeys(pair.requester, session, op));
    pair.good(heartbeat(pair.requester, session));
  }
});
const wrong: [name: string, op: Op, index: number, bytes: string, code: string][] = [
  ['another operation', 'UpdateKey', 0, '12690200', 'KEY_UPDATE_ACK'],
  ['another answer', 'UpdateKey', 0, '12680000', 'ANSWER_CODE'],
  ['an acknowledgement too long', 'UpdateKey', 0, '1269010000', 'MALFORMED_ANSWER'],
  ['another operation to VerifyNewKey', 'UpdateKey', 1, '12690100', 'KEY_UPDATE_ACK'],
];
for (const [name, op, index, bytes, code] of wrong)
  test(`the requester ends the session on ${name}`, () => {
    const result = answered(op, index, bytes);
    assert.equal([result.code, result.alive], [code, false]);
  });
test('the requester ends the session on an acknowledgement under the old key', () => {
  const random = (size: number) => new Uint8Array(size).fill(9);
  const result = answered('UpdateAllKeys', 0, '12690209', { requester: { random } });
  assert.equal([result.code, result.alive], ['KEY_UPDATE_KEY', false]);
});
test('the requester ends the session on an ERROR under a key that it should not have turned', () => {
  const result = answered('UpdateAllKeys', 0, '127f0100', { turned: true });
  assert.equal([result.code, result.alive], ['SPDM_ERROR_InvalidRequest', false]);
});
test('the requester ends the session when VerifyNewKey is refused', () => {
  for (const op of Ops) {
    const [pair, session] = opened();
    const { receive } = pair.responder;
    let count = 0;
    pair.responder.receive = (packet) => {
      // It has forgotten that an update is under way.
      const [other] = pair.responder.state.sessions.values();
      if (count++ === 1) other!.keyUpdate = undefined;
      return receive.call(pair.responder, packet);
    };
    const fault = pair.run(updateKeys(pair.requester, session, op));
    assert.is(isPeerFault(fault) && fault.code, 'SPDM_ERROR_InvalidRequest');
    assert.not(pair.requester.sessions.has(session.id));
  }
});

test('KEY_UPDATE answered late: keys turn with the acknowledgement, not before', () => {
  for (const op of Ops) {
    const late = { rdtExponent: 4, rdtm: 8 };
    const readiness = (code: number) => (code === 0xe9 ? late : undefined);
    const [pair, session] = opened({ responder: { readiness } });
    const { receive } = pair.responder;
    pair.responder.receive = (packet) => {
      const outcome = receive.call(pair.responder, packet);
      if (outcome.held !== undefined) pair.responder.ready(outcome.held.token);
      return outcome;
    };
    const before = pair.wire.length;
    pair.good(updateKeys(pair.requester, session, op));
    pair.good(heartbeat(pair.requester, session));
    // KEY_UPDATE, RESPOND_IF_READY, VerifyNewKey, RESPOND_IF_READY.
    assert.is(pair.wire.length - before, 5);
  }
});

test.run();
