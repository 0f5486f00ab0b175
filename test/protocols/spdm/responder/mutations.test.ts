/**
 * Every request of a whole conversation with every field wrong: each ends in a named ERROR, in silence
 * or in an answer, never in an exception; nothing is established and the session lives.
 */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal, fromHex } from '../../../../protocols/codec/bytes.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { errorNames } from '../../../../protocols/spdm/codes.ts';
import { connectionFacts, layoutOf } from '../../../../protocols/spdm/messages/registry.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { endSession, heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import type {
  Exchange,
  Outgoing,
  RequesterSession,
} from '../../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { vendor } from '../../../../protocols/spdm/requester/vendor.ts';
import { Pair, type PairOptions } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder mutations');

const ASKED = { slot: 0, summaryType: 0xff, terminationPolicy: 0 } as const;
const SIGNED = { slot: 0, operation: 0xff, signed: true } as const;

function* saying(hex: string): Generator<Uint8Array, Uint8Array, Uint8Array> {
  return yield fromHex(hex);
}

/** What the conversation consists of, in order; `inside`: with the session that is open by then. */
type Step = (pair: Pair, inside: RequesterSession) => Exchange<unknown>;
const steps: Record<string, Step> = {
  VCA: ({ requester }) => negotiate(requester),
  CHALLENGE: ({ requester }) => challenge(requester, 0, 0xff),
  MEASUREMENTS: ({ requester }) => getMeasurements(requester, undefined, SIGNED),
  session: ({ requester }) => openSession(requester, ASKED),
  'MEASUREMENTS inside': ({ requester }, inside) => getMeasurements(requester, inside, SIGNED),
  HEARTBEAT: ({ requester }, inside) => heartbeat(requester, inside),
  VENDOR: ({ requester }, inside) => vendor(requester, inside, 1, saying('aabbcc')),
  END_SESSION: ({ requester }, inside) => endSession(requester, inside),
};

interface Sent {
  readonly pair: Pair;
  readonly session: RequesterSession | undefined;
  readonly message: Uint8Array;
}

/** Plays the conversation up to its request number `index`, which is handed out unsent. */
function playTo(index: number, options: PairOptions): Sent | undefined {
  const pair = new Pair(options).cached();
  let inside: RequesterSession | undefined;
  let count = 0;
  for (const step of Object.values(steps)) {
    const exchange = step(pair, inside!);
    let next: IteratorResult<Outgoing, unknown> = exchange.next();
    while (!next.done) {
      const { secured, clear, bytes, sessionId } = next.value;
      if (count++ === index) {
        const session = secured ? pair.requester.sessions.get(sessionId!) : undefined;
        // Its record is never sent, so the next one takes its place.
        if (session !== undefined) sequences(session)['request']!.sequence--;
        return { pair, session, message: clear };
      }
      next = exchange.next(pair.send({ secured, bytes })!);
    }
    if (isPeerFault(next.value)) throw new Error(next.value.detail);
    inside = [...pair.requester.sessions.values()][0];
  }
  return undefined;
}

function sequences(session: RequesterSession): Record<string, { sequence: number }> {
  return (session.keys as unknown as { directions: Record<string, { sequence: number }> })
    .directions;
}

const flows: Record<string, PairOptions> = {
  '1.2': {},
  '1.3, in the clear': { version: 0x13, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } },
};

/** ERROR codes a wrong request may meet here. */
const named = [
  'InvalidRequest',
  'UnexpectedRequest',
  'UnsupportedRequest',
  'VersionMismatch',
  'SessionRequired',
  'DecryptError',
];

for (const [flow, options] of Object.entries(flows))
  for (let index = 0; ; index++) {
    const first = playTo(index, options);
    if (first === undefined) break;
    const table = layoutOf(first.message[1]!)!;
    test(`F-S01 ${flow}: request ${index}, ${table.name}`, () => {
      const { message, pair } = first;
      const facts = connectionFacts(message[0]!, pair.responder.state.negotiated);
      const wrong = [...mutations(table, message, facts)].filter(
        ({ bytes }) => !equal(bytes, message),
      );
      assert.ok(wrong.length > 0);
      let sent = first;
      for (const { name, bytes } of wrong) {
        const { state } = sent.pair.responder;
        const known = [...state.sessions.keys()];
        const before = snapshotOf(sent.pair.responder, { measurements: false });
        const reply = sent.session
          ? sent.pair.sealed(sent.session, bytes)
          : sent.pair.send({ secured: false, bytes });
        const isFinish = message[1] === 0xe5;
        const opened = [...state.sessions.values()].some((each) => each.established);
        if (isFinish && name !== 'end:one-byte-more') assert.not(opened, `${name} is no FINISH`);
        const error = reply?.bytes[1] === 0x7f ? errorNames[reply.bytes[2]!] : undefined;
        if (error !== undefined) {
          assert.ok(named.includes(error), `${name}: ${error}`);
          if (error !== 'DecryptError') {
            assert.equal([...state.sessions.keys()], known, name);
            assert.is(snapshotOf(sent.pair.responder, { measurements: false }), before, name);
            continue;
          }
          assert.ok(isFinish, `${name}: the record itself was good`);
        }
        // It was taken, or the handshake is over: the next one meets a fresh responder.
        sent = playTo(index, options)!;
      }
    });
  }

test('an established session outlives every wrong message in it', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  const requests: string[] = [
    `12e001ff${'00'.repeat(33)}`,
    '12e00000',
    '12810000',
    '12820000 0000ff00',
    '12e80000',
    '12fe0000 0300020100 0300 01aabb',
  ];
  const facts = connectionFacts(0x12, pair.responder.state.negotiated);
  for (const hex of requests)
    for (const { name, bytes } of mutations(layoutOf(fromHex(hex)[1]!)!, fromHex(hex), facts)) {
      if (bytes[1] === 0xec) continue;
      pair.sealed(open, bytes);
      assert.ok(pair.responder.state.sessions.has(open.id), `${hex} ${name}`);
    }
  pair.good(heartbeat(pair.requester, open));
});

const heads = [0x81, 0x82, 0x83, 0x84, 0xe0, 0xe1, 0xe3, 0xe4, 0xe5, 0xe8, 0xfe, 0x00, 0xff];
const message = fc
  .tuple(
    fc.constantFrom(0x10, 0x12, 0x13),
    fc.oneof(fc.constantFrom(...heads), fc.integer({ min: 0, max: 255 })),
    fc.uint8Array({ maxLength: 200 }),
  )
  .map(([version, code, body]) => concat(Uint8Array.of(version, code), body))
  .filter((bytes) => bytes[1] !== 0xec);

test('any bytes, in and outside a session, in any order: no exception, nothing established', () => {
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 12 }), (messages) => {
      const pair = new Pair();
      for (const bytes of messages) pair.send({ secured: false, bytes });
      for (const each of pair.responder.state.sessions.values()) assert.not(each.established);
    }),
    { seed: 1, numRuns: 300 },
  );
});

test('any bytes inside a session leave it alive', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  fc.assert(
    fc.property(message, (bytes) => {
      pair.sealed(open, bytes);
      assert.ok(pair.responder.state.sessions.has(open.id));
    }),
    { seed: 1, numRuns: 1000 },
  );
  pair.good(heartbeat(pair.requester, open));
});

test('any bytes as a record end a session at most', () => {
  const pair = new Pair().authenticate();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      const reply = pair.send({ secured: true, bytes });
      assert.equal([...reply!.bytes], [0x12, 0x7f, 6, 0]);
    }),
    { seed: 1, numRuns: 200 },
  );
  assert.is(pair.responder.state.phase, 'NEGOTIATED');
});

test.run();
