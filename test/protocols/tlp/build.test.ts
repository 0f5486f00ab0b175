/** Request builders against literal bytes, against the bit-field tables, and against bad arguments. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import * as build from '../../../protocols/tlp/build.ts';
import { decodeTlp, encodeTlp } from '../../../protocols/tlp/header-codec.ts';
import { transferAddress, transferBytes, transferData } from '../../../protocols/tlp/transfer.ts';
import { validate } from '../../../protocols/tlp/validate.ts';

const hexOf = (text: string): string => toHex(fromHex(text));
const data = fromHex('0001020304050607');
const me = { requesterId: 0x0101 };

const VECTORS: readonly (readonly [string, Uint8Array, string])[] = [
  [
    'MWr64',
    build.memoryWrite({ ...me, tag: 0x203, tc: 3, attr: 6, address: 0x200000010, data }),
    '60b42002 010103ff 00000002 00000010 0001020304050607',
  ],
  [
    'MWr32 of one byte in the middle of a DW',
    build.memoryWrite({ ...me, address: 0x80000002, data: data.subarray(7) }),
    '40000001 01010004 80000000 00000700',
  ],
  [
    'MWr32 over two DWs, five bytes from byte 3',
    build.memoryWrite({ ...me, address: 0x1003, data: data.subarray(1, 6) }),
    '40000002 010100f8 00001000 00000001 02030405',
  ],
  [
    'MWr32 of nothing',
    build.memoryWrite({ ...me, address: 0x1000, data: data.subarray(0, 0) }),
    '40000001 01010000 00001000 00000000',
  ],
  [
    'poisoned, translated MWr32',
    build.memoryWrite({ ...me, address: 0x1000, data, poisoned: true, at: 2 }),
    '40004802 010100ff 00001000 0001020304050607',
  ],
  [
    'MRd32 of 6 bytes at 0x1003',
    build.memoryRead({ requesterId: 0x0100, tag: 0x101, address: 0x1003, length: 6 }),
    '00080003 01000118 00001000',
  ],
  [
    'MRd32 of 4 KiB just below 4 GiB',
    build.memoryRead({ ...me, address: 0xfffff000, length: 4096 }),
    '00000000 010100ff fffff000',
  ],
  [
    'MRd64 from 4 GiB on',
    build.memoryRead({ ...me, address: 2 ** 32, length: 4 }),
    '20000001 0101000f 00000001 00000000',
  ],
  [
    'zero-length read',
    build.memoryRead({ ...me, tag: 9, address: 0x2000, length: 0 }),
    '00000001 01010900 00002000',
  ],
  [
    'CfgRd0',
    build.cfgRead({ requesterId: 0, tag: 5, type: 0, destinationId: 0x0100, register: 0x104 }),
    '04000001 0000050f 01000104',
  ],
  [
    'CfgWr1 of two bytes',
    build.cfgWrite({
      requesterId: 0x10,
      type: 1,
      destinationId: 0x5aff,
      register: 0xffc,
      byteEnable: 12,
      data: 0x11223344,
    }),
    '45000001 0010000c 5aff0ffc 44332211',
  ],
  [
    'Msg ERR_FATAL',
    build.message({ requesterId: 0x0200, code: 0x33, routing: 0 }),
    '30000000 02000033 0000000000000000',
  ],
  [
    'MsgD local, with a body',
    build.message({
      ...me,
      code: 0x50,
      routing: 4,
      tag: 0x342,
      body: data,
      data: fromHex('01020304'),
    }),
    '74880001 01014250 0001020304050607 01020304',
  ],
  [
    'MsgD by ID',
    build.messageById({
      requesterId: 0x0100,
      code: 0x7f,
      destinationId: 0x0300,
      body: fromHex('1ab400000001'),
      data: fromHex('deadbeef'),
    }),
    '72000001 0100007f 03001ab4 00000001 deadbeef',
  ],
];

const vectors = suite('tlp build: vectors');
for (const [name, tlp, hex] of VECTORS)
  vectors(name, () => {
    assert.is(toHex(tlp), hexOf(hex));
    assert.is(validate(tlp), undefined);
  });
vectors('each is what the bit-field tables encode', () => {
  for (const [name, tlp] of VECTORS) {
    const decoded = decodeTlp(tlp);
    assert.ok(decoded.ok, name);
    const { type, fields, payload, routing } = decoded.value;
    assert.is(toHex(encodeTlp(type, fields, payload, routing)), toHex(tlp), name);
  }
});
vectors.run();

const mistakes = suite('tlp build: mistakes of the caller');
const MISTAKES: readonly (readonly [string, () => unknown, RegExp])[] = [
  [
    'requester',
    () => build.memoryRead({ requesterId: 65536, address: 0, length: 4 }),
    /^requesterId/,
  ],
  ['tag', () => build.memoryRead({ ...me, tag: 1024, address: 0, length: 4 }), /^tag/],
  ['tc', () => build.memoryRead({ ...me, tc: 8, address: 0, length: 4 }), /^tc/],
  ['attr', () => build.memoryRead({ ...me, attr: -1, address: 0, length: 4 }), /^attr/],
  ['at', () => build.memoryRead({ ...me, at: 4, address: 0, length: 4 }), /^at:/],
  ['fraction', () => build.memoryRead({ ...me, address: 0.5, length: 4 }), /^address/],
  ['address', () => build.memoryRead({ ...me, address: 2 ** 53, length: 4 }), /^address/],
  ['length', () => build.memoryRead({ ...me, address: 0, length: 4097 }), /^length/],
  ['4 KiB read', () => build.memoryRead({ ...me, address: 0xffd, length: 4 }), /^address.*4 KiB/],
  ['4 KiB write', () => build.memoryWrite({ ...me, address: 0xff9, data }), /^address.*4 KiB/],
  [
    'long data',
    () => build.memoryWrite({ ...me, address: 0, data: new Uint8Array(4097) }),
    /^data/,
  ],
  ['register', () => build.cfgRead({ ...me, type: 0, destinationId: 0, register: 2 }), /^register/],
  [
    'register end',
    () => build.cfgRead({ ...me, type: 0, destinationId: 0, register: 4096 }),
    /^register/,
  ],
  [
    'config type',
    () => build.cfgRead({ ...me, type: 2 as 1, destinationId: 0, register: 0 }),
    /^type/,
  ],
  [
    'destination',
    () => build.cfgRead({ ...me, type: 0, destinationId: -1, register: 0 }),
    /^destinationId/,
  ],
  [
    'enables',
    () => build.cfgRead({ ...me, type: 0, destinationId: 0, register: 0, byteEnable: 16 }),
    /^byteEnable/,
  ],
  [
    'value',
    () => build.cfgWrite({ ...me, type: 0, destinationId: 0, register: 0, data: -1 }),
    /^data/,
  ],
  [
    'config tag',
    () => build.cfgRead({ ...me, tag: 1024, type: 0, destinationId: 0, register: 0 }),
    /^tag/,
  ],
  ['message tag', () => build.message({ ...me, tag: 1024, code: 0, routing: 0 }), /^tag/],
  [
    'wide value',
    () => build.cfgWrite({ ...me, type: 0, destinationId: 0, register: 0, data: 2 ** 32 }),
    /^data/,
  ],
  ['code', () => build.message({ ...me, code: 256, routing: 0 }), /^code/],
  ['routing', () => build.message({ ...me, code: 0, routing: 6 }), /^routing/],
  ['routing by ID', () => build.message({ ...me, code: 0, routing: 2 }), /^routing/],
  ['body', () => build.message({ ...me, code: 0, routing: 0, body: data.subarray(1) }), /^body/],
  [
    'odd data',
    () => build.message({ ...me, code: 0, routing: 0, data: data.subarray(1) }),
    /^data/,
  ],
  [
    'body by ID',
    () => build.messageById({ ...me, code: 0, destinationId: 0, body: data }),
    /^body/,
  ],
  ['split limit', () => build.splitRequest(0, 1, 130), /^max/],
  ['split limit zero', () => build.splitRequest(0, 1, 0), /^max/],
  ['split address', () => build.splitRequest(-1, 1, 128), /^address/],
  ['split end', () => build.splitRequest(2 ** 53 - 8, 9, 128), /^address/],
];
for (const [name, call, pattern] of MISTAKES)
  mistakes(name, () => {
    assert.throws(call, (e: unknown) => e instanceof LocalError && pattern.test(e.message));
  });
mistakes.run();

const properties = suite('tlp build: properties');
const place = fc
  .tuple(fc.nat(2 ** 41 - 2), fc.nat(4095), fc.nat(4096))
  .map(([page, offset, length]) => ({
    address: page * 4096 + offset,
    length: Math.min(length, 4096 - offset),
  }));
properties('what was asked comes back, and no rule is broken', () => {
  fc.assert(
    fc.property(place, fc.nat(1023), fc.nat(7), ({ address, length }, tag, tc) => {
      const read = build.memoryRead({ ...me, tag, tc, address, length });
      assert.is(validate(read), undefined);
      assert.is(transferBytes(read), length);
      if (length > 0) assert.is(transferAddress(read), address);
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7 + 1);
      const write = build.memoryWrite({ ...me, tag, tc, address, data: bytes });
      assert.is(validate(write), undefined);
      assert.equal(transferData(write), bytes);
      assert.is(write.length > read.length, true);
    }),
    { seed: 1, numRuns: 1000 },
  );
});
properties('pieces of a split are legal, gapless and as few as can be', () => {
  const limit = fc.constantFrom(128, 256, 512, 1024, 2048, 4096);
  fc.assert(
    fc.property(fc.nat(2 ** 45), fc.nat(20000), limit, (address, length, max) => {
      const spans = build.splitRequest(address, length, max);
      let at = address;
      for (const [i, span] of spans.entries()) {
        assert.is(span.address, at);
        const tlp = build.memoryRead({ ...me, ...span });
        assert.is(validate(tlp, { maxReadRequest: max }), undefined);
        at += span.length;
        // one byte more would not have been allowed
        if (i < spans.length - 1) {
          const greedy = span.length + 1;
          const crosses = span.address % 4096 === 4096 - span.length;
          const dws = Math.ceil(((span.address % 4) + greedy) / 4);
          assert.ok(crosses || dws * 4 > max, `${span.address}+${span.length}`);
        }
      }
      assert.is(at, address + length);
    }),
    { seed: 1, numRuns: 1000 },
  );
});
properties('literal splits', () => {
  const lengths = (...args: [number, number, number]) =>
    build.splitRequest(...args).map((span) => span.length);
  assert.equal(lengths(0, 0, 128), [0]);
  assert.equal(lengths(0, 256, 128), [128, 128]);
  assert.equal(lengths(1, 256, 128), [127, 128, 1]);
  assert.equal(lengths(4092, 8, 256), [4, 4]);
  assert.equal(lengths(2, 4, 4), [2, 2]);
  assert.equal(lengths(4000, 200, 4096), [96, 104]);
});
properties.run();
