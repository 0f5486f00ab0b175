/** Weaknesses of sessions: keys nobody should take, what is said in the wrong place, what outlives its end. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import type { VendorResponder } from '../../../../protocols/engine.ts';
import { connectionFacts, layoutOf } from '../../../../protocols/spdm/messages/registry.ts';
import { supportedVersionsOpaque } from '../../../../protocols/spdm/opaque.ts';
import { challenge } from '../../../../protocols/spdm/requester/auth.ts';
import { updateKeys } from '../../../../protocols/spdm/requester/key-update.ts';
import { openPskSession } from '../../../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import { converse } from '../conversation.ts';
import { crypto, flipped, Pair, type PairOptions } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm weaknesses: sessions');

const codeOf = (result: unknown): string => (isPeerFault(result) ? result.code : 'ok');
const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const BEAT = fromHex('12e80000');
const HINT = fromHex('01');
const PSK: PairOptions = {
  requesterFlags: { PSK_CAP: 1 },
  responderFlags: { PSK_CAP: 2 },
  requester: { psk: () => HINT },
  responder: { psk: () => HINT },
};
const ASKED_PSK = { hint: HINT, summaryType: 0, terminationPolicy: 0 } as const;

/** KEY_EXCHANGE of 1.2 with this point. */
const keyExchange = (point: string): Uint8Array => {
  const opaque = supportedVersionsOpaque([0x1100]);
  const head = fromHex(`12e40000 3412 00 00 ${'5a'.repeat(32)} ${point}`);
  return concat(head, Uint8Array.of(opaque.length, 0), opaque);
};
const PRIME = 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff';
const GENERATOR = toHex(crypto.publicKey('SECP_256_R1', fromHex(`${'00'.repeat(31)}01`)));
const points: [name: string, hex: string][] = [
  ['at infinity, as zeros', '00'.repeat(64)],
  ['x = 0, y = 1', `${'00'.repeat(63)}01`],
  ['x = 0, y = p', '00'.repeat(32) + PRIME],
  ['off the curve', toHex(flipped(fromHex(GENERATOR), 63, 1))],
  ['x above p', `ffffffff${GENERATOR.slice(8)}`],
  ['all ones', 'ff'.repeat(64)],
];
test('F-S11 points that are none: InvalidRequest, the same for each, and nothing changes', () => {
  const pair = new Pair().authenticate();
  for (const [name, hex] of points) {
    const before = snapshotOf(pair.responder, { measurements: false });
    assert.is(toHex(pair.plain(keyExchange(hex))!), '127f0100', name);
    assert.is(snapshotOf(pair.responder, { measurements: false }), before, name);
  }
  assert.is(pair.plain(keyExchange(GENERATOR))![1], 0x64, 'the generator is a point like another');
});

test('F-S11 a requester takes no such point, nor its own, from a responder', () => {
  const own = (request: Uint8Array) => toHex(request.subarray(40, 104));
  for (const [name, point] of [...points, ['of its own', 'own'] as const]) {
    const pair = new Pair().authenticate();
    let request = new Uint8Array(0);
    pair.tap = ({ secured, bytes }, direction) => {
      if (direction === 'request' && bytes[1] === 0xe4) request = bytes.slice();
      if (direction === 'request' || bytes[1] !== 0x64) return { secured, bytes };
      const changed = bytes.slice();
      changed.set(fromHex(point === 'own' ? own(request) : point), 40);
      return { secured, bytes: changed };
    };
    assert.match(codeOf(pair.run(openSession(pair.requester, ASKED))), /^KEY_EXCHANGE_/, name);
    assert.is(pair.requester.sessions.size, 0, name);
  }
});

interface Handshake {
  readonly pair: Pair;
  readonly session: RequesterSession;
  readonly finish: Uint8Array;
}
/** A handshake up to its FINISH, which is not sent. */
function handshake(options: PairOptions = {}): Handshake {
  const pair = new Pair(options).authenticate();
  const exchange = openSession(pair.requester, ASKED);
  const first = exchange.next();
  assert.ok(!first.done);
  const next = exchange.next(pair.send(first.value)!);
  assert.ok(!next.done);
  const session = [...pair.requester.sessions.values()][0]!;
  rewind(session);
  return { pair, session, finish: next.value.clear };
}
/** The record last sealed was not sent: the next one takes its place. */
function rewind({ keys }: RequesterSession): void {
  (keys as unknown as { directions: { request: { sequence: number } } }).directions.request
    .sequence--;
}

const wrongFinishes: [name: string, of: (own: Uint8Array, other: Uint8Array) => Uint8Array][] = [
  ['its first bit flipped', (own) => flipped(own, 4, 0x80)],
  ['its last bit flipped', (own) => flipped(own, own.length - 1, 1)],
  ['zeros', (own) => concat(own.subarray(0, 4), new Uint8Array(32))],
  ['that of another transcript', (_own, other) => other],
];
for (const clear of [0, 1])
  for (const [name, wrong] of wrongFinishes)
    test(`F-S12 RequesterVerifyData is ${name}${clear ? ', in the clear' : ''}: DecryptError, and it is over`, () => {
      const options = { flags: { HANDSHAKE_IN_THE_CLEAR_CAP: clear } };
      const { pair, session, finish } = handshake(options);
      const other = handshake({ ...options, seed: 9 }).finish;
      const message = wrong(finish, other);
      const say = (bytes: Uint8Array) =>
        clear ? pair.plain(bytes) : pair.sealed(session, bytes)?.bytes;
      assert.is(toHex(say(message)!), '127f0600');
      assert.is(pair.responder.state.sessions.size, 0);
      assert.is(pair.effects.filter(({ type }) => type === 'session-ended').length, 1);
      assert.not.ok(pair.effects.some(({ type }) => type === 'session-established'));
      // The right one comes too late.
      const late = clear ? pair.plain(finish) : undefined;
      assert.is.not(late?.[1], 0x65);
    });

const forbidden: [name: string, hex: string][] = [
  ['CHALLENGE', `12830000${'5a'.repeat(32)}`],
  ['KEY_EXCHANGE', toHex(keyExchange(GENERATOR))],
  ['GET_VERSION', '10840000'],
  ['GET_CAPABILITIES', '12e10000000a0000c6220000 00100000 00100000'],
];
for (const [name, hex] of forbidden)
  test(`F-S23 libspdm#1337 ${name} inside a session: UnexpectedRequest, and the session goes on`, () => {
    const pair = new Pair().authenticate();
    const session = pair.session();
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.sealed(session, fromHex(hex))!.bytes), '127f0400');
    assert.is(snapshotOf(pair.responder), before);
    pair.good(heartbeat(pair.requester, session));
  });

const application: [name: string, hex: string][] = [
  ['VENDOR_DEFINED', '12fe0000 0300 02 0100 0300 01aabb'],
  ['GET_MEASUREMENTS', '12e000ff'],
  ['HEARTBEAT', '12e80000'],
  ['KEY_UPDATE', '12e90100'],
  ['END_SESSION', '12ec0000'],
  ['CHALLENGE', `12830000${'5a'.repeat(32)}`],
];
for (const [name, hex] of application)
  test(`F-S23 ${name} before FINISH: UnexpectedRequest, and FINISH is still taken`, () => {
    const { pair, session, finish } = handshake({ flags: { KEY_UPD_CAP: 1 } });
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.sealed(session, fromHex(hex))!.bytes), '127f0400');
    assert.is(snapshotOf(pair.responder), before);
    assert.equal(pair.effects, []);
    assert.is(pair.sealed(session, finish)!.bytes[1], 0x65);
  });

test('libspdm#2081 a record that does not open ends the session at either end, numbers and all', () => {
  const pair = new Pair().authenticate();
  const session = pair.session();
  const good = session.keys.seal('request', session.id, BEAT);
  const bad = flipped(good, good.length - 1, 1);
  assert.is(toHex(pair.send({ secured: true, bytes: bad })!.bytes), '127f0600');
  // Neither the same number again nor the next one finds anybody.
  for (const bytes of [good, session.keys.seal('request', session.id, BEAT)])
    assert.equal(pair.send({ secured: true, bytes }), {
      secured: false,
      bytes: fromHex('127f0600'),
    });
  const fault = pair.run(heartbeat(pair.requester, session));
  assert.is(codeOf(fault), 'SPDM_ERROR_DecryptError');
  assert.is(pair.requester.sessions.size, 0);
  // The other way round: the requester cannot open an answer.
  const other = new Pair().authenticate();
  const live = other.session();
  other.tap = ({ secured, bytes }, direction) => ({
    secured,
    bytes: direction === 'response' ? flipped(bytes, bytes.length - 1, 1) : bytes,
  });
  assert.is(codeOf(other.run(heartbeat(other.requester, live))), 'RECORD');
  assert.is(other.requester.sessions.size, 0);
});

test('caliptra-sw#3953 a vendor protocol is told where its command came from', () => {
  const heard: (number | undefined)[] = [];
  const careful: VendorResponder = {
    protocolId: 1,
    name: 'careful',
    handle(payload, sessionId) {
      heard.push(sessionId);
      const sensitive = payload[0] === 0x01;
      const reply = sensitive && sessionId === undefined ? { spdmError: 0x0b } : payload.slice();
      return { reply, work: [], effects: [] };
    },
  };
  const pair = new Pair({ responder: { vendor: [careful] } }).authenticate();
  const session = pair.session();
  const command = fromHex('12fe0000 0300 02 0100 0300 0101bb');
  assert.is(toHex(pair.plain(command)!), '127f0b00');
  assert.is(pair.sealed(session, command)!.bytes[1], 0x7e);
  assert.equal(heard, [undefined, session.id]);
  // Malformed in the clear: a named ERROR or an answer, and never told as a session's.
  heard.length = 0;
  for (const { name, bytes } of mutations(layoutOf(0xfe)!, command, connectionFacts(0x12))) {
    if (bytes[1] === 0x84) continue;
    assert.ok(pair.plain(bytes) !== undefined, name);
  }
  assert.ok(heard.length > 0);
  assert.ok(heard.every((id) => id === undefined));
  assert.ok(pair.responder.state.sessions.has(session.id));
});

/** What is remembered, with secrets and what only counts masked. */
function masked(pair: Pair): string[] {
  const { responder, requester } = pair;
  const text = (value: unknown) =>
    JSON.stringify(value, (name, inner) => {
      if (/^(sessionsOpened|nextHandle|nextToken|id|slotFacts|work)$/.test(name)) return undefined;
      if (inner instanceof Uint8Array) return `${inner.length} bytes`;
      return inner instanceof Map ? [...inner.values()] : inner;
    });
  const { config: _own, ...own } = requester;
  const { config: _its, ...its } = responder.state;
  return [text(own), text(its)];
}
const interruptions: [name: string, leave: (pair: Pair) => void][] = [
  ['a session', (pair) => void pair.session()],
  ['CHALLENGE', (pair) => void pair.good(challenge(pair.requester, 0, 0))],
  [
    'keys half updated',
    (pair) => {
      const session = pair.session();
      pair.sealed(session, fromHex('12e90107'));
    },
  ],
  [
    'keys updated',
    (pair) => void pair.good(updateKeys(pair.requester, pair.session(), 'UpdateAllKeys')),
  ],
  ['a handshake', (pair) => void pair.plain(keyExchange(GENERATOR))],
  ['measurements not yet signed', (pair) => void pair.plain('12e000ff')],
  ['a PSK session', (pair) => void pair.good(openPskSession(pair.requester, ASKED_PSK))],
];
for (const [name, leave] of interruptions)
  test(`F-S24 spdm-rs#371 after ${name} and a reset nothing of it is left in the next session`, () => {
    const options = { ...PSK, flags: { KEY_UPD_CAP: 1 } };
    const fresh = new Pair(options).authenticate();
    fresh.session();
    const pair = new Pair(options).authenticate();
    leave(pair);
    const [old] = [...pair.requester.sessions.values()];
    pair.authenticate();
    const next = pair.session();
    assert.equal(masked(pair), masked(fresh));
    if (old === undefined) return;
    const facts = ({ keys }: RequesterSession) => keys.nextSeal('request').keyId;
    assert.is.not(facts(old), facts(next));
    assert.is.not(toHex(old.keys.exportMasterSecret!), toHex(next.keys.exportMasterSecret!));
  });

const SESSION_ENDED = 'session-ended';
const endings: [name: string, end: (pair: Pair, session: RequesterSession) => void][] = [
  ['END_SESSION', (pair, session) => void pair.good(endSession(pair.requester, session))],
  ['GET_VERSION', (pair) => void pair.plain('10840000')],
  [
    'a bad record',
    (pair, session) => {
      const bytes = session.keys.seal('request', session.id, BEAT);
      pair.send({ secured: true, bytes: flipped(bytes, 8, 1) });
    },
  ],
  [
    'a heartbeat missed',
    (pair, { id }) => void pair.effects.push(...(pair.responder.heartbeatExpired(id) as never[])),
  ],
  ['a reset', (pair) => void pair.effects.push(...(pair.responder.reset('reset') as never[]))],
  [
    'a runtime update',
    (pair) => void pair.effects.push(...(pair.responder.runtimeUpdated() as never[])),
  ],
];
for (const [name, end] of endings)
  test(`caliptra-mcu-sw#1922 the end by ${name} is told once, for what hangs on the session`, () => {
    const pair = new Pair().authenticate();
    const session = pair.session();
    end(pair, session);
    const told = pair.effects.filter(({ type }) => type === SESSION_ENDED);
    assert.equal(
      told.map(({ sessionId }) => sessionId),
      [session.id],
    );
    assert.ok(told[0]!.reason!.length > 0);
    assert.is(pair.responder.state.sessions.size, 0);
    assert.is(converse(pair).fault, undefined);
  });

test('F-S21 END_SESSION, then any message of that session: DecryptError in the clear, and no effect', () => {
  const pair = new Pair({ flags: { KEY_UPD_CAP: 1 } }).authenticate();
  const session = pair.session();
  pair.good(endSession(pair.requester, session));
  const effects = pair.effects.length;
  const before = snapshotOf(pair.responder);
  for (const hex of [
    '12e80000',
    '12ec0000',
    '12e90100',
    '12e000ff',
    '12fe0000030002010003000101bb',
  ]) {
    const bytes = session.keys.seal('request', session.id, fromHex(hex));
    assert.equal(pair.send({ secured: true, bytes }), {
      secured: false,
      bytes: fromHex('127f0600'),
    });
  }
  assert.is(snapshotOf(pair.responder), before);
  assert.is(pair.effects.length, effects);
});

test.run();
