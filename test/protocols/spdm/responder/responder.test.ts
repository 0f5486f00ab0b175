/** The responder with a requester in a plain loop: good flows, then everything that must be refused. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { equal, fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import {
  challenge,
  getMeasurements,
  summaryFits,
} from '../../../../protocols/spdm/requester/auth.ts';
import { getDigests } from '../../../../protocols/spdm/requester/certificates.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { vendor } from '../../../../protocols/spdm/requester/vendor.ts';
import { mctpBinding } from '../../../../protocols/spdm/secured-message.ts';
import { flipped, measured, Pair, type PairOptions } from '../pair.ts';
import { recorded } from '../recorded.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder');

const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const error = (code: number, data = 0, version = 0x12) =>
  toHex(Uint8Array.of(version, 0x7f, code, data));
const ALL = { slot: 0, operation: 0xff, signed: true } as const;

const flows: [name: string, PairOptions][] = [
  ['1.2, P-256', {}],
  ['1.2, P-384', { suite: 'P384' }],
  ['1.3', { version: 0x13 }],
  ['1.4', { version: 0x14 }],
  ['handshake in the clear', { flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } }],
  ['1.4, handshake in the clear', { version: 0x14, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } }],
  ['MAC only', { flags: { ENCRYPT_CAP: 0 } }],
  ['MCTP', { requester: { binding: mctpBinding }, responder: { binding: mctpBinding } }],
  ['AES-128-GCM', aead(1)],
  ['ChaCha20-Poly1305', aead(4)],
];
function aead(bit: number): PairOptions {
  const algorithms = { measurementHash: 2, baseAsym: 0x10, baseHash: 1, dhe: 8, aead: bit };
  return { requester: { algorithms }, responder: { algorithms } };
}

for (const [name, options] of flows)
  test(`good flow: ${name}`, () => {
    const pair = new Pair(options).authenticate();
    const { requester } = pair;
    assert.ok(equal(requester.chains.get(0)!, pair.slot.chain));
    const { summary } = pair.good(challenge(requester, 0, 0xff));
    const outside = pair.good(getMeasurements(requester, undefined, ALL));
    assert.ok(summaryFits(requester, summary!, outside.blocks));
    const open = pair.session(0xff);
    assert.ok(summaryFits(requester, open.summary!, outside.blocks));
    assert.is(open.heartbeatPeriod, 5);
    const count = { slot: 0, operation: 0, signed: false };
    assert.is(pair.good(getMeasurements(requester, open, count)).count, measured.length);
    assert.equal(pair.good(getMeasurements(requester, open, ALL)).blocks, outside.blocks);
    pair.good(getDigests(requester, open));
    pair.good(heartbeat(requester, open));
    const said = pair.good(vendor(requester, open, 1, saying('010203')));
    assert.is(toHex(said), '030201');
    pair.good(endSession(requester, open));
    assert.is(pair.responder.state.sessions.size, 0);
    assert.is(requester.sessions.size, 0);
    assert.equal(pair.effects, [
      { type: 'session-established', sessionId: open.id, heartbeatPeriod: 5 },
      { type: 'session-heartbeat', sessionId: open.id },
      { type: 'echoed', sessionId: open.id },
      { type: 'session-ended', sessionId: open.id, reason: 'END_SESSION' },
    ]);
  });

function* saying(hex: string): Generator<Uint8Array, Uint8Array, Uint8Array> {
  return yield fromHex(hex);
}

for (const version of [0x10, 0x11])
  test(`good flow: 1.${version & 15}, without sessions`, () => {
    const pair = new Pair({ version }).authenticate();
    const { summary } = pair.good(challenge(pair.requester, 0, 1));
    assert.is(summary?.length, 32);
    for (const operation of [0, 1])
      pair.good(getMeasurements(pair.requester, undefined, { slot: 0, operation, signed: false }));
    const { blocks } = pair.good(getMeasurements(pair.requester, undefined, ALL));
    assert.is(blocks.length, measured.length);
  });

test('the recorded requests of another implementation are taken', () => {
  for (const version of [0x12, 0x13]) {
    const pair = new Pair({ suite: 'P384', version, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } });
    const requests = recorded.map(({ hex }) => fromHex(hex)).filter((bytes) => bytes[1]! >= 0x80);
    const newer = requests.filter((bytes) => bytes[0] === version);
    for (const code of [0x84, 0xe1, 0xe3, 0x81, 0x82, 0x83, 0xe0, 0xe4]) {
      const own = newer.find((bytes) => bytes[1] === code);
      const bytes = (own ?? requests.find((each) => each[1] === code))!.slice();
      if (own === undefined && code !== 0x84) bytes[0] = version;
      assert.is(pair.plain(bytes)?.[1], code & 0x7f, `0x${code.toString(16)} of ${version}`);
    }
    assert.is([...pair.responder.state.sessions.keys()][0], 0xffff_ffff);
  }
});

test('one session after the other has ids and keys of its own', () => {
  const pair = new Pair().authenticate();
  const first = pair.session();
  pair.good(endSession(pair.requester, first));
  const second = pair.session();
  assert.not.equal(first.id, second.id);
  assert.not.equal(first.keys.handshake.request.key, second.keys.handshake.request.key);
  pair.good(heartbeat(pair.requester, second));
});

test('a second session is one too many; the first lives on', () => {
  const pair = new Pair().authenticate();
  const first = pair.session();
  const before = snapshotOf(pair.responder);
  const second = pair.run(openSession(pair.requester, ASKED));
  assert.is(isPeerFault(second) && second.code, 'SPDM_ERROR_SessionLimitExceeded');
  assert.is(snapshotOf(pair.responder), before);
  pair.good(heartbeat(pair.requester, first));
});

test("two sessions do not open each other's records", () => {
  const pair = new Pair({ responder: { sessionsMax: 2 } }).authenticate();
  const first = pair.session();
  const second = pair.session();
  assert.is(pair.responder.state.sessions.size, 2);
  pair.good(heartbeat(pair.requester, first));
  const record = first.keys.seal('request', first.id, fromHex('12e80000'));
  record.set(le(second.id, 4), 0);
  assert.is(toHex(pair.send({ secured: true, bytes: record })!.bytes), error(6));
  assert.equal([...pair.responder.state.sessions.keys()], [first.id]);
});

test('in the clear, FINISH belongs to the latest handshake', () => {
  const clear = { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } as const;
  const pair = new Pair({ flags: clear, responder: { sessionsMax: 2 } }).authenticate();
  const abandoned = openSession(pair.requester, ASKED);
  const sent = abandoned.next().value as { secured: boolean; bytes: Uint8Array };
  pair.send(sent);
  const open = pair.session();
  pair.good(heartbeat(pair.requester, open));
});

test('GET_VERSION ends every session, and says so', () => {
  const pair = new Pair({ responder: { sessionsMax: 2 } }).authenticate();
  const ids = [pair.session().id, pair.session().id];
  pair.effects.length = 0;
  pair.good(negotiate(pair.requester));
  assert.equal(
    pair.effects,
    ids.map((sessionId) => ({ type: 'session-ended', sessionId, reason: 'GET_VERSION' })),
  );
  assert.is(pair.responder.state.sessions.size, 0);
  assert.not(pair.responder.state.authenticated);
});

test('reset and a heartbeat that runs out end sessions, and say so', () => {
  const pair = new Pair().authenticate();
  const { id } = pair.session();
  assert.equal(pair.responder.heartbeatExpired(id + 1), []);
  assert.equal(pair.responder.heartbeatExpired(id), [
    { type: 'session-ended', sessionId: id, reason: 'heartbeat expired' },
  ]);
  const next = pair.session();
  assert.equal(pair.responder.reset('FLR'), [
    { type: 'session-ended', sessionId: next.id, reason: 'FLR' },
  ]);
  assert.is(pair.responder.state.phase, 'NOT_STARTED');
  assert.is(toHex(pair.plain('12810000')!), error(0x41, 0, 0x10));
});

const records: [name: string, change: (record: Uint8Array) => Uint8Array, ends: boolean][] = [
  ['a flipped tag bit', (record) => flipped(record, record.length - 1, 1), true],
  ['a flipped text bit', (record) => flipped(record, 8, 0x80), true],
  ['a flipped Length', (record) => flipped(record, 4, 1), true],
  ['a cut record', (record) => record.slice(0, -1), true],
  ['a record of its head', (record) => record.slice(0, 6), true],
  ['a SessionID alone', (record) => record.slice(0, 4), true],
  ['another session id', (record) => flipped(record, 0, 1), false],
  ['three bytes', (record) => record.slice(0, 3), false],
  ['nothing', () => new Uint8Array(0), false],
];
for (const [name, change, ends] of records)
  test(`a record that does not open: ${name}`, () => {
    const pair = new Pair().authenticate();
    const open = pair.session();
    pair.effects.length = 0;
    const record = change(open.keys.seal('request', open.id, fromHex('12e80000')));
    const reply = pair.send({ secured: true, bytes: record })!;
    assert.equal([reply.secured, toHex(reply.bytes)], [false, error(6)]);
    const ended = {
      type: 'session-ended',
      sessionId: open.id,
      reason: 'a record could not be opened',
    };
    assert.equal(pair.effects, ends ? [ended] : []);
    assert.is(pair.responder.state.sessions.has(open.id), !ends);
  });

test('a record sent twice ends the session', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  const bytes = open.keys.seal('request', open.id, fromHex('12e80000'));
  assert.ok(pair.send({ secured: true, bytes })?.secured);
  assert.is(toHex(pair.send({ secured: true, bytes })!.bytes), error(6));
  assert.is(pair.responder.state.sessions.size, 0);
});

test('on MCTP, a message of a type nobody here knows is met with silence, and the session goes on', () => {
  const binding = { requester: { binding: mctpBinding }, responder: { binding: mctpBinding } };
  const pair = new Pair(binding).authenticate();
  const open = pair.session();
  const bytes = open.keys.seal('request', open.id, fromHex('0112e80000'));
  assert.is(pair.send({ secured: true, bytes }), undefined);
  assert.is(pair.responder.state.sessions.size, 1);
});

test('handshake keys do not open after FINISH, nor data keys before', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  const { directions } = open.keys as unknown as {
    directions: Record<string, { keys: unknown; sequence: number }>;
  };
  directions['request'] = { keys: open.keys.handshake.request, sequence: 1 };
  const bytes = open.keys.seal('request', open.id, fromHex('12e80000'));
  assert.is(toHex(pair.send({ secured: true, bytes })!.bytes), error(6));
});

test('END_SESSION is acknowledged inside; then nothing of the session is opened', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  const later = { ...open, keys: open.keys };
  assert.is(toHex(pair.sealed(open, fromHex('12ec0000'))!.bytes), '126c0000');
  const before = snapshotOf(pair.responder);
  const bytes = later.keys.seal('request', open.id, fromHex('12e80000'));
  const reply = pair.send({ secured: true, bytes })!;
  assert.equal([reply.secured, toHex(reply.bytes)], [false, error(6)]);
  assert.is(snapshotOf(pair.responder), before);
});

test('a request longer than its message is refused inside a session, and cut outside', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  const before = snapshotOf(pair.responder);
  assert.is(toHex(pair.sealed(open, fromHex('12e8000000'))!.bytes), error(1));
  assert.is(snapshotOf(pair.responder), before);
  assert.is(pair.plain('1281000000')?.[1], 0x01);
});

test.run();
