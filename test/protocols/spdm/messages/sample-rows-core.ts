/** Samples of GET_VERSION to END_SESSION. */

import { RequestCodes, ResponseCodes } from '../../../../protocols/spdm/codes.ts';
import { type Body, fill, from, none, type Row } from './sample-parts.ts';

const Q = RequestCodes;
const S = ResponseCodes;
const HASH = 32;
const context = (version: number) => from(version, 0x13, { RequesterContext: fill(8, 0x80) });
const opaque = (version: number) => from(version, 0x14, { OpaqueData: fill(5) });

const tables = (version: number) =>
  [
    { AlgType: 2, AlgCount: 0x20, AlgSupported: 0x18, AlgExternal: [] },
    { AlgType: 3, AlgCount: 0x21, AlgSupported: 2, AlgExternal: [0x01020003] },
    { AlgType: 6, AlgCount: 0x20, AlgSupported: 2, AlgExternal: [] },
    { AlgType: 7, AlgCount: 0x20, AlgSupported: 2, AlgExternal: [] },
  ].slice(0, version === 0x10 ? 0 : version < 0x14 ? 2 : 4);
const tablesSize = (version: number) => 4 * tables(version).length + (version === 0x10 ? 0 : 4);
const offer = (version: number): Body => ({
  Length: 40 + tablesSize(version),
  MeasurementSpecification: 1,
  OtherParamsSupport: 2,
  BaseAsymAlgo: 0x90,
  BaseHashAlgo: 3,
  PqcAsymAlgo: version >= 0x14 ? 2 : 0,
  MELspecification: version >= 0x13 ? 1 : 0,
  ExtAsym: [0x00010000],
  ExtHash: [0x00020000],
  AlgStruct: tables(version),
});
const sizes = (version: number) =>
  from(version, 0x12, { DataTransferSize: 0x1200, MaxSPDMmsgSize: 0x28000 });
const capabilities = { CTExponent: 12, ExtFlags: 0, Flags: 0xc6f7 };

const block = { Index: 1, MeasurementSpecification: 1, ValueType: 0x86, Value: fill(8) };
const vendorBlock = { Index: 2, MeasurementSpecification: 2, Value: fill(3) };
export const coreRows: readonly Row[] = [
  { code: Q.GET_VERSION, to: 0x10, body: none },
  { code: S.VERSION, to: 0x10, body: () => ({ VersionNumberEntry: [0x1000, 0x1200, 0x1400] }) },
  { code: Q.GET_CAPABILITIES, body: (v) => ({ ...from(v, 0x11, capabilities), ...sizes(v) }) },
  { code: S.CAPABILITIES, body: (v) => ({ ...capabilities, ...sizes(v) }) },
  {
    code: S.CAPABILITIES,
    label: 'with supported algorithms',
    from: 0x13,
    body: (v) => ({
      Param1: 1,
      ...capabilities,
      ...sizes(v),
      SupportedAlgorithms: { Param1: tables(v).length, Param2: 0, ...offer(v) },
    }),
  },
  { code: Q.NEGOTIATE_ALGORITHMS, body: (v) => ({ Param1: tables(v).length, ...offer(v) }) },
  {
    code: S.ALGORITHMS,
    body: (v) => ({
      Param1: tables(v).length,
      Length: 44 + tablesSize(v),
      MeasurementSpecificationSel: 1,
      OtherParamsSelection: 2,
      MeasurementHashAlgo: 2,
      BaseAsymSel: 0x10,
      BaseHashSel: 1,
      PqcAsymSel: 0,
      MELspecificationSel: v >= 0x13 ? 1 : 0,
      ExtAsymSel: [0x00010000],
      ExtHashSel: [0x00020000],
      AlgStruct: tables(v),
    }),
  },
  { code: Q.GET_DIGESTS, body: none },
  { code: S.DIGESTS, body: () => ({ Param2: 0x05, Digest: [fill(HASH), fill(HASH, 9)] }) },
  {
    code: S.DIGESTS,
    label: 'multi-key',
    from: 0x13,
    facts: { multiKey: 1 },
    body: () => ({
      Param1: 0x07,
      Param2: 0x05,
      Digest: [fill(HASH), fill(HASH, 9)],
      KeyPairID: [1, 2],
      CertificateInfo: [1, 3],
      KeyUsageMask: [0x0f, 0x4001],
    }),
  },
  { code: Q.GET_CERTIFICATE, body: () => ({ Param1: 1, Offset: 0x10, Length: 0x400 }) },
  {
    code: Q.GET_CERTIFICATE,
    label: 'large form',
    from: 0x14,
    body: () => ({ Param1: 0x81, Offset: 0, Length: 0, LargeOffset: 0x1000, LargeLength: 0x27ff0 }),
  },
  {
    code: S.CERTIFICATE,
    body: () => ({ Param1: 1, RemainderLength: 0x300, CertChain: fill(40) }),
  },
  {
    code: S.CERTIFICATE,
    label: 'large form',
    from: 0x14,
    body: () => ({
      Param1: 0x81,
      Param2: 1,
      RemainderLength: 0,
      LargeRemainderLength: 0x12345,
      CertChain: fill(40),
    }),
  },
  { code: Q.CHALLENGE, body: (v) => ({ Param2: 0xff, Nonce: fill(32), ...context(v) }) },
  {
    code: S.CHALLENGE_AUTH,
    body: (v) => ({
      Param2: 1,
      CertChainHash: fill(HASH, 2),
      Nonce: fill(32),
      MeasurementSummaryHash: fill(HASH, 3),
      OpaqueData: fill(4),
      ...context(v),
      Signature: fill(64),
    }),
  },
  { code: Q.GET_MEASUREMENTS, body: (v) => ({ Param2: 0xff, ...context(v) }) },
  {
    code: Q.GET_MEASUREMENTS,
    label: 'signed',
    body: (v) => ({
      Param1: 3,
      Param2: 1,
      Nonce: fill(32),
      ...from(v, 0x11, { SlotIDParam: 1 }),
      ...context(v),
    }),
  },
  {
    code: S.MEASUREMENTS,
    body: (v) => ({
      Param2: 0x21,
      MeasurementRecord: [block, vendorBlock],
      Nonce: fill(32),
      OpaqueData: fill(4),
      ...context(v),
      Signature: fill(64),
    }),
  },
  {
    code: Q.KEY_EXCHANGE,
    body: (v) => ({
      Param1: 1,
      ReqSessionID: 0xfffe,
      SessionPolicy: v >= 0x12 ? 1 : 0,
      RandomData: fill(32),
      ExchangeData: fill(64),
      OpaqueData: fill(16),
    }),
  },
  {
    code: Q.KEY_EXCHANGE,
    label: 'ML-KEM-512',
    from: 0x14,
    facts: { requestExchangeSize: 800, responseExchangeSize: 768 },
    body: () => ({
      ReqSessionID: 0xfffe,
      SessionPolicy: 0,
      RandomData: fill(32),
      ExchangeData: fill(800),
      OpaqueData: fill(16),
    }),
  },
  {
    code: S.KEY_EXCHANGE_RSP,
    label: 'ML-KEM-512',
    from: 0x14,
    facts: { requestExchangeSize: 800, responseExchangeSize: 768, summary: 0 },
    body: () => ({
      RspSessionID: 0xffff,
      MutAuthRequested: 0,
      SlotIDParam: 0,
      RandomData: fill(32),
      ExchangeData: fill(768),
      OpaqueData: fill(12),
      Signature: fill(64),
      ResponderVerifyData: fill(HASH, 4),
    }),
  },
  ...[0, 1].map(
    (clear): Row => ({
      code: S.KEY_EXCHANGE_RSP,
      label: clear ? 'handshake in the clear' : 'encrypted handshake',
      facts: { handshakeInTheClear: clear },
      body: () => ({
        Param1: 20,
        RspSessionID: 0xffff,
        MutAuthRequested: 2,
        SlotIDParam: 0,
        RandomData: fill(32),
        ExchangeData: fill(64),
        MeasurementSummaryHash: fill(HASH, 3),
        OpaqueData: fill(12),
        Signature: fill(64),
        ...(clear ? {} : { ResponderVerifyData: fill(HASH, 4) }),
      }),
    }),
  ),
  { code: Q.FINISH, body: (v) => ({ ...opaque(v), RequesterVerifyData: fill(HASH) }) },
  {
    code: Q.FINISH,
    label: 'signed',
    body: (v) => ({
      Param1: 1,
      Param2: 2,
      ...opaque(v),
      Signature: fill(96),
      RequesterVerifyData: fill(HASH),
    }),
  },
  { code: S.FINISH_RSP, body: opaque },
  {
    code: S.FINISH_RSP,
    label: 'handshake in the clear',
    facts: { handshakeInTheClear: 1 },
    body: (v) => ({ ...opaque(v), ResponderVerifyData: fill(HASH) }),
  },
  {
    code: Q.PSK_EXCHANGE,
    body: () => ({
      Param1: 0xff,
      ReqSessionID: 1,
      PSKHint: fill(7),
      RequesterContext: fill(32),
      OpaqueData: fill(16),
    }),
  },
  {
    code: S.PSK_EXCHANGE_RSP,
    body: () => ({
      Param1: 20,
      RspSessionID: 2,
      MeasurementSummaryHash: fill(HASH, 3),
      ResponderContext: fill(32),
      OpaqueData: fill(12),
      ResponderVerifyData: fill(HASH, 4),
    }),
  },
  { code: Q.PSK_FINISH, body: (v) => ({ ...opaque(v), RequesterVerifyData: fill(HASH) }) },
  { code: S.PSK_FINISH_RSP, body: opaque },
  { code: Q.HEARTBEAT, body: none },
  { code: S.HEARTBEAT_ACK, body: none },
  { code: Q.KEY_UPDATE, body: () => ({ Param1: 2, Param2: 0x42 }) },
  { code: S.KEY_UPDATE_ACK, body: () => ({ Param1: 2, Param2: 0x42 }) },
];
