/**
 * One bit flipped in flight, in every byte of every message from GET_VERSION to FINISH_RSP, both ways:
 * never a session. Certificates are known beforehand, as they may be, so that only VCA and the handshake
 * itself stand against the change.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import type { Packet } from '../../../../protocols/spdm/responder/responder.ts';
import { flipped, Pair, type PairOptions } from '../pair.ts';

const test = suite('spdm flipped bits');

const ASKED = { slot: 0, summaryType: 0xff, terminationPolicy: 0 } as const;

type Direction = 'request' | 'response';
interface Change {
  readonly index: number;
  readonly direction: Direction;
  readonly at: number;
  readonly mask: number;
}

/** A connection on whose wire one byte changes. */
function connection(options: PairOptions, change: Change | undefined): Pair {
  const pair = new Pair(options).cached();
  pair.tap = (packet: Packet, direction, index) =>
    change !== undefined && index === change.index && direction === change.direction
      ? { secured: packet.secured, bytes: flipped(packet.bytes, change.at, change.mask) }
      : packet;
  return pair;
}

/** VCA, KEY_EXCHANGE and FINISH; the code of the fault, or undefined. */
function handshake(pair: Pair): string | undefined {
  const negotiated = pair.run(negotiate(pair.requester));
  if (isPeerFault(negotiated)) return negotiated.code;
  const session = pair.run(openSession(pair.requester, ASKED));
  return isPeerFault(session) ? session.code : undefined;
}

/** Every byte of what travelled, or one of `stride`, with a bit that differs from byte to byte. */
function* changes(pair: Pair, stride = 1): Generator<Change> {
  for (const [index, { request, response }] of pair.wire.entries())
    for (const direction of ['request', 'response'] as const) {
      const { bytes } = direction === 'request' ? request : response!;
      for (let at = index % stride; at < bytes.length; at += stride)
        yield { index, direction, at, mask: 1 << ((at * 5 + index) & 7) };
    }
}

const flows: [name: string, PairOptions, stride: number][] = [
  ['1.2', {}, 1],
  ['1.2, in the clear', { flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } }, 7],
  ['1.3, MAC only', { version: 0x13, flags: { ENCRYPT_CAP: 0 } }, 11],
];
for (const [name, options, stride] of flows)
  test(`${name}: no session with a byte changed`, () => {
    const whole = connection(options, undefined);
    assert.is(handshake(whole), undefined);
    const last = whole.wire.length - 1;
    assert.is(last, 4);
    const codes = new Map<string, number>();
    for (const change of changes(whole, stride)) {
      const pair = connection(options, change);
      const fault = handshake(pair);
      const where = `message ${change.index} ${change.direction} byte ${change.at} ^ ${change.mask}`;
      assert.is.not(fault, undefined, where);
      codes.set(fault!, (codes.get(fault!) ?? 0) + 1);
      assert.is(pair.requester.sessions.size, 0, where);
      const established = [...pair.responder.state.sessions.values()].some((s) => s.established);
      // The responder is done once FINISH is good: it cannot know what becomes of FINISH_RSP.
      assert.is(established, change.index === last && change.direction === 'response', where);
    }
    assert.ok(
      (codes.get('KEY_EXCHANGE_SIGNATURE') ?? 0) > 100 / stride,
      'the signature covers VCA',
    );
  });

/** VCA, CHALLENGE and signed measurements outside a session. */
function attest(pair: Pair): string | undefined {
  const negotiated = pair.run(negotiate(pair.requester));
  if (isPeerFault(negotiated)) return negotiated.code;
  const challenged = pair.run(challenge(pair.requester, 0, 0xff));
  if (isPeerFault(challenged)) return challenged.code;
  const asked = { slot: 0, operation: 0xff, signed: true };
  const measured = pair.run(getMeasurements(pair.requester, undefined, asked));
  return isPeerFault(measured) ? measured.code : undefined;
}

for (const version of [0x12, 0x13])
  test(`1.${version & 15}: neither CHALLENGE_AUTH nor MEASUREMENTS hold with a byte changed`, () => {
    const whole = connection({ version }, undefined);
    assert.is(attest(whole), undefined);
    for (const change of changes(whole, version === 0x12 ? 5 : 13)) {
      const pair = connection({ version }, change);
      const where = `message ${change.index} ${change.direction} byte ${change.at} ^ ${change.mask}`;
      assert.is.not(attest(pair), undefined, where);
      assert.is(pair.requester.authenticated, change.index > 3, where);
    }
  });

/** Before 1.2, L1/L2 leave VCA out: what CHALLENGE covers is all there is. */
test('1.1: CHALLENGE_AUTH covers VCA', () => {
  const options = { version: 0x11 };
  const challengeOnly = (pair: Pair): string | undefined => {
    const negotiated = pair.run(negotiate(pair.requester));
    if (isPeerFault(negotiated)) return negotiated.code;
    const challenged = pair.run(challenge(pair.requester, 0, 1));
    return isPeerFault(challenged) ? challenged.code : undefined;
  };
  const whole = connection(options, undefined);
  assert.is(challengeOnly(whole), undefined);
  for (const change of changes(whole, 7)) {
    const pair = connection(options, change);
    assert.is.not(challengeOnly(pair), undefined, JSON.stringify(change));
    assert.not(pair.requester.authenticated);
  }
});

test.run();
