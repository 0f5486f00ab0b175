/** GET_ENDPOINT_INFO: device classes, signed and not, in a session and outside, and what is refused. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import {
  type DeviceClass,
  decodeDeviceClasses,
  encodeDeviceClasses,
} from '../../../../protocols/spdm/endpoint-info.ts';
import { getEndpointInfo } from '../../../../protocols/spdm/requester/endpoint-info.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { signingPrefix } from '../../../../protocols/spdm/signing.ts';
import { subjectPublicKeyInfo } from '../../../../protocols/x509/spki.ts';
import { crypto, Pair, type PairOptions } from '../pair.ts';
import { certificatesFor, keyOf, MULTI_KEY, storeWith } from '../provisioned.ts';
import { snapshotOf } from '../snapshot.ts';

const test = suite('spdm ENDPOINT_INFO');

const classes: readonly DeviceClass[] = [
  {
    ID: 3,
    VendorID: fromHex('de10'),
    SubordinateID: [{ SubIdentifier: fromHex('0302') }, { SubIdentifier: fromHex('00') }],
  },
  { ID: 0, VendorID: new Uint8Array(0), SubordinateID: [] },
];
const INFO = '02000000 0a 03 02 de10 02 02 0302 01 00 03 00 00 00'.replace(/ /g, '');

const options = (change: PairOptions = {}): PairOptions => ({
  version: 0x13,
  ...change,
  responderFlags: { EP_INFO_CAP: 2, ...change.responderFlags },
  responder: { deviceClasses: classes, ...change.responder },
});
const ready = (change: PairOptions = {}) => new Pair(options(change)).authenticate();

test('device classes byte by byte', () => {
  assert.is(toHex(encodeDeviceClasses(classes)), INFO);
  const back = decodeDeviceClasses(fromHex(INFO));
  assert.ok(back.ok);
  assert.is(toHex(encodeDeviceClasses(back.value)), INFO);
});

for (const version of [0x13, 0x14])
  for (const inSession of [false, true])
    test(`${version.toString(16)}${inSession ? ', in a session' : ''}: with a signature and without`, () => {
      const pair = ready({ version });
      const session = inSession ? pair.session() : undefined;
      for (const asked of [{}, { slot: 0 }]) {
        const told = pair.good(getEndpointInfo(pair.requester, session, asked));
        assert.is(toHex(encodeDeviceClasses(told)), INFO);
      }
    });

test('the signature covers VCA and this exchange, whatever came before', () => {
  const pair = ready();
  const vca = pair.responder.state.transcript.a.bytes();
  pair.good(getEndpointInfo(pair.requester, undefined));
  pair.good(getEndpointInfo(pair.requester, undefined, { slot: 0 }));
  const { request, response } = pair.wire.at(-1)!;
  const answer = response!.bytes;
  const size = 64;
  assert.is(toHex(answer.subarray(0, 8)), '1307000000000000');
  const bare = answer.subarray(0, answer.length - size);
  const message = concat(
    signingPrefix(0x13, 'responder-endpoint_info signing'),
    crypto.hash('SHA_256', concat(vca, request.bytes, bare)),
  );
  const key = crypto.signingPublicKey('ECDSA_P256', pair.slot.signer.privateKey);
  const signature = answer.subarray(answer.length - size);
  assert.ok(crypto.verify('ECDSA_P256', 'SHA_256', key, message, signature));
});

test('without a signature the slot does not count', () => {
  const pair = ready();
  assert.is(toHex(pair.plain('1387010f00000000')!.subarray(0, 8)), '1307000000000000');
});

test('a signature by the public key the requester was given', () => {
  const store = storeWith({ publicKeys: [2] });
  const publicKey = crypto.signingPublicKey('ECDSA_P256', keyOf(0x44));
  const pair = new Pair(
    options({
      responderFlags: { CERT_CAP: 0, PUB_KEY_ID_CAP: 1 },
      responder: { identity: store },
      requester: {
        peerPublicKey: {
          subjectPublicKeyInfo: subjectPublicKeyInfo('ECDSA_P256', publicKey),
          key: { algorithm: 'ECDSA_P256', publicKey },
        },
      },
    }),
  );
  pair.good(negotiate(pair.requester));
  const told = pair.good(getEndpointInfo(pair.requester, undefined, { slot: 0xff }));
  assert.is(told.length, 2);
  const { request } = pair.wire.at(-1)!;
  assert.is(request.bytes[3], 15);
});

const signed = (param2: string) => `138701${param2}01000000${'5a'.repeat(32)}`;
const PLAIN = '1387010000000000';
const noUse = storeWith({
  keyPairs: [{ kind: 'ECC256', privateKey: keyOf(0x33), usage: ['KeyExUse', 'ChallengeUse'] }],
  slots: [{ slot: 0, chains: [{ keyPairId: 1, certificates: certificatesFor(0x33) }] }],
});
const refusals: [what: string, change: PairOptions, request: string, answer: string][] = [
  ['1.2', { version: 0x12 }, '1287010000000000', '127f0787'],
  ['no EP_INFO_CAP', { responderFlags: { EP_INFO_CAP: 0 } }, PLAIN, '137f0787'],
  ['SubCode 0', {}, '1387000000000000', '137f0100'],
  ['SubCode 2', {}, '1387020000000000', '137f0100'],
  ['no attributes', {}, '13870100', '137f0100'],
  ['a signature and no nonce', {}, '1387010001000000', '137f0100'],
  ['a signature and half a nonce', {}, `1387010001000000${'00'.repeat(16)}`, '137f0100'],
  [
    'a signature with EP_INFO_CAP 1',
    { responderFlags: { EP_INFO_CAP: 1 } },
    signed('00'),
    '137f0787',
  ],
  ['a slot that is empty', {}, signed('01'), '137f0100'],
  ['slot 8', {}, signed('08'), '137f0100'],
  ['a public key nobody was given', {}, signed('0f'), '137f0100'],
  [
    'a key for other uses',
    { responderFlags: MULTI_KEY, responder: { identity: noUse } },
    signed('00'),
    '137f0100',
  ],
];
for (const [what, change, request, answer] of refusals)
  test(`refused: ${what}`, () => {
    const pair = new Pair(options(change));
    pair.good(negotiate(pair.requester));
    const before = snapshotOf(pair.responder);
    assert.is(toHex(pair.plain(request)!), answer);
    assert.is(snapshotOf(pair.responder), before);
  });

test('refused: a responder without classes, though the flag says so', () => {
  const pair = new Pair({ version: 0x13, responderFlags: { EP_INFO_CAP: 2 } });
  pair.good(negotiate(pair.requester));
  assert.is(toHex(pair.plain(PLAIN)!), '137f0787');
});

test('the requester notices every flipped byte of a signed answer', () => {
  const pair = ready();
  pair.good(getEndpointInfo(pair.requester, undefined, { slot: 0 }));
  const size = pair.wire.at(-1)!.response!.bytes.length;
  const codes = new Set<string>();
  for (let at = 0; at < size; at++) {
    pair.tap = (packet, direction) => {
      if (direction === 'request') return packet;
      const bytes = packet.bytes.slice();
      bytes[at] = bytes[at]! ^ 1;
      return { ...packet, bytes };
    };
    const got = pair.run(getEndpointInfo(pair.requester, undefined, { slot: 0 }));
    assert.ok(isPeerFault(got), `byte ${at}`);
    codes.add(isPeerFault(got) ? got.code : '');
  }
  for (const code of ['ENDPOINT_INFO_SLOT', 'ENDPOINT_INFO_SIGNATURE'])
    assert.ok(codes.has(code), code);
});

test('the requester refuses classes that are none', () => {
  const pair = ready();
  pair.tap = (packet, direction) => {
    if (direction === 'request') return packet;
    const bytes = packet.bytes.slice();
    bytes[12] = 9;
    return { ...packet, bytes };
  };
  const got = pair.run(getEndpointInfo(pair.requester, undefined));
  assert.is(isPeerFault(got) && got.code, 'ENDPOINT_INFO_ENCODING');
});

test.run();
