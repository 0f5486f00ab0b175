/** Layouts of digests, certificates, CHALLENGE and measurements (DSP0274 10.5-10.8, 10.11). */

import { popcount } from '../../codec/bytes.ts';
import {
  bytes,
  countOf,
  layout,
  lengthOf,
  list,
  since,
  struct,
  u8,
  u16,
  when,
} from '../../codec/field.ts';
import { measurementTypeNames } from '../codes.ts';
import { header } from './vca.ts';

/** Facts these layouts read: hashSize, signatureSize, summary (hash present), signed, multiKey. */
const hash = () => bytes((_v, facts) => facts['hashSize'] ?? 0);
const signature = () => bytes((_v, facts) => facts['signatureSize'] ?? 0);
const summaryHash = () => when((_v, facts) => facts['summary'] === 1, hash());
const NONCE_SIZE = 32;
const REQUESTER_CONTEXT_SIZE = 8;

export const getDigests = layout('GET_DIGESTS', 'DSP0274 10.5', header);

const multiKey = (_v: unknown, facts: Readonly<Record<string, number>>) => facts['multiKey'] === 1;
export const digests = layout('DIGESTS', 'DSP0274 10.5', {
  ...header,
  Digest: list(hash(), { count: (v) => popcount(v.Param2) }),
  KeyPairID: when(multiKey, list(u8(), { count: (v) => popcount(v.Param2) })),
  CertificateInfo: when(multiKey, list(u8(), { count: (v) => popcount(v.Param2) })),
  KeyUsageMask: when(multiKey, list(u16(), { count: (v) => popcount(v.Param2) })),
});

export const getCertificate = layout('GET_CERTIFICATE', 'DSP0274 10.6', {
  ...header,
  Offset: u16(),
  Length: u16(),
});

export const certificate = layout('CERTIFICATE', 'DSP0274 10.6', {
  ...header,
  PortionLength: lengthOf('CertChain', 2),
  RemainderLength: u16(),
  CertChain: bytes((v) => v.PortionLength),
});

export const challenge = layout('CHALLENGE', 'DSP0274 10.7', {
  ...header,
  Nonce: bytes(NONCE_SIZE),
  RequesterContext: since(0x13, bytes(REQUESTER_CONTEXT_SIZE)),
});

export const challengeAuth = layout('CHALLENGE_AUTH', 'DSP0274 10.7', {
  ...header,
  CertChainHash: hash(),
  Nonce: bytes(NONCE_SIZE),
  MeasurementSummaryHash: summaryHash(),
  OpaqueDataLength: lengthOf('OpaqueData', 2),
  OpaqueData: bytes((v) => v.OpaqueDataLength),
  RequesterContext: since(0x13, bytes(REQUESTER_CONTEXT_SIZE)),
  Signature: signature(),
});

export const getMeasurements = layout('GET_MEASUREMENTS', 'DSP0274 10.11', {
  ...header,
  Nonce: when((v) => (v.Param1 & 1) === 1, bytes(NONCE_SIZE)),
  SlotIDParam: when((v, facts) => (v.Param1 & 1) === 1 && (facts['version'] ?? 0) >= 0x11, u8()),
  RequesterContext: since(0x13, bytes(REQUESTER_CONTEXT_SIZE)),
});

/** DMTFSpecMeasurementValueType: bit 7 set for a raw bit stream, bits 6:0 the type. */
const valueTypeNames = Object.fromEntries(
  Object.entries(measurementTypeNames).flatMap(([code, name]) => [
    [Number(code), name],
    [Number(code) | 0x80, `${name} (raw)`],
  ]),
);

const isDmtf = (v: { MeasurementSpecification: number }) => v.MeasurementSpecification === 1;
const DMTF_HEADER_SIZE = 3;

/** One measurement block (DSP0274 10.11.1); a DMTF value has a type and a size of its own. */
export const measurementBlock = layout(
  'MeasurementBlock',
  'DSP0274 10.11.1',
  {
    Index: u8(),
    MeasurementSpecification: u8({ bits: { DMTF: [0] } }),
    MeasurementSize: lengthOf('Value', 2, (v) => (isDmtf(v) ? DMTF_HEADER_SIZE : 0)),
    ValueType: when(isDmtf, u8({ names: valueTypeNames })),
    ValueSize: when(isDmtf, lengthOf('Value', 2)),
    Value: bytes((v) => (isDmtf(v) ? v.ValueSize : v.MeasurementSize)),
  },
  (v) =>
    isDmtf(v) && v.MeasurementSize !== v.ValueSize + DMTF_HEADER_SIZE
      ? `MeasurementSize ${v.MeasurementSize} does not hold a value of ${v.ValueSize} bytes`
      : undefined,
);

export const measurements = layout(
  'MEASUREMENTS',
  'DSP0274 10.11',
  {
    ...header,
    NumberOfBlocks: countOf('MeasurementRecord', 1),
    MeasurementRecordLength: lengthOf('MeasurementRecord', 3),
    MeasurementRecord: list(struct(measurementBlock), { bytes: (v) => v.MeasurementRecordLength }),
    Nonce: bytes(NONCE_SIZE),
    OpaqueDataLength: lengthOf('OpaqueData', 2),
    OpaqueData: bytes((v) => v.OpaqueDataLength),
    RequesterContext: since(0x13, bytes(REQUESTER_CONTEXT_SIZE)),
    Signature: when((_v, facts) => facts['signed'] === 1, signature()),
  },
  (v) =>
    v.NumberOfBlocks !== v.MeasurementRecord.length
      ? `NumberOfBlocks ${v.NumberOfBlocks}, but the record holds ${v.MeasurementRecord.length}`
      : undefined,
);
