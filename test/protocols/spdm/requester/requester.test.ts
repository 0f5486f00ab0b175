/** The requester against responders that lie, stall, replay or answer out of place. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault, LocalError, peerFault } from '../../../../protocols/codec/refusal.ts';
import { errorNames } from '../../../../protocols/spdm/codes.ts';
import { fixedIdentity } from '../../../../protocols/spdm/identity.ts';
import type { KeyLogEntry } from '../../../../protocols/spdm/party.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../../../protocols/spdm/requester/certificates.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import { type Exchange, RequesterState } from '../../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import type { Packet } from '../../../../protocols/spdm/responder/responder.ts';
import { answersOf, converse } from '../conversation.ts';
import { Pair, type PairOptions, slotOf } from '../pair.ts';

const test = suite('spdm requester');

const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const SIGNED = { slot: 0, operation: 0xff, signed: true } as const;
const codeOf = (result: unknown): string => (isPeerFault(result) ? result.code : 'ok');

function negotiated(options: PairOptions = {}): Pair {
  const pair = new Pair(options).cached();
  pair.good(negotiate(pair.requester));
  return pair;
}

/** Answers come from `answer` instead of the responder. */
function against<T>(exchange: Exchange<T>, answer: (step: number, request: Uint8Array) => Packet) {
  let step = exchange.next();
  let steps = 0;
  while (!step.done) {
    if (steps >= 1000) throw new Error('no end in sight');
    step = exchange.next(answer(steps++, step.value.clear));
  }
  return { result: step.value, steps };
}
const plainly = (bytes: Uint8Array): Packet => ({ secured: false, bytes });

/** CERTIFICATE of slot 0 with lengths as given. */
const portion = (size: number, remainder: number, slot = 0) =>
  concat(
    fromHex('1202'),
    Uint8Array.of(slot, 0),
    le(size, 2),
    le(remainder, 2),
    new Uint8Array(size),
  );
const portions: [
  name: string,
  answer: (step: number) => Uint8Array,
  code: string,
  steps: number,
][] = [
  ['no bytes', () => portion(0, 100), 'CERTIFICATE_PORTION', 1],
  ['no bytes, none left', () => portion(0, 0), 'CERTIFICATE_PORTION', 1],
  ['more than was asked for', () => portion(1001, 0), 'CERTIFICATE_PORTION', 1],
  ['another slot', () => portion(100, 0, 1), 'CERTIFICATE_PORTION', 1],
  ['the same remainder for ever', () => portion(10, 100), 'CERTIFICATE_PORTION', 2],
  ['a remainder that grows', (step) => portion(10, 100 + step), 'CERTIFICATE_PORTION', 2],
  [
    'a remainder that shrinks too fast',
    (step) => portion(10, 100 - 30 * step),
    'CERTIFICATE_PORTION',
    2,
  ],
  [
    'no bytes half way',
    (step) => (step === 0 ? portion(10, 50) : portion(0, 50)),
    'CERTIFICATE_PORTION',
    2,
  ],
  ['more than a chain may have', () => portion(10, 0xffff), 'CERTIFICATE_PORTION', 1],
  ['a byte at a time', (step) => portion(1, 299 - step), 'CERTIFICATE_DIGEST', 300],
];
for (const [name, answer, code, steps] of portions)
  test(`CERTIFICATE: ${name} is ${code} after ${steps}`, () => {
    const pair = negotiated();
    pair.requester.chains.clear();
    const exchange = getCertificate(pair.requester, 0, new Uint8Array(32));
    const outcome = against(exchange, (step) => plainly(answer(step)));
    assert.is(codeOf(outcome.result), code);
    assert.is(outcome.steps, steps);
    assert.is(pair.requester.chains.size, 0);
  });

test("another device's chain is not the one in DIGESTS", () => {
  const slots = new Map([[0, slotOf('P256')]]);
  const pair = new Pair({ responder: { identity: fixedIdentity(slots) } });
  pair.good(negotiate(pair.requester));
  const digest = pair.good(getDigests(pair.requester)).get(0);
  slots.set(0, slotOf('P256', 0x44));
  assert.is(codeOf(pair.run(getCertificate(pair.requester, 0, digest))), 'CERTIFICATE_DIGEST');
});

test('a device that shows a chain whose key it has not gets nowhere', () => {
  const { chain } = slotOf('P256');
  const { signer } = slotOf('P256', 0x44);
  const pair = new Pair({
    responder: { identity: fixedIdentity(new Map([[0, { chain, signer }]])) },
  }).authenticate();
  const { requester } = pair;
  assert.is(codeOf(pair.run(challenge(requester, 0, 0))), 'CHALLENGE_AUTH_SIGNATURE');
  assert.is(
    codeOf(pair.run(getMeasurements(requester, undefined, SIGNED))),
    'MEASUREMENTS_SIGNATURE',
  );
  assert.is(codeOf(pair.run(openSession(requester, ASKED))), 'KEY_EXCHANGE_SIGNATURE');
  assert.not(requester.authenticated);
  assert.is(requester.sessions.size, 0);
});

test('what trust says is handed on; a leaf of another curve is a LEAF_KEY', () => {
  const distrust = new Pair({ requester: { trust: () => peerFault('UNKNOWN_ROOT', 'no') } });
  assert.throws(() => distrust.authenticate(), /no/);
  const leaf = { algorithm: 'ECDSA_P384', publicKey: new Uint8Array(96) } as const;
  const pair = negotiated({ requester: { trust: () => leaf } });
  assert.is(codeOf(trustChain(pair.requester, 0)), 'LEAF_KEY');
});

test('a chain fetched again is not trusted on the word of the one before', () => {
  const pair = new Pair().authenticate();
  pair.good(getCertificate(pair.requester, 0));
  assert.throws(() => pair.run(challenge(pair.requester, 0, 0)), /not trusted yet/);
});

/** Answers of an earlier connection, given again in a later one, message by message. */
const replays: [index: number, code: string][] = [
  [6, 'CHALLENGE_AUTH_SIGNATURE'],
  [7, 'MEASUREMENTS_SIGNATURE'],
  [8, 'KEY_EXCHANGE_SIGNATURE'],
];
for (const version of [0x12, 0x13])
  for (const [index, code] of replays)
    test(`1.${version & 15}: answer ${index} of an earlier connection is ${code}`, () => {
      const earlier = new Pair({ version, seed: 7 });
      assert.is(converse(earlier).fault, undefined);
      const pair = new Pair({ version, seed: 8 });
      pair.tap = (packet, direction, at) =>
        direction === 'response' && at === index ? earlier.wire[index]!.response! : packet;
      // From 1.3 on the context, which differs, is looked at before the signature.
      const context = code.replace('SIGNATURE', 'CONTEXT');
      const expected = version === 0x13 && index < 8 ? context : code;
      assert.is(converse(pair).fault?.code, expected);
    });

test('a sealed answer of an earlier session, and one given twice, do not open', () => {
  const earlier = new Pair({ seed: 7 });
  converse(earlier);
  for (const index of [9, 10, 11, 12, 13]) {
    const pair = new Pair({ seed: 8 });
    pair.tap = (packet, direction, at) =>
      direction === 'response' && at === index ? earlier.wire[index]!.response! : packet;
    assert.is(converse(pair).fault?.code, 'RECORD');
    assert.is(pair.requester.sessions.size, 0);
  }
  const twice = new Pair();
  twice.tap = (packet, direction, at) =>
    direction === 'response' && at === 12 ? twice.wire[11]!.response! : packet;
  assert.is(converse(twice).fault?.code, 'RECORD');
});

test('answers given in place of others end in a fault', () => {
  const whole = new Pair();
  const count = answersOf(whole).length;
  for (let index = 0; index < count; index++)
    for (let other = 0; other < count; other++) {
      // Both portions of the certificate are CERTIFICATE: lengths tell them apart.
      if (other === index) continue;
      const pair = new Pair();
      pair.tap = (packet, direction, at) =>
        direction === 'response' && at === index ? whole.wire[other]!.response! : packet;
      const { fault } = converse(pair);
      assert.ok(fault !== undefined, `answer ${other} for ${index}`);
      assert.ok(/^[A-Z_]+$/.test(fault.code), fault.code);
    }
});

test('answers cut anywhere end in a fault, and so do random ones', () => {
  const whole = new Pair();
  const answers = answersOf(whole);
  const pick = fc.record({
    index: fc.nat(answers.length - 1),
    cut: fc.nat(400),
    noise: fc.option(fc.uint8Array({ maxLength: 80 })),
  });
  fc.assert(
    fc.property(pick, ({ index, cut, noise }) => {
      const pair = new Pair();
      pair.tap = (packet, direction, at) => {
        if (direction === 'request' || at !== index) return packet;
        const bytes = noise ?? packet.bytes.slice(0, Math.min(cut, packet.bytes.length - 1));
        return { secured: packet.secured, bytes };
      };
      const { fault } = converse(pair);
      assert.ok(fault !== undefined);
      assert.not(fault.code === 'SILENCE');
    }),
    { seed: 1, numRuns: 150 },
  );
});

test('an ERROR instead of any answer is a fault of its name', () => {
  const count = answersOf(new Pair()).length;
  // These two ask for more than to give up: they have tests of their own.
  const other = ['ResponseNotReady', 'LargeResponse'];
  const named = [...Object.entries(errorNames), ['2', '0x2'] as const].filter(
    ([, name]) => !other.includes(name),
  );
  for (let index = 0; index < count; index++)
    for (const [code, name] of index === 0 ? named : named.slice(0, 3)) {
      const pair = new Pair({ requester: { busyRetries: 0 } });
      pair.tap = (packet, direction, at) =>
        direction === 'response' && at === index
          ? plainly(Uint8Array.of(0x12, 0x7f, Number(code), 0))
          : packet;
      assert.is(converse(pair).fault?.code, `SPDM_ERROR_${name}`);
    }
});

test('a plain answer in a session is refused, unless it is an ERROR', () => {
  const answers = answersOf(new Pair());
  for (const { index, sessionId, bytes } of answers) {
    if (sessionId === undefined) continue;
    const pair = new Pair();
    pair.tap = (packet, direction, at) =>
      direction === 'response' && at === index ? plainly(bytes) : packet;
    const { fault } = converse(pair);
    assert.is(fault?.code, 'PLAIN_ANSWER', `answer ${index}`);
  }
});

test('with a plain DecryptError the session is gone; other plain errors leave it', () => {
  const cases: [code: number, lives: boolean][] = [
    [6, false],
    [1, true],
  ];
  for (const [code, lives] of cases) {
    const pair = new Pair().authenticate();
    const open = pair.session();
    pair.tap = (packet, direction) =>
      direction === 'response' ? plainly(Uint8Array.of(0x12, 0x7f, code, 0)) : packet;
    assert.ok(isPeerFault(pair.run(heartbeat(pair.requester, open))));
    assert.is(pair.requester.sessions.has(open.id), lives);
  }
});

test('a record that answers a plain request is refused', () => {
  const pair = new Pair();
  pair.tap = (packet, direction) =>
    direction === 'response' ? { secured: true, bytes: packet.bytes } : packet;
  assert.is(codeOf(pair.run(negotiate(pair.requester))), 'UNEXPECTED_RECORD');
});

test("another session's record does not answer", () => {
  const pair = new Pair({ responder: { sessionsMax: 2 } }).authenticate();
  const first = pair.session();
  const second = pair.session();
  const foreign = pair.responder.state.sessions.get(first.id)!;
  pair.tap = (packet, direction) =>
    direction === 'request'
      ? packet
      : { secured: true, bytes: foreign.keys.seal('response', first.id, fromHex('12680000')) };
  assert.is(codeOf(pair.run(heartbeat(pair.requester, second))), 'RECORD');
  assert.equal([...pair.requester.sessions.keys()], [first.id]);
});

const blocks = (...indices: number[]) =>
  concat(
    fromHex('12600000'),
    Uint8Array.of(indices.length),
    le(indices.length * 8, 3),
    ...indices.map((index) => concat(Uint8Array.of(index), fromHex('01040001010000'))),
    new Uint8Array(34),
  );
const reports: [operation: number, indices: number[], code: string][] = [
  [0, [], 'ok'],
  [0, [1], 'MEASUREMENTS_BLOCKS'],
  [1, [1], 'ok'],
  [1, [2], 'MEASUREMENTS_BLOCKS'],
  [1, [], 'MEASUREMENTS_BLOCKS'],
  [1, [1, 2], 'MEASUREMENTS_BLOCKS'],
  [0xff, [1, 2], 'ok'],
  [0xff, [], 'ok'],
];
for (const [operation, indices, code] of reports)
  test(`MEASUREMENTS: blocks [${indices}] for operation ${operation} are ${code}`, () => {
    const pair = negotiated();
    const asked = { slot: 0, operation, signed: false };
    const exchange = getMeasurements(pair.requester, undefined, asked);
    const { result } = against(exchange, () => plainly(blocks(...indices)));
    assert.is(codeOf(result), code);
    assert.is(pair.requester.transcript.l.empty, code !== 'ok');
  });

test('END_SESSION forgets the session whatever the answer', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  pair.tap = (packet, direction) =>
    direction === 'response' ? plainly(fromHex('127f0300')) : packet;
  assert.is(codeOf(pair.run(endSession(pair.requester, open))), 'SPDM_ERROR_Busy');
  assert.is(pair.requester.sessions.size, 0);
});

test('the key log hears each secret, which is that of both ends', () => {
  const secrets: string[] = [];
  const keyLog = ({ secret }: KeyLogEntry) => void secrets.push(toHex(secret));
  const pair = new Pair({ requester: { keyLog } }).authenticate();
  pair.good(endSession(pair.requester, pair.session()));
  pair.session();
  assert.is(secrets.length, 2);
  assert.is(new Set(secrets).size, 2);
  assert.ok(secrets.every((secret) => secret.length === 64));
});

test('steps out of order are our own mistakes, and named', () => {
  const fresh = () => new RequesterState(new Pair().requester.config);
  const mistake = (what: RegExp, call: () => unknown) =>
    assert.throws(call, (e: unknown) => e instanceof LocalError && what.test(e.message));
  mistake(/state: run negotiate/, () => openSession(fresh(), ASKED).next());
  mistake(/slot: no chain/, () => trustChain(fresh(), 0));
  const pair = new Pair();
  pair.good(negotiate(pair.requester));
  mistake(/slot: no chain/, () => pair.run(openSession(pair.requester, ASKED)));
  mistake(/slot: no chain/, () => pair.run(challenge(pair.requester, 0, 0)));
});

test('no request is longer than the responder’s DataTransferSize; nothing is sent, nothing changes', () => {
  const pair = new Pair({
    responder: { dataTransferSize: 100, maxSpdmMsgSize: 100 },
  }).authenticate();
  const before = [pair.wire.length, pair.requester.transcript.m1m2().length];
  assert.is(codeOf(pair.run(openSession(pair.requester, ASKED))), 'REQUEST_TOO_LARGE');
  assert.equal([pair.wire.length, pair.requester.transcript.m1m2().length], before);
  assert.is(pair.requester.sessions.size, 0);
});

test.run();
