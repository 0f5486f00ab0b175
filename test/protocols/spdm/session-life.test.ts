/** Sessions from their first record to their end: records tampered with, heartbeats, ends, what comes next. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { getMeasurements } from '../../../protocols/spdm/requester/auth.ts';
import { updateKeys } from '../../../protocols/spdm/requester/key-update.ts';
import { openSession } from '../../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../protocols/spdm/requester/state.ts';
import type { ResponderSession } from '../../../protocols/spdm/responder/state.ts';
import {
  doeBinding,
  mctpBinding,
  openRecord,
  recordRoom,
  sealRecord,
} from '../../../protocols/spdm/secured-message.ts';
import {
  offerSecured,
  readSecured,
  selectSecured,
} from '../../../protocols/spdm/secured-versions.ts';
import type { SessionKeys } from '../../../protocols/spdm/session-keys.ts';
import { converse } from './conversation.ts';
import { crypto, flipped, Pair, type PairOptions, stream } from './pair.ts';

const test = suite('spdm session life');

const error = (code: number, data = 0) => toHex(Uint8Array.of(0x12, 0x7f, code, data));
const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const BEAT = fromHex('12e80000');
const onMctp = { requester: { binding: mctpBinding }, responder: { binding: mctpBinding } };

function opened(options: PairOptions = {}): [Pair, RequesterSession] {
  const pair = new Pair(options).authenticate();
  return [pair, pair.session()];
}
const directionsOf = (keys: SessionKeys) =>
  (keys as unknown as { directions: Record<'request' | 'response', { sequence: number }> })
    .directions;
const responderSession = (pair: Pair): ResponderSession =>
  [...pair.responder.state.sessions.values()][0]!;

/** A record around `text` with the right key, number and head, whatever the text says of its length. */
function around(session: RequesterSession, text: Uint8Array): Uint8Array {
  const { keys, sequence } = (
    session.keys as unknown as {
      directions: { request: { keys: { key: Uint8Array; iv: Uint8Array }; sequence: number } };
    }
  ).directions.request;
  const iv = keys.iv.slice();
  iv[0] = iv[0]! ^ sequence;
  const head = concat(le(session.id, 4), le(text.length + 16, 2));
  return concat(head, crypto.aeadSeal('AES_256_GCM', keys.key, iv, head, text));
}
const seal = (session: RequesterSession) => session.keys.seal('request', session.id, BEAT);
/** Each makes a request of the session that must not open. */
const tampers: [name: string, make: (session: RequesterSession, other: number) => Uint8Array][] = [
  ['a tag bit flipped', (s) => flipped(seal(s), 25, 1)],
  ['a bit of the text flipped', (s) => flipped(seal(s), 6, 0x80)],
  ['a length of less', (s) => flipped(seal(s), 4, 2)],
  ['a sequence number skipped', (s) => [seal(s), seal(s)][1]!],
  ['the tag cut', (s) => seal(s).slice(0, -1)],
  ['all but the session id cut', (s) => seal(s).slice(0, 4)],
  ['an inner length beyond the text', (s) => around(s, concat(fromHex('0500'), BEAT))],
  ['half an inner length', (s) => around(s, fromHex('04'))],
];
for (const [name, make] of tampers)
  test(`F-S17 a request with ${name}: DecryptError, and the session is over`, () => {
    const [pair, session] = opened();
    pair.good(heartbeat(pair.requester, session));
    const bytes = make(session, 0);
    const reply = pair.send({ secured: true, bytes });
    assert.equal([reply?.secured, toHex(reply!.bytes)], [false, error(6)]);
    const reason = 'a record could not be opened';
    assert.equal(pair.effects.at(-1), { type: 'session-ended', sessionId: session.id, reason });
    // Nothing revives it: neither the true record, nor one with the number it waited for.
    directionsOf(session.keys).request.sequence = 1;
    const again = pair.send({ secured: true, bytes: seal(session) });
    assert.equal([again?.secured, toHex(again!.bytes)], [false, error(6)]);
    assert.is(pair.responder.state.sessions.size, 0);
  });

test('F-S17 a request sent twice, and one under the id of another session', () => {
  const [pair, session] = opened({ responder: { sessionsMax: 2 } });
  const other = pair.session();
  const bytes = seal(session);
  assert.ok(pair.send({ secured: true, bytes })?.secured);
  assert.is(toHex(pair.send({ secured: true, bytes })!.bytes), error(6));
  assert.equal([...pair.responder.state.sessions.keys()], [other.id]);
  const [left, right] = [other, pair.session()];
  const moved = concat(le(right.id, 4), seal(left).subarray(4));
  assert.is(toHex(pair.send({ secured: true, bytes: moved })!.bytes), error(6));
  assert.equal([...pair.responder.state.sessions.keys()], [left.id]);
});

test('F-S17 padding inside a record is no tampering', () => {
  const [pair, session] = opened();
  for (const size of [1, 32]) {
    const text = concat(le(BEAT.length, 2), BEAT, new Uint8Array(size).fill(0xa5));
    const reply = pair.send({ secured: true, bytes: around(session, text) });
    assert.ok(reply?.secured);
    directionsOf(session.keys).request.sequence++;
  }
});

const answerTampers: [name: string, change: (bytes: Uint8Array) => Uint8Array][] = [
  ['a tag bit flipped', (bytes) => flipped(bytes, bytes.length - 1, 1)],
  ['the id of another session', (bytes) => flipped(bytes, 0, 1)],
  ['its end cut', (bytes) => bytes.slice(0, -1)],
  ['nothing in it', () => new Uint8Array(0)],
];
for (const [name, change] of answerTampers)
  test(`F-S17 an answer with ${name} ends the session at the requester`, () => {
    const [pair, session] = opened();
    pair.tap = ({ secured, bytes }, direction) => ({
      secured,
      bytes: direction === 'response' ? change(bytes) : bytes,
    });
    const fault = pair.run(heartbeat(pair.requester, session));
    assert.is(isPeerFault(fault) && fault.code, 'RECORD');
    assert.is(pair.requester.sessions.size, 0);
  });

test('F-S13 two sessions at once: own keys each, one ends without the other; no third', () => {
  const [pair, first] = opened({ responder: { sessionsMax: 2 } });
  const second = pair.session();
  const keyIds = [first, second].flatMap(({ keys }) =>
    (['request', 'response'] as const).map((side) => keys.nextSeal(side).keyId),
  );
  assert.is(new Set(keyIds).size, 4);
  const refused = pair.run(openSession(pair.requester, ASKED));
  assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_SessionLimitExceeded');
  for (const session of [first, second, second, first])
    pair.good(heartbeat(pair.requester, session));
  pair.good(endSession(pair.requester, first));
  pair.good(heartbeat(pair.requester, second));
  const third = pair.session();
  assert.is(new Set([first.id, second.id, third.id]).size, 3);
});

/** What a session object carries but for its own id, keys and transcript. */
function traits(pair: Pair) {
  const { id, keys, transcript, ...rest } = responderSession(pair);
  const { retired, sealed, openedUnder } = keys as unknown as Record<string, object>;
  const { transfers, measuredAtStart, held, phase } = pair.responder.state;
  return {
    rest,
    l: transcript.l.empty,
    directions: Object.values(directionsOf(keys)).map(({ sequence }) => sequence),
    retired,
    sealed: Object.keys(sealed!),
    openedUnder,
    transfers: [...transfers.keys()],
    measured: [...measuredAtStart.keys()],
    held,
    phase,
    hasId: id > 0,
  };
}
test('F-S24 a session after another is as the first one was, but for its secrets', () => {
  const flags = { KEY_UPD_CAP: 1 };
  const [fresh] = opened({ flags });
  const first = traits(fresh);
  const [pair, session] = opened({ flags });
  const ids = new Set([session.keys.nextSeal('request').keyId]);
  const unsigned = { slot: 0, operation: 0xff, signed: false } as const;
  for (const ending of ['END_SESSION', 'a bad record', 'KEY_UPDATE and a bad record']) {
    const [last] = pair.requester.sessions.values();
    pair.good(updateKeys(pair.requester, last!, 'UpdateAllKeys'));
    pair.good(getMeasurements(pair.requester, last!, unsigned));
    if (ending.startsWith('KEY_UPDATE')) pair.sealed(last!, fromHex('12e90107'));
    if (ending === 'END_SESSION') pair.good(endSession(pair.requester, last!));
    else pair.send({ secured: true, bytes: flipped(seal(last!), 9, 1) });
    pair.requester.sessions.clear();
    const next = pair.session();
    assert.equal(traits(pair), first, ending);
    assert.not(ids.has(next.keys.nextSeal('request').keyId));
    ids.add(next.keys.nextSeal('request').keyId);
  }
});

test('HEARTBEAT takes HBEAT_CAP of both and a period', () => {
  const none: PairOptions[] = [
    { requesterFlags: { HBEAT_CAP: 0 } },
    { responderFlags: { HBEAT_CAP: 0 } },
    { responder: { heartbeatPeriod: 0 } },
  ];
  for (const options of none) {
    const [pair, session] = opened(options);
    assert.is(session.heartbeatPeriod, 0);
    assert.is(responderSession(pair).heartbeatPeriod, 0);
    assert.is(toHex(pair.sealed(session, BEAT)!.bytes), error(7, 0xe8));
    assert.is(pair.effects.length, 1);
  }
  const [pair, session] = opened({ responder: { heartbeatPeriod: 255 } });
  assert.is(session.heartbeatPeriod, 255);
  pair.good(heartbeat(pair.requester, session));
  assert.equal(pair.effects.at(-1), { type: 'session-heartbeat', sessionId: session.id });
});

test('F-S20 no HEARTBEAT for two periods: the session is over for both, and only that one', () => {
  const [pair, session] = opened({ responder: { sessionsMax: 2 } });
  const other = pair.session();
  const ended = { type: 'session-ended', sessionId: session.id, reason: 'heartbeat expired' };
  assert.equal(pair.responder.heartbeatExpired(session.id), [ended]);
  assert.equal(pair.responder.heartbeatExpired(session.id), []);
  const late = pair.run(heartbeat(pair.requester, session));
  assert.is(isPeerFault(late) && late.code, 'SPDM_ERROR_DecryptError');
  assert.equal([...pair.requester.sessions.keys()], [other.id]);
  pair.good(heartbeat(pair.requester, other));
});

test('F-S21 after END_SESSION nothing of that session is decrypted', () => {
  const [pair, session] = opened();
  const { keys } = responderSession(pair);
  pair.good(endSession(pair.requester, session));
  let tries = 0;
  keys.open = () => {
    tries++;
    throw new Error('opened');
  };
  for (const message of [BEAT, fromHex('12ec0000'), fromHex('12e000ff00')]) {
    const bytes = session.keys.seal('request', session.id, message);
    const reply = pair.send({ secured: true, bytes });
    assert.equal([reply?.secured, toHex(reply!.bytes)], [false, error(6)]);
  }
  assert.is(tries, 0);
  assert.is(pair.effects.filter(({ type }) => type === 'session-ended').length, 1);
});

for (const [cache, clear, kept] of [
  [0, false, false],
  [0, true, false],
  [1, false, true],
  [1, true, false],
] as const)
  test(`END_SESSION with CACHE_CAP ${cache}, state clearing ${clear}: what a reset leaves`, () => {
    const [pair, session] = opened({ responderFlags: { CACHE_CAP: cache } });
    pair.good(endSession(pair.requester, session, { clearNegotiatedState: clear }));
    assert.is(pair.responder.state.phase, 'NEGOTIATED');
    pair.responder.reset('conventional reset');
    assert.is(pair.responder.state.phase, kept ? 'NEGOTIATED' : 'NOT_STARTED');
    if (!kept) return;
    pair.good(heartbeat(pair.requester, pair.session()));
  });

test('TerminationPolicy: a runtime update ends the sessions that did not leave it to the responder', () => {
  const pair = new Pair({ responder: { sessionsMax: 3 } }).authenticate();
  const [ends, stays] = ([0, 1] as const).map((terminationPolicy) =>
    pair.good(openSession(pair.requester, { ...ASKED, terminationPolicy })),
  );
  const ended = { type: 'session-ended', sessionId: ends!.id, reason: 'runtime update' };
  assert.equal(pair.responder.runtimeUpdated(), [ended]);
  assert.equal(pair.responder.runtimeUpdated(), []);
  pair.good(heartbeat(pair.requester, stays!));
  const fault = pair.run(heartbeat(pair.requester, ends!));
  assert.is(isPeerFault(fault) && fault.code, 'SPDM_ERROR_DecryptError');
});

for (const version of [0x12, 0x13, 0x14])
  for (const options of [{}, onMctp])
    for (const sides of [{ flags: { ENCRYPT_CAP: 0 } }, { responderFlags: { ENCRYPT_CAP: 0 } }]) {
      const on = options === onMctp ? ', MCTP' : '';
      const who = 'flags' in sides ? 'neither' : 'the requester alone';
      test(`MAC only: a whole conversation, ${version.toString(16)}${on}, ${who} encrypts`, () => {
        const pair = new Pair({ version, ...options, ...sides });
        const story = converse(pair);
        assert.equal([story.fault, story.said], [undefined, '0c0b0a']);
        const sealed = pair.wire.filter(({ request }) => request.secured);
        assert.ok(sealed.length > 4);
        // What it says can be read, after head and number, by anyone.
        const at = options === onMctp ? 9 : 6;
        assert.is(
          toHex(sealed[2]!.request.bytes.subarray(at, at + 4)),
          `${version.toString(16)}e80000`,
        );
        assert.not(story.session?.keys.records.encrypted);
      });
    }

const S0 = 0x1000;
const S1 = 0x1100;
const S2 = 0x1200;
const S3 = 0x1300;
const selections: [theirs: number[], ours: number[], version: number | undefined, limit: number][] =
  [
    [[S0], [S0], S0, 64],
    [[S0, S1], [S0], S0, 64],
    [[S0, S1, S2], [S0, S1, S2, S3], S2, 64],
    [[S0, S1, S2, S3], [S1], S1, 64],
    [[S0, S1, S2, S3], [S0, S1, S2, S3], S3, 10],
    [[S3], [S2, S3], S3, 10],
    [[S0, S1], [S2, S3], undefined, 0],
    [[], [S1], undefined, 0],
  ];
for (const [theirs, ours, version, limit] of selections) {
  const text = (all: readonly number[]) => all.map((v) => `${(v >> 12) & 15}.${(v >> 8) & 15}`);
  test(`secured message versions: offered ${text(theirs)}, known ${text(ours)}`, () => {
    const pair = new Pair({
      requester: { securedVersions: theirs, aeadLimitExponent: 20 },
      responder: { securedVersions: ours, aeadLimitExponent: 10 },
    }).authenticate();
    const { config, negotiated } = pair.requester;
    const offer = offerSecured(config, negotiated!);
    const chosen = selectSecured(pair.responder.state.config, negotiated!, offer);
    assert.is(isPeerFault(chosen) ? undefined : chosen.version, version);
    const result = pair.run(openSession(pair.requester, ASKED));
    if (isPeerFault(chosen) || isPeerFault(result)) {
      assert.is(isPeerFault(result) && result.code, 'SPDM_ERROR_InvalidRequest');
      return assert.is(version, undefined);
    }
    assert.is(chosen.aeadLimitExponent, limit);
    const { opaque, ...agreed } = chosen;
    assert.equal(readSecured(config, negotiated!, opaque), agreed);
    const most = Math.min(2 ** limit, Number.MAX_SAFE_INTEGER);
    assert.equal([result.keys.limit, responderSession(pair).keys.limit], [most, most]);
    pair.good(heartbeat(pair.requester, result));
  });
}

test('a limit counts from the lower of both sides', () => {
  for (const [left, right] of [
    [8, 5],
    [5, 8],
  ] as const) {
    const [, session] = opened({
      requester: { securedVersions: [S3], aeadLimitExponent: left },
      responder: { securedVersions: [S3], aeadLimitExponent: right },
    });
    assert.is(session.keys.left('request'), 32);
  }
});

for (const [name, options] of [
  ['DOE', {}],
  ['MCTP', onMctp],
] as const)
  test(`past 65,536 records on ${name}: the number goes on, though the wire tells 16 bits`, () => {
    const [pair, session] = opened(options);
    for (const keys of [session.keys, responderSession(pair).keys])
      for (const direction of Object.values(directionsOf(keys))) direction.sequence = 0xfffe;
    const from = pair.wire.length;
    for (let i = 0; i < 4; i++) pair.good(heartbeat(pair.requester, session));
    assert.is(
      session.keys.nextSeal('request').iv,
      responderSession(pair).keys.nextSeal('request').iv,
    );
    assert.is(directionsOf(responderSession(pair).keys).request.sequence, 0x1_0002);
    if (name === 'DOE') return;
    const numbers = pair.wire
      .slice(from)
      .flatMap(({ request, response }) => [request, response!])
      .map(({ bytes }) => toHex(bytes.subarray(4, 6)));
    assert.equal(numbers, ['feff', 'feff', 'ffff', 'ffff', '0000', '0000', '0100', '0100']);
    // The first record of all, whose two bytes would fit again, does not.
    directionsOf(session.keys).request.sequence = 2;
    const bytes = seal(session);
    assert.is(toHex(bytes.subarray(4, 6)), '0200');
    assert.not(responderSession(pair).keys.open('request', bytes).ok);
  });

test('the room of a record: as much as its Length can tell, and no byte more', () => {
  for (const binding of [doeBinding, mctpBinding])
    for (const encrypted of [true, false]) {
      const scope = { crypto, aead: 'AES_256_GCM', binding, encrypted } as const;
      const direction = () => ({
        keys: { secret: new Uint8Array(32), key: new Uint8Array(32), iv: new Uint8Array(12) },
        sequence: 0,
      });
      const type = binding === mctpBinding ? 1 : 0;
      const most = new Uint8Array(recordRoom(scope) + type);
      const record = sealRecord(scope, direction(), 1, most);
      assert.ok(openRecord(scope, direction(), record).ok);
      const more = new Uint8Array(most.length + 1);
      assert.throws(() => sealRecord(scope, direction(), 1, more), /message/);
    }
});

test('an answer that no record can hold is never sealed: the responder says so', () => {
  const huge = { dataTransferSize: 0x20000, maxSpdmMsgSize: 0x20000 };
  const vendor = [
    {
      protocolId: 1,
      name: 'long',
      handle: () => ({ reply: stream(1)(0xfff0), work: [], effects: [] }),
    },
  ];
  const [pair, session] = opened({ requester: huge, responder: { ...huge, vendor } });
  const reply = pair.sealed(session, fromHex('12fe0000 0300 02 0100 0100 01'));
  assert.is(toHex(reply!.bytes.subarray(0, 4)), error(0x0d));
  pair.good(heartbeat(pair.requester, session));
});

test.run();
