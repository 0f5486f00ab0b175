/** Negotiation at the requester: versions, capabilities and algorithms it must not accept. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import type { Packet } from '../../../../protocols/spdm/responder/responder.ts';
import { Pair } from '../pair.ts';

const test = suite('spdm requester VCA');

const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;
const SIGNED = { slot: 0, operation: 0xff, signed: true } as const;
const codeOf = (result: unknown): string => (isPeerFault(result) ? result.code : 'ok');

const plainly = (bytes: Uint8Array): Packet => ({ secured: false, bytes });

test('the highest version both speak is taken', () => {
  const cases: [ours: number[], theirs: number[], version: number | undefined][] = [
    [[0x12], [0x10, 0x11, 0x12, 0x13], 0x12],
    [[0x11, 0x12, 0x13], [0x10, 0x12, 0x13, 0x14], 0x13],
    [[0x12, 0x13], [0x10, 0x12], 0x12],
    [[0x13], [0x10, 0x12], undefined],
    [[0x12], [], undefined],
  ];
  for (const [ours, theirs, version] of cases) {
    const pair = new Pair({ requester: { versions: ours }, responder: { versions: theirs } });
    const result = pair.run(negotiate(pair.requester));
    if (version === undefined) assert.is(codeOf(result), 'NO_COMMON_VERSION');
    else assert.is(!isPeerFault(result) && result.version, version);
  }
});

const flagCases: [name: string, flags: number, code: string][] = [
  ['key exchange without MAC or ENCRYPT', 0x206, 'CAPABILITIES_FLAGS'],
  ['MAC without key exchange', 0x86, 'CAPABILITIES_FLAGS'],
  ['PSK without MAC or ENCRYPT', 0x406, 'CAPABILITIES_FLAGS'],
  ['MEAS_CAP 11b', 0x1e, 'CAPABILITIES_MEAS_CAP'],
];
for (const [name, flags, code] of flagCases)
  test(`CAPABILITIES refused: ${name}`, () => {
    const pair = new Pair({ responder: { flags } });
    assert.is(codeOf(pair.run(negotiate(pair.requester))), code);
    assert.is(pair.requester.negotiated, undefined);
  });

test('a responder without key exchange is measured, but opens no session', () => {
  const flags = { KEY_EX_CAP: 0, MAC_CAP: 0, ENCRYPT_CAP: 0, HBEAT_CAP: 0 };
  const pair = new Pair({ responder: { flags: 0x16 }, flags }).authenticate();
  pair.good(getMeasurements(pair.requester, undefined, SIGNED));
  assert.is(codeOf(pair.run(openSession(pair.requester, ASKED))), 'KEY_EXCHANGE_CAP');
});

/** The ALGORITHMS a responder gives, with `bytes` written over it at `at`. */
function selecting(version: number, at: number, bytes: string): string {
  const pair = new Pair({ version });
  pair.tap = (packet, direction, index) => {
    if (direction === 'request' || index !== 2) return packet;
    const copy = packet.bytes.slice();
    copy.set(fromHex(bytes), at);
    return plainly(copy);
  };
  return codeOf(pair.run(negotiate(pair.requester)));
}
const selections: [name: string, at: number, bytes: string, code: string, version?: number][] = [
  ['another signature', 12, '80000000', 'ALGORITHMS_NOT_OFFERED'],
  ['two signatures', 12, '90000000', 'ALGORITHMS_NOT_OFFERED'],
  ['no signature', 12, '00000000', 'ALGORITHMS_BASE_ASYM'],
  ['another hash', 16, '02000000', 'ALGORITHMS_NOT_OFFERED'],
  ['no hash', 16, '00000000', 'ALGORITHMS_BASE_HASH'],
  ['bit 31', 16, '01000080', 'ALGORITHMS_NOT_OFFERED'],
  ['another measurement specification', 6, '02', 'ALGORITHMS_NOT_OFFERED'],
  ['opaque format bit 2', 7, '04', 'ALGORITHMS_NOT_OFFERED'],
  ['multi-key connection', 7, '12', 'ALGORITHMS_NOT_OFFERED'],
  ['no measurement hash', 8, '00000000', 'ALGORITHMS_MEASUREMENT_HASH'],
  ['two measurement hashes', 8, '06000000', 'ALGORITHMS_MEASUREMENT_HASH'],
  ['PQC in 1.4', 20, '01000000', 'ALGORITHMS_NOT_OFFERED', 0x14],
  ['reserved bytes in 1.2', 20, '01000000', 'ok'],
  ['MEL in 1.3', 31, '01', 'ALGORITHMS_NOT_OFFERED', 0x13],
  ['a reserved byte in 1.2', 31, '01', 'ok'],
  ['another DHE', 38, '1000', 'ALGORITHMS_NOT_OFFERED'],
  ['no DHE', 38, '0000', 'ALGORITHMS_DHE'],
  ['a weaker AEAD', 42, '0100', 'ALGORITHMS_NOT_OFFERED'],
  ['no AEAD', 42, '0000', 'ALGORITHMS_AEAD'],
  ['no key schedule', 46, '0000', 'ALGORITHMS_KEY_SCHEDULE'],
  ['a requester signature', 44, '04201000', 'ALGORITHMS_NOT_OFFERED'],
  ['the same type twice', 40, '02200800', 'ALGORITHMS_TABLES'],
  ['a wrong Length', 4, '3100', 'ALGORITHMS_LENGTH'],
];
for (const [name, at, bytes, code, version = 0x12] of selections)
  test(`ALGORITHMS: ${name} is ${code}`, () => {
    assert.is(selecting(version, at, bytes), code);
  });

test('a request weakened in flight is found out at the first signature', () => {
  const everything = { measurementHash: 2, baseAsym: 0x90, baseHash: 3, dhe: 0x18, aead: 7 };
  const offers = {
    requester: { algorithms: everything },
    responder: { algorithms: { ...everything, baseAsym: 0x10, baseHash: 1 } },
  };
  const weaker: [name: string, at: number, byte: number][] = [
    ['AEAD down to AES-128-GCM', 38, 1],
    ['DHE down to P-256', 34, 8],
    ['hash down to SHA-256', 12, 1],
  ];
  for (const [name, at, byte] of weaker) {
    const pair = new Pair(offers).cached();
    pair.tap = (packet, direction, index) => {
      if (direction === 'response' || index !== 2) return packet;
      const copy = packet.bytes.slice();
      copy[at] = byte;
      return plainly(copy);
    };
    pair.good(negotiate(pair.requester));
    assert.is(codeOf(pair.run(openSession(pair.requester, ASKED))), 'KEY_EXCHANGE_SIGNATURE', name);
    assert.is(codeOf(pair.run(challenge(pair.requester, 0, 0))), 'CHALLENGE_AUTH_SIGNATURE', name);
  }
});

test.run();
