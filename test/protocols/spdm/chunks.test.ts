/** Large messages in chunks (DSP0274 10.24): both directions, at every size that matters, and every lie. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { getMeasurements } from '../../../protocols/spdm/requester/auth.ts';
import { getCertificate, getDigests } from '../../../protocols/spdm/requester/certificates.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import { vendor } from '../../../protocols/spdm/requester/vendor.ts';
import type { Packet } from '../../../protocols/spdm/responder/responder.ts';
import { converse } from './conversation.ts';
import { echo, Pair, type PairOptions } from './pair.ts';
import { snapshotOf } from './snapshot.ts';

const test = suite('spdm chunks');
const { protocolId } = echo;
const SIGNED = { slot: 0, operation: 0xff, signed: true } as const;

/** Both sides do chunks; each takes so many bytes in one message. */
function chunking(size: number, version = 0x12, more: PairOptions = {}): Pair {
  const sizes = { dataTransferSize: size, maxSpdmMsgSize: 0x8000 };
  return new Pair({
    ...more,
    version,
    flags: { CHUNK_CAP: 1, ...more.flags },
    requester: { ...sizes, ...more.requester },
    responder: { ...sizes, ...more.responder },
  });
}

const codesOn = (pair: Pair): number[] =>
  pair.wire.flatMap(({ request, response }) => [request.bytes[1]!, response?.bytes[1] ?? 0]);

function* saying(payload: Uint8Array): Generator<Uint8Array, Uint8Array, Uint8Array> {
  return yield payload;
}

for (const version of [0x12, 0x13, 0x14])
  for (const size of [42, 43, 64, 100, 255, 1024])
    test(`a whole conversation through DataTransferSize ${size} at ${version.toString(16)}`, () => {
      const pair = chunking(size, version);
      const { fault } = converse(pair);
      assert.is(fault, undefined, fault && `${fault.code} ${fault.detail}`);
      const plain = pair.wire.filter(({ request }) => !request.secured);
      for (const { request, response } of plain) {
        assert.ok(request.bytes.length <= Math.max(size, 48), `${request.bytes.length}`);
        assert.ok((response?.bytes.length ?? 0) <= size);
      }
      assert.ok(
        codesOn(pair).includes(0x85) === size < 162,
        'CHUNK_SEND where KEY_EXCHANGE is long',
      );
      assert.is(codesOn(pair).includes(0x86), size < 1000, 'CHUNK_GET where the chain is long');
    });

test('a vendor message of every length around the limits comes back whole', () => {
  const pair = chunking(64);
  pair.authenticate();
  const session = pair.session();
  for (let size = 1; size < 400; size += 7) {
    const payload = Uint8Array.from({ length: size }, (_, i) => i);
    const answer = pair.good(vendor(pair.requester, session, protocolId, saying(payload)));
    assert.is(toHex(answer), toHex(payload.slice().reverse()));
  }
  assert.is(pair.responder.state.transfers.get(session.id)?.sending, undefined);
  assert.is(pair.responder.state.transfers.get(session.id)?.receiving, undefined);
});

test('what a large answer commits to is told with its last chunk', () => {
  const pair = chunking(64).authenticate();
  const session = pair.session();
  pair.effects.length = 0;
  const long = concat(fromHex('12fe0000 0300 02 0100 3d00 01'), new Uint8Array(60));
  const first = concat(
    fromHex('12850009 0000 0000 28000000'),
    le(long.length, 4),
    long.slice(0, 40),
  );
  const rest = concat(fromHex('12850109 0100 0000'), le(long.length - 40, 4), long.slice(40));
  pair.sealed(session, first);
  assert.equal(pair.effects, []);
  pair.sealed(session, rest);
  assert.equal(
    pair.effects.map(({ type }) => type),
    ['echoed'],
    'what happened is told at once',
  );
});

test('the sequence number has 32 bits from 1.4 on', () => {
  for (const [version, head] of [
    [0x13, '0000 0000'],
    [0x14, '00000000'],
  ] as const) {
    const pair = chunking(64, version).authenticate();
    const first = pair.wire.findIndex(({ request }) => request.bytes[1] === 0x86);
    const { request, response } = pair.wire[first]!;
    assert.is(request.bytes.length, version === 0x14 ? 8 : 6);
    assert.is(toHex(response!.bytes.subarray(4, 8)), head.replace(' ', ''));
  }
});

/** A pair after VCA, with CHUNK_SENDs written by hand. */
function sending(version = 0x12): Pair {
  const pair = chunking(64, version);
  pair.good(negotiate(pair.requester));
  return pair;
}
const send = (sequence: number, last: number, chunk: string, total?: number, handle = 7) =>
  concat(
    Uint8Array.of(0x12, 0x85, last, handle),
    le(sequence, 2),
    le(0, 2),
    le(chunk.length / 2, 4),
    total === undefined ? new Uint8Array(0) : le(total, 4),
    fromHex(chunk),
  );
const A48 = '12e00000'.padEnd(96, '0');

const bad: [name: string, steps: [Uint8Array, answer: string][]][] = [
  ['the first is not number 0', [[send(1, 0, A48), '12050107 0100 127f0100']]],
  ['the first is the last', [[send(0, 1, A48, 48), '12050107 0000 127f0100']]],
  ['a first chunk below what 42 bytes hold', [[send(0, 0, 'aa', 100), '12050107 0000 127f0100']]],
  ['a message that needs no chunks', [[send(0, 0, A48, 42), '12050107 0000 127f0100']]],
  ['all in the first', [[send(0, 0, A48, 48), '12050107 0000 127f0100']]],
  ['longer than MaxSPDMmsgSize', [[send(0, 0, A48, 0x8001), '12050107 0000 127f0e00']]],
  [
    'another handle',
    [
      [send(0, 0, A48, 100), '12050007 0000'],
      [send(1, 0, A48, undefined, 8), '12050108 0100 127f0100'],
      [send(1, 1, A48), '12050107 0100 127f0100'],
    ],
  ],
  [
    'a gap',
    [
      [send(0, 0, A48, 200), '12050007 0000'],
      [send(2, 0, A48), '12050107 0200 127f0100'],
    ],
  ],
  [
    'a repeat',
    [
      [send(0, 0, A48, 200), '12050007 0000'],
      [send(0, 0, A48, 200), '12050107 0000 127f0100'],
    ],
  ],
  [
    'a last that is too early',
    [
      [send(0, 0, A48, 200), '12050007 0000'],
      [send(1, 1, A48), '12050107 0100 127f0100'],
    ],
  ],
  [
    'more than announced',
    [
      [send(0, 0, A48, 60), '12050007 0000'],
      [send(1, 1, A48), '12050107 0100 127f0100'],
    ],
  ],
  [
    'no last flag at the end',
    [
      [send(0, 0, A48, 96), '12050007 0000'],
      [send(1, 0, A48), '12050107 0100 127f0100'],
    ],
  ],
  [
    'a small chunk in the middle',
    [
      [send(0, 0, A48, 200), '12050007 0000'],
      [send(1, 0, 'aabb'), '12050107 0100 127f0100'],
    ],
  ],
  [
    'chunks in chunks',
    [
      [send(0, 0, '12850000'.padEnd(96, '0'), 96), '12050007 0000'],
      [send(1, 1, A48), '12050007 0100 127f0100'],
    ],
  ],
];
for (const [name, steps] of bad)
  test(`F-S16 ${name}: an early ERROR, and the transfer is gone`, () => {
    const pair = sending();
    for (const [message, answer] of steps)
      assert.is(toHex(pair.plain(message)!), answer.replaceAll(' ', ''));
    assert.is(pair.responder.state.transfers.get(undefined)?.receiving, undefined);
    assert.is(pair.plain('12e00000')?.[1], 0x60, 'and the responder goes on');
  });

test('F-S16 another request between chunks is refused, and does not end the transfer', () => {
  const pair = sending();
  const request = `12e00000${'00'.repeat(92)}`;
  assert.is(toHex(pair.plain(send(0, 0, request.slice(0, 96), 96))!), '120500070000');
  const before = snapshotOf(pair.responder);
  assert.is(toHex(pair.plain('12810000')!), '127f0400');
  assert.is(toHex(pair.plain('1286000700000000')!.subarray(0, 4)), '127f0400');
  assert.is(snapshotOf(pair.responder), before);
  const answer = pair.plain(send(1, 1, request.slice(96)))!;
  assert.is(toHex(answer.subarray(0, 6)), '120500070100');
  // The message is whole, and its tail is nobody's padding.
  assert.is(toHex(answer.subarray(6)), '127f0100');
});

test('GET_VERSION ends a transfer', () => {
  const pair = sending();
  pair.plain(send(0, 0, A48, 200));
  assert.is(pair.plain('10840000')?.[1], 0x04);
  assert.is(pair.responder.state.transfers.size, 0);
});

test('chunks are the session’s own: another session and the outside do not get at them', () => {
  const pair = chunking(64, 0x12, { responder: { sessionsMax: 2 } }).authenticate();
  const [one, two] = [pair.session(), pair.session()];
  const long = concat(fromHex('12fe0000 0300 02 0100 3d00 01'), new Uint8Array(60));
  const first = concat(
    fromHex('12850009 0000 0000 28000000'),
    le(long.length, 4),
    long.slice(0, 40),
  );
  assert.is(toHex(pair.sealed(one, first)!.bytes), '120500090000');
  const rest = concat(fromHex('12850109 0100 0000'), le(long.length - 40, 4), long.slice(40));
  assert.is(pair.sealed(two, rest)!.bytes[2], 1, 'an early error');
  assert.is(pair.plain(rest)![2], 1);
  const answer = pair.sealed(one, rest)!.bytes;
  assert.is(toHex(answer.subarray(0, 4)), '127f0f00', 'the answer is as long');
  const get = Uint8Array.of(0x12, 0x86, 0, answer[4]!, 0, 0);
  assert.is(toHex(pair.sealed(two, get)!.bytes), '127f0400');
  assert.is(toHex(pair.plain(get)!), '127f0400');
  assert.is(pair.sealed(one, get)!.bytes[1], 0x06);
});

test('CHUNK_GET with another handle or out of sequence is refused and changes nothing', () => {
  const pair = sending();
  const announced = pair.plain('12820000 0000 ffff')!;
  assert.is(toHex(announced.subarray(0, 4)), '127f0f00');
  const handle = announced[4]!;
  const before = snapshotOf(pair.responder);
  for (const message of [
    Uint8Array.of(0x12, 0x86, 0, handle ^ 1, 0, 0),
    Uint8Array.of(0x12, 0x86, 0, handle, 1, 0),
  ]) {
    assert.is(toHex(pair.plain(message)!), '127f0100');
    assert.is(snapshotOf(pair.responder), before);
  }
  assert.is(toHex(pair.plain('12810000')!), '127f0400', 'nothing else meanwhile');
  assert.is(pair.plain(Uint8Array.of(0x12, 0x86, 0, handle, 0, 0))?.[1], 0x06);
});

test('an answer longer than the requester’s MaxSPDMmsgSize says how long it is', () => {
  const pair = chunking(64, 0x12, { requester: { maxSpdmMsgSize: 100 } }).cached();
  pair.good(negotiate(pair.requester));
  const result = pair.run(getMeasurements(pair.requester, undefined, SIGNED));
  assert.is(isPeerFault(result) && result.code, 'SPDM_ERROR_ResponseTooLarge');
  const told = pair.wire.at(-1)!.response!.bytes;
  assert.is(told.length, 8);
  assert.ok(told[4]! + told[5]! * 256 > 100);
});

test('without CHUNK_CAP on either side nothing is chunked', () => {
  for (const flags of [
    { requesterFlags: { CHUNK_CAP: 0 } },
    { responderFlags: { CHUNK_CAP: 0 } },
  ]) {
    const equal = { dataTransferSize: 200, maxSpdmMsgSize: 200 };
    const pair = new Pair({
      flags: { CHUNK_CAP: 1 },
      ...flags,
      requester: equal,
      responder: equal,
    });
    pair.authenticate();
    const result = pair.run(getMeasurements(pair.requester, undefined, SIGNED));
    assert.is(isPeerFault(result) && result.code, 'SPDM_ERROR_ResponseTooLarge');
    assert.not.ok(codesOn(pair).includes(0x86));
  }
});

/** What a responder may say to CHUNK_GET that a requester must not take. */
const lies: [name: string, change: (chunk: Uint8Array, index: number) => Uint8Array][] = [
  ['another handle', (chunk) => flip(chunk, 3)],
  ['another sequence number', (chunk, index) => (index === 1 ? flip(chunk, 4) : chunk)],
  ['the last flag too early', (chunk) => flip(chunk, 2)],
  ['a size above MaxSPDMmsgSize', (chunk, index) => (index === 0 ? set(chunk, 14, 0xff) : chunk)],
  ['a chunk size beyond the message', (chunk) => set(chunk, 8, 0xff)],
  ['an empty chunk', (chunk) => set(chunk.slice(0, chunk[4] === 0 ? 16 : 12), 8, 0)],
  ['another code', (chunk) => set(chunk, 1, 0x60)],
  ['another version', (chunk) => set(chunk, 0, 0x13)],
];
function set(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}
const flip = (bytes: Uint8Array, at: number) => set(bytes, at, bytes[at]! ^ 1);

for (const [name, change] of lies)
  test(`the requester takes no CHUNK_RESPONSE with ${name}`, () => {
    const pair = chunking(100);
    pair.good(negotiate(pair.requester));
    const digest = pair.good(getDigests(pair.requester)).get(0);
    let index = 0;
    pair.tap = (packet: Packet, direction) =>
      direction === 'response' && packet.bytes[1] === 0x06
        ? { secured: false, bytes: change(packet.bytes, index++) }
        : packet;
    const result = pair.run(getCertificate(pair.requester, 0, digest));
    assert.is(isPeerFault(result) && result.code, 'CHUNK_RESPONSE');
    assert.ok(index <= 3);
  });

test.run();
