/** Weaknesses of answers that come later or in pieces: whose they are, and what a peer may put into them. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { getCertificate, getDigests } from '../../../../protocols/spdm/requester/certificates.ts';
import { openPskSession } from '../../../../protocols/spdm/requester/psk.ts';
import { heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { vendor } from '../../../../protocols/spdm/requester/vendor.ts';
import { converse } from '../conversation.ts';
import { Pair, type PairOptions } from '../pair.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm weaknesses: transfers');

const codeOf = (result: unknown): string => (isPeerFault(result) ? result.code : 'ok');
const UNEXPECTED = '127f0400';
const LATE = { rdtExponent: 10, rdtm: 4 } as const;

/** Chunks of the smallest DataTransferSize at both ends. */
const small = (options: PairOptions = {}): PairOptions => {
  const sizes = { dataTransferSize: 42, maxSpdmMsgSize: 4096 };
  return {
    ...options,
    flags: { CHUNK_CAP: 1, ...options.flags },
    requester: { ...sizes, ...options.requester },
    responder: { ...sizes, sessionsMax: 3, ...options.responder },
  };
};

test('F-S14 libspdm#3664 a held answer stays with its session, even when that one ends', () => {
  const pair = new Pair({
    responder: { sessionsMax: 2, readiness: (code) => (code === 0xe0 ? LATE : undefined) },
  }).authenticate();
  const [one, two] = [pair.session(), pair.session()];
  const late = pair.sealed(one, fromHex('12e000ff'))!.bytes;
  assert.is(late[2], 0x42);
  pair.responder.ready(late[6]!);
  const ask = Uint8Array.of(0x12, 0xff, 0xe0, late[6]!);
  const before = snapshotOf(pair.responder);
  assert.is(toHex(pair.sealed(two, ask)!.bytes), UNEXPECTED);
  assert.is(toHex(pair.plain(ask)!), UNEXPECTED);
  assert.is(snapshotOf(pair.responder), before, 'nobody else takes it or throws it away');
  assert.is(pair.sealed(one, ask)!.bytes[1], 0x60);
  // Held again, and its session gone: nobody gets it.
  const again = pair.sealed(one, fromHex('12e000ff'))!.bytes;
  pair.responder.ready(again[6]!);
  pair.responder.heartbeatExpired(one.id);
  for (const answer of [pair.sealed(two, Uint8Array.of(0x12, 0xff, 0xe0, again[6]!))!.bytes])
    assert.is(toHex(answer), UNEXPECTED);
  assert.is(pair.responder.state.held, undefined);
});

test('F-S14 a held PSK_FINISH that is given up leaves its handshake as it was', () => {
  const psk = { psk: () => fromHex('01') };
  let late = true;
  const pair = new Pair({
    requesterFlags: { PSK_CAP: 1 },
    responderFlags: { PSK_CAP: 2 },
    requester: psk,
    responder: { ...psk, readiness: (code) => (late && code === 0xe7 ? LATE : undefined) },
  }).authenticate();
  const asked = { hint: fromHex('01'), summaryType: 0, terminationPolicy: 0 } as const;
  const exchange = openPskSession(pair.requester, asked);
  const first = exchange.next();
  assert.ok(!first.done);
  const second = exchange.next(pair.send(first.value)!);
  assert.ok(!second.done);
  const session = [...pair.requester.sessions.values()][0]!;
  const th = () => [...pair.responder.state.sessions.values()][0]!.transcript.bytes().length;
  const before = th();
  const held = session.keys.open('response', pair.send(second.value)!.bytes);
  assert.ok(held.ok && held.value[2] === 0x42);
  assert.is(th(), before, 'TH goes on with the answer, not before');
  // The same again, in place of RESPOND_IF_READY: the first answer is given up.
  late = false;
  assert.is(pair.sealed(session, second.value.clear)!.bytes[1], 0x67);
});

function* saying(payload: Uint8Array): Generator<Uint8Array, Uint8Array, Uint8Array> {
  return yield payload;
}

const send = (handle: number, sequence: number, last: boolean, data: Uint8Array, whole?: number) =>
  concat(
    Uint8Array.of(0x12, 0x85, last ? 1 : 0, handle, sequence, 0, 0, 0),
    le(data.length, 4),
    whole === undefined ? new Uint8Array(0) : le(whole, 4),
    data,
  );
/** A vendor message that takes three chunks of the smallest size. */
const long = concat(fromHex('12fe0000 0300 02 0100 3d00 01'), new Uint8Array(60).fill(0xcd));
const [head, middle, tail] = [long.slice(0, 26), long.slice(26, 56), long.slice(56)];

test('F-S16 libspdm#3762 chunks of one session are none of another’s, in either direction', () => {
  const pair = new Pair(small()).authenticate();
  const [one, two] = [pair.session(), pair.session()];
  const ack = (answer: Uint8Array | undefined) => [answer?.[1], answer?.[2]];
  assert.equal(ack(pair.sealed(one, send(7, 0, false, head, long.length))?.bytes), [0x05, 0]);
  // The next chunk from another session, and from outside: an early ERROR there, nothing here.
  const next = send(7, 1, false, middle);
  assert.equal(ack(pair.sealed(two, next)?.bytes), [0x05, 1]);
  assert.equal(ack(pair.plain(next)), [0x05, 1]);
  // Two transfers under one handle, side by side.
  assert.equal(ack(pair.sealed(two, send(7, 0, false, head, long.length))?.bytes), [0x05, 0]);
  assert.equal(ack(pair.sealed(one, next)?.bytes), [0x05, 0]);
  assert.equal(ack(pair.sealed(two, next)?.bytes), [0x05, 0]);
  const announced = [one, two].map((at) => pair.sealed(at, send(7, 2, true, tail))!.bytes);
  const handles = announced.map((answer) => answer.at(-1)!);
  for (const answer of announced)
    assert.is(toHex(answer.slice(0, -1)).replace('12050107', '12050007'), '127f0f00');
  const get = (handle: number) => Uint8Array.of(0x12, 0x86, 0, handle, 0, 0);
  assert.is(pair.sealed(two, get(handles[0]!))!.bytes[1], 0x7f, 'another session’s handle');
  assert.is(toHex(pair.plain(get(handles[0]!))!), UNEXPECTED);
  assert.is(pair.sealed(one, get(handles[0]!))!.bytes[1], 0x06);
  // A session that ends takes its transfers with it, and leaves those of others.
  pair.responder.heartbeatExpired(one.id);
  assert.not(pair.responder.state.transfers.has(one.id));
  assert.is(pair.sealed(two, get(handles[1]!))!.bytes[1], 0x06);
});

test('F-S16 a whole conversation with DataTransferSize 42', () => {
  const pair = new Pair(small());
  assert.is(converse(pair).fault, undefined);
  for (const { request, response } of pair.wire) {
    if (request.secured) continue;
    assert.ok(request.bytes.length <= 42);
    assert.ok(response!.bytes.length <= 42);
  }
});

test('F-S16 an answer that fits alone but not into its CHUNK_SEND_ACK comes in chunks', () => {
  // The reply has 39 or 38 bytes: below the smallest large message, but for what is around it.
  for (const size of [24, 25, 26, 27, 28, 29, 30, 31, 32])
    for (const version of [0x12, 0x14]) {
      const echo = {
        protocolId: 1,
        name: 'short',
        handle: () => ({ reply: new Uint8Array(size).fill(0xab), work: [], effects: [] }),
      };
      const pair = new Pair(small({ version, responder: { vendor: [echo] } })).authenticate();
      const said = pair.run(vendor(pair.requester, undefined, 1, saying(new Uint8Array(60))));
      assert.is(codeOf(said), 'ok', `${size} bytes, ${version.toString(16)}`);
    }
});

test('libspdm#3598 a CHUNK_RESPONSE under another handle, or of another large answer, is none', () => {
  const lies: ((chunk: Uint8Array, handle: number) => Uint8Array)[] = [
    (chunk, handle) => concat(chunk.subarray(0, 3), Uint8Array.of(handle ^ 1), chunk.subarray(4)),
    (chunk, handle) =>
      concat(chunk.subarray(0, 3), Uint8Array.of((handle + 255) & 255), chunk.subarray(4)),
    (chunk) => concat(chunk.subarray(0, 4), Uint8Array.of(chunk[4]! + 1), chunk.subarray(5)),
  ];
  for (const lie of lies) {
    const pair = new Pair(small());
    pair.good(negotiate(pair.requester));
    const digest = pair.good(getDigests(pair.requester)).get(0);
    let told = 0;
    pair.tap = ({ secured, bytes }, direction) => {
      if (direction === 'request' || bytes[1] !== 0x06) return { secured, bytes };
      told++;
      return { secured, bytes: lie(bytes, bytes[3]!) };
    };
    assert.is(codeOf(pair.run(getCertificate(pair.requester, 0, digest))), 'CHUNK_RESPONSE');
    assert.is(told, 1);
    assert.is(pair.requester.chains.size, 0);
  }
});

test('libspdm#3598 a stranger’s chunks inside a session do not open', () => {
  const pair = new Pair(small()).authenticate();
  const [one, two] = [pair.session(), pair.session()];
  let stolen: Uint8Array | undefined;
  pair.tap = ({ secured, bytes }, direction) => {
    if (direction === 'request' || !secured) return { secured, bytes };
    stolen ??= bytes.slice();
    return { secured, bytes: stolen };
  };
  pair.good(heartbeat(pair.requester, one));
  const all = { slot: 0, operation: 0xff, signed: false } as const;
  assert.is(codeOf(pair.run(getMeasurements(pair.requester, two, all))), 'RECORD');
  assert.not(pair.requester.sessions.has(two.id));
});

test('rust-spdm#14 chunks that never come to an end are refused, however they lie', () => {
  const chunk = (handle: number, sequence: number, data: Uint8Array, whole: number) =>
    concat(
      Uint8Array.of(0x12, 0x06, 0, handle, sequence & 255, sequence >> 8, 0, 0),
      le(data.length, 4),
      sequence === 0 ? le(whole, 4) : new Uint8Array(0),
      data,
    );
  for (const [size, whole] of [
    [0, 4096],
    [1, 4096],
    [26, 0xffffffff],
    [26, 0],
    [26, 42],
    [30, 4096],
  ] as const) {
    const pair = new Pair(small());
    pair.good(negotiate(pair.requester));
    let steps = 0;
    pair.tap = ({ secured, bytes }, direction) => {
      if (direction === 'request' || secured) return { secured, bytes };
      const told = steps++;
      if (told === 0) return { secured, bytes: fromHex('127f0f0009') };
      return { secured, bytes: chunk(9, told - 1, new Uint8Array(size), whole) };
    };
    const result = pair.run(getDigests(pair.requester));
    assert.is(codeOf(result), 'CHUNK_RESPONSE', `${size} of ${whole}`);
    assert.ok(steps <= 4096 / 26 + 2, `${steps} steps`);
  }
});

test.run();
