/** ResponseNotReady and RESPOND_IF_READY (DSP0274 10.9), Busy, and how long a requester is patient. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { challenge, getMeasurements } from '../../../protocols/spdm/requester/auth.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import type { Packet } from '../../../protocols/spdm/responder/responder.ts';
import { converse } from './conversation.ts';
import { Pair, type PairOptions } from './pair.ts';

const test = suite('spdm not ready');
const SIGNED = { slot: 0, operation: 0xff, signed: true } as const;
const NONCE = '11'.repeat(32);

/** A responder that needs 2^exponent us for what it signs, and says so first. */
function slow(options: PairOptions = {}, exponent = 10, rdtm = 3): Pair {
  const pair = new Pair({
    ...options,
    responder: {
      readiness: (_code, work) =>
        work.some(({ op }) => op === 'sign') ? { rdtExponent: exponent, rdtm } : undefined,
      ...options.responder,
    },
  });
  pair.onWait = () => {
    const { held } = pair.responder.state;
    if (held !== undefined) pair.responder.ready(held.token);
  };
  return pair;
}

for (const version of [0x10, 0x11, 0x12, 0x13, 0x14])
  test(`a whole conversation with an answer late wherever there is a signature, ${version.toString(16)}`, () => {
    const plain = new Pair({ version });
    const late = slow({ version });
    if (version === 0x10) {
      for (const pair of [plain, late]) {
        pair.authenticate();
        pair.good(challenge(pair.requester, 0, 0));
      }
    } else for (const pair of [plain, late]) assert.is(converse(pair).fault, undefined);
    const asked = late.wire.filter(({ request }) => request.bytes[1] === 0xff && !request.secured);
    assert.is(asked.length, version === 0x10 ? 1 : 3);
    // What is signed does not know that it was late.
    const answers = (pair: Pair) =>
      pair.wire
        .map(({ response }) => toHex(response!.bytes))
        .filter((hex) => hex.slice(2, 4) === '03');
    assert.equal(answers(late), answers(plain));
  });

function waiting(pair = slow({}, 10, 4)): Pair {
  pair.authenticate();
  assert.is(toHex(pair.plain(`12830000${NONCE}`)!), '127f42000a830004');
  return pair;
}
const token = (pair: Pair) => pair.responder.state.held!.token;

test('F-S14 before it is ready the answer is ResponseNotReady again, then CHALLENGE_AUTH, once', () => {
  const pair = waiting();
  const ask = Uint8Array.of(0x12, 0xff, 0x83, token(pair));
  for (let again = 0; again < 3; again++) assert.is(toHex(pair.plain(ask)!), '127f42000a830004');
  pair.responder.ready(token(pair) + 1);
  assert.is(pair.plain(ask)?.[1], 0x7f, 'another token makes nothing ready');
  pair.responder.ready(token(pair));
  assert.is(pair.plain(ask)?.[1], 0x03);
  assert.is(toHex(pair.plain(ask)!), '127f0400', 'given once');
});

test('F-S14 wrong token, wrong code: UnexpectedRequest, and the answer stays', () => {
  const pair = waiting();
  const right = token(pair);
  pair.responder.ready(right);
  for (const ask of [
    Uint8Array.of(0x12, 0xff, 0x83, right ^ 1),
    Uint8Array.of(0x12, 0xff, 0xe0, right),
  ])
    assert.is(toHex(pair.plain(ask)!), '127f0400');
  assert.is(pair.plain(Uint8Array.of(0x12, 0xff, 0x83, right))?.[1], 0x03);
});

test('F-S14 after RDT x RDTM the answer is gone', () => {
  const pair = waiting();
  const held = token(pair);
  pair.responder.expire(held + 1);
  assert.is(pair.responder.state.held?.token, held);
  pair.responder.expire(held);
  assert.is(toHex(pair.plain(Uint8Array.of(0x12, 0xff, 0x83, held))!), '127f0400');
});

test('F-S14 an answer held for one session is given to no other, nor outside (libspdm 3664)', () => {
  const pair = slow({ responder: { sessionsMax: 2 } });
  pair.authenticate();
  const [one, two] = [pair.session(), pair.session()];
  const asked = fromHex(`12e001ff${NONCE}00`);
  const late = pair.sealed(one, asked)!.bytes;
  assert.is(toHex(late.subarray(0, 6)), '127f42000ae0');
  pair.responder.ready(late[6]!);
  const ask = Uint8Array.of(0x12, 0xff, 0xe0, late[6]!);
  assert.is(toHex(pair.sealed(two, ask)!.bytes), '127f0400');
  assert.is(toHex(pair.plain(ask)!), '127f0400');
  assert.is(pair.sealed(one, ask)!.bytes[1], 0x60);
});

test('another request gives the held answer up, and what it would have committed to', () => {
  const pair = waiting();
  const held = token(pair);
  assert.is(pair.plain('12810000')?.[1], 0x01);
  assert.is(toHex(pair.plain(Uint8Array.of(0x12, 0xff, 0x83, held))!), '127f0400');
  assert.not.ok(pair.responder.state.authenticated);
  const again = waiting();
  assert.is(again.plain('10840000')?.[1], 0x04);
  assert.is(again.responder.state.held, undefined);
});

test('what a held answer commits to is told when it is fetched', () => {
  const late = new Pair({
    responder: {
      readiness: (code) => (code === 0xe5 ? { rdtExponent: 1, rdtm: 2 } : undefined),
    },
  });
  late.onWait = () => {
    const { held } = late.responder.state;
    assert.equal(late.effects, [], 'not before');
    late.responder.ready(held!.token);
  };
  const session = late.authenticate().session();
  assert.equal(
    late.effects.map(({ type, sessionId }) => [type, sessionId]),
    [['session-established', session.id]],
  );
});

test('what the silicon is busy with is told once, with the token', () => {
  const pair = slow().authenticate();
  const outcome = pair.responder.receive({ secured: false, bytes: fromHex(`12830000${NONCE}`) });
  assert.ok(outcome.held?.work.some(({ op }) => op === 'sign'));
  assert.not.ok(outcome.work.some(({ op }) => op === 'sign'));
  const ask = Uint8Array.of(0x12, 0xff, 0x83, outcome.held!.token);
  const second = pair.responder.receive({ secured: false, bytes: ask });
  assert.is(second.held, undefined);
});

test('F-S15 VCA is answered at once, whatever the device says', () => {
  const pair = new Pair({ responder: { readiness: () => ({ rdtExponent: 1, rdtm: 2 }) } });
  pair.good(negotiate(pair.requester));
  assert.is(pair.plain('12810000')?.[2], 0x42);
});

/** The responder's answer number `index` replaced. */
function instead(index: number, hex: string, options: PairOptions = {}): Pair {
  const pair = new Pair(options);
  pair.tap = (packet: Packet, direction, at) =>
    direction === 'response' && at === index ? { secured: false, bytes: fromHex(hex) } : packet;
  return pair;
}
for (const [index, hex] of [
  [0, '107f42000a840003'],
  [1, '127f42000ae10003'],
  [2, '127f42000ae30003'],
] as const)
  test(`F-S15 a requester takes ResponseNotReady to VCA message ${index} as a fault`, () => {
    const result = instead(index, hex).run(negotiate(new Pair().requester));
    assert.is(isPeerFault(result) && result.code, 'RESPONSE_NOT_READY');
  });

const notReady: [name: string, hex: string][] = [
  ['for another request', '127f42000a830003'],
  ['cut short', '127f42000ae0'],
  ['with an RDT of 2^32 us', '127f420020e00003'],
  ['that ends at once', '127f42000ae00000'],
];
for (const [name, hex] of notReady)
  test(`a requester gives up on ResponseNotReady ${name}`, () => {
    const pair = new Pair().authenticate();
    pair.tap = (packet, direction) =>
      direction === 'response' ? { secured: false, bytes: fromHex(hex) } : packet;
    const result = pair.run(getMeasurements(pair.requester, undefined, SIGNED));
    assert.is(isPeerFault(result) && result.code, 'RESPONSE_NOT_READY');
  });

test('a requester waits RDT each time, and RDT x RDTM in all', () => {
  const pair = slow({}, 12, 5);
  pair.authenticate();
  const waits: number[] = [];
  pair.onWait = (us) => void waits.push(us);
  const result = pair.run(challenge(pair.requester, 0, 0));
  assert.is(isPeerFault(result) && result.code, 'RESPONSE_NOT_READY');
  assert.equal(waits, [4096, 4096, 4096, 4096, 4096]);
});

test('Busy: the same request again after a while, as often as configured', () => {
  for (const [retries, busy, code] of [
    [3, 3, undefined],
    [3, 4, 'SPDM_ERROR_Busy'],
    [0, 1, 'SPDM_ERROR_Busy'],
  ] as const) {
    const pair = new Pair({ requester: { busyRetries: retries } }).authenticate();
    let left = busy as number;
    const waits: number[] = [];
    pair.onWait = (us) => void waits.push(us);
    const send = pair.send.bind(pair);
    pair.send = (packet) =>
      left-- > 0 ? { secured: false, bytes: fromHex('127f0300') } : send(packet);
    const result = pair.run(challenge(pair.requester, 0, 0));
    assert.is(isPeerFault(result) ? result.code : undefined, code);
    assert.is(waits.length, Math.min(retries, busy));
  }
});

test.run();
