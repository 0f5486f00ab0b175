/** CXL vendor protocols as a person reads them: places, code names, bit names (CXL 3.1 11.4, 11.5). */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { CxlProtocolIds, describeCxl } from '../../../protocols/cxl/cxl.ts';
import { TspErrorCodes } from '../../../protocols/cxl/tsp-codes.ts';
import { all, hex, last } from './vectors.ts';

const { CXL_IDE_KM, CXL_TSP } = CxlProtocolIds;

const describes = suite('cxl describe');

/** name, then path@offset+size of the fields that are not reserved */
const places: readonly [string, string][] = [
  [
    'KEY_PROG',
    'ObjectID@0+1 StreamID@3+1 KeySubStream@5+1 PortIndex@6+1 Key@7+32 PendingInitialIV@39+12',
  ],
  ['KP_ACK', 'ObjectID@0+1 StreamID@3+1 Status@4+1 KeySubStream@5+1 PortIndex@6+1'],
  [
    'GET_TARGET_CAPABILITIES_RSP',
    `TSPVersion@0+1 OpCode@1+1 MemoryEncryptionFeaturesSupported@2+2
    MemoryEncryptionAlgorithmsSupported@4+4 MemoryEncryptionNumberOfRangeBasedKeys@8+2
    TEStateChangeAndAccessControlFeaturesSupported@12+2 SupportedExplicitOOBTEStateGranularity@16+4
    SupportedExplicitIBTEStateGranularity@20+4 ConfigurationFeaturesSupported@24+2
    NumberOfCKIDs@28+4 NumberOfSecondarySessions@32+1`,
  ],
  [
    'SET_TARGET_CONFIGURATION',
    `TSPVersion@0+1 OpCode@1+1 MemoryEncryptionFeaturesEnable@2+2
    MemoryEncryptionAlgorithmSelect@4+4 TEStateChangeAndAccessControlFeaturesEnable@12+2
    ExplicitOOBTEStateGranularity@16+4 ConfigurationFeaturesEnable@24+2 CKIDBase@28+4
    NumberOfCKIDs@32+4 ${entries()} ConfigurationValidityFlags@192+2
    SecondarySessionCKIDType@208+1 SecondarySessionPSKKeyMaterial[0]@224+32
    SecondarySessionPSKKeyMaterial[1]@256+32 SecondarySessionPSKKeyMaterial[2]@288+32
    SecondarySessionPSKKeyMaterial[3]@320+32`,
  ],
  [
    'GET_TARGET_CONFIGURATION_RSP',
    `TSPVersion@0+1 OpCode@1+1 MemoryEncryptionFeaturesEnabled@2+2
    MemoryEncryptionAlgorithmSelected@4+4 TEStateChangeAndAccessControlFeaturesEnabled@12+2
    ExplicitOOBTEStateGranularityEnabled@16+4 ConfigurationFeaturesEnabled@24+2 CKIDBase@28+4
    NumberOfCKIDs@32+4 CurrentTSPState@36+1 ${entries()}`,
  ],
  [
    'SET_TARGET_CKID_SPECIFIC_KEY',
    `TSPVersion@0+1 OpCode@1+1 CKID@4+4 CKIDType@8+1 ValidityFlags@15+1 DataEncryptionKey@16+32
    TweakKey@48+32`,
  ],
  [
    'SET_TARGET_RANGE_RANDOM_KEY',
    `TSPVersion@0+1 OpCode@1+1 RangeID@4+4 RangeStart@8+8 RangeEnd@16+8 ValidityFlags@31+1
    DataEncryptionKey@32+32 TweakKey@64+32`,
  ],
  [
    'SET_TARGET_TE_STATE',
    `TSPVersion@0+1 OpCode@1+1 TEState@2+1 NumberOfMemoryRanges@3+1
    MemoryRanges[0].StartingAddress@16+8 MemoryRanges[0].Length@24+8`,
  ],
];

function entries(): string {
  const at = (n: number) => 48 + 16 * n;
  const name = 'ExplicitIBTEStateGranularityEntry';
  return Array.from(
    { length: 8 },
    (_, n) =>
      `${name}[${n}].TEStateGranularity@${at(n)}+8 ${name}[${n}].LengthIndex@${at(n) + 8}+1`,
  ).join(' ');
}

describes('fields stand at the offsets of the specification', () => {
  for (const [name, expected] of places) {
    const [, protocolId, , bytes] = all.find((vector) => vector[2] === name)!;
    const { fields } = describeCxl(protocolId, bytes);
    const got = fields.map((field) => `${field.path}@${field.offset}+${field.size}`);
    assert.equal(got, expected.split(/\s+/), name);
  }
});

describes('codes and bits are named', () => {
  const rows: [number, string, string, string][] = [
    [CXL_IDE_KM, '00 00 00', 'ObjectID', '0x00 QUERY'],
    [CXL_IDE_KM, '01 00 00 00 00 00 07 11', 'Caps', '0x11 CAP_VERSION=1|IV_GEN_CAP'],
    [CXL_IDE_KM, '01 00 00 00 00 00 07 21', 'Caps', '0x21 CAP_VERSION=1|KEY_GEN_CAP'],
    [
      CXL_IDE_KM,
      '01 00 00 00 00 00 07 71',
      'Caps',
      '0x71 CAP_VERSION=1|IV_GEN_CAP|KEY_GEN_CAP|K_SET_STOP_CAP',
    ],
    [CXL_IDE_KM, '03 00 00 00 01 88 00', 'Status', '0x01 INVALID'],
    [CXL_IDE_KM, '03 00 00 00 01 88 00', 'KeySubStream', '0x88 SUB_STREAM=8|IV_DEFAULT'],
    [CXL_IDE_KM, '04 00 00 05 00 8a 01', 'KeySubStream', '0x8a TX|SUB_STREAM=8|MODE_CONTAINMENT'],
    [CXL_TSP, '10 8e 00 00', 'OpCode', '0x8e CHECK_TARGET_DELAYED_COMPLETION'],
    [CXL_TSP, '107f0000 05000000 11000000', 'ErrorCode', '0x00000005 VERSION_MISMATCH'],
  ];
  const bits: [string, string, string][] = [
    [
      'GET_TARGET_CAPABILITIES_RSP',
      'TEStateChangeAndAccessControlFeaturesSupported',
      'READ_ACCESS_CONTROL|IMPLICIT_TE_STATE_CHANGE|EXPLICIT_IB_TE_STATE_CHANGE',
    ],
    ['GET_TARGET_CONFIGURATION_RSP', 'CurrentTSPState', 'CONFIG_LOCKED'],
    ['SET_TARGET_CKID_SPECIFIC_KEY', 'CKIDType', 'OS_CKID'],
  ];
  const text = (protocolId: number, bytes: Uint8Array, path: string) =>
    describeCxl(protocolId, bytes).fields.find((field) => field.path === path)?.text;
  for (const [protocolId, bytes, path, expected] of rows)
    assert.is(text(protocolId, hex(bytes), path), expected);
  for (const [name, path, expected] of bits)
    assert.is(text(CXL_TSP, last(name), path)?.split(' ')[1], expected);
});

const GRANULARITIES =
  '64B 128B 256B 512B 1KB 2KB 4KB 8KB 16KB 32KB 64KB 128KB 256KB 512KB 1MB 2MB 4MB 8MB 16MB 32MB ' +
  '64MB 128MB 256MB 512MB 1GB 2GB 4GB 8GB 16GB 32GB 64GB 128GB';
const ACCESS =
  'WRITE_ACCESS_CONTROL READ_ACCESS_CONTROL IMPLICIT_TE_STATE_CHANGE EXPLICIT_OOB_TE_STATE_CHANGE ' +
  'EXPLICIT_IB_TE_STATE_CHANGE EXPLICIT_TE_STATE_CHANGE_SANITIZE';
const ENABLE = 'ENCRYPTION CKID_BASED_ENCRYPTION RANGE_BASED_ENCRYPTION CKID_BASED_REQUIRED';
const SUPPORT =
  'ENCRYPTION CKID_BASED_ENCRYPTION RANGE_BASED_ENCRYPTION INITIATOR_SUPPLIED_ENTROPY ' +
  'CKID_BASED_REQUIRED';

/** message, field, its bits from bit 0 on, its bit 31 if it has one */
const bitFields: readonly [name: string, path: string, bits: string, bit31?: string][] = [
  ['GET_TARGET_CAPABILITIES_RSP', 'MemoryEncryptionFeaturesSupported', SUPPORT],
  [
    'GET_TARGET_CAPABILITIES_RSP',
    'MemoryEncryptionAlgorithmsSupported',
    'AES_XTS_128 AES_XTS_256',
    'VENDOR_SPECIFIC',
  ],
  ['GET_TARGET_CAPABILITIES_RSP', 'TEStateChangeAndAccessControlFeaturesSupported', ACCESS],
  ['GET_TARGET_CAPABILITIES_RSP', 'SupportedExplicitOOBTEStateGranularity', GRANULARITIES],
  [
    'GET_TARGET_CAPABILITIES_RSP',
    'SupportedExplicitIBTEStateGranularity',
    GRANULARITIES.split(' ').slice(0, 11).join(' '),
    'ENTIRE_MEMORY',
  ],
  [
    'GET_TARGET_CAPABILITIES_RSP',
    'ConfigurationFeaturesSupported',
    'LOCKED_TARGET_FW_UPDATE TARGET_SUPPORT_ADDITIONAL_SPDM_SESSIONS',
  ],
  ['SET_TARGET_CONFIGURATION', 'MemoryEncryptionFeaturesEnable', ENABLE],
  [
    'SET_TARGET_CONFIGURATION',
    'MemoryEncryptionAlgorithmSelect',
    'AES_XTS_128 AES_XTS_256',
    'VENDOR_SPECIFIC',
  ],
  ['SET_TARGET_CONFIGURATION', 'TEStateChangeAndAccessControlFeaturesEnable', ACCESS],
  ['SET_TARGET_CONFIGURATION', 'ExplicitOOBTEStateGranularity', GRANULARITIES],
  [
    'SET_TARGET_CONFIGURATION',
    'ConfigurationFeaturesEnable',
    'LOCKED_TARGET_FW_UPDATE SPECIAL_PURPOSE_MEMORY',
  ],
  ['SET_TARGET_CONFIGURATION', 'ConfigurationValidityFlags', 'PSK_0 PSK_1 PSK_2 PSK_3'],
  ['GET_TARGET_CONFIGURATION_RSP', 'MemoryEncryptionFeaturesEnabled', ENABLE],
  [
    'GET_TARGET_CONFIGURATION_RSP',
    'MemoryEncryptionAlgorithmSelected',
    'AES_XTS_128 AES_XTS_256',
    'VENDOR_SPECIFIC',
  ],
  ['GET_TARGET_CONFIGURATION_RSP', 'TEStateChangeAndAccessControlFeaturesEnabled', ACCESS],
  ['GET_TARGET_CONFIGURATION_RSP', 'ExplicitOOBTEStateGranularityEnabled', GRANULARITIES],
  ['GET_TARGET_CONFIGURATION_RSP', 'ConfigurationFeaturesEnabled', 'LOCKED_TARGET_FW_UPDATE'],
  ['SET_TARGET_CKID_SPECIFIC_KEY', 'ValidityFlags', 'DATA_ENC_KEY TWEAK_KEY'],
  ['SET_TARGET_CKID_RANDOM_KEY', 'Attributes', 'TVM_CKID'],
  ['SET_TARGET_RANGE_SPECIFIC_KEY', 'ValidityFlags', 'DATA_ENC_KEY TWEAK_KEY'],
];

describes('each bit of a TSP field has its name, and no other bit has one', () => {
  for (const [name, path, names, bit31] of bitFields) {
    const bytes = last(name).slice();
    const at = () => describeCxl(CXL_TSP, bytes).fields.find((field) => field.path === path)!;
    const { offset, size } = at();
    for (let bit = 0; bit < 8 * size; bit++) {
      bytes.fill(0, offset, offset + size);
      bytes[offset + (bit >> 3)] = 1 << (bit & 7);
      const expected = names.split(' ')[bit] ?? (bit === 31 ? bit31 : undefined);
      assert.is(at().text.split(' ')[1], expected, `${name}.${path} bit ${bit}`);
    }
  }
});

describes('error codes', () => {
  const names =
    'INVALID_REQUEST BUSY UNSPECIFIED UNSUPPORTED_REQUEST VERSION_MISMATCH VENDOR_SPECIFIC_ERROR ' +
    'NO_PRIVILEGE NO_ENTROPY INVALID_CKID INVALID_SECURITY_CONFIGURATION INVALID_SECURITY_STATE ' +
    'LONG_EXECUTION_TIME ALREADY_LOCKED';
  for (const [index, name] of names.split(' ').entries()) {
    const bytes = last('ERROR_RSP').slice();
    bytes[4] = index + 1;
    const { fields } = describeCxl(CXL_TSP, bytes);
    assert.is(fields.find((field) => field.path === 'ErrorCode')?.text.split(' ')[1], name);
  }
  assert.is(Object.keys(TspErrorCodes).length, names.split(' ').length);
});

describes('what was read before a refusal is kept', () => {
  const cut = describeCxl(CXL_TSP, hex('10 86 00'));
  assert.is(cut.name, 'LOCK_TARGET_CONFIGURATION');
  assert.equal(
    cut.fields.map((field) => field.path),
    ['TSPVersion', 'OpCode'],
  );
  const unknown = describeCxl(CXL_TSP, hex('10 8f 00 00'));
  assert.equal([unknown.name, unknown.fields[1]?.text], ['CXL_TSP', '0x8f (143)']);
  assert.equal(describeCxl(7, hex('10')).name, 'CXL protocol 0x07');
  assert.equal(describeCxl(7, hex('10')).fields, []);
});

describes.run();
