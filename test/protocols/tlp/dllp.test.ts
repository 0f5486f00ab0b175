/** DLLPs and link-layer checks against published bytes, single-bit errors and noise. */

import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError, RefusalCodes } from '../../../protocols/codec/refusal.ts';
import {
  crc16Raw,
  crc32,
  crc32Raw,
  DLLP_RESIDUE,
  dllpCrc,
  lcrc,
} from '../../../protocols/tlp/crc.ts';
import {
  type Dllp,
  decodeDllp,
  decodeLinkTlp,
  encodeDllp,
  encodeLinkTlp,
} from '../../../protocols/tlp/dllp.ts';

const fc0 = { hdrScale: 0, dataScale: 0, vc: 0 } as const;
/** with CRC: published; without: the DW alone, from the figures */
const VECTORS: readonly (readonly [string, Dllp])[] = [
  ['00000000 b362', { type: 'Ack', sequence: 0 }],
  ['00000005 9617', { type: 'Ack', sequence: 5 }],
  ['10000123 09e2', { type: 'Nak', sequence: 0x123 }],
  ['31000000 fb32', { type: 'NOP', data: 0 }],
  ['80080100 8c35', { type: 'UpdateFC', fc: 'P', ...fc0, hdrFC: 0x20, dataFC: 0x100 }],
  ['50020004 9809', { type: 'InitFC1', fc: 'NP', ...fc0, hdrFC: 8, dataFC: 4 }],
  ['02800001', { type: 'Data_Link_Feature', ack: true, features: 1 }],
  ['027fffff', { type: 'Data_Link_Feature', ack: false, features: 0x7fffff }],
  ['20000000', { type: 'PM_Enter_L1', data: 0 }],
  ['21000000', { type: 'PM_Enter_L23', data: 0 }],
  ['23000000', { type: 'PM_Active_State_Request_L1', data: 0 }],
  ['24000000', { type: 'PM_Request_Ack', data: 0 }],
  ['30123456', { type: 'Vendor_Specific', data: 0x123456 }],
  ['40000000', { type: 'InitFC1', fc: 'P', ...fc0, hdrFC: 0, dataFC: 0 }],
  [
    '67ffffff',
    { type: 'InitFC1', fc: 'Cpl', vc: 7, hdrScale: 3, hdrFC: 255, dataScale: 3, dataFC: 4095 },
  ],
  ['c1400000', { type: 'InitFC2', fc: 'P', vc: 1, hdrScale: 1, hdrFC: 0, dataScale: 0, dataFC: 0 }],
  [
    'd0001000',
    { type: 'InitFC2', fc: 'NP', vc: 0, hdrScale: 0, hdrFC: 0, dataScale: 1, dataFC: 0 },
  ],
  ['e0004000', { type: 'InitFC2', fc: 'Cpl', ...fc0, hdrFC: 1, dataFC: 0 }],
  ['90000001', { type: 'UpdateFC', fc: 'NP', ...fc0, hdrFC: 0, dataFC: 1 }],
  ['a2000fff', { type: 'UpdateFC', fc: 'Cpl', ...fc0, vc: 2, hdrFC: 0, dataFC: 4095 }],
];

const dllps = suite('dllp');
for (const [hex, value] of VECTORS)
  dllps(`${value.type} ${hex}`, () => {
    const bytes = encodeDllp(value);
    const expected = fromHex(hex);
    assert.is(toHex(bytes.subarray(0, expected.length)), toHex(expected));
    assert.is(bytes.length, 6);
    assert.is(crc16Raw(bytes), DLLP_RESIDUE);
    const decoded = decodeDllp(bytes);
    assert.ok(decoded.ok);
    assert.equal(decoded.value, value);
  });
dllps('every byte 0 is known or refused, and what is known comes back', () => {
  let known = 0;
  for (let byte0 = 0; byte0 < 256; byte0++) {
    const dw = Uint8Array.of(byte0, 0, 0, 0);
    const crc = dllpCrc(dw);
    const decoded = decodeDllp(Uint8Array.of(...dw, crc & 0xff, crc >> 8));
    if (!decoded.ok) {
      assert.is(decoded.code, RefusalCodes.UNKNOWN_CODE);
      assert.is(decoded.path, 'Type');
      continue;
    }
    known++;
    assert.is(encodeDllp(decoded.value)[0], byte0);
  }
  // nine single types, and three kinds of three classes on eight VCs
  assert.is(known, 9 + 3 * 3 * 8);
});
dllps('every single-bit error is refused by its CRC', () => {
  for (const [, value] of VECTORS)
    for (let bit = 0; bit < 48; bit++) {
      const bytes = encodeDllp(value);
      bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7));
      const decoded = decodeDllp(bytes);
      assert.not(decoded.ok);
      if (!decoded.ok) assert.is(`${decoded.path} ${decoded.offset}`, 'CRC 4');
    }
});
dllps('sizes', () => {
  const bytes = fromHex('00000005 9617');
  const short = decodeDllp(bytes.subarray(0, 5));
  const long = decodeDllp(concat(bytes, Uint8Array.of(0)));
  assert.is(short.ok ? '' : short.code, RefusalCodes.TRUNCATED);
  assert.is(long.ok ? '' : long.code, RefusalCodes.TRAILING);
});
dllps('reserved bits are ignored', () => {
  const dw = fromHex('00fff005');
  const crc = dllpCrc(dw);
  const decoded = decodeDllp(Uint8Array.of(...dw, crc & 0xff, crc >> 8));
  assert.ok(decoded.ok);
  assert.equal(decoded.value, { type: 'Ack', sequence: 5 });
});
dllps('caller mistakes are named', () => {
  const fcp = { type: 'UpdateFC', fc: 'P', ...fc0, hdrFC: 0, dataFC: 0 } as const;
  const mistakes: readonly (readonly [Dllp, RegExp])[] = [
    [{ type: 'Ack', sequence: 4096 }, /^sequence/],
    [{ type: 'NOP', data: -1 }, /^data/],
    [{ ...fcp, hdrFC: 256 }, /^hdrFC/],
    [{ ...fcp, dataFC: 4096 }, /^dataFC/],
    [{ ...fcp, vc: 8 }, /^vc/],
    [{ ...fcp, hdrScale: 4 }, /^hdrScale/],
    [{ ...fcp, fc: 'X' as 'P' }, /^fc/],
    [{ type: 'Wish' as 'NOP', data: 0 }, /^type/],
    [{ type: 'Data_Link_Feature', ack: false, features: 2 ** 23 }, /^features/],
  ];
  for (const [value, pattern] of mistakes)
    assert.throws(
      () => encodeDllp(value),
      (e: unknown) => e instanceof LocalError && pattern.test(e.message),
    );
});
dllps.run();

const checks = suite('link layer CRCs');
checks('CRC-32 of the usual check string', () => {
  assert.is(crc32(ascii('123456789')), 0xcbf43926);
  assert.is(crc32(new Uint8Array(0)), 0);
});
checks('LCRC is CRC-32 over sequence number and TLP', () => {
  fc.assert(
    fc.property(fc.nat(4095), fc.uint8Array({ maxLength: 300 }), (sequence, tlp) => {
      const bytes = Uint8Array.of(sequence >> 8, sequence & 0xff, ...tlp);
      assert.is(lcrc(sequence, tlp), zlibCrc32(bytes));
      const wire = encodeLinkTlp(sequence, tlp);
      assert.is(crc32Raw(wire), 0xdebb20e3);
      const decoded = decodeLinkTlp(wire);
      assert.ok(decoded.ok);
      assert.is(decoded.value.sequence, sequence);
      assert.equal(decoded.value.tlp, tlp);
    }),
    { seed: 1, numRuns: 300 },
  );
});
checks('every single-bit error of a TLP on the link is refused', () => {
  const wire = encodeLinkTlp(0xabc, fromHex('00000001 0101000f 80000000'));
  assert.is(toHex(wire.subarray(0, 6)), '0abc00000001');
  for (let bit = 0; bit < wire.length * 8; bit++) {
    const bytes = wire.slice();
    bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7));
    const decoded = decodeLinkTlp(bytes);
    assert.not(decoded.ok);
    if (!decoded.ok) assert.is(decoded.path, 'LCRC');
  }
});
checks('too short, and a caller mistake', () => {
  const short = decodeLinkTlp(new Uint8Array(5));
  assert.is(short.ok ? '' : short.code, RefusalCodes.TRUNCATED);
  for (const sequence of [4096, -1, 0.5])
    assert.throws(
      () => encodeLinkTlp(sequence, new Uint8Array(12)),
      (e: unknown) => e instanceof LocalError && /^sequence/.test(e.message),
    );
});
checks.run();
