/** Getters and shape check of a TLP against headers worked out by hand from the header figures. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { RefusalCodes } from '../../../protocols/codec/refusal.ts';
import { TLP_TYPES, TYPE_INDEX } from '../../../protocols/tlp/codes.ts';
import { tlpMutations } from '../../../protocols/tlp/header-codec.ts';
import * as view from '../../../protocols/tlp/view.ts';

type Getter = Exclude<keyof typeof view, 'checkTlp' | 'payload' | 'payloadDw' | 'prefixOffset'>;
const getterByName: Readonly<Record<Getter, (tlp: Uint8Array) => unknown>> = { ...view };
type Expected = Partial<Record<Getter, number | boolean | string>>;

/** name, bytes, what the getters say, payload */
const VECTORS: readonly (readonly [string, string, Expected, string])[] = [
  [
    'CfgRd0 01:00.0 register 0x104, tag 5',
    '04000001 0000050f 01000104',
    {
      typeOf: 'CfgRd0',
      flowClass: 1,
      routeOf: 1,
      headerOffset: 0,
      headerSize: 12,
      hasData: false,
      payloadSize: 0,
      lengthDw: 1,
      requesterId: 0,
      tag: 5,
      firstBE: 15,
      lastBE: 0,
      destinationId: 0x0100,
      registerNumber: 0x104,
      tlpSize: 12,
      isMessage: false,
    },
    '',
  ],
  [
    'CfgWr1 5a:1f.7 register 0xffc',
    '45000001 0010000c 5aff0ffc 44332211',
    {
      typeOf: 'CfgWr1',
      firstBE: 12,
      requesterId: 0x10,
      destinationId: 0x5aff,
      registerNumber: 0xffc,
    },
    '44332211',
  ],
  [
    'MWr64 at 8 GiB + 16, TC3, IDO and RO, tag 0x203',
    '60b42002 010103ff 00000002 00000010 0001020304050607',
    {
      typeOf: 'MWr64',
      flowClass: 0,
      routeOf: 0,
      headerSize: 16,
      hasData: true,
      payloadOffset: 16,
      payloadSize: 8,
      trafficClass: 3,
      attributes: 6,
      poisoned: false,
      hasDigest: false,
      addressType: 0,
      requesterId: 0x0101,
      tag: 0x203,
      firstBE: 15,
      lastBE: 15,
      address: 0x200000010,
      lengthDw: 2,
      destinationId: -1,
      idePrefixOffset: -1,
    },
    '0001020304050607',
  ],
  [
    'MRd32 of 6 bytes at 0x1003, tag 0x101, poisoned, digest, no snoop, translated',
    '0008d803 01000118 00001000',
    {
      typeOf: 'MRd32',
      flowClass: 1,
      firstBE: 8,
      lastBE: 1,
      tag: 0x101,
      poisoned: true,
      hasDigest: true,
      attributes: 1,
      addressType: 2,
      lengthDw: 3,
      payloadSize: 0,
      address: 0x1000,
    },
    '',
  ],
  [
    'MRd32 of 4 KiB: Length 0 means 1024; PH is no address',
    '00000000 010000ff fffff003',
    { lengthDw: 1024, address: 0xfffff000, payloadSize: 0 },
    '',
  ],
  [
    'CplD for tag 5, byte count 4',
    '4a000001 01000004 00000500 86803412',
    {
      typeOf: 'CplD',
      flowClass: 2,
      routeOf: 1,
      completerId: 0x0100,
      requesterId: 0,
      destinationId: 0,
      completionStatus: 0,
      byteCount: 4,
      tag: 5,
      lowerAddress: 0,
    },
    '86803412',
  ],
  [
    'Cpl UR with Byte Count 0 for 4096, tag 0x3fe',
    '0a880000 ffff2000 1234fe7f',
    {
      typeOf: 'Cpl',
      completerId: 0xffff,
      requesterId: 0x1234,
      destinationId: 0x1234,
      completionStatus: 1,
      byteCount: 4096,
      tag: 0x3fe,
      lowerAddress: 0x7f,
      lengthDw: 0,
    },
    '',
  ],
  [
    'Msg ERR_FATAL to Root Complex',
    '30000000 02000033 0000000000000000',
    {
      typeOf: 'Msg',
      flowClass: 0,
      routeOf: 2,
      messageCode: 0x33,
      messageRouting: 0,
      requesterId: 0x0200,
      lengthDw: 0,
      destinationId: -1,
      isMessage: true,
    },
    '',
  ],
  [
    'MsgD by ID, Vendor_Defined Type 1, to 03:00.0',
    '72000001 0100007f 03001ab4 00000001 deadbeef',
    { typeOf: 'MsgD', routeOf: 1, destinationId: 0x0300, messageCode: 0x7f, messageRouting: 2 },
    'deadbeef',
  ],
  [
    'Msg by address',
    '31000000 00000000 00000001 80000000',
    { routeOf: 0, address: 0x180000000 },
    '',
  ],
  [
    'IDE prefix, PASID prefix, MWr32 of one DW',
    '92051221 91000abc 40000001 0101000f 80000000 cafebabe',
    {
      typeOf: 'MWr32',
      headerOffset: 8,
      headerSize: 12,
      payloadOffset: 20,
      tlpSize: 24,
      idePrefixOffset: 0,
      address: 0x80000000,
      requesterId: 0x0101,
    },
    'cafebabe',
  ],
  [
    'CAS32 with operands of 4 bytes',
    '4e000002 01000aff 00000040 0000000100000002',
    { flowClass: 1 },
    '0000000100000002',
  ],
  [
    'DMWr64 is non-posted',
    '7b000001 0100000f 00000001 00000000 00000000',
    { flowClass: 1 },
    '00000000',
  ],
];

const vectors = suite('tlp view: vectors');
for (const [name, hex, expected, data] of VECTORS)
  vectors(name, () => {
    const tlp = fromHex(hex);
    assert.is(view.checkTlp(tlp), undefined);
    for (const [getter, value] of Object.entries(expected))
      assert.is(getterByName[getter as Getter](tlp), value, getter);
    assert.is(toHex(view.payload(tlp)), data);
  });
vectors('a payload DW is a register value, lowest byte first', () => {
  assert.is(view.payloadDw(fromHex('4a000001 01000004 00000500 86803412')), 0x12348086);
  const two = fromHex('60000002 010100ff 00000002 00000010 00010203 04050607');
  assert.is(view.payloadDw(two, 1), 0x07060504);
  assert.is(view.payloadDw(two, 2), 0);
  const five = fromHex('40000005 010100ff 00001000 00000000 00000000 00000000 00000000 01000000');
  assert.is(view.payloadDw(five, 4), 1);
});
vectors('prefixes are found by their byte 0', () => {
  const tlp = fromHex('92051221 91000abc 40000001 0101000f 80000000 cafebabe');
  assert.is(view.prefixOffset(tlp, 0x91), 4);
  assert.is(view.prefixOffset(tlp, 0x90), -1);
  // an IDE prefix behind another one does not make an IDE TLP
  assert.is(view.idePrefixOffset(fromHex('91000abc 92051221 00000001 0101000f 80000000')), -1);
});
vectors('addresses past 2^53 lose low bits only', () => {
  const tlp = fromHex('20000001 0101000f ffffffff fffffffc');
  assert.is(view.address(tlp), 2 ** 64);
  assert.is(view.address(fromHex('20000001 0101000f 001fffff fffffffc')), 2 ** 53 - 4);
});
vectors.run();

const shape = suite('tlp view: shape');
const MWR = '40000001 0101000f 80000000 cafebabe';
const SHAPES: readonly (readonly [string, string, string | undefined, string?, number?])[] = [
  ['whole', MWR, undefined],
  ['empty', '', RefusalCodes.TRUNCATED, 'Header', 0],
  ['four prefixes', `90000000 91000000 9e000000 9f000000 ${MWR}`, undefined],
  [
    'five prefixes',
    `92000000 90000000 91000000 9e000000 9f000000 ${MWR}`,
    RefusalCodes.OVER_LIMIT,
    'Prefix',
    16,
  ],
  ['only prefixes', '92000000 91000000', RefusalCodes.TRUNCATED, 'Header', 8],
  ['cut prefix', '9200', RefusalCodes.TRUNCATED, 'Header', 2],
  ['local prefix', `8e000000 ${MWR}`, RefusalCodes.UNKNOWN_CODE, 'Prefix', 0],
  ['unknown type', '1f000001 0101000f 80000000', RefusalCodes.UNKNOWN_CODE, 'Type', 0],
  ['Fmt 5', 'a0000001 0101000f 80000000', RefusalCodes.UNKNOWN_CODE, 'Type', 0],
  ['header of 11 bytes', '00000001 0101000f 800000', RefusalCodes.TRUNCATED, 'Header', 11],
  ['4DW header of 12 bytes', '20000001 0101000f 80000000', RefusalCodes.TRUNCATED, 'Header', 12],
  ['payload one byte short', MWR.slice(0, -2), RefusalCodes.BAD_LENGTH, 'Length', 2],
  ['payload one byte long', `${MWR}00`, RefusalCodes.BAD_LENGTH, 'Length', 2],
  [
    'payload on a read',
    '00000001 0101000f 80000000 cafebabe',
    RefusalCodes.BAD_LENGTH,
    'Length',
    2,
  ],
  [
    'Length 0 with 4 bytes',
    '40000000 010100ff 80000000 cafebabe',
    RefusalCodes.BAD_LENGTH,
    'Length',
    2,
  ],
];
for (const [name, hex, code, path, offset] of SHAPES)
  shape(name, () => {
    const refusal = view.checkTlp(fromHex(hex));
    assert.is(refusal?.code, code);
    assert.is(refusal?.path, path);
    assert.is(refusal?.offset, offset);
  });
shape('Length 0 is 1024 DW of payload', () => {
  const tlp = concat(fromHex('40000000 010100ff 80000000'), new Uint8Array(4096));
  assert.is(view.checkTlp(tlp), undefined);
  assert.is(view.payloadSize(tlp), 4096);
});
shape('a trailer the caller accounts for is no payload', () => {
  const tlp = fromHex(`92051225 ${MWR} 000102030405060708090a0b`);
  assert.is(view.checkTlp(tlp)?.code, RefusalCodes.BAD_LENGTH);
  assert.is(view.checkTlp(tlp, 12), undefined);
  assert.is(view.tlpSize(tlp), 20);
  assert.is(toHex(view.payload(tlp)), 'cafebabe');
});
shape('byte 0 of every type, and of no other code, is known', () => {
  // Table 2-3 as byte values; Msg and MsgD have eight routings each
  const known =
    '00 20 01 21 40 60 02 42 04 44 05 45 0a 4a 0b 4b 4c 6c 4d 6d 4e 6e 5b 7b 30 31 32 33 34 35 36 37 70 71 72 73 74 75 76 77';
  const expected = known.split(' ').map((text) => Number.parseInt(text, 16));
  const found = [...TYPE_INDEX.keys()].filter((byte0) => TYPE_INDEX[byte0] !== 0xff);
  assert.equal(
    found,
    expected.sort((a, b) => a - b),
  );
  assert.is(TLP_TYPES.length, 26);
});
shape.run();

const hostile = suite('tlp view: hostile bytes');
const getters = Object.entries(view).filter(([name]) => name !== 'checkTlp') as [
  string,
  (tlp: Uint8Array) => unknown,
][];
function callAll(tlp: Uint8Array): void {
  if (view.checkTlp(tlp) !== undefined) return;
  assert.is(view.tlpSize(tlp), tlp.length);
  for (const [name, getter] of getters) {
    const value = getter(tlp);
    assert.not.equal(value, undefined, name);
    if (typeof value === 'number') assert.ok(Number.isFinite(value), name);
  }
}
hostile('mutations of every vector are refused or readable', () => {
  let count = 0;
  for (const [, hex] of VECTORS)
    for (const { bytes } of tlpMutations(fromHex(hex))) {
      callAll(bytes);
      count++;
    }
  assert.ok(count > 500, `${count} mutations`);
});
hostile('any bytes are refused or readable', () => {
  const anyBytes = fc.uint8Array({ maxLength: 64 });
  fc.assert(fc.property(anyBytes, callAll), { seed: 1, numRuns: 5000 });
});
hostile('any byte 0 with any rest is refused or readable', () => {
  fc.assert(
    fc.property(fc.nat(255), fc.uint8Array({ minLength: 11, maxLength: 40 }), (byte0, rest) =>
      callAll(Uint8Array.of(byte0, ...rest)),
    ),
    { seed: 1, numRuns: 5000 },
  );
});
hostile.run();
