/** KEY_EXCHANGE and FINISH at the responder: what is refused, and what that leaves behind. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { encode } from '../../../../protocols/codec/layout.ts';
import * as session from '../../../../protocols/spdm/messages/session.ts';
import { supportedVersionsOpaque } from '../../../../protocols/spdm/opaque.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import { flipped, Pair, type PairOptions } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder session');

const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const error = (code: number, data = 0, version = 0x12) =>
  toHex(Uint8Array.of(version, 0x7f, code, data));

/** KEY_EXCHANGE of P-256, with changes. */
function keyExchange(changes: {
  summary?: number;
  slot?: number;
  exchange?: Uint8Array;
  opaque?: Uint8Array;
  opaqueLength?: number;
}): Uint8Array {
  const { summary = 0, slot = 0, opaque = supportedVersionsOpaque([0x1100]) } = changes;
  const G = 'SECP_256_R1' as const;
  const scalar = new Uint8Array(32).fill(7);
  return encode(
    session.keyExchange,
    {
      SPDMVersion: 0x12,
      RequestResponseCode: 0xe4,
      Param1: summary,
      Param2: slot,
      ReqSessionID: 0x1234,
      SessionPolicy: 0,
      RandomData: new Uint8Array(32),
      ExchangeData: changes.exchange ?? new Pair().requester.config.crypto.publicKey(G, scalar),
      ...(changes.opaqueLength === undefined ? {} : { OpaqueDataLength: changes.opaqueLength }),
      OpaqueData: opaque,
    },
    { version: 0x12, requestExchangeSize: 64 },
  );
}
const PRIME = 'ffffffff00000001000000000000000000000000ffffffffffffffffffffffff';
const points: [name: string, hex: string][] = [
  ['all zero', '00'.repeat(64)],
  ['all ones', 'ff'.repeat(64)],
  ['x = p, y = 0', PRIME + '00'.repeat(32)],
  ['x = 0, y = p', '00'.repeat(32) + PRIME],
  ['x = 0, y = 1', `${'00'.repeat(63)}01`],
  ['x = 5, y = 5', `${'00'.repeat(31)}05${'00'.repeat(31)}05`],
];
const good = keyExchange({});
const element = (hex: string) => fromHex(hex);
const keyExchanges: [name: string, message: Uint8Array, code: number][] = [
  ...points.map(
    ([name, hex]) =>
      [`point ${name}`, keyExchange({ exchange: fromHex(hex) }), 1] as [string, Uint8Array, number],
  ),
  ['a point with y moved by one bit', flipped(good, 40 + 63, 1), 1],
  ['slot 1, which is empty', keyExchange({ slot: 1 }), 1],
  ['slot 16', keyExchange({ slot: 16 }), 1],
  ['slot 0xFF, a provisioned key', keyExchange({ slot: 0xff }), 1],
  ['summary type 2', keyExchange({ summary: 2 }), 1],
  ['summary type 0xFE', keyExchange({ summary: 0xfe }), 1],
  ['OpaqueDataLength of all ones', keyExchange({ opaqueLength: 0xffff }), 1],
  ['no opaque data', keyExchange({ opaque: new Uint8Array(0) }), 1],
  ['secured messages 1.0 only', keyExchange({ opaque: supportedVersionsOpaque([0x1000]) }), 1],
  ['no versions', keyExchange({ opaque: supportedVersionsOpaque([]) }), 1],
  [
    "another body's element",
    keyExchange({ opaque: element('01000000 01000500 0101010011000000') }),
    1,
  ],
  [
    'more elements than bytes',
    keyExchange({ opaque: element('ff000000 00000500 0101010011000000') }),
    1,
  ],
  [
    'element length past the end',
    keyExchange({ opaque: element('01000000 0000ffff 0101010011000000') }),
    1,
  ],
];
for (const [name, message, code] of keyExchanges)
  test(`KEY_EXCHANGE refused: ${name}`, () => {
    const pair = new Pair().authenticate();
    const before = snapshotOf(pair.responder, { measurements: false });
    assert.is(toHex(pair.plain(message)!), error(code));
    assert.is(snapshotOf(pair.responder, { measurements: false }), before);
    assert.equal(pair.effects, []);
    pair.session();
  });

test('KEY_EXCHANGE_RSP: session id, heartbeat period, version and point of the responder', () => {
  const pair = new Pair().authenticate();
  const reply = pair.plain(good)!;
  assert.is(toHex(reply.subarray(0, 8)), '12640500ffff0000');
  const opaque = reply.subarray(4 + 4 + 32 + 64, 4 + 4 + 32 + 64 + 2 + 12);
  assert.is(toHex(opaque), '0c00010000000000040001000011');
  assert.is(reply.length, 4 + 4 + 32 + 64 + 2 + 12 + 64 + 32);
  const [id] = [...pair.responder.state.sessions.keys()];
  assert.is(id, 0xffff_1234);
  assert.not(pair.responder.state.sessions.get(id!)?.established);
});

test('the version list of the requester may hold others, in any order', () => {
  for (const versions of [
    [0x1000, 0x1100],
    [0x1200, 0x1100, 0x1000],
  ]) {
    const pair = new Pair().authenticate();
    const message = keyExchange({ opaque: supportedVersionsOpaque(versions) });
    assert.is(pair.plain(message)?.[1], 0x64);
  }
});

/** Sends KEY_EXCHANGE and hands out the FINISH that would follow. */
function handshake(
  options: PairOptions,
): [Pair, RequesterSession, (hmac: Uint8Array) => Uint8Array] {
  const pair = new Pair(options).authenticate();
  const exchange = openSession(pair.requester, ASKED);
  const sent = exchange.next().value as { secured: boolean; bytes: Uint8Array };
  exchange.next(pair.send(sent)!);
  const open = [...pair.requester.sessions.values()][0]!;
  const finish = (hmac: Uint8Array) => concat(fromHex('12e50000'), hmac);
  return [pair, open, finish];
}

for (const clear of [0, 1])
  test(`FINISH with a wrong HMAC ends the handshake${clear ? ', in the clear' : ''}`, () => {
    const options = { flags: { HANDSHAKE_IN_THE_CLEAR_CAP: clear } };
    for (const at of [4, 19, 35]) {
      const pair = new Pair(options).authenticate();
      const exchange = openSession(pair.requester, ASKED);
      const sent = exchange.next().value as { secured: boolean; bytes: Uint8Array };
      const finish = exchange.next(pair.send(sent)!).value as { clear: Uint8Array };
      const open = [...pair.requester.sessions.values()][0]!;
      const wrong = flipped(finish.clear, at, 1);
      const { directions } = open.keys as unknown as {
        directions: Record<string, { sequence: number }>;
      };
      directions['request']!.sequence = 0;
      const reply = clear ? pair.plain(wrong) : pair.sealed(open, wrong)?.bytes;
      assert.is(toHex(reply!), error(6));
      const reason = 'FINISH RequesterVerifyData is wrong';
      assert.equal(pair.effects, [{ type: 'session-ended', sessionId: open.id, reason }]);
      assert.is(pair.responder.state.sessions.size, 0);
      pair.requester.sessions.clear();
      pair.good(heartbeat(pair.requester, pair.session()));
    }
  });

test('FINISH: a signature nobody asked for and a missing HMAC are refused; the handshake goes on', () => {
  const [pair, open, finish] = handshake({ flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } });
  const before = snapshotOf(pair.responder);
  const good = finish(new Uint8Array(32));
  const wrong = [flipped(good, 2, 1), good.slice(0, 4), good.slice(0, -1)];
  for (const message of wrong) assert.is(toHex(pair.plain(message)!), error(1));
  assert.is(snapshotOf(pair.responder), before);
  assert.ok(pair.responder.state.sessions.has(open.id));
});

test('PSK messages, key updates and encapsulation take capabilities, in a handshake as elsewhere', () => {
  const [pair, open] = handshake({ flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } });
  const before = snapshotOf(pair.responder);
  for (const code of [0xe6, 0xea, 0xeb])
    assert.is(toHex(pair.plain(Uint8Array.of(0x12, code, 0, 0))!), error(7, code));
  for (const code of [0xe7, 0xe9])
    assert.is(toHex(pair.plain(Uint8Array.of(0x12, code, 0, 0))!), error(0x0b));
  assert.is(snapshotOf(pair.responder), before);
  assert.ok(open.id);
});

test('an answer longer than the requester can take is ResponseTooLarge, and commits to nothing', () => {
  const small = { dataTransferSize: 150, maxSpdmMsgSize: 150 };
  const pair = new Pair({ requester: small }).authenticate();
  const tooLarge: [Uint8Array, number][] = [
    [good, 214],
    [concat(fromHex('128300ff'), new Uint8Array(32)), 166],
    [fromHex('12e000ff'), 42 + 3 * 39 + 15],
  ];
  for (const [message, size] of tooLarge)
    assert.is(toHex(pair.plain(message)!), `${error(0x0d)}${toHex(le(size, 4))}`);
  const { sessions, authenticated, transcript } = pair.responder.state;
  assert.is(sessions.size, 0);
  assert.not(authenticated);
  assert.ok(transcript.l.empty);
});

test.run();
