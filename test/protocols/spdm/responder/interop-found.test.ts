/**
 * What the DMTF requester emulator and the Responder Validator found in the responder: M1/M2 after a
 * CHALLENGE, algorithms of later versions, selections nobody needs, raw measurements, other protocols in a
 * session, a way that takes less than the peer.
 */

import { createHash, createPublicKey, verify } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { AlgTypes } from '../../../../protocols/spdm/algorithms.ts';
import { type CapabilityName, capabilityFlags, flagsIn } from '../../../../protocols/spdm/codes.ts';
import { negotiatedOf, tableBits } from '../../../../protocols/spdm/negotiate.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { getCertificate, trustChain } from '../../../../protocols/spdm/requester/certificates.ts';
import { adoptProvisioned } from '../../../../protocols/spdm/requester/provisioned.ts';
import { openPskSession } from '../../../../protocols/spdm/requester/psk.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { agreedBeforehand } from '../../../../protocols/spdm/responder/beforehand.ts';
import { choose, complete } from '../../../../protocols/spdm/responder/selection.ts';
import { mctpBinding } from '../../../../protocols/spdm/secured-message.ts';
import { crypto, Pair, slotOf } from '../pair.ts';

const test = suite('spdm responder: found by interoperation');

const ALL_ASYM = 0xfff;
const EVERYTHING = {
  measurementHash: 4,
  baseAsym: ALL_ASYM,
  baseHash: 0x3f,
  dhe: 0x3f,
  aead: 7,
  reqAsym: ALL_ASYM,
  pqcAsym: 7,
  reqPqcAsym: 7,
  kem: 7,
};
const table = (AlgType: number, AlgSupported: number) => ({
  AlgType,
  AlgCount: 0x20,
  AlgSupported,
  AlgExternal: [],
});
const offer = (version: number) => ({
  SPDMVersion: version,
  RequestResponseCode: 0xe3,
  Param1: 4,
  Param2: 0,
  Length: 48,
  MeasurementSpecification: 1,
  OtherParamsSupport: 3,
  BaseAsymAlgo: ALL_ASYM,
  BaseHashAlgo: 0x7f,
  PqcAsymAlgo: 0,
  MELspecification: 0,
  ExtAsymCount: 0,
  ExtHashCount: 0,
  ExtAsym: [],
  ExtHash: [],
  AlgStruct: [
    table(AlgTypes.DHE, 0x7f),
    table(AlgTypes.AEAD, 15),
    table(AlgTypes.ReqBaseAsym, ALL_ASYM),
    table(AlgTypes.KeySchedule, 1),
  ],
});
type Caps = Partial<Record<CapabilityName, number>>;
const chosen = (version: number, caps: Caps, asym = ALL_ASYM) =>
  choose(
    {
      algorithms: { ...EVERYTHING, baseAsym: asym, reqAsym: asym },
      flags: capabilityFlags(caps),
    },
    capabilityFlags({ KEY_EX_CAP: 1, MAC_CAP: 1, MUT_AUTH_CAP: 1 }),
    offer(version),
  );

const FULL: Caps = { CERT_CAP: 1, CHAL_CAP: 1, KEY_EX_CAP: 1, MAC_CAP: 1, MUT_AUTH_CAP: 1 };

test('SM2 and EdDSA came with 1.2: a 1.0 or 1.1 connection has neither, of either side', () => {
  // RSASSA_2048, SM2, Ed25519 and Ed448.
  const mask = 0xe01;
  const asym = [0x10, 0x11, 0x12, 0x13].map((version) => chosen(version, FULL, mask).BaseAsymSel);
  assert.equal(asym, [1, 1, 0x800, 0x800]);
  const required = [0x11, 0x12].map((version) =>
    tableBits(chosen(version, FULL, mask).AlgStruct, AlgTypes.ReqBaseAsym),
  );
  assert.equal(required, [1, 0x800]);
});

test('a requester offers no algorithm its version lacks', () => {
  for (const [version, expected] of [
    [0x11, '100000'],
    [0x12, '100c00'],
  ] as const) {
    const pair = new Pair({
      version,
      requester: { algorithms: { ...EVERYTHING, baseAsym: 0xc10 } },
    });
    pair.good(negotiate(pair.requester));
    const asked = pair.wire.at(-1)!.request.bytes;
    assert.is(toHex(asked.slice(8, 11)), expected);
  }
});

/** capabilities of the responder, and which selections are not 0 */
const needs: readonly [name: string, caps: Caps, selected: readonly string[]][] = [
  ['nothing', {}, []],
  ['measurements without signature', { MEAS_CAP: 1 }, []],
  ['CHALLENGE alone', { CERT_CAP: 1, CHAL_CAP: 1 }, ['asym', 'hash']],
  ['signed measurements', { CERT_CAP: 1, MEAS_CAP: 2 }, ['asym', 'hash']],
  ['PSK', { PSK_CAP: 1, MAC_CAP: 1 }, ['hash', 'aead', 'schedule']],
  [
    'key exchange',
    { CERT_CAP: 1, KEY_EX_CAP: 1, MAC_CAP: 1 },
    ['asym', 'hash', 'dhe', 'aead', 'schedule'],
  ],
  [
    'key exchange with mutual authentication',
    FULL,
    ['asym', 'hash', 'dhe', 'aead', 'requester', 'schedule'],
  ],
];
for (const [name, caps, selected] of needs)
  test(`what no capability needs is not selected: ${name}`, () => {
    const { BaseAsymSel, BaseHashSel, AlgStruct, ...rest } = chosen(0x12, caps);
    const bits = (type: number) => tableBits(AlgStruct, type);
    const all = {
      asym: BaseAsymSel,
      hash: BaseHashSel,
      dhe: bits(AlgTypes.DHE),
      aead: bits(AlgTypes.AEAD),
      requester: bits(AlgTypes.ReqBaseAsym),
      schedule: bits(AlgTypes.KeySchedule),
    };
    const given = Object.entries(all).filter(([, mask]) => mask !== 0);
    assert.equal(
      given.map(([what]) => what),
      selected,
    );
    const flags = { requesterFlags: 0, responderFlags: capabilityFlags(caps) };
    const answer = { ...offer(0x12), ...rest, BaseAsymSel, BaseHashSel, AlgStruct };
    assert.ok(complete({ version: 0x12, ...flags }, answer));
    const means = negotiatedOf({ version: 0x12, ...flags }, answer as never);
    assert.ok(!isPeerFault(means));
    assert.is(means.hashSize === 0, BaseHashSel === 0);
  });

test('no hash where one is needed is still a fault', () => {
  const answer = { ...offer(0x12), ...chosen(0x12, FULL), BaseHashSel: 0 };
  const flags = { requesterFlags: 0, responderFlags: capabilityFlags(FULL) };
  const means = negotiatedOf({ version: 0x12, ...flags }, answer as never);
  assert.ok(isPeerFault(means) && means.code === 'ALGORITHMS_BASE_HASH');
  assert.not(complete({ version: 0x12, ...flags }, answer));
});

test('unsigned measurements go without any hash or signature algorithm', () => {
  const none = Object.fromEntries(
    ['CERT_CAP', 'CHAL_CAP', 'KEY_EX_CAP', 'MAC_CAP', 'ENCRYPT_CAP', 'HBEAT_CAP'].map((name) => [
      name,
      0,
    ]),
  );
  const pair = new Pair({ flags: none, responderFlags: { MEAS_CAP: 1 } });
  const negotiated = pair.good(negotiate(pair.requester));
  assert.is(negotiated.baseHash, undefined);
  const said = pair.good(
    getMeasurements(pair.requester, undefined, { operation: 0xff, signed: false, slot: 0 }),
  );
  assert.is(said.blocks.length, 4);
});

test('Flags of CAPABILITIES have no bit a version does not know', () => {
  const all = 0xffffffff;
  const known = [0x10, 0x11, 0x12, 0x13, 0x14].map((version) => toHex(fromFlags(version, all)));
  assert.equal(known, ['3f000000', 'ffff0100', 'ffff3f00', 'ffffff3f', 'ffffffff']);
  const pair = new Pair({ version: 0x11, responderFlags: { CHUNK_CAP: 1, MEL_CAP: 1 } });
  const reply = pair.plain('10840000') && pair.plain('11e10000', '00000000', '00000000');
  assert.is(toHex(reply!.slice(8, 12)), 'f6220000');
});
function fromFlags(version: number, flags: number): Uint8Array {
  const known = flagsIn(version, flags);
  return Uint8Array.of(known, known >>> 8, known >>> 16, known >>> 24);
}

/** CHALLENGE_AUTH's signature over what it must cover, with nothing of ours but the bytes. */
function coveredBy(pair: Pair, from: number): boolean {
  const part = (index: number) => {
    const { request, response } = pair.wire[index]!;
    return concat(request.bytes, response!.bytes);
  };
  const vca = concat(part(0), part(1), part(2));
  const last = pair.wire.length - 1;
  const between = Array.from({ length: last - from }, (_, i) => part(from + i));
  const { request, response } = pair.wire[last]!;
  const signature = response!.bytes.slice(-64);
  const unsigned = response!.bytes.slice(0, -64);
  const hashed = createHash('sha256')
    .update(concat(vca, ...between, request.bytes, unsigned))
    .digest();
  const text = 'responder-challenge_auth signing';
  const prefix = concat(
    ascii('dmtf-spdm-v1.2.*'.repeat(4)),
    new Uint8Array(36 - text.length),
    ascii(text),
  );
  const point = crypto.signingPublicKey('ECDSA_P256', slotOf('P256').signer.privateKey);
  const key = createPublicKey({
    format: 'der',
    type: 'spki',
    key: Buffer.from(
      concat(fromHex('3059301306072a8648ce3d020106082a8648ce3d03010703420004'), point),
    ),
  });
  return verify('sha256', concat(prefix, hashed), { key, dsaEncoding: 'ieee-p1363' }, signature);
}

test('M1/M2 starts anew after CHALLENGE_AUTH: the next one covers what came since', () => {
  const pair = new Pair().authenticate();
  pair.good(challenge(pair.requester, 0, 0));
  assert.ok(coveredBy(pair, 3));
  const digest = new Uint8Array(
    createHash('sha256').update(pair.requester.chains.get(0)!).digest(),
  );
  const from = pair.wire.length;
  pair.requester.chains.delete(0);
  pair.good(getCertificate(pair.requester, 0, digest));
  assert.not(isPeerFault(trustChain(pair.requester, 0)));
  pair.good(challenge(pair.requester, 0, 0));
  assert.ok(coveredBy(pair, from), 'GET_CERTIFICATE and CHALLENGE alone');
  pair.good(challenge(pair.requester, 0, 0));
  assert.ok(coveredBy(pair, pair.wire.length - 1), 'CHALLENGE alone');
});

test('RAW_BIT_STREAM_ONLY: every block is raw, summaries are over raw blocks', () => {
  const pair = new Pair({
    responder: { algorithms: { measurementHash: 1, baseAsym: 0x10, baseHash: 1, dhe: 8, aead: 2 } },
  }).authenticate();
  const { summary } = pair.good(challenge(pair.requester, 0, 0xff));
  const said = pair.good(
    getMeasurements(pair.requester, undefined, { operation: 0xff, signed: true, slot: 0 }),
  );
  assert.ok(said.blocks.every(({ ValueType }) => (ValueType! & 0x80) !== 0));
  assert.is(toHex(said.blocks[0]!.Value), '00010203');
  const blocks = said.blocks.map(({ Index, ValueType, Value }) =>
    concat(Uint8Array.of(Index, 1, Value.length + 3, 0, ValueType!, Value.length, 0), Value),
  );
  const expected = createHash('sha256')
    .update(concat(...blocks))
    .digest('hex');
  assert.is(toHex(summary!), expected);
});

test('an answer is no longer than the way takes, however much the requester does', () => {
  const pair = new Pair({ flags: { CHUNK_CAP: 1 }, responder: { transmitSize: 256 } });
  pair.authenticate();
  const session = pair.session();
  for (const { response } of pair.wire) assert.ok(response!.bytes.length <= 256);
  pair.good(getMeasurements(pair.requester, session, { operation: 0xff, signed: true, slot: 0 }));
  const records = pair.wire.filter(({ response }) => response!.secured);
  assert.ok(records.length > 2);
  assert.is(Math.max(...records.map(({ response }) => response!.bytes.length)), 256);
});

test('MCTP: other message types of a session reach the application, and end nothing', () => {
  const seen: string[] = [];
  const pair = new Pair({
    requester: { binding: mctpBinding },
    responder: {
      binding: mctpBinding,
      application: (id, message) => {
        seen.push(`${id.toString(16)} ${toHex(message)}`);
        return message[1] === 0x80 ? fromHex('0100000200') : undefined;
      },
    },
  }).authenticate();
  const session = pair.session();
  const say = (hex: string) => {
    const bytes = session.keys.seal('request', session.id, fromHex(hex));
    const reply = pair.send({ secured: true, bytes });
    if (reply === undefined) return undefined;
    const opened = session.keys.open('response', reply.bytes);
    return opened.ok ? toHex(opened.value) : 'closed';
  };
  assert.is(say('01800002'), '0100000200');
  assert.is(say('7e81'), undefined);
  assert.equal(
    seen.map((line) => line.split(' ')[1]),
    ['01800002', '7e81'],
  );
  assert.is(say('0512e80000'), '0512680000', 'HEARTBEAT: the session lives');
});

test('GET_VERSION alone, where both sides were told the rest beforehand', () => {
  const algorithms = { measurementHash: 2, baseAsym: 0x10, baseHash: 1, dhe: 8, aead: 2 };
  const flags = { PSK_CAP: 1 };
  const psk = () => ascii('secret');
  const requesterFlags = capabilityFlags({ PSK_CAP: 1, ENCRYPT_CAP: 1, MAC_CAP: 1 });
  const responderFlags = capabilityFlags({ PSK_CAP: 1, ENCRYPT_CAP: 1, MAC_CAP: 1 });
  const beforehand = agreedBeforehand({ algorithms, flags: responderFlags }, 0x12, requesterFlags);
  assert.ok(!isPeerFault(beforehand));
  const pair = new Pair({
    flags,
    requester: { flags: requesterFlags, psk },
    responder: { flags: responderFlags, psk, beforehand },
  });
  pair.good(adoptProvisioned(pair.requester, { flags: responderFlags, selected: algorithms }));
  pair.good(
    openPskSession(pair.requester, { hint: ascii('hint'), summaryType: 0, terminationPolicy: 0 }),
  );
  assert.is(pair.wire.length, 2);
});

test.run();
