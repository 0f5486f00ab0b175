/**
 * Messages of 1.2 and 1.3 byte by byte: chunks with 16-bit sequence numbers, errors with extended data,
 * endpoint info, measurement extension log, events, key pairs, and the blobs they carry.
 */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { describe } from '../../../../protocols/codec/describe.ts';
import type { Facts, Layout } from '../../../../protocols/codec/field.ts';
import { decode, encode } from '../../../../protocols/codec/layout.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { deviceClassIdentifiers } from '../../../../protocols/spdm/messages/endpoint-info.ts';
import { dmtfEventDetails, eventGroup } from '../../../../protocols/spdm/messages/events.ts';
import { melBlob } from '../../../../protocols/spdm/messages/measurement-extension-log.ts';
import {
  connectionFacts,
  encapsulatedFacts,
  layoutOf,
} from '../../../../protocols/spdm/messages/registry.ts';

const test = suite('SPDM 1.2 and 1.3 messages');

type Expected = Readonly<Record<string, number | string | undefined>>;

/** Field values by path; bytes in hex. */
function checkFields(name: string, value: unknown, expected: Expected): void {
  for (const [path, wanted] of Object.entries(expected)) {
    const found = path
      .split('.')
      .reduce((at: unknown, part) => (at as Record<string, unknown> | undefined)?.[part], value);
    assert.is(found instanceof Uint8Array ? toHex(found) : found, wanted, `${name} ${path}`);
  }
}

const rows: readonly [hex: string, name: string, fields: Expected, facts?: Facts][] = [
  [
    '12850003 0000 0000 04000000 40000000 aabbccdd',
    'CHUNK_SEND',
    { Param2: 3, ChunkSeqNo: 0, ChunkSize: 4, LargeMessageSize: 64, SPDMchunk: 'aabbccdd' },
  ],
  [
    '13850103 0201 0000 02000000 aabb',
    'CHUNK_SEND',
    { Param1: 1, ChunkSeqNo: 0x102, LargeMessageSize: undefined, SPDMchunk: 'aabb' },
  ],
  ['12050103 0100 127f0100', 'CHUNK_SEND_ACK', { ResponseToLargeRequest: '127f0100' }],
  ['13050103 0100 137f0100', 'CHUNK_SEND_ACK', { ResponseToLargeRequest: '137f0100' }],
  ['12860003 0100', 'CHUNK_GET', { Param2: 3, ChunkSeqNo: 1 }],
  ['13860003 0100', 'CHUNK_GET', { Param2: 3, ChunkSeqNo: 1 }],
  ['12060003 0100 0000 01000000 aa', 'CHUNK_RESPONSE', { ChunkSeqNo: 1, SPDMchunk: 'aa' }],
  [
    '127f4200 0a830903',
    'ERROR',
    { RDTExponent: 10, RequestCode: 0x83, Token: 9, RDTM: 3, ExtendedErrorData: undefined },
  ],
  ['127f0d00 00120000', 'ERROR', { ActualSize: 0x1200 }],
  ['127f0f00 05', 'ERROR', { Handle: 5 }],
  ['147f1200 00000200', 'ERROR', { 'DataLength.0': 0x20000 }],
  ['147f1200', 'ERROR', { 'DataLength.0': undefined }],
  ['127fff03 02 0100 cafe', 'ERROR', { VendorIDLen: 2, VendorID: '0100', OpaqueErrorData: 'cafe' }],
  ['127f0783', 'ERROR', { Param2: 0x83, ExtendedErrorData: '' }],
  ['12ff8309', 'RESPOND_IF_READY', { Param1: 0x83, Param2: 9 }],
  ['13870100 00 000000', 'GET_ENDPOINT_INFO', { RequestAttributes: 0, Nonce: undefined }],
  [
    `13870101 01 000000 ${'5a'.repeat(32)}`,
    'GET_ENDPOINT_INFO',
    { Param2: 1, RequestAttributes: 1, Nonce: '5a'.repeat(32) },
  ],
  ['13070000 00000000 02000000 aabb', 'ENDPOINT_INFO', { EPInfoLength: 2, EPInfo: 'aabb' }],
  [
    `13070001 00000000 ${'5a'.repeat(32)} 01000000 aa ${'33'.repeat(4)}`,
    'ENDPOINT_INFO',
    { Nonce: '5a'.repeat(32), EPInfo: 'aa', Signature: '33333333' },
    { signed: 1, signatureSize: 4 },
  ],
  ['13ef0000 10000000 00010000', 'GET_MEASUREMENT_EXTENSION_LOG', { Offset: 16, Length: 256 }],
  [
    '136f0000 02000000 07000000 aabb',
    'MEASUREMENT_EXTENSION_LOG',
    { PortionLength: 2, RemainderLength: 7, MEL: 'aabb' },
  ],
  ['13e20000', 'GET_SUPPORTED_EVENT_TYPES', {}],
  [
    '13620100 12000000 00 00 0200 0100 00000000 0100 0000 0400 0000',
    'SUPPORTED_EVENT_TYPES',
    {
      SupportedEventGroupsListLen: 18,
      'SupportedEventGroupsList.0.EventTypeCount': 2,
      'SupportedEventGroupsList.0.EventGroupVer': 1,
      'SupportedEventGroupsList.0.EventType.1.EventTypeID': 4,
    },
  ],
  ['13f00000', 'SUBSCRIBE_EVENT_TYPES', { SubscribeList: undefined }],
  [
    '13f00100 0a000000 00 00 0000 0100 01000000',
    'SUBSCRIBE_EVENT_TYPES',
    { 'SubscribeList.0.Attributes': 1 },
  ],
  ['13700000', 'SUBSCRIBE_EVENT_TYPES_ACK', {}],
  [
    '13f10000 01000000 07000000 00000000 00 00 0400 0100 03',
    'SEND_EVENT',
    { EventCount: 1, 'EventsList.0.EventInstanceID': 7, 'EventsList.0.EventDetail': '03' },
  ],
  ['13710000', 'EVENT_ACK', {}],
  ['13fc0000 02', 'GET_KEY_PAIR_INFO', { KeyPairID: 2 }],
  [
    '137c0000 03 02 1f00 0f00 0300 18000000 10000000 0200 01 aabb',
    'KEY_PAIR_INFO',
    { TotalKeyPairs: 3, KeyPairID: 2, CurrentAsymAlgo: 16, PublicKeyInfo: 'aabb' },
  ],
  [
    '13fd0000 02 00 0300 10000000 01',
    'SET_KEY_PAIR_INFO',
    { DesiredKeyUsage: 3, DesiredAsymAlgo: 16, DesiredAssocCertSlotMask: 1 },
  ],
  [
    '14fd0200 02 00 0300 00000000 01 04 02000000',
    'SET_KEY_PAIR_INFO',
    { Param1: 2, DesiredPqcAsymAlgo: '02000000' },
  ],
  ['13fd0100 02', 'SET_KEY_PAIR_INFO', { KeyPairID: 2, DesiredKeyUsage: undefined }],
  ['137d0000', 'SET_KEY_PAIR_INFO_ACK', {}],
  ['14880100 aabb', 'SLOT_MANAGEMENT', { Param1: 1, Payload: 'aabb' }],
  ['14080100', 'SLOT_MANAGEMENT_RESP', { Payload: '' }],
  [
    `13010701 ${'ab'.repeat(4)} 02 03 0140`,
    'DIGESTS',
    { 'KeyPairID.0': 2, 'CertificateInfo.0': 3, 'KeyUsageMask.0': 0x4001 },
    { multiKey: 1, hashSize: 4 },
  ],
];
for (const [hex, name, fields, extra] of rows)
  test(`${name} ${hex.slice(0, 24)}`, () => {
    const bytes = fromHex(hex);
    const facts = { version: bytes[0]!, ...extra };
    const table = layoutOf(bytes[1]!)!;
    assert.is(table.name, name);
    const decoded = decode(table, bytes, facts);
    assert.ok(decoded.ok, decoded.ok ? '' : `${decoded.path} ${decoded.detail}`);
    checkFields(name, decoded.value, fields);
    assert.is(toHex(encode(table, decoded.value, facts)), toHex(bytes));
  });

const blobs: readonly [table: Layout, hex: string, fields: Expected][] = [
  [
    deviceClassIdentifiers,
    '01000000 07 00 00 01 03 123456',
    {
      NumIdentifiers: 1,
      'IdentifierElements.0.IDElemLength': 7,
      'IdentifierElements.0.SubordinateID.0.SubIdentifier': '123456',
    },
  ],
  [
    deviceClassIdentifiers,
    '02000000 05 03 02 0100 00 07 03 02 0200 01 01 aa',
    {
      'IdentifierElements.0.VendorID': '0100',
      'IdentifierElements.1.NumSubIDs': 1,
      'IdentifierElements.1.SubordinateID.0.SubIdentifier': 'aa',
    },
  ],
  [
    melBlob,
    `02000000 1b000000 0000000000000000
     01000000 03 000000 01 0300 aabbcc  02000000 04 000000 89 0200 6162`,
    {
      NumberOfEntries: 2,
      'MELEntries.0.Value': 'aabbcc',
      'MELEntries.1.MELIndex': 2,
      'MELEntries.1.MeasIndex': 4,
      'MELEntries.1.ValueType': 0x89,
      'MELEntries.1.Value': '6162',
    },
  ],
  [melBlob, '00000000 00000000 0000000000000000', { NumberOfEntries: 0 }],
  [eventGroup, '00 00 0100 0100 00000000 0200 0000', { 'EventType.0.EventTypeID': 2 }],
  [dmtfEventDetails[1], '05000000 09000000', { LastAckedEventInstID: 5, LastLostEventInstID: 9 }],
  [dmtfEventDetails[2], `01${'00'.repeat(31)}`, { ChangedMeasurements: `01${'00'.repeat(31)}` }],
  [
    dmtfEventDetails[3],
    `80${'00'.repeat(31)}`,
    { PreUpdateMeasurementChanges: `80${'00'.repeat(31)}` },
  ],
  [dmtfEventDetails[4], '03', { CertificateChanged: 3 }],
];
for (const [table, hex, fields] of blobs)
  test(`${table.name} ${hex.slice(0, 24)}`, () => {
    const bytes = fromHex(hex);
    const decoded = decode(table, bytes);
    assert.ok(decoded.ok, decoded.ok ? '' : `${decoded.path} ${decoded.detail}`);
    checkFields(table.name, decoded.value, fields);
    assert.is(toHex(encode(table, decoded.value)), toHex(bytes));
    for (let size = 0; size < bytes.length; size++)
      assert.not(decode(table, bytes.subarray(0, size)).ok, `cut to ${size}`);
    for (const wrong of mutations(table, bytes)) decode(table, wrong.bytes);
  });

const derived: readonly [table: Layout, value: Record<string, unknown>, hex: string][] = [
  [
    deviceClassIdentifiers,
    {
      IdentifierElements: [
        {
          ID: 3,
          VendorID: fromHex('0100'),
          SubordinateID: [{ SubIdentifier: fromHex('aabb') }, { SubIdentifier: fromHex('') }],
        },
      ],
    },
    '01000000 09 03 02 0100 02 02 aabb 00',
  ],
  [
    melBlob,
    { MELEntries: [{ MELIndex: 1, MeasIndex: 3, ValueType: 1, Value: fromHex('aabbcc') }] },
    '01000000 0e000000 0000000000000000 01000000 03 000000 01 0300 aabbcc',
  ],
];
for (const [table, value, hex] of derived)
  test(`${table.name}: lengths and counts are derived`, () =>
    assert.is(toHex(encode(table, value)), toHex(fromHex(hex))));

const refusals: readonly [table: Layout, hex: string, code: string, path: string][] = [
  [deviceClassIdentifiers, '01000000 08 00 00 01 03 123456', 'BAD_LENGTH', 'IdentifierElements[0]'],
  [
    deviceClassIdentifiers,
    '02000000 07 00 00 01 03 123456',
    'TRUNCATED',
    'IdentifierElements[1].IDElemLength',
  ],
  [melBlob, '01000000 00000000 0000000000000000', 'BAD_LENGTH', ''],
  [melBlob, '00000000 01000000 0000000000000000 00', 'TRUNCATED', 'MELEntries[0].MELIndex'],
  [melBlob, '00000000 ffffffff 0000000000000000', 'BAD_LENGTH', 'MELEntries'],
  [dmtfEventDetails[2], '00', 'TRUNCATED', 'ChangedMeasurements'],
  [dmtfEventDetails[4], '0000', 'TRAILING', ''],
  [layoutOf(0x62)!, '13620200 0a000000 00 00 0000 0100 00000000', 'BAD_LENGTH', ''],
  [layoutOf(0x62)!, '13620000 0a000000 00 00 0000 0100 00000000', 'BAD_LENGTH', ''],
  [layoutOf(0xf0)!, '13f00100 00000000', 'BAD_LENGTH', ''],
  [layoutOf(0xf1)!, '13f10000 ffffffff', 'TRUNCATED', 'EventsList[0].EventInstanceID'],
  [layoutOf(0x7f)!, '137f4200 0a8309', 'TRUNCATED', 'RDTM'],
  [layoutOf(0x7f)!, '137f0f00', 'TRUNCATED', 'Handle'],
  [layoutOf(0x7f)!, '137f0d00 0012', 'TRUNCATED', 'ActualSize'],
  [layoutOf(0x7f)!, '137f1200 0012', 'TRUNCATED', 'DataLength[0]'],
  [layoutOf(0x7f)!, '137f1200 00120000 00120000', 'BAD_LENGTH', ''],
  [layoutOf(0x7f)!, '137fff03 05 0100', 'TRUNCATED', 'VendorID'],
  [layoutOf(0x85)!, '13850000 0000 0000 01000000 aa', 'TRUNCATED', 'LargeMessageSize'],
];
for (const [table, hex, code, path] of refusals)
  test(`refused: ${table.name} ${hex}`, () => {
    const decoded = decode(table, fromHex(hex), { version: 0x13 });
    assert.equal(decoded.ok ? 'ok' : [decoded.code, decoded.path], [code, path]);
  });

test('a sender may give the extended data of any ERROR as bytes', () => {
  const base = { SPDMVersion: 0x12, RequestResponseCode: 0x7f, Param2: 0 };
  for (const [Param1, hex] of [
    [0x42, '0a830903'],
    [0x42, ''],
    [0x0d, '00120000'],
    [0x0f, '05'],
    [0x01, ''],
  ] as const) {
    const bytes = encode(layoutOf(0x7f)!, { ...base, Param1, ExtendedErrorData: fromHex(hex) });
    assert.is(toHex(bytes.subarray(4)), hex);
  }
});

test('reserved parameters of old versions bring no fields', () => {
  const offer = fromHex(`10e30400 2000 01 00 10000000 01000000 ${'00'.repeat(16)}`);
  assert.ok(decode(layoutOf(0xe3)!, offer, { version: 0x10 }).ok);
  assert.not(decode(layoutOf(0xe3)!, offer, { version: 0x11 }).ok);
  const flags = fromHex('12610100 00000000 00000000 2a000000 2a000000');
  assert.ok(decode(layoutOf(0x61)!, flags, { version: 0x12 }).ok);
  assert.not(decode(layoutOf(0x61)!, flags, { version: 0x13 }).ok);
});

const texts: readonly [hex: string, path: string, text: string][] = [
  ['12830301', 'Param1', '0x03 SlotID 3'],
  ['12830301', 'Param2', '0x01 TCB'],
  ['1283ff00', 'Param1', '0xff provisioned public key'],
  ['14828200 0000 0000 00000000 00000000', 'Param1', '0x82 SlotID=2|LargeCertChain'],
  ['13820001 0000 0000', 'Param2', '0x01 SlotSizeRequested'],
  ['13020003 0000 0000', 'Param2', '0x03 GenericCert'],
  ['13ee9200', 'Param1', '0x92 SlotID=2|SetCertModel=1|Erase'],
  ['13ed018a 0000 0000', 'Param2', '0x8a CertModel=2|CSRTrackingTag=1|Overwrite'],
  ['13fd0100 02', 'Param1', '0x01 KeyPairErase'],
  ['13e90301', 'Param1', '0x03 VerifyNewKey'],
  ['13ec0100', 'Param1', '0x01 PreserveNegotiatedStateClear'],
  ['13ff8309', 'Param1', '0x83 CHALLENGE'],
  ['137f4200 0a830903', 'RequestCode', '0x83 CHALLENGE'],
  ['147f4700', 'Param1', '0x47 InvalidState'],
  ['12850103 0100 0000 00000000', 'Param1', '0x01 LastChunk'],
  ['12850103 0100 0000 00000000', 'ChunkSeqNo', '1'],
  ['12860003 1000', 'ChunkSeqNo', '0x0010 (16)'],
  ['14860003 10000000', 'ChunkSeqNo', '0x00000010 (16)'],
  ['13870100 00 000000', 'Param1', '0x01 DeviceClassIdentifier'],
];
for (const [hex, path, text] of texts)
  test(`described: ${hex} ${path}`, () => {
    const bytes = fromHex(hex);
    const { fields } = describe(layoutOf(bytes[1]!)!, bytes, { version: bytes[0]! });
    assert.is(fields.find((field) => field.path === path)?.text, text);
  });

test('facts of a connection, and of the requester inside it', () => {
  const negotiated = {
    version: 0x14,
    requesterFlags: 0x8000,
    responderFlags: 0x8002,
    measurementSpecification: 1,
    measurementHash: 'SHA_256',
    measurementHashSize: 32,
    asym: 'ECDSA_P256',
    signatureSize: 64,
    requesterAsym: 'ML_DSA_65',
    requesterSignatureSize: 3309,
    baseHash: 'SHA_384',
    hashSize: 48,
    exchange: 'ML_KEM_768',
    requestExchangeSize: 1184,
    responseExchangeSize: 1088,
    aead: 'AES_256_GCM',
    opaqueFormat1: true,
    melSpecification: 1,
    multiKeyConn: true,
    requesterMultiKeyConn: false,
  } as const;
  const facts = {
    version: 0x14,
    hashSize: 48,
    signatureSize: 64,
    requesterSignatureSize: 3309,
    requestExchangeSize: 1184,
    responseExchangeSize: 1088,
    handshakeInTheClear: 1,
    multiKey: 1,
  };
  assert.equal(connectionFacts(0x14, negotiated), facts);
  const inside = { ...facts, signatureSize: 3309, multiKey: 0 };
  assert.equal(encapsulatedFacts(0x14, negotiated), inside);
  assert.equal(connectionFacts(0x12), { version: 0x12 });
});

test.run();
