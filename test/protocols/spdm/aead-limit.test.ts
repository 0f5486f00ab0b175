/** The AEAD limit of DSP0277 1.3 at both roles: what happens before, at and past it. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { updateKeys } from '../../../protocols/spdm/requester/key-update.ts';
import { endSession, heartbeat } from '../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../protocols/spdm/requester/state.ts';
import type { SessionKeys } from '../../../protocols/spdm/session-keys.ts';
import { Pair, type PairOptions } from './pair.ts';

const test = suite('spdm AEAD limit');

const error = (code: number, data = 0) => toHex(Uint8Array.of(0x12, 0x7f, code, data));
function opened(options: PairOptions = {}): [Pair, RequesterSession] {
  const flags = { KEY_UPD_CAP: 1, ...options.flags };
  const pair = new Pair({ ...options, flags }).authenticate();
  return [pair, pair.session()];
}
const responderKeys = (pair: Pair): SessionKeys =>
  [...pair.responder.state.sessions.values()][0]!.keys;
const directionsOf = (keys: SessionKeys) =>
  (keys as unknown as { directions: Record<string, { sequence: number }> }).directions;

const Ops = ['UpdateKey', 'UpdateAllKeys'] as const;

const AEAD_LIMIT = 'AEAD limit reached';
const limited = (exponent: number, options: PairOptions = {}): PairOptions => {
  const agreed = { securedVersions: [0x1100, 0x1300] };
  return {
    ...options,
    requester: { ...agreed, ...options.requester },
    responder: { ...agreed, aeadLimitExponent: exponent, ...options.responder },
  };
};
test('F-S18 the requester sends nothing past the limit: the session is over, by name', () => {
  const [pair, session] = opened(limited(3));
  for (let i = 0; i < 8; i++) pair.good(heartbeat(pair.requester, session));
  assert.is(session.keys.left('request'), 0);
  const sent = pair.wire.length;
  const fault = pair.run(heartbeat(pair.requester, session));
  assert.is(isPeerFault(fault) && fault.code, 'AEAD_LIMIT');
  assert.is(pair.wire.length, sent);
  assert.not(pair.requester.sessions.has(session.id));
});

test('F-S18 a request past the limit ends the session at the responder, by name', () => {
  const [pair, session] = opened(limited(3, { requester: {} }));
  directionsOf(responderKeys(pair))['request']!.sequence = 8;
  directionsOf(session.keys)['request']!.sequence = 7;
  const fault = pair.run(heartbeat(pair.requester, session));
  assert.is(isPeerFault(fault) && fault.code, 'SPDM_ERROR_DecryptError');
  const ended = { type: 'session-ended', sessionId: session.id, reason: AEAD_LIMIT };
  assert.equal(pair.effects.at(-1), ended);
});

test('F-S18 a worn response key ends the session with a plain ERROR; the answer never happened', () => {
  const [pair, session] = opened(limited(3));
  directionsOf(responderKeys(pair))['response']!.sequence = 8;
  const { cachesNegotiated } = pair.responder.state;
  const bytes = session.keys.seal('request', session.id, fromHex('12ec0100'));
  const reply = pair.send({ secured: true, bytes });
  assert.equal([reply?.secured, toHex(reply!.bytes)], [false, error(6)]);
  assert.is(pair.responder.state.cachesNegotiated, cachesNegotiated);
  const ended = { type: 'session-ended', sessionId: session.id, reason: AEAD_LIMIT };
  assert.equal(pair.effects.at(-1), ended);
  assert.is(pair.responder.state.sessions.size, 0);
});

test('F-S18 with UpdateAllKeys a worn response key is no obstacle, with UpdateKey it is', () => {
  for (const op of Ops) {
    const [pair, session] = opened(limited(3));
    directionsOf(responderKeys(pair))['response']!.sequence = 8;
    const result = pair.run(updateKeys(pair.requester, session, op));
    assert.is(
      isPeerFault(result) ? result.code : 'updated',
      op === 'UpdateKey' ? 'SPDM_ERROR_DecryptError' : 'updated',
    );
  }
});

test('F-S18 autoKeyUpdate: new keys before the limit, for as long as one likes', () => {
  for (const exponent of [2, 3, 5, 8]) {
    const [pair, session] = opened(
      limited(exponent, { requester: { autoKeyUpdate: true, securedVersions: [0x1300] } }),
    );
    const seen = new Set<string>();
    for (let i = 0; i < 3 * 2 ** exponent; i++) {
      pair.good(heartbeat(pair.requester, session));
      const { keyId, iv } = session.keys.nextSeal('request');
      assert.not(seen.has(`${keyId} ${iv}`));
      seen.add(`${keyId} ${iv}`);
    }
    assert.ok(new Set([...seen].map((text) => text.slice(0, 8))).size > 3);
    pair.good(endSession(pair.requester, session));
  }
});

test('F-S18 autoKeyUpdate looks at both directions', () => {
  for (const side of ['request', 'response'] as const) {
    const [pair, session] = opened(
      limited(8, { requester: { autoKeyUpdate: true, securedVersions: [0x1300] } }),
    );
    for (const keys of [session.keys, responderKeys(pair)])
      directionsOf(keys)[side]!.sequence = 192;
    const { keyId } = session.keys.nextSeal('request');
    pair.good(heartbeat(pair.requester, session));
    assert.is.not(session.keys.nextSeal('request').keyId, keyId);
  }
});

test('F-S18 autoKeyUpdate without KEY_UPD_CAP ends as without it', () => {
  const flags = { KEY_UPD_CAP: 0 };
  const [pair, session] = opened(limited(3, { flags, requester: { autoKeyUpdate: true } }));
  for (let i = 0; i < 8; i++) pair.good(heartbeat(pair.requester, session));
  const fault = pair.run(heartbeat(pair.requester, session));
  assert.is(isPeerFault(fault) && fault.code, 'AEAD_LIMIT');
});

test.run();
