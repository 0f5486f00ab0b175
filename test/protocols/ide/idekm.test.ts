import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { encode } from '../../../protocols/codec/layout.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import {
  decodeIdekm,
  decodeIfv,
  decodeKeySubStream,
  describeIdekm,
  encodeIfv,
  encodeKeySubStream,
  idekmLayouts,
  ivOf,
  swapKeyOrder,
} from '../../../protocols/ide/index.ts';
import { local } from './pair.ts';

const test = suite('idekm');

// tee-io-validator, doc/key_byte_order.md
const KEY = 'df254152056e02e0ef8b7feb9739d4d96a4eb80103241df7cd5e24b49ccd2720';
const WIRE = '524125dfe0026e05eb7f8befd9d4399701b84e6af71d2403b4245ecd2027cd9c';

test('key byte order: published vector', () => {
  assert.is(toHex(swapKeyOrder(fromHex(KEY))), WIRE);
  assert.is(toHex(swapKeyOrder(fromHex(WIRE))), KEY);
  assert.throws(() => swapKeyOrder(new Uint8Array(31)), local('key'));
});

test('IFV byte order: published vector and the IV it gives', () => {
  assert.is(toHex(encodeIfv({ hi: 0, lo: 1 })), '0000000001000000');
  assert.equal(decodeIfv(fromHex('0000000001000000')), { hi: 0, lo: 1 });
  assert.is(toHex(ivOf(0, { hi: 0, lo: 1 })), '000000000000000000000001');
  assert.is(toHex(encodeIfv({ hi: 0x01020304, lo: 0xfffefdfc })), '04030201fcfdfeff');
  assert.equal(decodeIfv(fromHex('04030201fcfdfeff')), { hi: 0x01020304, lo: 0xfffefdfc });
  assert.throws(() => encodeIfv({ hi: 0, lo: 2 ** 32 }), local('ifv'));
});

test('fixed field of the IV by sub-stream', () => {
  const field = { hi: 0x01020304, lo: 0x05060708 };
  assert.is(toHex(ivOf(0, field)), '000000000102030405060708');
  assert.is(toHex(ivOf(1, field)), '100000000102030405060708');
  assert.is(toHex(ivOf(2, field)), '200000000102030405060708');
});

test('key_sub_stream byte', () => {
  const rows = [
    [0x00, 0, 'RX', 0],
    [0x01, 1, 'RX', 0],
    [0x02, 0, 'TX', 0],
    [0x13, 1, 'TX', 1],
    [0x20, 0, 'RX', 2],
    [0xf0, 0, 'RX', 15],
  ] as const;
  for (const [byte, keySet, direction, subStream] of rows) {
    assert.is(encodeKeySubStream({ keySet, direction, subStream }), byte);
    assert.equal(decodeKeySubStream(byte), { keySet, direction, subStream });
    assert.equal(decodeKeySubStream(byte | 0x0c), { keySet, direction, subStream });
  }
  assert.throws(
    () => encodeKeySubStream({ keySet: 0, direction: 'RX', subStream: 16 }),
    local('subStream'),
  );
});

const set = { StreamID: 7, KeySubStream: 0x23, PortIndex: 1 };
const objects: readonly [name: string, bytes: string, value: Record<string, unknown>][] = [
  ['QUERY', '000005', { ObjectID: 0, PortIndex: 5 }],
  [
    'QUERY_RESP',
    '0100 01 08 02 03 04 46000100 04000000',
    {
      ObjectID: 1,
      PortIndex: 1,
      DevFunc: 8,
      Bus: 2,
      Segment: 3,
      MaxPortIndex: 4,
      IdeRegisters: [0x00010046, 4],
    },
  ],
  [
    'KEY_PROG',
    `02 0000 07 00 23 01 ${WIRE} 0000000001000000`,
    { ObjectID: 2, ...set, Key: fromHex(WIRE), IFV: fromHex('0000000001000000') },
  ],
  ['KP_ACK', '03 0000 07 02 23 01', { ObjectID: 3, ...set, Status: 2 }],
  ['K_SET_GO', '04 0000 07 00 23 01', { ObjectID: 4, ...set }],
  ['K_SET_STOP', '05 0000 07 00 23 01', { ObjectID: 5, ...set }],
  ['K_GOSTOP_ACK', '06 0000 07 00 23 01', { ObjectID: 6, ...set }],
];
for (const [name, hex, value] of objects) {
  const bytes = fromHex(hex);
  test(`${name}: bytes to value and back`, () => {
    const decoded = decodeIdekm(bytes);
    assert.ok(decoded.ok);
    assert.is(decoded.name, name);
    assert.equal(decoded.value, value);
    assert.is(toHex(encode(idekmLayouts[bytes[0]!]!, value as never)), toHex(bytes));
  });

  test(`${name}: every cut is refused as truncated`, () => {
    const fixed = name === 'QUERY_RESP' ? 7 : bytes.length;
    for (let n = 1; n < fixed; n++) {
      const cut = decodeIdekm(bytes.subarray(0, n));
      assert.ok(!cut.ok && cut.code === 'TRUNCATED', `${n} bytes`);
    }
    if (name === 'QUERY_RESP') assert.not(decodeIdekm(bytes.subarray(0, -1)).ok);
    else assert.not(decodeIdekm(Uint8Array.of(...bytes, 0)).ok);
  });

  test(`${name}: mutations end in a value or a refusal`, () => {
    let count = 0;
    for (const { bytes: mutant } of mutations(idekmLayouts[bytes[0]!]!, bytes)) {
      decodeIdekm(mutant);
      describeIdekm(mutant);
      count++;
    }
    assert.ok(count > 8);
  });
}

test('reserved bytes are ignored', () => {
  assert.ok(decodeIdekm(fromHex('04 ffff 07 ff 23 01')).ok);
});

test('describe names objects, statuses and sub-stream bits', () => {
  const { name, fields } = describeIdekm(fromHex('03 0000 07 02 23 01'));
  assert.is(name, 'KP_ACK');
  const text = Object.fromEntries(fields.map((f) => [f.path, f.text]));
  assert.match(text['ObjectID']!, 'KP_ACK');
  assert.match(text['Status']!, 'UNSUPPORTED_PORT_INDEX');
  assert.match(text['KeySubStream']!, 'KeySet|RxTxB|SubStream=2');
  assert.match(describeIdekm(Uint8Array.of(9)).name, 'unknown');
  assert.match(describeIdekm(new Uint8Array(0)).name, 'unknown');
});

test('random bytes never throw', () => {
  const bytes = fc.uint8Array({ maxLength: 64 });
  fc.assert(
    fc.property(fc.nat(8), bytes, (id, rest) => {
      const payload = Uint8Array.of(id, ...rest);
      decodeIdekm(payload);
      describeIdekm(payload);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test.run();
