import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex, writeDwLE } from '../../../protocols/codec/bytes.ts';
import { decode } from '../../../protocols/codec/layout.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { LocalError, RefusalCodes } from '../../../protocols/codec/refusal.ts';
import {
  type DoeObject,
  DoeTypes,
  decodeObject,
  discoveryRequest,
  discoveryResponse,
  encodeDiscoveryRequest,
  encodeDiscoveryResponse,
  encodeObject,
  lengthDws,
  OBJECT_BYTES_MAX,
  OBJECT_DWS_MAX,
  objectHeader,
  objectTypeName,
  VENDOR_PCI_SIG,
} from '../../../protocols/doe/object.ts';

const object = suite('doe object');

const spdm = (payload: string): DoeObject => ({
  VendorID: VENDOR_PCI_SIG,
  DataObjectType: DoeTypes.CMA_SPDM,
  payload: fromHex(payload),
});

const vectors: readonly [name: string, encoded: Uint8Array, hex: string][] = [
  ['discovery request', encodeDiscoveryRequest(0), '0100 0000 03000000 00000000'],
  ['discovery request, version 2', encodeDiscoveryRequest(5, 2), '0100 0000 03000000 05020000'],
  [
    'discovery response',
    encodeDiscoveryResponse({ VendorID: 1, DataObjectType: DoeTypes.CMA_SPDM }, 2),
    '0100 0000 03000000 01000102',
  ],
  ['GET_VERSION', encodeObject(spdm('10840000')), '0100 0100 03000000 10840000'],
  ['padding by 1', encodeObject(spdm('108400')), '0100 0100 03000000 10840000'],
  ['padding by 3', encodeObject(spdm('1084000011')), '0100 0100 04000000 10840000 11000000'],
  ['no payload', encodeObject(spdm('')), '0100 0100 02000000'],
  [
    'vendor object',
    encodeObject({ VendorID: 0x8086, DataObjectType: 0xfe, payload: fromHex('01020304') }),
    '8680 fe00 03000000 01020304',
  ],
  ['lying Length', encodeObject({ ...spdm('10840000'), Length: 9 }), '0100 0100 09000000 10840000'],
];
for (const [name, encoded, hex] of vectors)
  object(`encodes ${name}`, () => assert.is(toHex(encoded), toHex(fromHex(hex))));

object('decodes what stands there', () => {
  const result = decodeObject(fromHex('0100 02ff 0300fcff 01020304'));
  assert.equal(result, {
    ok: true,
    size: 12,
    value: { VendorID: 1, DataObjectType: 2, payload: fromHex('01020304') },
  });
});

object('decodes discovery payloads', () => {
  const request = decode(discoveryRequest, fromHex('0702ffff'));
  assert.equal(request.ok && request.value, { Index: 7, DiscoveryVersion: 2 });
  const response = decode(discoveryResponse, fromHex('01000102'));
  assert.equal(response.ok && response.value, { VendorID: 1, DataObjectType: 1, NextIndex: 2 });
});

const bad: readonly [name: string, hex: string, code: string, offset: number][] = [
  ['nothing', '', RefusalCodes.TRUNCATED, 0],
  ['half a header', '01000100 0300', RefusalCodes.TRUNCATED, 4],
  ['Length 1', '01000100 01000000', RefusalCodes.BAD_LENGTH, 4],
  ['a DW short', '01000100 03000000', RefusalCodes.TRUNCATED, 8],
  ['a byte short', '01000100 03000000 108400', RefusalCodes.TRUNCATED, 8],
  ['a DW over', '01000100 02000000 10840000', RefusalCodes.TRAILING, 8],
  ['a byte over', '01000100 03000000 10840000 00', RefusalCodes.TRAILING, 12],
  ['Length 0 for 2^18', '01000100 00000000', RefusalCodes.TRUNCATED, 8],
];
for (const [name, hex, code, offset] of bad)
  object(`refuses ${name}`, () => {
    const result = decodeObject(fromHex(hex));
    assert.is(result.ok, false);
    if (!result.ok) assert.equal([result.code, result.offset], [code, offset]);
  });

object('writes 0 for 2^18 DWs and reads it back', () => {
  const payload = new Uint8Array(OBJECT_BYTES_MAX - 8).fill(0x5a);
  const whole = encodeObject({ VendorID: 1, DataObjectType: 2, payload });
  assert.is(toHex(whole.subarray(0, 8)), '0100020000000000');
  const back = decodeObject(whole);
  assert.is(back.ok && back.value.payload.length, payload.length);
  assert.throws(
    () =>
      encodeObject({
        VendorID: 1,
        DataObjectType: 2,
        payload: new Uint8Array(OBJECT_BYTES_MAX - 7),
      }),
    (e: unknown) => e instanceof LocalError && e.message.startsWith('payload'),
  );
  assert.throws(
    () => encodeObject({ VendorID: 0x10000, DataObjectType: 2, payload }),
    (e: unknown) => e instanceof LocalError && e.message.includes('VendorID'),
  );
});

object('lengths are 18 bits, 0 for the most', () => {
  const rows: [number, number][] = [
    [0, OBJECT_DWS_MAX],
    [1, 1],
    [0x3ffff, 0x3ffff],
    [0x40000, OBJECT_DWS_MAX],
    [0xfffc0002, 2],
  ];
  for (const [dw, dws] of rows) assert.is(lengthDws(dw), dws);
});

object('names types', () => {
  assert.is(objectTypeName({ VendorID: 1, DataObjectType: 2 }), 'Secured CMA/SPDM');
  assert.is(objectTypeName({ VendorID: 1, DataObjectType: 0x77 }), '0001:77');
  assert.is(objectTypeName({ VendorID: 0x1de5, DataObjectType: 1 }), '1de5:01');
});

object('mutated objects end in a value or a named refusal', () => {
  const codes = new Set<string>(Object.values(RefusalCodes));
  let looked = 0;
  let refused = 0;
  for (const mutation of mutations(objectHeader, encodeObject(spdm('10840000')))) {
    const result = decodeObject(mutation.bytes);
    looked++;
    if (result.ok) continue;
    refused++;
    assert.ok(codes.has(result.code), mutation.name);
    assert.ok(result.offset <= mutation.bytes.length, mutation.name);
  }
  assert.ok(looked > 10 && refused > 5, `${looked} mutations, ${refused} refused`);
});

object('any payload goes round; any bytes decode to what encodes to them', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 0xffff }),
      fc.integer({ min: 0, max: 0xff }),
      fc.uint8Array({ maxLength: 64 }),
      (VendorID, DataObjectType, payload) => {
        const whole = encodeObject({ VendorID, DataObjectType, payload });
        const back = decodeObject(whole);
        assert.ok(back.ok);
        assert.is(back.size, whole.length);
        assert.equal(back.value.payload.subarray(0, payload.length), payload);
        assert.ok(back.value.payload.subarray(payload.length).every((byte) => byte === 0));
      },
    ),
    { seed: 1, numRuns: 300 },
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 40 }),
      fc.integer({ min: 0, max: 12 }),
      (bytes, length) => {
        if (bytes.length >= 8) writeDwLE(bytes, 4, length);
        const result = decodeObject(bytes);
        if (!result.ok) return;
        bytes[3] = 0;
        assert.equal(encodeObject(result.value), bytes);
      },
    ),
    { seed: 1, numRuns: 500 },
  );
});

object.run();
