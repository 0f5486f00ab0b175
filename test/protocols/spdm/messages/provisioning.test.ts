/** Encapsulation, GET_CSR and SET_CERTIFICATE: literal bytes both ways, wrong bytes. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { decode, encode } from '../../../../protocols/codec/layout.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { layoutOf } from '../../../../protocols/spdm/messages/registry.ts';

const test = suite('spdm encapsulation and provisioning');

const vectors: readonly [hex: string, name: string, fields: Record<string, number | string>][] = [
  ['12ea0000', 'GET_ENCAPSULATED_REQUEST', {}],
  ['126a0100 12810000', 'ENCAPSULATED_REQUEST', { Param1: 1, EncapsulatedRequest: '12810000' }],
  ['12eb0100 1201', 'DELIVER_ENCAPSULATED_RESPONSE', { Param1: 1, EncapsulatedResponse: '1201' }],
  ['126b0000 01000000', 'ENCAPSULATED_RESPONSE_ACK', { Param2: 0, AckRequestID: 1 }],
  [
    '126b0201 01000000 12820000',
    'ENCAPSULATED_RESPONSE_ACK',
    { Param1: 2, AckRequestID: 1, EncapsulatedRequest: '12820000' },
  ],
  ['126b0002 02000000 03', 'ENCAPSULATED_RESPONSE_ACK', { AckRequestID: 2, RequesterSlotID: 3 }],
  ['116b0002 03', 'ENCAPSULATED_RESPONSE_ACK', { RequesterSlotID: 3 }],
  ['12ed0000 0200 0100 aabb cc', 'GET_CSR', { RequesterInfo: 'aabb', OpaqueData: 'cc' }],
  ['126d0000 0200 0000 3000', 'CSR', { CSRdata: '3000' }],
  ['12ee0100 0400 0000', 'SET_CERTIFICATE', { Param1: 1, CertChain: '04000000' }],
  ['126e0100', 'SET_CERTIFICATE_RSP', { Param1: 1 }],
];

for (const [hex, name, fields] of vectors)
  test(`${name} ${hex}`, () => {
    const bytes = fromHex(hex);
    const facts = { version: bytes[0]! };
    const table = layoutOf(bytes[1]!)!;
    assert.is(table.name, name);
    const decoded = decode(table, bytes, facts);
    assert.ok(decoded.ok);
    const value = decoded.value as Record<string, unknown>;
    for (const [path, expected] of Object.entries(fields)) {
      const found = value[path];
      assert.is(found instanceof Uint8Array ? toHex(found) : found, expected, path);
    }
    assert.is(toHex(encode(table, value, facts)), toHex(bytes));
    for (const wrong of mutations(table, bytes, facts)) decode(table, wrong.bytes, facts);
  });

test('cut messages are refused', () => {
  for (const [hex, path] of [
    ['126b0002 02000000', 'RequesterSlotID'],
    ['126b0000 01', 'Reserved'],
    ['12ed0000 0200 0100 aabb', 'OpaqueData'],
    ['126d0000 0200 0000 30', 'CSRdata'],
  ] as const) {
    const bytes = fromHex(hex);
    const decoded = decode(layoutOf(bytes[1]!)!, bytes, { version: 0x12 });
    assert.equal(decoded.ok ? 'ok' : [decoded.code, decoded.path], ['TRUNCATED', path]);
  }
});

test.run();
