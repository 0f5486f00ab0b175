/** Layouts of digests, certificates, CHALLENGE and measurements (DSP0274 10.5-10.8, 10.11). */

import { popcount } from '../../codec/bytes.ts';
import {
  type Bits,
  bytes,
  countOf,
  type Facts,
  layout,
  lengthOf,
  list,
  type Scope,
  since,
  struct,
  u8,
  u16,
  u32,
  when,
} from '../../codec/field.ts';
import { measurementTypeNames } from '../codes.ts';
import {
  hash,
  header,
  isLargeForm,
  nonce,
  signature,
  slotParam,
  summaryHash,
  summaryParam,
} from './header.ts';

const REQUESTER_CONTEXT_SIZE = 8;
const requesterContext = () => since(0x13, bytes(REQUESTER_CONTEXT_SIZE));

export const getDigests = layout('GET_DIGESTS', 'DSP0274 10.5', header);

/** CertModel of CertificateInfo, SET_CERTIFICATE and GET_CSR. */
export const CertModels = { None: 0, DeviceCert: 1, AliasCert: 2, GenericCert: 3 } as const;
export const certModelNames = Object.fromEntries(
  Object.entries(CertModels).map(([name, code]) => [code, name]),
);

/** What a slot's key may be used for. */
export const keyUsageBits = {
  KeyExUse: [0],
  ChallengeUse: [1],
  MeasurementUse: [2],
  EndpointInfoUse: [3],
  StandardsKeyUse: [14],
  VendorKeyUse: [15],
} as const satisfies Bits;

/** Facts: multiKey, the sender of these digests has a key pair of its own for each slot (1.3). */
const multiKey = (_v: Scope, facts: Facts) => facts['multiKey'] === 1;
const slots = (v: Scope) => popcount(v.Param2);
/** Param1: slots supported (1.3), Param2: slots provisioned; one item of each list per slot of Param2. */
export const digests = layout('DIGESTS', 'DSP0274 10.5', {
  ...header,
  Digest: list(hash(), { count: slots }),
  KeyPairID: when(multiKey, list(u8(), { count: slots })),
  CertificateInfo: when(multiKey, list(u8({ names: certModelNames }), { count: slots })),
  KeyUsageMask: when(multiKey, list(u16({ bits: keyUsageBits }), { count: slots })),
});

const certificateParam = () => u8({ bits: { SlotID: [0, 4], LargeCertChain: [7] } });

/** In the large form (1.4) Offset and Length are 0 and the 32-bit pair counts. */
export const getCertificate = layout('GET_CERTIFICATE', 'DSP0274 10.6', {
  ...header,
  Param1: certificateParam(),
  Param2: u8({ bits: { SlotSizeRequested: [0] } }),
  Offset: u16(),
  Length: u16(),
  LargeOffset: when(isLargeForm, u32()),
  LargeLength: when(isLargeForm, u32()),
});

/** What takes a derived 16-bit length back to 0 in the large form. */
const notLarge = (v: Scope, facts: Facts) =>
  isLargeForm(v, facts) ? -(v.CertChain?.length ?? 0) : 0;
/** In the large form (1.4) PortionLength and RemainderLength are 0 and the 32-bit pair counts. */
export const certificate = layout('CERTIFICATE', 'DSP0274 10.6', {
  ...header,
  Param1: certificateParam(),
  Param2: u8({ names: certModelNames }),
  PortionLength: lengthOf('CertChain', 2, notLarge),
  RemainderLength: u16(),
  LargePortionLength: when(isLargeForm, lengthOf('CertChain', 4)),
  LargeRemainderLength: when(isLargeForm, u32()),
  CertChain: bytes((v, facts) => (isLargeForm(v, facts) ? v.LargePortionLength : v.PortionLength)),
});

export const challenge = layout('CHALLENGE', 'DSP0274 10.7', {
  ...header,
  Param1: slotParam(),
  Param2: summaryParam(),
  Nonce: nonce(),
  RequesterContext: requesterContext(),
});

/** Param2: mask of the responder's provisioned slots. BasicMutAuthReq is deprecated from 1.2 on. */
export const challengeAuth = layout('CHALLENGE_AUTH', 'DSP0274 10.7', {
  ...header,
  Param1: u8({ bits: { SlotID: [0, 4], BasicMutAuthReq: [7] } }),
  CertChainHash: hash(),
  Nonce: nonce(),
  MeasurementSummaryHash: summaryHash(),
  OpaqueDataLength: lengthOf('OpaqueData', 2),
  OpaqueData: bytes((v) => v.OpaqueDataLength),
  RequesterContext: requesterContext(),
  Signature: signature(),
});

export const getMeasurements = layout('GET_MEASUREMENTS', 'DSP0274 10.11', {
  ...header,
  Param1: u8({
    bits: { SignatureRequested: [0], RawBitStreamRequested: [1], NewMeasurementRequested: [2] },
  }),
  Param2: u8({ names: { 0: 'TotalNumber', 255: 'All' } }),
  Nonce: when((v) => (v.Param1 & 1) === 1, nonce()),
  SlotIDParam: when((v, facts) => (v.Param1 & 1) === 1 && (facts['version'] ?? 0) >= 0x11, u8()),
  RequesterContext: requesterContext(),
});

/** DMTFSpecMeasurementValueType: bit 7 set for a raw bit stream, bits 6:0 the type. */
export const valueTypeNames = Object.fromEntries(
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

/** Param1: number of indices if the request asked for it. ContentChanged: 1 changed, 2 unchanged (1.2). */
export const measurements = layout(
  'MEASUREMENTS',
  'DSP0274 10.11',
  {
    ...header,
    Param2: u8({ bits: { SlotID: [0, 4], ContentChanged: [4, 2] } }),
    NumberOfBlocks: countOf('MeasurementRecord', 1),
    MeasurementRecordLength: lengthOf('MeasurementRecord', 3),
    MeasurementRecord: list(struct(measurementBlock), { bytes: (v) => v.MeasurementRecordLength }),
    Nonce: nonce(),
    OpaqueDataLength: lengthOf('OpaqueData', 2),
    OpaqueData: bytes((v) => v.OpaqueDataLength),
    RequesterContext: requesterContext(),
    Signature: when((_v, facts) => facts['signed'] === 1, signature()),
  },
  (v) =>
    v.NumberOfBlocks !== v.MeasurementRecord.length
      ? `NumberOfBlocks ${v.NumberOfBlocks}, but the record holds ${v.MeasurementRecord.length}`
      : undefined,
);
