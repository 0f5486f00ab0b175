/** A listener trusts nobody: whatever it hears, it says something, at once, and goes on. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le } from '../../../../protocols/codec/bytes.ts';
import { RequestCodes, ResponseCodes } from '../../../../protocols/spdm/codes.ts';
import type { Packet } from '../../../../protocols/spdm/responder/responder.ts';
import { converse } from '../conversation.ts';
import { mutualPair } from '../mutual-pair.ts';
import { hear, type Loud, listener, loudPair, packetsOf } from './listen.ts';

const test = suite('spdm observer, hostile traffic');

function chunkedConversation(version: number): Loud {
  const sizes = { dataTransferSize: 200, maxSpdmMsgSize: 0x8000 };
  const loud = loudPair({ version, flags: { CHUNK_CAP: 1 }, requester: sizes, responder: sizes });
  converse(loud.pair);
  return loud;
}
function mutualConversation(): Loud {
  const pair = mutualPair({ basic: true, session: 'digests' });
  pair.authenticate();
  pair.session();
  return { pair, keyLog: [] };
}
const louds = [chunkedConversation(0x12), chunkedConversation(0x14), mutualConversation()];

/** One change to what was heard. */
const changes: readonly ((packets: Packet[], at: number, value: number) => void)[] = [
  (packets, at, value) => {
    const { secured, bytes } = packets[at]!;
    const copy = bytes.slice();
    copy[value % Math.max(1, copy.length)]! ^= 1 + (value >> 8);
    packets[at] = { secured, bytes: copy };
  },
  (packets, at, value) => {
    const { secured, bytes } = packets[at]!;
    packets[at] = { secured, bytes: bytes.slice(0, value % (bytes.length + 1)) };
  },
  (packets, at) => void packets.splice(at, 1),
  (packets, at) => void packets.splice(at, 0, packets[at]!),
  (packets, at, value) => {
    const other = value % packets.length;
    [packets[at], packets[other]] = [packets[other]!, packets[at]!];
  },
  (packets, at) => {
    packets[at] = { ...packets[at]!, secured: !packets[at]!.secured };
  },
];

test('changed, cut, lost, repeated and swapped messages never throw', () => {
  const change = fc.tuple(fc.nat(changes.length - 1), fc.nat(1000), fc.nat(0xffff));
  const property = (which: number, made: [number, number, number][]) => {
    const loud = louds[which]!;
    const packets = packetsOf(loud);
    for (const [how, at, value] of made) changes[how]!(packets, at % packets.length, value);
    for (const { name } of hear(listener(loud), packets)) assert.type(name, 'string');
  };
  const arguments_ = [fc.nat(louds.length - 1), fc.array(change, { minLength: 1, maxLength: 6 })];
  fc.assert(fc.property(...(arguments_ as [never, never]), property), { seed: 1, numRuns: 300 });
});

test('any bytes under any code, with a connection agreed on', () => {
  const codes = [...Object.values(RequestCodes), ...Object.values(ResponseCodes)];
  const loud = louds[0]!;
  const start = packetsOf(loud).slice(0, 6);
  const message = fc.tuple(fc.constantFrom(...codes), fc.uint8Array({ maxLength: 300 }));
  fc.assert(
    fc.property(fc.array(message, { minLength: 1, maxLength: 12 }), (messages) => {
      const observer = listener(loud);
      hear(observer, start);
      for (const [code, bytes] of messages)
        observer.plain(concat(Uint8Array.of(0x12, code), bytes));
    }),
    { seed: 1, numRuns: 500 },
  );
});

test('a large message that is announced takes no memory until it comes', () => {
  const loud = louds[1]!;
  const observer = listener(loud);
  hear(observer, packetsOf(loud).slice(0, 6));
  const head = fromHex('1485000700000000');
  const first = observer.plain(concat(head, le(4, 4), le(0xffffffff, 4), fromHex('14e80000')));
  assert.is(first.refusal, undefined);
  assert.equal(first.chunk, { sequence: 0, largeMessageSize: 0xffffffff });
  const nested = concat(head, le(4, 4), le(4, 4), fromHex('14850000'));
  nested[2] = 1;
  assert.match(observer.plain(nested).refusal?.detail ?? '', /a chunk inside chunks/);
});

test('thousands of handshakes and secrets end in good time', () => {
  const loud = louds[0]!;
  const { pair } = loudPair();
  const packets = packetsOf({ pair: pair.authenticate(), keyLog: [] });
  pair.session();
  const all = packetsOf({ pair, keyLog: [] });
  const exchange = all.slice(packets.length, packets.length + 2);
  const observer = listener(loud, { keyLog: [], dheSecrets: manySecrets(20) });
  hear(observer, packets);
  const began = performance.now();
  for (let i = 0; i < 500; i++) hear(observer, exchange);
  assert.ok(performance.now() - began < 8000, `${performance.now() - began} ms`);
});

const manySecrets = (count: number) =>
  Array.from({ length: count }, (_, i) => concat(le(i, 4), new Uint8Array(28).fill(3)));

test.run();
