/** The smaller pieces of sessions: opaque data, transcripts, the keys' phases, measurement blocks. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { encode } from '../../../protocols/codec/layout.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { suiteOf } from '../../../protocols/spdm/algorithms.ts';
import { dataKeys } from '../../../protocols/spdm/key-schedule.ts';
import {
  measurementOf,
  summaryHash,
  summaryOfBlocks,
} from '../../../protocols/spdm/measurements.ts';
import { measurementBlock } from '../../../protocols/spdm/messages/auth.ts';
import { type AlgorithmsValue, negotiatedOf } from '../../../protocols/spdm/negotiate.ts';
import {
  opaqueDataFmt1,
  readSupportedVersions,
  readVersionSelection,
  supportedVersionsOpaque,
  versionSelectionOpaque,
} from '../../../protocols/spdm/opaque.ts';
import { doeBinding } from '../../../protocols/spdm/secured-message.ts';
import { SessionKeys, sessionScopes } from '../../../protocols/spdm/session-keys.ts';
import { l1l2, MessageLog, SessionTranscript } from '../../../protocols/spdm/transcript.ts';
import { crypto, measured } from './pair.ts';

const test = suite('spdm session pieces');

test('opaque data of KEY_EXCHANGE and its answer, as the clause writes them', () => {
  assert.equal(supportedVersionsOpaque([0x1100]), fromHex('01000000 00000500 0101010011 000000'));
  assert.equal(
    supportedVersionsOpaque([0x1000, 0x1100]),
    fromHex('01000000 00000700 01010200100011 00'),
  );
  assert.equal(versionSelectionOpaque(0x1100), fromHex('01000000 00000400 01000011'));
});

const readings: [name: string, hex: string, supported: string, selection: string][] = [
  ['one version', '01000000 00000500 0101010011 000000', '1100', 'undefined'],
  ['none', '01000000 00000300 010100 00', '', 'undefined'],
  ['a selection', '01000000 00000400 01000011', '', '1100'],
  ['no element', '00000000', '', 'undefined'],
  ['another element first', '02000000 00000300 010240 00 00000400 01000011', '', '1100'],
  ["a vendor's element first", '02000000 03020100 0200 aabb 00000400 01000011', '', '1100'],
  ["another body's", '01000000 03000400 01000011', '', 'undefined'],
  ['nothing', '', 'TRUNCATED', 'TRUNCATED'],
  ['no padding', '01000000 00000500 0101010011', 'TRUNCATED', 'TRUNCATED'],
  ['a count too high', '01000000 00000500 0101020011 000000', 'TRUNCATED', 'undefined'],
  ['an element too many', '02000000 00000400 01000011', 'TRUNCATED', 'TRUNCATED'],
  ['data version 2', '01000000 00000400 02000011', '', 'BAD_VALUE'],
  ['a selection too long', '01000000 00000500 0100001100 000000', '', 'TRAILING'],
];
for (const [name, hex, supported, selection] of readings)
  test(`opaque data: ${name}`, () => {
    const versions = readSupportedVersions(fromHex(hex), 1);
    const selected = readVersionSelection(fromHex(hex), 1);
    const text = (value: number | undefined) => value?.toString(16) ?? 'undefined';
    assert.is(versions.ok ? versions.value.versions.map(text).join(' ') : versions.code, supported);
    assert.is(selected.ok ? text(selected.value.version) : selected.code, selection);
  });

test('no wrong opaque data throws', () => {
  const good = concat(supportedVersionsOpaque([0x1000, 0x1100]));
  for (const { bytes } of mutations(opaqueDataFmt1, good)) {
    readSupportedVersions(bytes, 1);
    readVersionSelection(bytes, 1);
  }
});

test('a log keeps copies, in order', () => {
  const log = new MessageLog();
  assert.ok(log.empty);
  const message = ascii('ab');
  log.add(message, ascii('c'));
  message[0] = 0;
  assert.equal(log.bytes(), ascii('abc'));
  assert.not(log.empty);
  log.clear();
  assert.ok(log.empty);
});

test('L1/L2 starts with VCA from 1.2 on', () => {
  const log = new MessageLog();
  log.add(ascii('L'));
  const cases: [number, string][] = [
    [0x10, 'L'],
    [0x11, 'L'],
    [0x12, 'AL'],
    [0x13, 'AL'],
  ];
  for (const [version, text] of cases) assert.equal(l1l2(version, ascii('A'), log), ascii(text));
});

test('TH starts with VCA and the chain hash, where there is one', () => {
  const th = new SessionTranscript(ascii('A'), ascii('H'));
  th.add(ascii('K'));
  assert.equal(th.bytes(), ascii('AHK'));
  assert.equal(new SessionTranscript(ascii('A'), undefined).bytes(), ascii('A'));
});

const ALGORITHMS: AlgorithmsValue = {
  SPDMVersion: 0x12,
  RequestResponseCode: 0x63,
  Param1: 3,
  Param2: 0,
  Length: 48,
  MeasurementSpecificationSel: 1,
  OtherParamsSelection: 2,
  MeasurementHashAlgo: 2,
  BaseAsymSel: 0x10,
  BaseHashSel: 1,
  PqcAsymSel: 0,
  MELspecificationSel: 0,
  ExtAsymSel: [],
  ExtHashSel: [],
  AlgStruct: [
    { AlgType: 2, AlgCount: 0x20, AlgSupported: 8, AlgExternal: [] },
    { AlgType: 3, AlgCount: 0x20, AlgSupported: 2, AlgExternal: [] },
  ],
};
const OFFERED = { version: 0x12, requesterFlags: 0xc0, responderFlags: 0xc0 };

test('what ALGORITHMS selects, in names and sizes', () => {
  const negotiated = negotiatedOf(OFFERED, ALGORITHMS);
  if (isPeerFault(negotiated)) throw new Error(negotiated.detail);
  const { asym, baseHash, exchange, aead, measurementHash } = negotiated;
  assert.equal(
    [asym, baseHash, exchange, aead, measurementHash].join(' '),
    'ECDSA_P256 SHA_256 SECP_256_R1 AES_256_GCM SHA_256',
  );
  const { signatureSize, hashSize, requestExchangeSize, measurementHashSize } = negotiated;
  assert.equal(
    [signatureSize, hashSize, requestExchangeSize, measurementHashSize],
    [64, 32, 64, 32],
  );
  const rsa = negotiatedOf(OFFERED, { ...ALGORITHMS, BaseAsymSel: 2, BaseHashSel: 0x40 });
  assert.is(isPeerFault(rsa) ? '' : rsa.baseHash, 'SM3_256');
  assert.is(isPeerFault(rsa) ? 1 : suiteOf(rsa), undefined, 'nobody here computes it');
  const ffdhe = negotiatedOf(OFFERED, {
    ...ALGORITHMS,
    BaseAsymSel: 2,
    AlgStruct: [{ AlgType: 2, AlgCount: 0x20, AlgSupported: 1, AlgExternal: [] }],
  });
  if (isPeerFault(ffdhe)) throw new Error(ffdhe.detail);
  const known = suiteOf(ffdhe);
  assert.equal(
    [known?.hash, known?.signature, known?.group, known?.aead].join(),
    'SHA_256,RSAPSS_2048,FFDHE_2048,',
  );
  assert.is(sessionScopes(crypto, ffdhe, doeBinding), undefined);
});

function keysOf(): SessionKeys {
  const negotiated = negotiatedOf(OFFERED, ALGORITHMS);
  if (isPeerFault(negotiated)) throw new Error(negotiated.detail);
  const { keys, records } = sessionScopes(crypto, negotiated, doeBinding)!;
  return new SessionKeys(keys, records, new Uint8Array(32).fill(1), new Uint8Array(32).fill(2));
}
const MESSAGE = ascii('message');

test('directions and phases have keys and sequence numbers of their own', () => {
  const [left, right] = [keysOf(), keysOf()];
  const seen = new Set<string>();
  const pass = (side: 'request' | 'response') => {
    const { keyId, iv } = left.nextSeal(side);
    seen.add(`${keyId} ${iv}`);
    const record = left.seal(side, 1, MESSAGE);
    const other = side === 'request' ? 'response' : 'request';
    assert.not(right.open(other, record).ok);
    const opened = right.open(side, record);
    assert.ok(opened.ok && toHex(opened.value) === toHex(MESSAGE));
    assert.not(right.open(side, record).ok, 'once only');
  };
  for (const side of ['request', 'response', 'request'] as const) pass(side);
  const th2 = new Uint8Array(32).fill(3);
  assert.is(left.exportMasterSecret, undefined);
  for (const keys of [left, right]) keys.enterDataPhase(th2);
  const data = dataKeys(left.scope, left.handshake.handshakeSecret, th2);
  assert.is(left.nextSeal('request').iv, toHex(data.request.iv), 'from zero again');
  assert.is(left.nextSeal('response').iv, toHex(data.response.iv));
  assert.is(left.exportMasterSecret?.length, 32);
  assert.equal(left.exportMasterSecret, right.exportMasterSecret);
  for (const side of ['request', 'response'] as const) pass(side);
  for (const keys of [left, right]) keys.update('request');
  for (const side of ['request', 'response'] as const) pass(side);
  assert.is(seen.size, 7);
});

test('an update that was refused is taken back, a verified one is not', () => {
  const [left, right] = [keysOf(), keysOf()];
  left.update('request');
  assert.not(right.open('request', left.seal('request', 1, MESSAGE)).ok);
  left.restore('request');
  assert.ok(right.open('request', left.seal('request', 1, MESSAGE)).ok);
  left.update('request');
  left.dropRetired();
  left.restore('request');
  right.update('request');
  assert.ok(right.open('request', left.seal('request', 1, MESSAGE)).ok);
});

test('VerifyData of the two sides differ, and follow the transcript', () => {
  const keys = keysOf();
  const data = [
    keys.verifyData('request', ascii('a')),
    keys.verifyData('response', ascii('a')),
    keys.verifyData('request', ascii('b')),
  ].map(toHex);
  assert.is(new Set(data).size, 3);
});

test('a measurement block in bytes, raw and digest', () => {
  const raw = measurementOf(crypto, 'SHA_256', measured[2]!);
  assert.is(toHex(encode(measurementBlock, raw)), `03010b0087080005${'00'.repeat(7)}`);
  const digest = encode(measurementBlock, measurementOf(crypto, 'SHA_256', measured[0]!));
  const value = crypto.hash('SHA_256', measured[0]!.content);
  assert.equal(digest, concat(fromHex('01012300002000'), value));
});

test('summaries: TCB has its blocks, ALL is what is reported', () => {
  const encoded = measured.map((item) =>
    encode(measurementBlock, measurementOf(crypto, 'SHA_256', item)),
  );
  const summary = (type: number) => summaryHash(crypto, 'SHA_384', 'SHA_256', measured, type);
  assert.equal(summary(1), crypto.hash('SHA_384', concat(...encoded.slice(0, 2))));
  assert.equal(summary(0xff), crypto.hash('SHA_384', concat(...encoded)));
  const blocks = measured.map((item) => measurementOf(crypto, 'SHA_256', item));
  assert.equal(summaryOfBlocks(crypto, 'SHA_384', blocks), summary(0xff));
});

test.run();
