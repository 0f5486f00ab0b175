/** Digests, certificates, CHALLENGE, measurements and vendor messages at the responder. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal, fromHex, le, readLE, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { fixedIdentity } from '../../../../protocols/spdm/identity.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { getCertificate, getDigests } from '../../../../protocols/spdm/requester/certificates.ts';
import { heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import type { RequesterSession } from '../../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { Pair, slotOf, stream } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm responder authentication');

const error = (code: number, data = 0, version = 0x12) =>
  toHex(Uint8Array.of(version, 0x7f, code, data));
const ALL = { slot: 0, operation: 0xff, signed: true } as const;

const unknownSlots: [name: string, hex: string][] = [
  ['GET_CERTIFICATE of an empty slot', '12820100 0000 ff00'],
  ['GET_CERTIFICATE at Offset 0xFFFF', '12820000 ffff ff00'],
  ['CHALLENGE of an empty slot', `12830100${'00'.repeat(32)}`],
  ['CHALLENGE of slot 0xFF', `1283ff00${'00'.repeat(32)}`],
  ['CHALLENGE with summary type 2', `12830002${'00'.repeat(32)}`],
  ['CHALLENGE with summary type 0xFE', `128300fe${'00'.repeat(32)}`],
  ['GET_MEASUREMENTS signed by an empty slot', `12e001ff${'00'.repeat(32)}01`],
];
for (const [name, hex] of unknownSlots)
  test(`InvalidRequest: ${name}`, () => {
    const pair = new Pair().authenticate();
    const before = snapshotOf(pair.responder, { measurements: false });
    assert.is(toHex(pair.plain(hex)!), error(1));
    assert.is(snapshotOf(pair.responder, { measurements: false }), before);
  });

test('GET_CERTIFICATE: portions by what was asked and what both can hold', () => {
  const portion = (pair: Pair, offset: number, length: number, param2 = 0) => {
    const version = pair.responder.state.version;
    const reply = pair.plain(
      Uint8Array.of(version, 0x82, 0, param2),
      le(offset, 2),
      le(length, 2),
    )!;
    return [readLE(reply, 4, 2), readLE(reply, 6, 2), reply.length - 8];
  };
  const pair = new Pair().authenticate();
  const size = pair.slot.chain.length;
  assert.equal(portion(pair, 0, 100), [100, size - 100, 100]);
  assert.equal(portion(pair, size - 1, 100), [1, 0, 1]);
  assert.equal(portion(pair, 0, 0xffff), [size, 0, size]);
  assert.equal(portion(pair, 10, 20, 1), [20, size - 30, 20], 'SlotSizeRequested came with 1.3');
  const small = { dataTransferSize: 308, maxSpdmMsgSize: 308 };
  for (const options of [{ requester: small }, { responder: small }]) {
    const narrow = new Pair(options).authenticate();
    assert.equal(portion(narrow, 0, 0xffff), [300, size - 300, 300]);
  }
  const newer = new Pair({ version: 0x13 }).authenticate();
  for (const [offset, length] of [
    [0, 0],
    [10, 20],
    [0xffff, 0xffff],
  ] as const)
    assert.equal(portion(newer, offset, length, 1), [0, newer.slot.chain.length, 0]);
});

const operations: [operation: number, code: number, param1: number, indices: number[]][] = [
  [0, 0x60, 4, []],
  [1, 0x60, 0, [1]],
  [2, 0x60, 0, [2]],
  [3, 0x60, 0, [3]],
  [0xfd, 0x60, 0, [0xfd]],
  [0xff, 0x60, 0, [1, 2, 3, 0xfd]],
  [4, 0x7f, 1, []],
  [0xfe, 0x7f, 1, []],
];
for (const [operation, code, param1, indices] of operations)
  test(`GET_MEASUREMENTS operation 0x${operation.toString(16)}`, () => {
    const pair = new Pair().authenticate();
    const open = pair.session();
    const message = Uint8Array.of(0x12, 0xe0, 0, operation);
    for (const reply of [pair.plain(message)!, pair.sealed(open, message)!.bytes]) {
      assert.equal([...reply.subarray(0, 4)], [0x12, code, param1, 0]);
      if (code === 0x7f) continue;
      assert.is(reply[4], indices.length);
      let at = 8;
      for (const index of indices) {
        assert.is(reply[at], index);
        at += 4 + readLE(reply, at + 2, 2);
      }
    }
  });

test('measurements are digests unless they are raw or asked for raw', () => {
  const pair = new Pair().authenticate();
  const digest = toHex(pair.requester.config.crypto.hash('SHA_256', fromHex('00010203')));
  const block = (param1: number, index: number) => {
    const reply = pair.plain(Uint8Array.of(0x12, 0xe0, param1, index))!;
    return toHex(reply.subarray(8, reply.length - 34));
  };
  assert.is(block(0, 1), `010123000020 00${digest}`.replace(' ', ''));
  assert.is(block(2, 1), '01010700800400' + '00010203');
  assert.is(block(0, 3), '03010b00870800' + '0500000000000000');
  const older = new Pair({ version: 0x11 }).authenticate();
  assert.is(older.plain('11e00201')?.[12], 0, 'the bit came with 1.2');
});

test('L1/L2: any other request starts the window anew, a signature and an ERROR end it', () => {
  const size = (pair: Pair, inside: RequesterSession | undefined) => {
    const state = inside ? pair.responder.state.sessions.get(inside.id)! : pair.responder.state;
    return state.transcript.l.bytes().length;
  };
  const unsigned = fromHex('12e00000');
  const signed = concat(fromHex('12e00100'), new Uint8Array(33));
  const pairSize = 4 + 42;
  for (const within of [false, true]) {
    const pair = new Pair().authenticate();
    const open = pair.session();
    const inside = within ? open : undefined;
    const ask = (message: Uint8Array) =>
      within ? pair.sealed(open, message)!.bytes : pair.plain(message)!;
    for (const times of [1, 2]) {
      ask(unsigned);
      assert.is(size(pair, inside), times * pairSize);
    }
    ask(fromHex('12810000'));
    assert.is(size(pair, inside), 0, 'another request');
    ask(unsigned);
    assert.is(ask(signed)[1], 0x60);
    assert.is(size(pair, inside), 0, 'a signature');
    ask(unsigned);
    assert.is(ask(fromHex('12e00009'))[1], 0x7f);
    assert.is(size(pair, inside), 0, 'an ERROR');
    ask(unsigned);
    const other = within ? pair.plain(unsigned) : pair.sealed(open, unsigned);
    assert.ok(other);
    assert.is(size(pair, inside), pairSize, 'the other context has a window of its own');
  }
});

test('the requester follows the window: signed after unsigned, with other requests between', () => {
  const pair = new Pair().authenticate();
  const one = { slot: 0, operation: 1, signed: false };
  for (const inside of [undefined, pair.session()]) {
    for (const _ of [1, 2]) pair.good(getMeasurements(pair.requester, inside, one));
    pair.good(getMeasurements(pair.requester, inside, ALL));
    pair.good(getMeasurements(pair.requester, inside, one));
    pair.good(getDigests(pair.requester, inside));
    pair.good(getMeasurements(pair.requester, inside, ALL));
    const bad = pair.run(getMeasurements(pair.requester, inside, { ...one, operation: 9 }));
    assert.is(isPeerFault(bad) && bad.code, 'SPDM_ERROR_InvalidRequest');
    pair.good(getMeasurements(pair.requester, inside, ALL));
  }
});

test('without signatures (MEAS_CAP 01b) a signature is not supported, the rest is', () => {
  const pair = new Pair({ flags: { MEAS_CAP: 1 } }).authenticate();
  assert.is(toHex(pair.plain(`12e001ff${'00'.repeat(33)}`)!), error(7, 0xe0));
  assert.is(pair.plain('12e000ff')?.[1], 0x60);
});

test('CHALLENGE covers what came before: digests and certificates, either, or neither', () => {
  for (const steps of [['d', 'c'], ['d'], ['c'], []]) {
    const pair = new Pair().cached();
    pair.good(negotiate(pair.requester));
    const [slot, leaf] = [pair.slot.chain, pair.requester.leaves.get(0)!];
    if (steps.includes('d')) pair.good(getDigests(pair.requester));
    if (steps.includes('c')) {
      pair.good(getCertificate(pair.requester, 0));
      pair.requester.leaves.set(0, leaf);
    }
    assert.ok(equal(pair.requester.chains.get(0)!, slot));
    for (const summaryType of [0, 1, 0xff]) pair.good(challenge(pair.requester, 0, summaryType));
  }
});

test('vendor messages: answered with and without a session, refused by name', () => {
  const pair = new Pair().authenticate();
  const open = pair.session();
  const header = '12fe0000 0300 02 0100';
  const cases: [hex: string, inside: string, outside?: string][] = [
    [`${header} 0300 01aabb`, '127e0000 0300020100 0300 01bbaa'],
    [`${header} 0100 01`, '127e0000 0300020100 0100 01'],
    [`${header} 0200 01cc`, error(3)],
    [`${header} 0200 01dd`, error(3, 9)],
    [`${header} 0300 02aabb`, error(7, 0xfe)],
    [`${header} 0000`, error(7, 0xfe)],
    ['12fe0000 0300 02 0200 0300 01aabb', error(7, 0xfe)],
    ['12fe0000 0300 00 0300 01aabb', error(7, 0xfe)],
    ['12fe0000 0000 02 0100 0300 01aabb', error(7, 0xfe)],
    [`${header} 0400 01aabb`, error(1)],
    [`${header} ffff 01aabb`, error(1)],
  ];
  for (const [hex, answer] of cases) {
    const expected = answer.replaceAll(' ', '');
    assert.is(toHex(pair.plain(hex)!), expected, hex);
    assert.is(toHex(pair.sealed(open, fromHex(hex))!.bytes), expected, hex);
  }
  assert.is(pair.plain(`${header} 0200 01ee`), undefined, 'silence');
  assert.is(pair.sealed(open, fromHex(`${header} 0200 01ee`)), undefined);
  pair.good(heartbeat(pair.requester, open));
  const ids = pair.effects.filter(({ type }) => type === 'echoed').map((each) => each.sessionId);
  assert.equal(ids, [undefined, open.id, undefined, open.id]);
});

test('DIGESTS: every slot in order; SupportedSlotMask from 1.3 on', () => {
  for (const version of [0x12, 0x13]) {
    const slots = new Map([
      [2, slotOf('P256', 0x44)],
      [0, slotOf('P256')],
    ]);
    const pair = new Pair({ version, responder: { identity: fixedIdentity(slots) } });
    pair.good(negotiate(pair.requester));
    const digests = pair.good(getDigests(pair.requester));
    const { crypto } = pair.requester.config;
    assert.equal([...digests.keys()], [0, 2]);
    for (const [slot, digest] of digests)
      assert.equal(digest, crypto.hash('SHA_256', slots.get(slot)!.chain));
    const reply = pair.plain(Uint8Array.of(version, 0x81, 0, 0))!;
    assert.equal([...reply.subarray(2, 4)], [version >= 0x13 ? 5 : 0, 5]);
  }
});

test('every answer draws a nonce of its own', () => {
  const pair = new Pair().authenticate();
  const nonces = new Set<string>();
  for (let i = 0; i < 3; i++) {
    nonces.add(toHex(pair.plain('12e00000')!.subarray(8, 40)));
    nonces.add(toHex(pair.plain(`12830000${'00'.repeat(32)}`)!.subarray(36, 68)));
  }
  assert.is(nonces.size, 6);
  assert.not.equal(stream(1)(8), stream(2)(8));
});

test.run();
