/**
 * Every request of PSK sessions, key updates, encapsulation, events, chunks and late answers with every
 * field wrong, and every encapsulated answer in them: a named ERROR and nothing changed, or an answer.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal } from '../../../../protocols/codec/bytes.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { errorNames } from '../../../../protocols/spdm/codes.ts';
import {
  connectionFacts,
  encapsulatedFacts,
  layoutOf,
} from '../../../../protocols/spdm/messages/registry.ts';
import type { RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import type { Packet } from '../../../../protocols/spdm/responder/responder.ts';
import { type Flow, flowPair, flows } from '../flows.ts';
import type { Pair } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder mutations, newer messages');

interface Sent {
  readonly pair: Pair;
  readonly session: RequesterSession | undefined;
  readonly message: Uint8Array;
}

/** Plays a flow up to its request number `index`, which is handed out unsent. */
function playTo(flow: Flow, index: number): Sent | undefined {
  const pair = flowPair(flow);
  let count = 0;
  for (const step of flow.steps) {
    const exchange = step(pair, [...pair.requester.sessions.values()][0]!);
    let next = exchange.next();
    while (!next.done) {
      const { secured, clear, bytes, sessionId, waitUs } = next.value;
      if (waitUs !== undefined) pair.onWait(waitUs);
      if (count++ === index) {
        const session = secured ? pair.requester.sessions.get(sessionId!) : undefined;
        // Its record is never sent, so the next one takes its place.
        if (session !== undefined) directionsOf(session)['request']!.sequence--;
        return { pair, session, message: clear };
      }
      next = exchange.next(pair.send({ secured, bytes })!);
    }
  }
  return undefined;
}

const directionsOf = ({ keys }: RequesterSession) =>
  (keys as unknown as { directions: Record<string, { sequence: number }> }).directions;

const DELIVER = 0xeb;
const DECRYPT_ERROR = 0x06;
const INVALID_RESPONSE_CODE = 0x09;
/** These end something by design: a session, an encapsulated flow. */
const ends = [DECRYPT_ERROR, INVALID_RESPONSE_CODE];

/** These are answers: the rest comes later. */
const announcements = [0x0f, 0x42];

function packetOf({ session }: Sent, bytes: Uint8Array): Packet {
  if (session === undefined) return { secured: false, bytes };
  return { secured: true, bytes: session.keys.seal('request', session.id, bytes) };
}

/** The request with every field wrong in turn, and what it carries with every field of its own. */
function wrongOnes({ pair, message }: Sent): { name: string; bytes: Uint8Array }[] {
  const { negotiated } = pair.responder.state;
  const version = message[0]!;
  const outer = [
    ...mutations(layoutOf(message[1]!)!, message, connectionFacts(version, negotiated)),
  ];
  if (message[1] !== DELIVER) return outer.filter(({ bytes }) => !equal(bytes, message));
  const inner = message.subarray(4);
  const facts = { ...encapsulatedFacts(version, negotiated!), summary: 0, signed: 0 };
  const within = [...mutations(layoutOf(inner[1]!)!, inner, facts)].map(({ name, bytes }) => ({
    name: `within, ${name}`,
    bytes: concat(message.subarray(0, 4), bytes),
  }));
  return [...outer, ...within].filter(({ bytes }) => !equal(bytes, message));
}

/** What of a session there is to steal: none may come up by a wrong request. */
const established = ({ responder }: Pair) =>
  [...responder.state.sessions.values()].filter((session) => session.established).length;
/** Bytes at the end of a plain message belong to the transport; of a record, to nobody. */
const isPadding = (name: string, sent: Sent) =>
  sent.session === undefined && name.endsWith('end:one-byte-more');
/** FINISH and PSK_FINISH. */
const PROOFS = [0xe5, 0xe7];
const met = new Map<string, number>();

for (const [title, flow] of Object.entries(flows)) {
  const seen = new Map<string, number>();
  for (let index = 0; ; index++) {
    const first = playTo(flow, index);
    if (first === undefined) break;
    const { message } = first;
    const code = message[1]!;
    const key = code === DELIVER ? `${code} ${message[5]}` : String(code);
    const times = (seen.get(key) ?? 0) + 1;
    seen.set(key, times);
    // The first two of a kind: the first chunk and a later one differ.
    if (!flow.about.includes(code) || times > 2) continue;
    test(`F-S01 ${title}: request ${index}, ${layoutOf(code)!.name}`, () => {
      let sent = first;
      const wrong = wrongOnes(first);
      assert.ok(wrong.length > 0);
      for (const { name, bytes } of wrong) {
        const { responder } = sent.pair;
        const before = snapshotOf(responder, { measurements: false });
        const up = established(sent.pair);
        const held = responder.state.held;
        const answer = responder.receive(packetOf(sent, bytes)).answer;
        const error = answer?.[1] === 0x7f ? answer[2]! : undefined;
        if (PROOFS.includes(code) && !isPadding(name, sent))
          assert.is(established(sent.pair), up, name);
        if (error === undefined || announcements.includes(error)) {
          sent = playTo(flow, index)!;
          continue;
        }
        const text = errorNames[error];
        assert.ok(text !== undefined, `${name}: 0x${error.toString(16)}`);
        met.set(text, (met.get(text) ?? 0) + 1);
        if (ends.includes(error) || (held !== undefined && responder.state.held !== held)) {
          sent = playTo(flow, index)!;
          continue;
        }
        assert.is(snapshotOf(responder, { measurements: false }), before, `${name}: ${text}`);
      }
    });
  }
}

test('the wrong ones met more than one kind of refusal', () => {
  for (const name of [
    'InvalidRequest',
    'UnexpectedRequest',
    'VersionMismatch',
    'InvalidResponseCode',
  ])
    assert.ok(met.has(name), name);
});

test.run();
