/** The combiner of vendor protocols: whose payload it is, offsets, keys that PSK sessions need. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex } from '../../../protocols/codec/bytes.ts';
import { encode } from '../../../protocols/codec/layout.ts';
import { setTargetConfiguration } from '../../../protocols/cxl/tsp.ts';
import { describeOther, describeVendor } from '../../../protocols/vendor/describe.ts';

const test = suite('vendor');

const PCI_SIG = fromHex('0100');
const CXL = fromHex('981e');

/** `protocol name`, with the refusal's code, path and offset behind it; `unknown` for undefined. */
function read(vendorId: Uint8Array, payload: string, standardId = 3): string {
  const described = describeVendor(standardId, vendorId, fromHex(payload));
  if (described === undefined) return 'unknown';
  const { protocol, name, refusal } = described;
  const tail = refusal && ` ${refusal.code} ${refusal.path} ${refusal.offset}`;
  return `${protocol} ${name}${tail ?? ''}`;
}

const cases: readonly [what: string, vendorId: Uint8Array, payload: string, says: string][] = [
  ['IDE_KM', PCI_SIG, '00 00 00 01', 'IDE_KM QUERY'],
  ['IDE_KM, one byte short', PCI_SIG, '00 00 00', 'IDE_KM QUERY TRUNCATED PortIndex 3'],
  [
    'an IDE_KM object of no name',
    PCI_SIG,
    '00 77',
    'IDE_KM unknown IDE_KM object UNKNOWN_CODE ObjectID 1',
  ],
  ['TDISP', PCI_SIG, `01 10 81 0000 ${'00'.repeat(12)}`, 'TDISP GET_TDISP_VERSION'],
  ['TDISP, cut', PCI_SIG, '01 10', 'TDISP TDISP TRUNCATED MessageType 2'],
  ['CXL_IDE_KM', CXL, '00 00 00 01', 'CXL_IDE_KM QUERY'],
  ['CXL_TSP', CXL, '01 10 81 0000', 'CXL_TSP GET_TARGET_TSP_VERSION'],
  ['CXL_TSP of no name', CXL, '01 10 70', 'CXL_TSP CXL_TSP UNKNOWN_CODE OpCode 2'],
  ['no protocol id', PCI_SIG, '', 'vendor empty TRUNCATED ProtocolID 0'],
  ['another protocol', PCI_SIG, '02 00', 'unknown'],
  ['another vendor', fromHex('de10'), '00 00', 'unknown'],
  ['a vendor id of another size', fromHex('01'), '00 00 00 01', 'unknown'],
];
for (const [what, vendorId, payload, says] of cases)
  test(what, () => assert.is(read(vendorId, payload), says));

test('another standards body is not ours', () => {
  assert.is(read(PCI_SIG, '00 00 00 01', 4), 'unknown');
});

test('offsets count from the protocol id byte', () => {
  const described = describeVendor(3, PCI_SIG, fromHex('00000005'));
  assert.equal(
    described?.fields.map(({ path, offset }) => [path, offset]),
    [
      ['ObjectID', 1],
      ['PortIndex', 3],
    ],
  );
});

test('SET_TARGET_CONFIGURATION hands out PSKs', () => {
  const psk = new Uint8Array(32).fill(0x5a);
  const zero = new Uint8Array(32);
  const entry = { TEStateGranularity: 0n, LengthIndex: 0 };
  const payload = encode(setTargetConfiguration, {
    TSPVersion: 0x10,
    OpCode: 0x83,
    MemoryEncryptionFeaturesEnable: 0,
    MemoryEncryptionAlgorithmSelect: 0,
    TEStateChangeAndAccessControlFeaturesEnable: 0,
    ExplicitOOBTEStateGranularity: 0,
    ConfigurationFeaturesEnable: 0,
    CKIDBase: 0,
    NumberOfCKIDs: 0,
    ExplicitIBTEStateGranularityEntry: Array.from({ length: 8 }, () => entry),
    ConfigurationValidityFlags: 2,
    SecondarySessionCKIDType: 0,
    SecondarySessionPSKKeyMaterial: [zero, psk, zero, zero],
  });
  const described = describeVendor(3, CXL, concat(Uint8Array.of(1), payload));
  assert.is(described?.psks?.length, 1);
  assert.equal(described?.psks?.[0]?.psk, psk);
  assert.is(describeVendor(3, CXL, fromHex('0110810000'))?.psks, undefined);
});

test('what else an MCTP session carries', () => {
  assert.is(describeOther(1, fromHex('800002'))?.name, 'PLDM GetTID');
  assert.is(describeOther(4, fromHex('800002')), undefined);
});

test('wrong bytes never throw', () => {
  fc.assert(
    fc.property(fc.constantFrom(PCI_SIG, CXL), fc.uint8Array({ maxLength: 64 }), (id, payload) => {
      const described = describeVendor(3, id, payload);
      for (const { offset, size } of described?.fields ?? [])
        assert.ok(offset >= 1 && offset + size <= payload.length);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test.run();
