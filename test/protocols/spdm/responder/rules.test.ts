/** Which request is taken where (DSP0274 10): every code in every state, and what a refusal leaves behind. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { encode } from '../../../../protocols/codec/layout.ts';
import * as vca from '../../../../protocols/spdm/messages/vca.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import type { RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import {
  capable,
  illegal,
  Phases,
  requestRules,
  requiredCapability,
} from '../../../../protocols/spdm/responder/rules.ts';
import { Pair, type PairOptions } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder rules');

const Errors = { Invalid: 1, Unexpected: 4, Unsupported: 7, SessionRequired: 0x0b, Version: 0x41 };
type Place = (typeof Phases)[number] | 'handshake' | 'established';
const PLAIN: readonly Place[] = [
  'NOT_STARTED',
  'AFTER_VERSION',
  'AFTER_CAPABILITIES',
  'NEGOTIATED',
];

const BOTH: readonly Place[] = ['NEGOTIATED', 'established'];
const ALL: readonly Place[] = [...PLAIN, 'handshake', 'established'];
const HANDSHAKES: readonly Place[] = ['NEGOTIATED', 'handshake', 'established'];
const CHUNKED: readonly Place[] = ['AFTER_CAPABILITIES', 'NEGOTIATED', 'handshake', 'established'];
/** The places where each request is legal; any other request code is not supported. */
const legal: Record<number, readonly Place[]> = {
  129: BOTH,
  130: BOTH,
  131: ['NEGOTIATED'],
  132: PLAIN,
  133: CHUNKED,
  134: CHUNKED,
  135: BOTH,
  224: BOTH,
  225: ['AFTER_VERSION'],
  226: ['established'],
  227: ['AFTER_CAPABILITIES'],
  228: ['NEGOTIATED'],
  229: ['handshake'],
  230: ['NEGOTIATED'],
  231: [],
  232: ['established'],
  233: ['established'],
  234: HANDSHAKES,
  235: HANDSHAKES,
  236: ['established'],
  237: BOTH,
  238: BOTH,
  239: BOTH,
  240: ['established'],
  241: ['established'],
  252: BOTH,
  253: BOTH,
  254: BOTH,
  255: ['NEGOTIATED', 'handshake', 'established'],
};
/** Requests that live in sessions only. */
const sessionOnly = [0xe2, 0xe5, 0xe7, 0xe8, 0xe9, 0xec, 0xf0, 0xf1];
/** Requests that came with 1.3. */
const newer = [0x87, 0xe2, 0xef, 0xf0, 0xf1, 0xfc, 0xfd];
/** Requests that take a capability neither side has here, or that nothing waits for. */
const unavailable = [0x85, 0x86, 0xe6, 0xe9, 0xea, 0xeb, 0xed, 0xee, 0xff];

function byTable(code: number, place: Place): number | undefined {
  const places = legal[code];
  if (places === undefined) return Errors.Unsupported;
  if (places.includes(place)) return undefined;
  const required = place === 'NEGOTIATED' && sessionOnly.includes(code);
  return required ? Errors.SessionRequired : Errors.Unexpected;
}

/** What is answered at version 1.2, once a version is known. */
function expected(code: number, place: Place): number | undefined {
  const isKnown = place !== 'NOT_STARTED' && place !== 'AFTER_VERSION';
  return isKnown && newer.includes(code) ? Errors.Unsupported : byTable(code, place);
}

const versionFor = (code: number, place: Place): number => {
  if (code === 0x84) return 0x10;
  if (code === 0xe1) return 0x12;
  return place === 'NOT_STARTED' || place === 'AFTER_VERSION' ? 0x10 : 0x12;
};

const GET_VERSION = '10840000';
const capabilities = (version: number) =>
  encode(
    vca.getCapabilities,
    {
      SPDMVersion: version,
      RequestResponseCode: 0xe1,
      Param1: 0,
      Param2: 0,
      CTExponent: 0,
      ExtFlags: 0,
      Flags: 0x2c6,
      DataTransferSize: 4096,
      MaxSPDMmsgSize: 4096,
    },
    { version },
  );

/** A pair in a phase, or in a session before or after its FINISH. */
function at(place: Place, options: PairOptions = {}): [Pair, RequesterSession | undefined] {
  const pair = new Pair(options);
  if (place === 'NOT_STARTED') return [pair, undefined];
  if (place === 'AFTER_VERSION') pair.plain(GET_VERSION);
  else if (place === 'AFTER_CAPABILITIES') {
    pair.plain(GET_VERSION);
    pair.plain(capabilities(0x12));
  } else pair.authenticate();
  if (place === 'established') return [pair, pair.session()];
  if (place !== 'handshake') return [pair, undefined];
  const exchange = openSession(pair.requester, { slot: 0, summaryType: 0, terminationPolicy: 0 });
  const sent = exchange.next().value as { secured: boolean; bytes: Uint8Array };
  const answer = pair.send(sent);
  exchange.next(answer!);
  const session = [...pair.requester.sessions.values()][0]!;
  // FINISH has been sealed but is not sent: the next record is the first again.
  (
    session.keys as unknown as { directions: { request: { sequence: number } } }
  ).directions.request.sequence = 0;
  return [pair, session];
}

function ask(pair: Pair, session: RequesterSession | undefined, message: Uint8Array) {
  return session === undefined
    ? pair.send({ secured: false, bytes: message })
    : pair.sealed(session, message);
}

const PLACES = ALL;
for (const place of PLACES)
  test(`${place}: every code that is not legal is refused by name and changes nothing`, () => {
    const [pair, session] = at(place);
    const version = versionFor(0x83, place);
    const before = snapshotOf(pair.responder);
    for (let code = 0; code < 0x100; code++) {
      const error = expected(code, place);
      if (error === undefined) continue;
      const reply = ask(pair, session, Uint8Array.of(versionFor(code, place), code, 0, 0));
      const data = error === Errors.Unsupported ? code : 0;
      assert.is(toHex(reply!.bytes), toHex(Uint8Array.of(version, 0x7f, error, data)));
      assert.is(reply!.secured, session !== undefined);
      assert.is(snapshotOf(pair.responder), before, `0x${code.toString(16)}`);
    }
    assert.is(pair.effects.filter((effect) => effect.type === 'session-ended').length, 0);
  });

for (const place of PLACES)
  test(`${place}: every legal code is looked at`, () => {
    for (const [text, places] of Object.entries(legal)) {
      if (!places.includes(place)) continue;
      const code = Number(text);
      if (newer.includes(code)) continue;
      const [pair, session] = at(place);
      const reply = ask(pair, session, Uint8Array.of(versionFor(code, place), code, 0, 0));
      const [, answer, error] = reply!.bytes;
      if (unavailable.includes(code)) {
        const refusal = code === 0xff ? Errors.Unexpected : Errors.Unsupported;
        assert.equal([answer, error], [0x7f, refusal], `0x${code.toString(16)}`);
      }
      // Four bytes are enough for some; the others are cut short.
      else if (answer === 0x7f) assert.is(error, Errors.Invalid, `0x${code.toString(16)}`);
      else assert.is(answer, code & 0x7f);
    }
  });

test('four bytes are enough for these', () => {
  const answers: [Place, string, number][] = [
    ['NOT_STARTED', GET_VERSION, 0x04],
    ['NEGOTIATED', '12810000', 0x01],
    ['NEGOTIATED', '12e00000', 0x60],
    ['established', '12810000', 0x01],
    ['established', '12e00000', 0x60],
    ['established', '12e80000', 0x68],
    ['established', '12ec0000', 0x6c],
  ];
  for (const [place, hex, code] of answers) {
    const [pair, session] = at(place);
    assert.is(ask(pair, session, fromHex(hex))?.bytes[1], code, `${place} ${hex}`);
  }
});

for (const place of ['AFTER_CAPABILITIES', 'NEGOTIATED', 'handshake', 'established'] as const)
  test(`${place}: a version that was not negotiated is a VersionMismatch`, () => {
    const [pair, session] = at(place);
    const before = snapshotOf(pair.responder);
    for (const text of Object.keys(legal)) {
      const code = Number(text);
      for (const version of [0x00, 0x10, 0x11, 0x12, 0x13, 0x14, 0x21, 0x92, 0xff]) {
        if (version === (code === 0x84 ? 0x10 : 0x12)) continue;
        const reply = ask(pair, session, Uint8Array.of(version, code, 0, 0));
        assert.is(reply?.bytes[1], 0x7f);
        assert.is(reply?.bytes[2], Errors.Version, `0x${code.toString(16)} in ${version}`);
        assert.is(snapshotOf(pair.responder), before);
      }
    }
  });

test('fewer than four bytes are an InvalidRequest', () => {
  for (const place of PLACES) {
    const [pair, session] = at(place);
    const before = snapshotOf(pair.responder);
    for (const hex of ['', '12', '1284', '128400']) {
      const reply = ask(pair, session, fromHex(hex));
      assert.equal([...reply!.bytes.subarray(1)], [0x7f, Errors.Invalid, 0], `${place} '${hex}'`);
      assert.is(snapshotOf(pair.responder), before);
    }
  }
});

const CLEAR = { flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } } as const;
test('handshake in the clear: FINISH has its place outside the record layer only', () => {
  const [pair, session] = at('handshake', CLEAR);
  const before = snapshotOf(pair.responder);
  const finish = new Uint8Array(36);
  finish.set(fromHex('12e50000'));
  const inside = pair.sealed(session!, finish);
  assert.equal([inside?.secured, inside?.bytes[2]], [true, Errors.Unexpected]);
  assert.is(snapshotOf(pair.responder), before);
  // Outside it is taken, and this one's HMAC is wrong.
  assert.is(pair.plain(finish)?.[2], 6);
  assert.is(pair.responder.state.sessions.size, 0);
  assert.is(pair.plain(finish)?.[2], Errors.SessionRequired);
});

test('before 1.2 there is no SessionRequired', () => {
  const [pair] = [new Pair({ version: 0x11 })];
  pair.good(negotiate(pair.requester));
  for (const code of [0xe5, 0xe8, 0xec])
    assert.is(pair.plain(Uint8Array.of(0x11, code, 0, 0))?.[2], 5);
});

const capabilityOf: [code: number, flag: string, name: string][] = [
  [0x81, 'CERT_CAP', '12810000'],
  [0x82, 'CERT_CAP', '12820000 0000 0001'],
  [0x83, 'CHAL_CAP', `12830000${'00'.repeat(32)}`],
  [0xe0, 'MEAS_CAP', '12e00000'],
  [0xe4, 'KEY_EX_CAP', `12e40000 ffff 00 00${'00'.repeat(98)}`],
];
for (const [code, flag, hex] of capabilityOf)
  test(`0x${code.toString(16)} without ${flag} is not supported`, () => {
    const keyless =
      flag === 'KEY_EX_CAP' ? { ENCRYPT_CAP: 0, MAC_CAP: 0, HBEAT_CAP: 0, KEY_EX_CAP: 0 } : {};
    const pair = new Pair({ responder: {}, flags: { [flag]: 0, ...keyless } });
    // Without an identity the requester may not have the others either.
    pair.plain(GET_VERSION);
    pair.plain(capabilities(0x12));
    const negotiateHex = `12e30300 2c00 01 02 10000000 01000000 ${'00'.repeat(12)} 00000000 02200800 03200200 05200100`;
    assert.is(pair.plain(negotiateHex)?.[1], 0x63);
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.plain(hex)!), toHex(Uint8Array.of(0x12, 0x7f, 7, code)));
    assert.is(snapshotOf(pair.responder), before);
  });

test('HEARTBEAT takes HBEAT_CAP of both sides and a period', () => {
  const cases: [string, PairOptions][] = [
    ['neither', { flags: { HBEAT_CAP: 0 } }],
    ['no period', { responder: { heartbeatPeriod: 0 } }],
    ['requester without', { requester: { flags: 0x2c6 } }],
  ];
  for (const [name, options] of cases) {
    const pair = new Pair(options).authenticate();
    const session = pair.session();
    assert.is(session.heartbeatPeriod, 0);
    const reply = pair.sealed(session, fromHex('12e80000'));
    assert.is(toHex(reply!.bytes), '127f07e8', name);
  }
});

test('the table and the list above name the same', () => {
  for (let code = 0; code < 0x100; code++) {
    assert.is(requestRules[code] !== undefined, legal[code] !== undefined);
    for (const phase of Phases) assert.is(illegal(code, phase, 'plain'), byTable(code, phase));
    for (const where of ['handshake', 'established'] as const)
      assert.is(illegal(code, 'NEGOTIATED', where), byTable(code, where));
    const free = requiredCapability[code] === undefined;
    assert.is(capable(code, 0, 0), free);
    assert.ok(capable(code, 0xffffffff, 0xffffffff));
    assert.is(capable(code, 0xffffffff, 0), requiredCapability[code]?.of !== 'both');
  }
  const needless = [0x84, 0xe1, 0xe3, 0xec, 0xf1, 0xfe, 0xff];
  for (const code of Object.keys(legal).map(Number))
    assert.is(requiredCapability[code] === undefined, needless.includes(code), `${code}`);
});

test('what a flag of the table means is what CAPABILITIES says', () => {
  const pair = new Pair();
  pair.plain(GET_VERSION);
  const reply = pair.plain(capabilities(0x12))!;
  assert.equal(reply.subarray(8, 12), le(0x22f6, 4));
});

test.run();
