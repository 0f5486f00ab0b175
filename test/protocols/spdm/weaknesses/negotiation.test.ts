/** Weaknesses of what is agreed on: reserved bits, requests too early, versions, downgrades, deadlines. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { decode, type Span } from '../../../../protocols/codec/layout.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { connectionFacts, layoutOf } from '../../../../protocols/spdm/messages/registry.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { getDigests } from '../../../../protocols/spdm/requester/certificates.ts';
import { openPskSession } from '../../../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import type { UnnegotiatedPolicy } from '../../../../protocols/spdm/responder/state.ts';
import { answering, answersOf, converse } from '../conversation.ts';
import { flipped, Pair, type PairOptions, suites } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm weaknesses: negotiation');

const codeOf = (result: unknown): string => (isPeerFault(result) ? result.code : 'ok');
const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const HINT = fromHex('01');
const NONCE = '5a'.repeat(32);

/** Good requests up to CHALLENGE with every bit set that 1.2 reserves. */
const reserved: [name: string, hex: string][] = [
  ['GET_VERSION', '1084ffff'],
  ['GET_CAPABILITIES', '12e1ffff ff 0a ffff c6220000 00100000 00100000'],
  [
    'NEGOTIATE_ALGORITHMS',
    `12e303ff 2c00 01 02 10000000 01000000 ${'ff'.repeat(12)} 00 00 ff ff 02200800 03200200 05200100`,
  ],
  ['GET_DIGESTS', '1281ffff'],
  ['GET_CERTIFICATE', '128200fe 0000 0004'],
  ['CHALLENGE', `128300ff${NONCE}`],
];

/** Reserved fields of an answer that are not zero. */
function reservedSet(answer: Uint8Array, pair: Pair): string[] {
  const spans: Span[] = [];
  const facts = {
    ...connectionFacts(0x12, pair.responder.state.negotiated),
    summary: 1,
    signed: 0,
  };
  assert.ok(decode(layoutOf(answer[1]!)!, answer, facts, { spans, trailing: 'leave' }).ok);
  return spans
    .filter(({ field }) => field.kind === 'reserved')
    .filter(({ offset, size }) => answer.subarray(offset, offset + size).some((byte) => byte !== 0))
    .map(({ path }) => path);
}

test('F-S02 reserved bits of requests are ignored, answered as zero, and kept in the transcript', () => {
  const pair = new Pair();
  const sent: string[] = [];
  let kept = '';
  for (const [name, hex] of reserved) {
    const request = fromHex(hex);
    const { a, b, c } = pair.responder.state.transcript;
    kept += toHex(concat(a.bytes(), b.bytes(), c.bytes()));
    const answer = pair.plain(request)!;
    assert.is(answer[1], request[1]! & 0x7f, name);
    assert.equal(reservedSet(answer, pair), [], name);
    sent.push(toHex(request));
  }
  // CHALLENGE itself is under its own signature, which the conversations below hold.
  for (const hex of sent.slice(0, -1)) assert.ok(kept.includes(hex), hex.slice(0, 8));
});

test('F-S02 reserved bits inside a session, and of what ends it', () => {
  const pair = new Pair().authenticate();
  const session = pair.session();
  for (const [hex, answer] of [
    ['12e8ffff', '12680000'],
    ['12ecfeff', '126c0000'],
  ] as const)
    assert.is(toHex(pair.sealed(session, fromHex(hex))!.bytes), answer);
});

const answers: [code: number, at: number, mask: number, fault: string][] = [
  [0x04, 4, 0xff, 'CHALLENGE_AUTH_SIGNATURE'],
  [0x61, 4, 0xff, 'CHALLENGE_AUTH_SIGNATURE'],
  [0x63, 3, 0xff, 'CHALLENGE_AUTH_SIGNATURE'],
  [0x01, 2, 0xff, 'CHALLENGE_AUTH_SIGNATURE'],
  [0x02, 3, 0xfe, 'CHALLENGE_AUTH_SIGNATURE'],
  [0x68, 2, 0xff, 'ok'],
  [0x68, 3, 0xff, 'ok'],
  [0x6c, 2, 0xff, 'ok'],
];
for (const [code, at, mask, fault] of answers)
  test(`F-S02 reserved byte ${at} of ${layoutOf(code)!.name}: ${fault}`, () => {
    const whole = new Pair();
    const answer = answersOf(whole).find(({ bytes }) => bytes[1] === code)!;
    // What is signed says so: the requester signs off the bytes as they came.
    const pair = answering(new Pair(), answer.index, flipped(answer.bytes, at, mask));
    assert.is(converse(pair).fault?.code ?? 'ok', fault);
  });

const CAPABILITIES = '12e10000 00 0a 0000 c6220000 00100000 00100000';
const early: [phase: string, before: string[], requests: string[]][] = [
  ['NOT_STARTED', [], [CAPABILITIES, '10810000', '10e30000', '10e50000']],
  ['AFTER_VERSION', ['10840000'], ['10e30000', '10810000', `10830000${NONCE}`, '10ff8100']],
  ['AFTER_CAPABILITIES', ['10840000', CAPABILITIES], ['12810000', '12e00000', CAPABILITIES]],
];
const policies: [policy: UnnegotiatedPolicy, answer: number | undefined][] = [
  ['UnexpectedRequest', 0x04],
  ['RequestResynch', 0x43],
  ['silence', undefined],
];
for (const [policy, code] of policies)
  for (const [phase, before, requests] of early)
    test(`F-S03 ${phase}, policy ${policy}`, () => {
      for (const request of requests) {
        const pair = new Pair({ responder: { unnegotiated: policy } });
        for (const hex of before) pair.plain(hex);
        const was = snapshotOf(pair.responder);
        const answer = pair.plain(request);
        assert.is(answer?.[2], code, request);
        if (policy !== 'RequestResynch') {
          assert.is(snapshotOf(pair.responder), was);
          continue;
        }
        // Latched: nothing but GET_VERSION is taken from here on, in 1.0.
        assert.is(pair.responder.state.phase, 'NOT_STARTED');
        const { version: known } = pair.responder.state;
        for (const next of [0x81, 0xe3, 0xe4, 0xff])
          assert.is(toHex(pair.plain(Uint8Array.of(known, next, 0, 0))!), '107f4300');
        assert.is(toHex(pair.plain(CAPABILITIES)!), '107f4300');
        const version = pair.plain('10840000')!;
        const a = toHex(pair.responder.state.transcript.a.bytes());
        assert.is(a, `10840000${toHex(version)}`, 'the transcript starts anew');
      }
      const pair = new Pair({ responder: { unnegotiated: policy } });
      for (const hex of [...before, ...requests]) pair.plain(hex);
      assert.is(converse(pair).fault, undefined, 'and a good conversation is still to be had');
    });

test('F-S04 after VCA no other version is taken, from a requester or from a responder', () => {
  for (const version of [0x10, 0x11, 0x13, 0x14, 0x00, 0xff]) {
    const pair = new Pair().authenticate();
    const session = pair.session();
    const before = snapshotOf(pair.responder);
    const digests = Uint8Array.of(version, 0x81, 0, 0);
    assert.is(toHex(pair.plain(digests)!), '127f4100');
    assert.is(toHex(pair.sealed(session, digests)!.bytes), '127f4100');
    assert.is(snapshotOf(pair.responder), before);
    pair.tap = ({ secured, bytes }, direction) =>
      direction === 'response'
        ? { secured, bytes: Uint8Array.of(version, ...bytes.subarray(1)) }
        : { secured, bytes };
    assert.is(codeOf(pair.run(getDigests(pair.requester))), 'ANSWER_VERSION');
  }
});

test('F-S04 a version taken out of VERSION on its way: no signature holds', () => {
  const both = { requester: { versions: [0x11, 0x12] }, responder: { versions: [0x11, 0x12] } };
  const attacked = () => {
    const pair = new Pair(both);
    pair.tap = (packet, direction, index) =>
      direction === 'response' && index === 0
        ? { secured: false, bytes: fromHex('10040000 00 01 0011') }
        : packet;
    pair.authenticate();
    assert.is(pair.requester.version, 0x11);
    return pair;
  };
  const opened = attacked();
  assert.is(codeOf(opened.run(openSession(opened.requester, ASKED))), 'KEY_EXCHANGE_SIGNATURE');
  assert.is(opened.requester.sessions.size, 0);
  const pair = attacked();
  assert.is(codeOf(pair.run(challenge(pair.requester, 0, 0))), 'CHALLENGE_AUTH_SIGNATURE');
  assert.is(new Pair(both).authenticate().requester.version, 0x12);
});

const flip = (bytes: Uint8Array, at: number, bit: number) => flipped(bytes, at, 1 << bit);
/** That bit alone. */
function only(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = 1 << bit;
  return copy;
}
/** What is changed on its way: in which exchange of VCA, and where. */
const downgrades: readonly {
  readonly name: string;
  readonly direction: 'request' | 'response';
  readonly index: number;
  readonly at: readonly number[];
  readonly change: typeof flip;
}[] = [
  { name: 'Flags asked', direction: 'request', index: 1, at: [8, 9, 10, 11], change: flip },
  { name: 'Flags answered', direction: 'response', index: 1, at: [8, 9, 10, 11], change: flip },
  {
    name: 'what is offered',
    direction: 'request',
    index: 2,
    at: [8, 12, 34, 38, 42],
    change: flip,
  },
  {
    name: 'what is selected',
    direction: 'response',
    index: 2,
    at: [8, 12, 16, 38, 42],
    change: only,
  },
];
const rich: PairOptions = {
  flags: { KEY_UPD_CAP: 1 },
  requesterFlags: { PSK_CAP: 1 },
  responderFlags: { PSK_CAP: 2 },
  requester: {
    psk: () => HINT,
    algorithms: { ...suites.P256.algorithms, aead: 3, dhe: 0x18, baseAsym: 0x90, baseHash: 3 },
  },
  responder: { psk: () => HINT, algorithms: { ...suites.P256.algorithms, aead: 3, dhe: 0x18 } },
};
for (const { name, direction, index, at: places, change } of downgrades)
  test(`F-S05 every bit of ${name}: never a session`, () => {
    let reached = 0;
    for (const at of places)
      for (let bit = 0; bit < 8; bit++)
        for (const kind of ['KEY_EXCHANGE', 'PSK_EXCHANGE']) {
          const pair = new Pair(rich);
          let changed = false;
          pair.tap = ({ secured, bytes }, way, step) => {
            if (way !== direction || step !== index) return { secured, bytes };
            const other = change(bytes, at, bit);
            changed = toHex(other) !== toHex(bytes);
            return { secured, bytes: other };
          };
          const agreed = pair.run(negotiate(pair.requester));
          if (isPeerFault(agreed) || !changed) continue;
          reached++;
          pair.cached();
          pair.tap = (packet) => packet;
          const psk = { hint: HINT, summaryType: 0, terminationPolicy: 0 } as const;
          const result = pair.run(
            kind === 'KEY_EXCHANGE'
              ? openSession(pair.requester, ASKED)
              : openPskSession(pair.requester, psk),
          );
          assert.ok(isPeerFault(result), `${kind} with bit ${bit} of byte ${at}`);
          assert.is(pair.requester.sessions.size, 0);
          for (const session of pair.responder.state.sessions.values())
            assert.not(session.established);
        }
    assert.ok(reached > 0, 'the handshake itself is put to the test');
  });

test('F-S05 the same without an attacker is a session', () => {
  const pair = new Pair(rich);
  pair.good(negotiate(pair.requester));
  assert.ok(pair.cached().session().established);
});

test('CVE-2023-32690 a CTExponent that makes no deadline is refused in CAPABILITIES', () => {
  for (const [exponent, fault] of [
    [0, 'ok'],
    [31, 'ok'],
    [32, 'CAPABILITIES_CT_EXPONENT'],
    [64, 'CAPABILITIES_CT_EXPONENT'],
    [255, 'CAPABILITIES_CT_EXPONENT'],
  ] as const) {
    const pair = new Pair({ responder: { ctExponent: exponent } });
    assert.is(codeOf(pair.run(negotiate(pair.requester))), fault);
    if (fault !== 'ok') {
      assert.is(pair.requester.responderCtExponent, 0);
      continue;
    }
    const asked = getMeasurements(pair.requester, undefined, {
      slot: 0,
      operation: 0,
      signed: false,
    });
    const sent = asked.next();
    assert.ok(!sent.done);
    assert.is(sent.value.timeoutUs, Math.max(100_000, 2 ** exponent));
  }
});

test.run();
