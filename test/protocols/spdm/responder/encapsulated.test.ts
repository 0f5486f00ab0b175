/** A responder's encapsulated requests against requesters that do not play along (DSP0274 10.17). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { fixedIdentity } from '../../../../protocols/spdm/identity.ts';
import { challenge } from '../../../../protocols/spdm/requester/auth.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { queueEncapsulated } from '../../../../protocols/spdm/responder/encapsulated.ts';
import type { MutualAuthentication } from '../../../../protocols/spdm/responder/mutual.ts';
import { SigningContexts, signTranscript } from '../../../../protocols/spdm/signing.ts';
import { challenged, type MutualOptions, mutualPair, other, own, told } from '../mutual-pair.ts';
import { crypto, flipped, type Pair } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder encapsulated');

const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const DIGESTS = `12010001${toHex(crypto.hash('SHA_256', own.chain))}`;
const LENGTH = own.chain.length;
const le16 = (n: number) => toHex(Uint8Array.of(n & 255, n >> 8));
const certificate = (param1 = 0, portion = own.chain, remainder = 0) =>
  `1202${toHex(Uint8Array.of(param1))}00${le16(portion.length)}${le16(remainder)}${toHex(portion)}`;

const hex = (bytes: Uint8Array | undefined) => toHex(bytes ?? new Uint8Array(0));
const say = (pair: Pair, ...parts: (string | Uint8Array)[]) => hex(pair.plain(...parts));

/** Up to CHALLENGE_AUTH that asks for basic mutual authentication. */
function asking(options: MutualOptions = {}): Pair {
  const pair = mutualPair({ basic: true }, options).authenticate();
  assert.is(pair.good(challenge(pair.requester, 0, 0)).basicMutAuth, true);
  return pair;
}

/** Up to KEY_EXCHANGE_RSP, handshake in the clear. */
function exchanged(wanted: MutualAuthentication, options: MutualOptions = {}): Pair {
  const flags = { HANDSHAKE_IN_THE_CLEAR_CAP: 1 };
  const pair = mutualPair(wanted, { ...options, flags }).authenticate();
  const first = openSession(pair.requester, ASKED).next();
  assert.is(first.done, false);
  const { secured, bytes } = first.value as { secured: boolean; bytes: Uint8Array };
  assert.is(pair.send({ secured, bytes })?.bytes[1], 0x64);
  return pair;
}

/** The message is answered so, and nothing changes. */
function refused(pair: Pair, message: string, answer: string) {
  const before = snapshotOf(pair.responder, { measurements: false });
  assert.is(say(pair, message), answer, message.slice(0, 32));
  assert.is(snapshotOf(pair.responder, { measurements: false }), before, message.slice(0, 32));
}

const ZEROS = (size: number) => '00'.repeat(size);

test('F-S10 FINISH without what KEY_EXCHANGE_RSP asked for', () => {
  for (const session of ['encapsulated', 'digests'] as const) {
    const pair = exchanged({ session });
    refused(pair, `12e50000${ZEROS(32)}`, '127f0100');
    refused(pair, `12e50100${ZEROS(64)}${ZEROS(32)}`, '127f0100');
    if (session === 'encapsulated') say(pair, '12ea0000');
    const id = session === 'encapsulated' ? '01' : '00';
    refused(pair, `12e50000${ZEROS(32)}`, '127f0100');
    assert.match(say(pair, `12eb${id}00`, DIGESTS), /^126b0.01..0000001282/);
    refused(pair, `12e50000${ZEROS(32)}`, '127f0100');
    refused(pair, `12e50100${ZEROS(64)}${ZEROS(32)}`, '127f0100');
  }
  const known = exchanged({ session: 'requested' }, { responder: { peerChain: own.chain } });
  refused(known, `12e50000${ZEROS(32)}`, '127f0100');
  refused(known, `12e50101${ZEROS(64)}${ZEROS(32)}`, '127f0100');
  refused(known, `12e501ff${ZEROS(64)}${ZEROS(32)}`, '127f0100');
  assert.is(say(known, `12e50100${ZEROS(64)}${ZEROS(32)}`), '127f0600');
  assert.is(known.responder.state.sessions.size, 0);
  assert.equal(told(known)[0]?.type, 'requester-refused');
});

test('F-S10 FINISH signed with a key that is not the chain leaf', () => {
  const thief = { chain: own.chain, signer: other.signer };
  for (const session of ['encapsulated', 'digests'] as const)
    for (const clear of [0, 1]) {
      const pair = mutualPair(
        { session },
        {
          identity: fixedIdentity(new Map([[0, thief]])),
          flags: { HANDSHAKE_IN_THE_CLEAR_CAP: clear },
        },
      ).authenticate();
      const result = pair.run(openSession(pair.requester, ASKED));
      assert.ok(isPeerFault(result) && result.code === 'SPDM_ERROR_DecryptError');
      assert.is(pair.responder.state.sessions.size, 0);
      assert.equal((told(pair)[0] as { code?: string }).code, 'REQUESTER_FINISH');
      assert.is(pair.responder.state.requester, undefined);
    }
});

test('CVE-2023-31127 PSK_FINISH ends no handshake that wants mutual authentication', () => {
  const flags = { PSK_CAP: 1 };
  const options = { flags, responder: { psk: () => new Uint8Array(32) } };
  const pair = mutualPair({ session: 'encapsulated' }, options).authenticate();
  const step = openSession(pair.requester, ASKED);
  const first = step.next().value as { bytes: Uint8Array };
  const response = pair.send({ secured: false, bytes: first.bytes })!;
  // the requester goes on to GET_ENCAPSULATED_REQUEST; its session is used for another message instead
  step.next(response);
  const session = [...pair.requester.sessions.values()][0]!;
  const { keys } = session;
  (
    keys as unknown as { directions: { request: { sequence: number } } }
  ).directions.request.sequence = 0;
  const message = concat(fromHex('12e70000'), keys.verifyData('request', new Uint8Array(0)));
  assert.is(hex(pair.sealed(session, message)?.bytes), '127f0400');
  assert.ok([...pair.responder.state.sessions.values()].every((one) => !one.established));
  assert.equal(told(pair), []);
});

test('an id that was never given, a message too short, other requests meanwhile', () => {
  const pair = asking();
  refused(pair, '12eb010012010001', '127f0400');
  assert.is(say(pair, '12ea0000'), '126a010012810000');
  refused(pair, `12eb0000${DIGESTS}`, '127f0100');
  refused(pair, `12eb0200${DIGESTS}`, '127f0100');
  refused(pair, '12eb0100', '127f0100');
  refused(pair, '12eb0100120100', '127f0100');
  for (const message of [
    '12810000',
    `128300ff${ZEROS(32)}`,
    `12e000ff`,
    '12fe000003000200010001000000',
  ])
    refused(pair, message, '127f0800');
  assert.is(say(pair, '12ea0000'), '126a010012810000', 'asked again: the same request');
  assert.match(say(pair, `12eb0100${DIGESTS}`), /^126b02010100000012820000/);
  refused(pair, `12eb0100${certificate()}`, '127f0100');
  assert.is(say(pair, '10840000').slice(0, 4), '1004');
  assert.equal(pair.responder.state.encapsulated, []);
});

test('nothing pending', () => {
  for (const [version, answer] of [
    ['11', '117f0400'],
    ['12', '127f0400'],
    ['13', '137f4500'],
    ['14', '147f4500'],
  ] as const) {
    const pair = mutualPair(
      { basic: true },
      { version: Number.parseInt(version, 16) },
    ).authenticate();
    refused(pair, `${version}ea0000`, answer);
    refused(pair, `${version}eb010012010001`, `${version}7f0400`);
  }
  const digests = exchanged({ session: 'digests' });
  refused(digests, '12ea0000', '127f0400');
});

const hash = (fill: number) => toHex(new Uint8Array(32).fill(fill));
const faults: readonly [name: string, answers: readonly string[], code: string][] = [
  ['another version', [`11${DIGESTS.slice(2)}`], 'ENCAPSULATED_VERSION'],
  ['another code', [certificate()], 'ENCAPSULATED_CODE'],
  ['a request', ['12810000'], 'ENCAPSULATED_CODE'],
  ['cut off', [DIGESTS.slice(0, -2)], 'ENCAPSULATED_MALFORMED'],
  ['ERROR', ['127f0700'], 'ENCAPSULATED_ERROR_UnsupportedRequest'],
  ['no slot', ['12010000'], 'REQUESTER_DIGESTS'],
  ['another digest', [`12010001${hash(7)}`, certificate()], 'REQUESTER_CHAIN_DIGEST'],
  ['another slot', [DIGESTS, certificate(1)], 'REQUESTER_CERTIFICATE'],
  [
    'nothing of the chain',
    [DIGESTS, certificate(0, new Uint8Array(0), LENGTH)],
    'REQUESTER_CERTIFICATE',
  ],
  ['a chain beyond 64 KiB', [DIGESTS, certificate(0, own.chain, 0xffff)], 'REQUESTER_CERTIFICATE'],
  [
    'a chain that grows',
    [
      DIGESTS,
      certificate(0, own.chain.slice(0, 100), LENGTH - 100),
      certificate(0, own.chain.slice(100), 5),
    ],
    'REQUESTER_CERTIFICATE',
  ],
  ['a portion cut off', [DIGESTS, certificate().slice(0, -2)], 'ENCAPSULATED_MALFORMED'],
  [
    'a CHALLENGE_AUTH of zeros',
    [DIGESTS, certificate(), `12030001${ZEROS(32)}${ZEROS(32)}0000${ZEROS(64)}`],
    'REQUESTER_CHALLENGE_AUTH',
  ],
  [
    'a CHALLENGE_AUTH that signs nothing',
    [DIGESTS, certificate(), `12030001${DIGESTS.slice(8)}${ZEROS(32)}0000${ZEROS(64)}`],
    'REQUESTER_CHALLENGE_AUTH',
  ],
];
for (const [name, answers, code] of faults)
  test(`${name}: the flow is over, and nobody authenticated`, () => {
    const pair = asking();
    let answer = say(pair, '12ea0000');
    for (const response of answers) {
      const id = answer.slice(4, 6);
      answer = say(pair, `12eb${id}00${response}`);
    }
    assert.is(answer, '127f0900');
    const [effect, ...more] = told(pair) as { type: string; code?: string }[];
    assert.is(more.length, 0);
    assert.is(effect!.type, 'requester-refused');
    assert.is(effect!.code, code);
    assert.is(pair.responder.state.requester, undefined);
    refused(pair, `12eb0100${DIGESTS}`, '127f0400');
    refused(pair, '12ea0000', '127f0400');
    assert.is(say(pair, '12810000').slice(0, 4), '1201', 'the connection goes on');
  });

test('an answer that is not ready ends the flow in good order', () => {
  const pair = asking();
  say(pair, '12ea0000');
  assert.is(say(pair, '12eb0100127f420001810102'), '126b000001000000');
  assert.equal((told(pair)[0] as { code?: string }).code, 'ENCAPSULATED_ERROR_ResponseNotReady');
  refused(pair, '12ea0000', '127f0400');
});

test('1.3: provisioned slots that are not supported', () => {
  const pair = asking({ version: 0x13 });
  say(pair, '13ea0000');
  assert.is(say(pair, `13eb01001301${'00'}${DIGESTS.slice(6)}`), '137f0900');
});

/** A CHALLENGE_AUTH of the requester's own making, whose signature is good. */
function signedAuth(pair: Pair, challengeHex: string, head: string, tail = '0000'): string {
  const { transcript } = pair.responder.state;
  const unsigned = fromHex(`${head}${ZEROS(32)}${tail}`);
  const covered = concat(transcript.mutualM1m2(0x12), fromHex(challengeHex), unsigned);
  const scope = { crypto, hash: 'SHA_256', version: 0x12 } as const;
  const { MUTUAL_CHALLENGE_AUTH } = SigningContexts;
  return toHex(unsigned) + toHex(signTranscript(scope, own.signer, MUTUAL_CHALLENGE_AUTH, covered));
}

test('a signed CHALLENGE_AUTH must say what was asked', () => {
  const chainHash = DIGESTS.slice(8);
  for (const [head, answer] of [
    [`12030001${chainHash}`, '126b000003000000'],
    [`12038001${chainHash}`, '127f0900'],
    [`12030101${chainHash}`, '127f0900'],
    [`12030002${chainHash}`, '127f0900'],
    [`12030000${chainHash}`, '127f0900'],
    [`12030001${toHex(crypto.hash('SHA_256', other.chain))}`, '127f0900'],
  ] as const) {
    const pair = asking();
    say(pair, '12ea0000');
    say(pair, `12eb0100${DIGESTS}`);
    const asked = say(pair, `12eb0200${certificate()}`).slice(16);
    assert.is(asked.slice(0, 8), '12830000');
    assert.is(say(pair, `12eb0300${signedAuth(pair, asked, head)}`), answer, head.slice(0, 8));
    assert.is(pair.responder.state.requester !== undefined, answer.startsWith('126b'));
  }
});

test('an old CHALLENGE_AUTH proves nothing again', () => {
  const pair = asking();
  const sent: Uint8Array[] = [];
  pair.tap = (packet, direction) => {
    if (direction === 'request') sent.push(packet.bytes);
    return packet;
  };
  assert.is(challenged(pair), true);
  const old = sent.at(-1)!;
  assert.is(toHex(old.slice(0, 2)), '12eb');
  const again = sent.filter(([, code]) => code === 0xeb);
  assert.is(pair.good(challenge(pair.requester, 0, 0)).basicMutAuth, true);
  let answer = say(pair, '12ea0000');
  for (const message of again) answer = say(pair, `12eb${answer.slice(4, 6)}00`, message.slice(4));
  assert.is(answer, '127f0900');
  assert.is(told(pair).filter(({ type }) => type === 'requester-authenticated').length, 1);
});

test('no flipped bit of what the requester delivers goes unnoticed', () => {
  const count = 3;
  for (let message = 0; message < count; message++)
    for (let at = 0; ; at += message === 1 ? 13 : 3) {
      const pair = asking({ seed: 1 });
      let index = -1;
      let over = false;
      pair.tap = (packet, direction) => {
        if (direction !== 'request' || packet.bytes[1] !== 0xeb || ++index !== message)
          return packet;
        over = at >= packet.bytes.length;
        // Param2 of the outer message is reserved, and nobody signs it.
        return over || at === 3
          ? packet
          : { ...packet, bytes: flipped(packet.bytes, at, 1 << (at % 8)) };
      };
      const result = challenged(pair);
      if (over) break;
      if (at === 3) continue;
      assert.ok(isPeerFault(result), `message ${message}, byte ${at}`);
      assert.is(pair.responder.state.requester, undefined, `message ${message}, byte ${at}`);
    }
});

test('an acknowledgement that nobody fetched moves nothing', () => {
  const readiness = (code: number) => (code === 0xeb ? { rdtExponent: 1, rdtm: 2 } : undefined);
  const pair = asking({ responder: { readiness } });
  say(pair, '12ea0000');
  const before = JSON.stringify(pair.responder.state.encapsulated);
  assert.is(say(pair, `12eb0100${DIGESTS}`).slice(0, 8), '127f4200');
  assert.is(JSON.stringify(pair.responder.state.encapsulated), before);
  const token = pair.responder.state.held!.token;
  pair.responder.ready(token);
  assert.match(say(pair, `12ffeb${toHex(Uint8Array.of(token))}`), /^126b020101/);
  assert.is(pair.responder.state.encapsulated[0]!.requestId, 2);
});

test('a caller who queues what cannot be asked', () => {
  const step = { request: fromHex('12810000'), read: () => ({ end: true }) as const };
  const pair = mutualPair({ basic: true }).authenticate();
  const { state } = pair.responder;
  assert.throws(() => queueEncapsulated(state, 7, step), 'sessionId');
  const without = mutualPair({}, { flags: { ENCAP_CAP: 0, MUT_AUTH_CAP: 0 } }).authenticate();
  assert.throws(() => queueEncapsulated(without.responder.state, undefined, step), 'ENCAP_CAP');
  queueEncapsulated(state, undefined, step);
  assert.is(say(pair, '12ea0000'), '126a010012810000');
  assert.is(say(pair, '12eb010012010000'), '126b000001000000');
  refused(pair, '12ea0000', '127f0400');
});

test.run();
