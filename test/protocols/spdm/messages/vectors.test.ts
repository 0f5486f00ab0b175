/**
 * Literal bytes of SPDM 1.4 connections with post-quantum algorithms, large forms and chunks, as the
 * DMTF emulators sent them: encoded from values, and decoded.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import type { Facts, Layout } from '../../../../protocols/codec/field.ts';
import { decode, encode } from '../../../../protocols/codec/layout.ts';
import { maskOf, pqcAsymBits } from '../../../../protocols/spdm/algorithms.ts';
import { pqcMaskOf } from '../../../../protocols/spdm/messages/key-pairs.ts';
import { layoutOf } from '../../../../protocols/spdm/messages/registry.ts';

const test = suite('SPDM 1.4 vectors');

const EMPTY = new Uint8Array(0);
const table = (type: number, bits: number) => ({
  AlgType: type,
  AlgCount: 0x20,
  AlgSupported: bits,
  AlgExternal: [],
});
const noExternal = { ExtAsym: [], ExtHash: [] };
const noExternalSel = { ExtAsymSel: [], ExtHashSel: [] };
const offered = {
  MeasurementSpecification: 1,
  OtherParamsSupport: 0x12,
  BaseHashAlgo: 2,
  PqcAsymAlgo: 2,
  ...noExternal,
};
const selected = {
  MeasurementSpecificationSel: 1,
  OtherParamsSelection: 0x12,
  MeasurementHashAlgo: 8,
  BaseHashSel: 2,
  MELspecificationSel: 1,
  ...noExternalSel,
};
const data = (size: number) => Uint8Array.from({ length: size }, (_, i) => i % 251);
const hmac = data(48);
const ml_dsa_65 = data(3309);

type Value = Record<string, unknown>;
interface Vector {
  readonly name: string;
  readonly hex: string;
  /** bytes of a size too long to write down, after the hex */
  readonly tail?: Uint8Array;
  readonly value: Value;
  readonly facts?: Facts;
}

const negotiation: readonly Vector[] = [
  {
    name: 'NEGOTIATE_ALGORITHMS, classic and post-quantum',
    hex: `14e306003800011280000000020000000200000000000000000000000000000102201000
      0320020004200f00 05200100 06200700 07200200`,
    value: {
      Param1: 6,
      Length: 56,
      ...offered,
      BaseAsymAlgo: 0x80,
      MELspecification: 1,
      AlgStruct: [table(2, 0x10), table(3, 2), table(4, 15), table(5, 1), table(6, 7), table(7, 2)],
    },
  },
  {
    name: 'ALGORITHMS, classic first',
    hex: `146306003c000112 08000000 80000000 02000000 00000000 00000000000000 01 00000000
      02201000 03200200 04200800 05200100 06200000 07200000`,
    value: {
      Param1: 6,
      Length: 60,
      ...selected,
      BaseAsymSel: 0x80,
      PqcAsymSel: 0,
      AlgStruct: [table(2, 0x10), table(3, 2), table(4, 8), table(5, 1), table(6, 0), table(7, 0)],
    },
  },
  {
    name: 'ALGORITHMS, post-quantum first',
    hex: `146306003c000112 08000000 00000000 02000000 02000000 00000000000000 01 00000000
      02200000 03200200 04200000 05200100 06200400 07200200`,
    value: {
      Param1: 6,
      Length: 60,
      ...selected,
      BaseAsymSel: 0,
      PqcAsymSel: maskOf(pqcAsymBits, 'ML_DSA_65'),
      AlgStruct: [table(2, 0), table(3, 2), table(4, 0), table(5, 1), table(6, 4), table(7, 2)],
    },
  },
  {
    name: 'NEGOTIATE_ALGORITHMS, post-quantum only',
    hex: `14e3040030000112 00000000 02000000 02000000 0000000000000000 000000 01
      03200200 05200100 06200200 07200200`,
    value: {
      Param1: 4,
      Length: 48,
      ...offered,
      BaseAsymAlgo: 0,
      MELspecification: 1,
      AlgStruct: [table(3, 2), table(5, 1), table(6, 2), table(7, 2)],
    },
  },
  {
    name: 'ALGORITHMS, post-quantum only',
    hex: `1463040034000112 08000000 00000000 02000000 02000000 00000000000000 01 00000000
      03200200 05200100 06200200 07200200`,
    value: {
      Param1: 4,
      Length: 52,
      ...selected,
      BaseAsymSel: 0,
      PqcAsymSel: 2,
      AlgStruct: [table(3, 2), table(5, 1), table(6, 2), table(7, 2)],
    },
  },
  {
    name: 'ERROR, no common algorithm',
    hex: '147f0100',
    value: { Param1: 1, ExtendedErrorData: EMPTY },
  },
];

const finishing: readonly Vector[] = [
  {
    name: 'FINISH without a signature, 54 bytes',
    hex: '14e50000 0000',
    tail: hmac,
    value: { OpaqueData: EMPTY, RequesterVerifyData: hmac },
  },
  {
    name: 'FINISH with ML-DSA-65, 3363 bytes',
    hex: '14e50100 0000',
    tail: concat(ml_dsa_65, hmac),
    facts: { requesterSignatureSize: 3309 },
    value: { Param1: 1, OpaqueData: EMPTY, Signature: ml_dsa_65, RequesterVerifyData: hmac },
  },
  { name: 'FINISH_RSP, 6 bytes', hex: '14650000 0000', value: { OpaqueData: EMPTY } },
  {
    name: 'FINISH_RSP in the clear, 54 bytes',
    hex: '14650000 0000',
    tail: hmac,
    facts: { handshakeInTheClear: 1 },
    value: { OpaqueData: EMPTY, ResponderVerifyData: hmac },
  },
];

const queryResponse = concat(Uint8Array.of(0, 1), data(46));
const large: readonly Vector[] = [
  {
    name: 'GET_CERTIFICATE, large form',
    hex: '14828000 0000 0000 00000000 f07f0200',
    value: { Param1: 0x80, Offset: 0, Length: 0, LargeOffset: 0, LargeLength: 0x28000 - 16 },
  },
  {
    name: 'CERTIFICATE, large form, ML-DSA-87 chain',
    hex: '14028001 0000 0000 c7580000 00000000',
    tail: data(22727),
    value: {
      Param1: 0x80,
      Param2: 1,
      RemainderLength: 0,
      LargeRemainderLength: 0,
      CertChain: data(22727),
    },
  },
  {
    name: 'GET_CERTIFICATE, small form',
    hex: '14820000 0000 ffff',
    value: { Offset: 0, Length: 0xffff },
  },
  {
    name: 'IDE_KM QUERY, large form, reserved bytes zero',
    hex: '14fe8000 0300 02 0100 0000 04000000 00000001',
    value: { Param1: 0x80, StandardID: 3, VendorID: fromHex('0100'), Payload: fromHex('00000001') },
  },
  {
    name: 'the response to it',
    hex: '147e8000 0300 02 0100 0000 30000000',
    tail: queryResponse,
    value: { Param1: 0x80, StandardID: 3, VendorID: fromHex('0100'), Payload: queryResponse },
  },
  {
    name: 'IDE_KM QUERY, small form',
    hex: '14fe0000 0300 02 0100 0400 00000001',
    value: { StandardID: 3, VendorID: fromHex('0100'), Payload: fromHex('00000001') },
  },
];

const HH = 0x2a;
const chunked: readonly Vector[] = [
  { name: 'ERROR LargeResponse', hex: '147f0f00 2a', value: { Param1: 15, Handle: HH } },
  { name: 'CHUNK_GET', hex: '1486002a 05000100', value: { Param2: HH, ChunkSeqNo: 0x10005 } },
  {
    name: 'CHUNK_RESPONSE, first',
    hex: '1406002a 00000000 f0100000 d7580000',
    tail: data(0x10f0),
    value: { Param2: HH, ChunkSeqNo: 0, LargeMessageSize: 0x58d7, SPDMchunk: data(0x10f0) },
  },
  {
    name: 'CHUNK_RESPONSE, next',
    hex: '1406002a 01000000 f4100000',
    tail: data(0x10f4),
    value: { Param2: HH, ChunkSeqNo: 1, SPDMchunk: data(0x10f4) },
  },
  {
    name: 'CHUNK_RESPONSE, last',
    hex: '1406012a 05000000 17040000',
    tail: data(0x417),
    value: { Param1: 1, Param2: HH, ChunkSeqNo: 5, SPDMchunk: data(0x417) },
  },
  {
    name: 'CHUNK_SEND, first',
    hex: '1485002a 00000000 b0030000 de040000',
    tail: data(0x3b0),
    value: { Param2: HH, ChunkSeqNo: 0, LargeMessageSize: 0x4de, SPDMchunk: data(0x3b0) },
  },
  {
    name: 'CHUNK_SEND, last',
    hex: '1485012a 01000000 2e010000',
    tail: data(0x12e),
    value: { Param1: 1, Param2: HH, ChunkSeqNo: 1, SPDMchunk: data(0x12e) },
  },
  {
    name: 'CHUNK_SEND_ACK before the last chunk',
    hex: '1405002a 01000000',
    value: { Param2: HH, ChunkSeqNo: 1, ResponseToLargeRequest: EMPTY },
  },
  {
    name: 'CHUNK_SEND_ACK after the last chunk',
    hex: '1405002a 01000000 14650000 0000',
    value: { Param2: HH, ChunkSeqNo: 1, ResponseToLargeRequest: fromHex('14650000 0000') },
  },
];

const keyPair: readonly Vector[] = [
  {
    name: 'KEY_PAIR_INFO with its post-quantum end',
    hex: `147c0000 01 01 0000 0f00 0f00 00000000 00000000 0d00 01
      300b0609608648016503040312 04 07000000 04 02000000`,
    value: {
      TotalKeyPairs: 1,
      KeyPairID: 1,
      Capabilities: 0,
      KeyUsageCapabilities: 15,
      CurrentKeyUsage: 15,
      AsymAlgoCapabilities: 0,
      CurrentAsymAlgo: 0,
      AssocCertSlotMask: 1,
      PublicKeyInfo: fromHex('300b0609608648016503040312'),
      PqcAsymAlgoCapabilities: fromHex('07000000'),
      CurrentPqcAsymAlgo: fromHex('02000000'),
    },
  },
];

for (const { name, hex, tail = EMPTY, value, facts } of [
  ...negotiation,
  ...finishing,
  ...large,
  ...chunked,
  ...keyPair,
])
  test(name, () => {
    const bytes = concat(fromHex(hex), tail);
    const known: Facts = { version: 0x14, hashSize: 48, ...facts };
    const layout: Layout = layoutOf(bytes[1]!)!;
    const header = { SPDMVersion: 0x14, RequestResponseCode: bytes[1], Param1: 0, Param2: 0 };
    assert.is(toHex(encode(layout, { ...header, ...value }, known)), toHex(bytes));
    const decoded = decode(layout, bytes, known);
    assert.ok(decoded.ok, decoded.ok ? '' : decoded.detail);
    const found = decoded.value as Value;
    for (const [field, expected] of Object.entries(value))
      assert.equal(found[field], expected, field);
    const size = /(\d+) bytes$/.exec(name)?.[1];
    if (size !== undefined) assert.is(bytes.length, Number(size));
  });

test('what the reference leaves in reserved bytes of a large VENDOR_DEFINED is ignored', () => {
  const bytes = fromHex('14fe8000 0300 02 0100 6080 04000000 00000001');
  const decoded = decode(layoutOf(0xfe)!, bytes, { version: 0x14 });
  assert.ok(
    decoded.ok && equal((decoded.value as Value)['Payload'] as Uint8Array, fromHex('00000001')),
  );
});

test('before 1.4 bit 7 of Param1 makes no large form', () => {
  const small = decode(layoutOf(0xfe)!, fromHex('13fe8000 0300 02 0100 0400 00000001'), {
    version: 0x13,
  });
  assert.ok(small.ok && (small.value as Value)['LargePayloadLength'] === undefined);
  assert.ok(decode(layoutOf(0x82)!, fromHex('13828000 0000 ffff'), { version: 0x13 }).ok);
  assert.not(decode(layoutOf(0x82)!, fromHex('14828000 0000 ffff'), { version: 0x14 }).ok);
});

test('a payload above 65535 bytes needs the large form', () => {
  const value = {
    SPDMVersion: 0x14,
    RequestResponseCode: 0xfe,
    Param2: 0,
    StandardID: 3,
    VendorID: EMPTY,
  };
  const long = { ...value, Payload: new Uint8Array(0x10000) };
  assert.throws(
    () => encode(layoutOf(0xfe)!, { ...long, Param1: 0 }, { version: 0x14 }),
    /PayloadLength/,
  );
  assert.is(
    encode(layoutOf(0xfe)!, { ...long, Param1: 0x80 }, { version: 0x14 }).length,
    13 + 0x10000,
  );
});

test('a post-quantum mask is read from a bit field of any length', () => {
  const cases = [
    ['', 0],
    ['02', 2],
    ['0140', 0x4001],
    ['02000000', 2],
    ['02000000ff', 2],
  ] as const;
  for (const [hex, mask] of cases) assert.is(pqcMaskOf(fromHex(hex)), mask, hex);
});

test.run();
