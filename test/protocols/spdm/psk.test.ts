/** Sessions from a pre-shared key (DSP0274 10.14, 10.15): both roles, both PSK_CAPs, 1.1 to 1.4. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { encode } from '../../../protocols/codec/layout.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import * as layouts from '../../../protocols/spdm/messages/session.ts';
import { supportedVersionsOpaque } from '../../../protocols/spdm/opaque.ts';
import type { KeyLogEntry } from '../../../protocols/spdm/party.ts';
import { getMeasurements } from '../../../protocols/spdm/requester/auth.ts';
import { openPskSession } from '../../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import { doeBinding } from '../../../protocols/spdm/secured-message.ts';
import { sessionScopes } from '../../../protocols/spdm/session-keys.ts';
import { crypto, flipped, Pair, type PairOptions } from './pair.ts';
import { ASKED, HINT, negotiated, optionsOf, PSK, WITH, WITHOUT } from './psk-pair.ts';
import { snapshotOf } from './snapshot.ts';

const test = suite('spdm PSK sessions');

const error = (code: number, data = 0) => toHex(Uint8Array.of(0x12, 0x7f, code, data));

const codesOf = (pair: Pair, from: number) =>
  pair.wire.slice(from).map(({ request }) => (request.secured ? 'sealed' : request.bytes[1]!));

for (const version of [0x11, 0x12, 0x13, 0x14])
  for (const cap of [WITHOUT, WITH])
    test(`${version.toString(16)}, PSK_CAP ${cap}: a session is opened, used and ended`, () => {
      const pair = negotiated(cap, { version, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } });
      const asked = { ...ASKED, terminationPolicy: 1, eventAllPolicy: 1 } as const;
      const session = pair.good(openPskSession(pair.requester, asked));
      // Never in the clear, whatever was agreed on for KEY_EXCHANGE.
      assert.equal(codesOf(pair, 3), cap === WITH ? [0xe6, 'sealed'] : [0xe6]);
      const [other] = pair.responder.state.sessions.values();
      assert.equal(
        [session.kind, session.established, other?.kind, other?.established],
        ['PSK', true, 'PSK', true],
      );
      assert.equal(session.keys.exportMasterSecret, other?.keys.exportMasterSecret);
      const hasPolicy = version >= 0x12 ? 1 : 0;
      assert.equal([other?.terminationPolicy, other?.eventAllPolicy], [hasPolicy, hasPolicy]);
      assert.is(session.heartbeatPeriod, 5);
      const established = { type: 'session-established', sessionId: session.id };
      assert.equal(pair.effects, [{ ...established, heartbeatPeriod: 5 }]);
      pair.good(heartbeat(pair.requester, session));
      const unsigned = { slot: 0, operation: 0xff, signed: false } as const;
      pair.good(getMeasurements(pair.requester, session, unsigned));
      pair.good(endSession(pair.requester, session));
      assert.is(pair.responder.state.sessions.size, 0);
    });

test('a PSK is all that two sides without certificates need', () => {
  const bare = { CERT_CAP: 0, CHAL_CAP: 0, KEY_EX_CAP: 0, MEAS_CAP: 0, MEAS_FRESH_CAP: 0 };
  const pair = negotiated(WITH, { requesterFlags: bare, responderFlags: { ...bare, PSK_CAP: 2 } });
  pair.good(heartbeat(pair.requester, pair.good(openPskSession(pair.requester, ASKED))));
  const refused = pair.run(openSession(pair.requester, { ...ASKED, slot: 0 }));
  assert.is(isPeerFault(refused) && refused.code, 'KEY_EXCHANGE_CAP');
});

test('contexts: as long as the hash; a summary if it was asked for', () => {
  for (const [suiteName, size] of [
    ['P256', 32],
    ['P384', 48],
  ] as const)
    for (const cap of [WITHOUT, WITH])
      for (const summaryType of [0, 1, 0xff]) {
        const pair = negotiated(cap, { suite: suiteName });
        const session = pair.good(openPskSession(pair.requester, { ...ASKED, summaryType }));
        const { request, response } = pair.wire[3]!;
        const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset);
        assert.is(view(request.bytes).getUint16(8, true), size);
        assert.is(view(response!.bytes).getUint16(8, true), cap === WITH ? size : 0);
        assert.is(session.summary?.length, summaryType === 0 ? undefined : size);
      }
});

test('DIGESTS right after ALGORITHMS are no part of TH, be the slots multi-key or not', () => {
  for (const cap of [WITHOUT, WITH]) {
    const flags = { MULTI_KEY_CAP: 1, GET_KEY_PAIR_INFO_CAP: 1 };
    const options = { version: 0x13, responderFlags: flags };
    const pair = new Pair(optionsOf(cap, options)).authenticate();
    pair.good(heartbeat(pair.requester, pair.good(openPskSession(pair.requester, ASKED))));
    const all = [pair.responder.state.transcript, pair.requester.transcript];
    const sizes = all.map((transcript) => transcript.handshakeStart(true).length);
    assert.ok(sizes.every((size) => size > all[0]!.a.bytes().length));
  }
});

test('both sides log the key of each session', () => {
  for (const cap of [WITHOUT, WITH]) {
    const logged: KeyLogEntry[] = [];
    const keyLog = (entry: KeyLogEntry) => void logged.push(entry);
    const pair = negotiated(cap, { requester: { keyLog }, responder: { keyLog } });
    const { id } = pair.good(openPskSession(pair.requester, ASKED));
    const entry = { kind: 'PSK', sessionId: id, secret: PSK };
    assert.equal(logged, [entry, entry]);
  }
});

/** PSK_EXCHANGE of 1.2, with changes. */
function pskExchange(changes: {
  summary?: number;
  hint?: Uint8Array;
  context?: Uint8Array;
  opaque?: Uint8Array;
  id?: number;
}): Uint8Array {
  return encode(layouts.pskExchange, {
    SPDMVersion: 0x12,
    RequestResponseCode: 0xe6,
    Param1: changes.summary ?? 0,
    Param2: 0,
    ReqSessionID: changes.id ?? 0x1234,
    PSKHint: changes.hint ?? HINT,
    RequesterContext: changes.context ?? new Uint8Array(32),
    OpaqueData: changes.opaque ?? supportedVersionsOpaque([0x1100]),
  });
}
const good = pskExchange({});
const refusals: [name: string, message: Uint8Array, code: number][] = [
  ['an unknown hint', pskExchange({ hint: ascii('hinu') }), 5],
  ['no hint', pskExchange({ hint: new Uint8Array(0) }), 5],
  ['an unknown summary type', pskExchange({ summary: 2 }), 1],
  ['a context of 31 bytes', pskExchange({ context: new Uint8Array(31) }), 1],
  ['no context', pskExchange({ context: new Uint8Array(0) }), 1],
  ['no secured message version', pskExchange({ opaque: fromHex('00000000') }), 1],
  [
    'another secured message version',
    pskExchange({ opaque: supportedVersionsOpaque([0x2000]) }),
    1,
  ],
  ['no opaque data', pskExchange({ opaque: new Uint8Array(0) }), 1],
  ['a byte short', good.slice(0, -1), 1],
  ['a hint length beyond the end', concat(good.slice(0, 6), fromHex('ffff'), good.slice(8)), 1],
  ['a context length beyond the end', concat(good.slice(0, 8), fromHex('ffff'), good.slice(10)), 1],
];
for (const [name, message, code] of refusals)
  test(`PSK_EXCHANGE with ${name} is refused and changes nothing`, () => {
    const pair = negotiated(WITH);
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.plain(message)!), error(code));
    assert.is(snapshotOf(pair.responder), before);
    assert.is(pair.plain(good)?.[1], 0x66);
  });

test('F-S13 same ReqSessionID: ids and keys of their own, then SessionLimitExceeded', () => {
  const pair = negotiated(WITHOUT, { responder: { sessionsMax: 2 } });
  pair.plain(pskExchange({ id: 7 }));
  pair.plain(pskExchange({ id: 7 }));
  const sessions = [...pair.responder.state.sessions.values()];
  assert.equal(
    sessions.map(({ id }) => id % 0x10000),
    [7, 7],
  );
  assert.is(new Set(sessions.map(({ id }) => id)).size, 2);
  assert.is(new Set(sessions.map(({ keys }) => keys.nextSeal('request').keyId)).size, 2);
  assert.is(toHex(pair.plain(pskExchange({ id: 8 }))!), error(0x0a));
});

test('a session policy before 1.2 is a reserved byte', () => {
  for (const version of [0x11, 0x12]) {
    const pair = negotiated(WITHOUT, { version });
    const format = version === 0x11 ? 0 : 1;
    const message = pskExchange({ opaque: supportedVersionsOpaque([0x1100], { format }) });
    message.set([version, 0xe6, 0, 3]);
    assert.is(pair.plain(message)?.[1], 0x66);
    const [session] = pair.responder.state.sessions.values();
    assert.equal(
      [session?.terminationPolicy, session?.eventAllPolicy],
      version === 0x11 ? [0, 0] : [1, 1],
    );
  }
});

test('without PSK_CAP on both sides, or a key on the requester, nothing is sent', () => {
  for (const side of ['requesterFlags', 'responderFlags'] as const) {
    const pair = new Pair(optionsOf(WITH, { [side]: { PSK_CAP: 0 } }));
    pair.good(negotiate(pair.requester));
    const fault = pair.run(openPskSession(pair.requester, ASKED));
    assert.is(isPeerFault(fault) && fault.code, 'PSK_EXCHANGE_CAP');
    assert.is(pair.wire.length, 3);
    assert.is(toHex(pair.plain(good)!), error(7, 0xe6));
  }
  const pair = negotiated(WITH);
  const unknown = openPskSession(pair.requester, { ...ASKED, hint: ascii('x') });
  assert.throws(() => unknown.next(), /asked\.hint/);
});

test('without responder context there is no PSK_FINISH', () => {
  const pair = negotiated(WITHOUT);
  const session = pair.good(openPskSession(pair.requester, ASKED));
  const finish = concat(fromHex('12e70000'), new Uint8Array(32));
  assert.is(toHex(pair.sealed(session, finish)!.bytes), error(4));
  pair.good(heartbeat(pair.requester, session));
});

/** The fault of a PSK exchange whose answer was changed on its way. */
function tampered(cap: number, change: (bytes: Uint8Array) => Uint8Array): string {
  const pair = negotiated(cap);
  pair.tap = ({ secured, bytes }, direction, index) => ({
    secured,
    bytes: direction === 'response' && index === 3 ? change(bytes) : bytes,
  });
  const fault = pair.run(openPskSession(pair.requester, ASKED));
  assert.is(pair.requester.sessions.size, 0);
  return isPeerFault(fault) ? fault.code : '';
}
test('an answer that the key did not make opens no session', () => {
  for (const cap of [WITHOUT, WITH]) {
    for (const at of [3, 4, -1, -32])
      assert.is(
        tampered(cap, (bytes) => flipped(bytes, at < 0 ? bytes.length + at : at, 1)),
        'PSK_EXCHANGE_VERIFY_DATA',
      );
    assert.is(
      tampered(cap, (bytes) => flipped(bytes, bytes.length - 33, 1)),
      'PSK_EXCHANGE_SECURED_VERSION',
    );
  }
  const noContext = concat(fromHex('12660500 ffff0000 0000 0000'), new Uint8Array(32));
  assert.is(
    tampered(WITH, () => noContext),
    'PSK_EXCHANGE_CONTEXT',
  );
  const context = concat(fromHex('12660500 ffff0000 0100 0000 00'), new Uint8Array(32));
  assert.is(
    tampered(WITHOUT, () => context),
    'PSK_EXCHANGE_CONTEXT',
  );
});

test('a PSK_FINISH that is refused opens no session', () => {
  const pair = negotiated(WITH);
  const { receive } = pair.responder;
  pair.responder.receive = (packet) => {
    if (!packet.secured) return receive.call(pair.responder, packet);
    const [session] = pair.responder.state.sessions.values();
    const bytes = session!.keys.seal('response', session!.id, fromHex('127f0100'));
    const reply = { secured: true, bytes };
    const outcome = { request: packet.bytes, answer: undefined, sessionId: session!.id };
    return { ...outcome, reply, work: [], effects: [] };
  };
  const fault = pair.run(openPskSession(pair.requester, ASKED));
  assert.is(isPeerFault(fault) && fault.code, 'SPDM_ERROR_InvalidRequest');
  assert.is(pair.requester.sessions.size, 0);
});

test('another key under the same hint: the requester notices first', () => {
  const pair = negotiated(WITH, { responder: { psk: () => new Uint8Array(24) } });
  const fault = pair.run(openPskSession(pair.requester, ASKED));
  assert.is(isPeerFault(fault) && fault.code, 'PSK_EXCHANGE_VERIFY_DATA');
});

/** PSK_EXCHANGE has gone by, and what the requester would send next is held back. */
function handshake(options: PairOptions = {}): [Pair, RequesterSession, Uint8Array] {
  const pair = negotiated(WITH, options);
  const exchange = openPskSession(pair.requester, ASKED);
  const sent = exchange.next().value as { secured: boolean; bytes: Uint8Array };
  const finish = exchange.next(pair.send(sent)!).value as { clear: Uint8Array };
  const [session] = pair.requester.sessions.values();
  resend(session!);
  return [pair, session!, finish.clear];
}
/** The record just made goes unsent. */
function resend(session: RequesterSession): void {
  const { directions } = session.keys as unknown as {
    directions: Record<string, { sequence: number }>;
  };
  directions['request']!.sequence = 0;
}

test('F-S12 PSK_FINISH with a wrong HMAC ends the handshake', () => {
  for (const at of [4, 19, 35]) {
    const [pair, session, finish] = handshake();
    assert.is(toHex(pair.sealed(session, flipped(finish, at, 1))!.bytes), error(6));
    const reason = 'PSK_FINISH RequesterVerifyData is wrong';
    assert.equal(pair.effects, [{ type: 'session-ended', sessionId: session.id, reason }]);
    assert.is(pair.responder.state.sessions.size, 0);
  }
});

test('in a PSK handshake only PSK_FINISH is taken; what else is said leaves it as it was', () => {
  const [pair, session, finish] = handshake();
  const before = snapshotOf(pair.responder);
  for (const code of [0x83, 0xe0, 0xe4, 0xe6, 0xe8, 0xe9, 0xec, 0xfe])
    assert.is(toHex(pair.sealed(session, Uint8Array.of(0x12, code, 0, 0))!.bytes), error(4));
  for (const wrong of [finish.slice(0, -1), concat(finish, fromHex('00'))])
    assert.is(toHex(pair.sealed(session, wrong)!.bytes), error(1));
  assert.is(toHex(pair.plain(finish)!), error(0x0b));
  assert.is(snapshotOf(pair.responder), before);
  assert.is(toHex(pair.sealed(session, finish)!.bytes), '12670000');
  const [other] = pair.responder.state.sessions.values();
  assert.ok(other?.established);
});

const reason = 'the finish of another kind of session';
test('F-S09 CVE-2023-31127 KEY_EXCHANGE then PSK_FINISH: refused, and the session is freed', () => {
  const pair = new Pair(optionsOf(WITH)).authenticate();
  const exchange = openSession(pair.requester, { ...ASKED, slot: 0 });
  const sent = exchange.next().value as { secured: boolean; bytes: Uint8Array };
  exchange.next(pair.send(sent)!);
  const [session] = pair.requester.sessions.values();
  resend(session!);
  // All that PSK_FINISH asks for, made with the keys of the key exchange.
  session!.transcript.add(fromHex('12e70000'));
  const hmac = session!.keys.verifyData('request', session!.transcript.bytes());
  const reply = pair.sealed(session!, concat(fromHex('12e70000'), hmac));
  assert.is(toHex(reply!.bytes), error(4));
  assert.equal(pair.effects, [{ type: 'session-ended', sessionId: session!.id, reason }]);
  assert.is(pair.responder.state.sessions.size, 0);
});

for (const clear of [0, 1])
  test(`F-S09 CVE-2023-31127 PSK_EXCHANGE then FINISH: refused, and freed; clear ${clear}`, () => {
    const [pair, session] = handshake({ flags: { HANDSHAKE_IN_THE_CLEAR_CAP: clear } });
    session.transcript.add(fromHex('12e50000'));
    const hmac = session.keys.verifyData('request', session.transcript.bytes());
    const finish = concat(fromHex('12e50000'), hmac);
    // Outside the record layer it belongs to no session: there is none that a key exchange began.
    assert.is(toHex(pair.plain(finish)!), error(0x0b));
    assert.is(pair.responder.state.sessions.size, 1);
    assert.is(toHex(pair.sealed(session, finish)!.bytes), error(4));
    assert.equal(pair.effects, [{ type: 'session-ended', sessionId: session.id, reason }]);
    assert.is(pair.responder.state.sessions.size, 0);
  });

test('sessions take MAC_CAP on both sides', () => {
  const pair = negotiated(WITH, { requesterFlags: { MAC_CAP: 0 } });
  const fault = pair.run(openPskSession(pair.requester, ASKED));
  assert.is(isPeerFault(fault) && fault.code, 'PSK_EXCHANGE_CAP');
  assert.is(toHex(pair.plain(good)!), error(1));
  const { negotiated: agreed } = pair.responder.state;
  assert.is(sessionScopes(crypto, agreed!, doeBinding), undefined);
});

test.run();
