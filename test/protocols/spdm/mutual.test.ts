/** Mutual authentication, every form in every version, in the clear and in records. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault, peerFault } from '../../../protocols/codec/refusal.ts';
import { fixedIdentity } from '../../../protocols/spdm/identity.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import { heartbeat } from '../../../protocols/spdm/requester/session-life.ts';
import type { MutualAuthentication } from '../../../protocols/spdm/responder/mutual.ts';
import { buildDeviceChain } from '../../../protocols/x509/device-chain.ts';
import { drawChainPlan } from '../../../protocols/x509/draw-chain.ts';
import { encodeCertChain } from '../../../protocols/x509/spdm-chain.ts';
import {
  challenged,
  keyIdentity,
  type MutualOptions,
  mutualPair,
  other,
  own,
  ownLeaf,
  SUBJECT_PUBLIC_KEY_INFO,
  told,
} from './mutual-pair.ts';
import { crypto, stream, suites } from './pair.ts';

const test = suite('spdm mutual authentication');

const forms: readonly {
  readonly name: string;
  readonly wanted: MutualAuthentication;
  readonly options: MutualOptions;
  readonly slot: number;
}[] = [
  {
    name: 'requested, chain known beforehand',
    wanted: { session: 'requested' },
    options: { responder: { peerChain: own.chain } },
    slot: 0,
  },
  { name: 'encapsulated', wanted: { session: 'encapsulated' }, options: {}, slot: 0 },
  { name: 'digests', wanted: { session: 'digests' }, options: {}, slot: 0 },
  {
    name: 'encapsulated, slot 3',
    wanted: { session: 'encapsulated', slot: 3 },
    options: {
      identity: fixedIdentity(
        new Map([
          [0, other],
          [3, own],
        ]),
      ),
    },
    slot: 3,
  },
  {
    name: 'chain in small portions',
    wanted: { session: 'digests' },
    options: { responder: { dataTransferSize: 300, maxSpdmMsgSize: 300 } },
    slot: 0,
  },
  {
    name: 'public key',
    wanted: { session: 'encapsulated' },
    options: {
      identity: keyIdentity,
      requesterFlags: { CERT_CAP: 0, CHAL_CAP: 0, PUB_KEY_ID_CAP: 1 },
      responder: {
        peerPublicKey: { subjectPublicKeyInfo: SUBJECT_PUBLIC_KEY_INFO, key: ownLeaf },
      },
    },
    slot: 0xff,
  },
];

for (const version of [0x11, 0x12, 0x13, 0x14])
  for (const clear of [0, 1])
    for (const { name, wanted, options, slot } of forms)
      test(`${name}, ${version.toString(16)}${clear ? ', in the clear' : ''}`, () => {
        const flags = { HANDSHAKE_IN_THE_CLEAR_CAP: clear };
        const pair = mutualPair(wanted, { ...options, version, flags });
        pair.authenticate();
        const session = pair.session();
        assert.equal(told(pair), [
          { type: 'requester-authenticated', sessionId: session.id, slot },
        ]);
        assert.is(pair.good(heartbeat(pair.requester, session)), true);
        const finish = pair.wire.at(-2)!.request;
        assert.is(finish.secured, clear === 0);
      });

for (const version of [0x11, 0x12, 0x13, 0x14])
  test(`basic, then requested with the chain remembered, ${version.toString(16)}`, () => {
    const pair = mutualPair({ basic: true, session: 'requested' }, { version }).authenticate();
    assert.is(challenged(pair), true);
    assert.equal(told(pair), [{ type: 'requester-authenticated', slot: 0 }]);
    const session = pair.session();
    assert.equal(told(pair)[1], {
      type: 'requester-authenticated',
      sessionId: session.id,
      slot: 0,
    });
    const basic = pair.wire.filter(({ request }) => request.bytes[1] === 0xeb);
    assert.is(basic.length, 3);
  });

test('basic of a public key is CHALLENGE alone', () => {
  for (const version of [0x11, 0x12, 0x13, 0x14]) {
    const pair = mutualPair(
      { basic: true },
      {
        version,
        identity: keyIdentity,
        requesterFlags: { CERT_CAP: 0, PUB_KEY_ID_CAP: 1 },
        responder: {
          peerPublicKey: { subjectPublicKeyInfo: SUBJECT_PUBLIC_KEY_INFO, key: ownLeaf },
        },
      },
    ).authenticate();
    assert.is(challenged(pair), true);
    assert.equal(told(pair), [{ type: 'requester-authenticated', slot: 0xff }]);
    assert.is(pair.wire.filter(({ request }) => request.bytes[1] === 0xeb).length, 1);
  }
});

test('large form in 1.4 if the requester has LARGE_RESP_CAP', () => {
  const flags = { LARGE_RESP_CAP: 1, CHUNK_CAP: 1 };
  const options = { version: 0x14, requesterFlags: flags, responderFlags: { CHUNK_CAP: 1 } };
  const sizes = { dataTransferSize: 300, maxSpdmMsgSize: 4096 };
  const pair = mutualPair(
    { basic: true, session: 'encapsulated' },
    { ...options, requester: sizes, responder: sizes },
  ).authenticate();
  assert.is(challenged(pair), true);
  const session = pair.session();
  assert.is(told(pair).length, 2);
  assert.is(pair.good(heartbeat(pair.requester, session)), true);
  const acks = pair.wire.map(({ response }) => toHex(response!.bytes));
  assert.ok(acks.some((hex) => /^146b020101000000148280000000000000000000ec0f0000$/.test(hex)));
});

test('DIGESTS of a multi-key requester are part of TH', () => {
  const keyed = { ...own, keyPairId: 5, keyUsage: 0x000f, certModel: 1 };
  const noKeyEx = { ...other, keyPairId: 6, keyUsage: 0x0002, certModel: 1 };
  const identity = fixedIdentity(
    new Map([
      [1, noKeyEx],
      [2, keyed],
    ]),
  );
  for (const version of [0x13, 0x14])
    for (const session of ['encapsulated', 'digests'] as const)
      for (const clear of [0, 1]) {
        const pair = mutualPair(
          { session, basic: true },
          {
            version,
            identity,
            flags: { HANDSHAKE_IN_THE_CLEAR_CAP: clear },
            requesterFlags: { MULTI_KEY_CAP: 1 },
          },
        ).authenticate();
        assert.is(challenged(pair), true);
        const opened = pair.session();
        assert.equal(told(pair), [
          { type: 'requester-authenticated', slot: 1 },
          { type: 'requester-authenticated', sessionId: opened.id, slot: 2 },
        ]);
        const { mutual } = [...pair.responder.state.sessions.values()][0]!;
        assert.is(mutual.digests?.[1], 0x01);
      }
});

test('nothing is asked of a requester that cannot', () => {
  const wanted = { basic: true, session: 'encapsulated' } as const;
  const without: MutualOptions[] = [
    { requesterFlags: { MUT_AUTH_CAP: 0 } },
    { responderFlags: { MUT_AUTH_CAP: 0 } },
    { responderFlags: { ENCAP_CAP: 0, MUT_AUTH_CAP: 0 } },
    { requesterFlags: { ENCAP_CAP: 0 }, version: 0x13 },
  ];
  for (const options of without) {
    const pair = mutualPair(wanted, options);
    pair.authenticate();
    assert.is(challenged(pair), true);
    pair.session();
    assert.equal(told(pair), []);
  }
});

test('mandatory: no session with a requester that cannot', () => {
  for (const [version, code] of [
    [0x12, 'Unspecified'],
    [0x13, 'InvalidPolicy'],
  ] as const) {
    const wanted = { session: 'encapsulated', mandatory: true } as const;
    const pair = mutualPair(wanted, { version, requesterFlags: { MUT_AUTH_CAP: 0 } });
    pair.authenticate();
    assert.throws(() => pair.session(), `SPDM_ERROR_${code}`);
    assert.is(pair.responder.state.sessions.size, 0);
  }
});

test('what cannot be judged is the owner of the responder to blame for', () => {
  assert.throws(
    () => mutualPair({ basic: true }, { responder: { trust: undefined as never } }),
    'trust',
  );
  assert.throws(() => mutualPair({ session: 'digests', slot: 8 }), 'slot');
});

test('a chain nobody trusts, and a key of the wrong algorithm', () => {
  const judges = [
    () => ({ fault: true, code: 'CHAIN_BAD_SIGNATURE', detail: 'no' }) as const,
    () => ({ algorithm: 'ECDSA_P384', publicKey: ownLeaf.publicKey }) as const,
  ];
  const codes = ['CHAIN_BAD_SIGNATURE', 'REQUESTER_LEAF_KEY'];
  for (const [at, trust] of judges.entries()) {
    const pair = mutualPair({ session: 'digests' }, { responder: { trust } }).authenticate();
    assert.throws(() => pair.session(), 'SPDM_ERROR_InvalidResponseCode');
    assert.is((told(pair)[0] as { code?: string }).code, codes[at]);
    assert.is([...pair.responder.state.sessions.values()][0]!.established, false);
    const basic = mutualPair({ basic: true }, { responder: { trust } }).authenticate();
    const result = challenged(basic);
    assert.ok(isPeerFault(result) && result.code === 'SPDM_ERROR_InvalidResponseCode');
    assert.is(basic.responder.state.requester, undefined);
  }
});

test('ML-DSA-44 of the requester beside ECDSA of the responder, in chunks', () => {
  const plan = drawChainPlan({
    crypto,
    random: stream(7),
    algorithm: 'ML_DSA_44',
    authorities: 'ECDSA_P256',
    deviceInfo: 'Example:Requester:1',
    notBefore: '20240101000000Z',
    model: 'generic',
    roles: ['requester'],
  });
  const { certificates } = buildDeviceChain(crypto, plan);
  const { privateKey } = plan.leaf;
  const slot = {
    chain: encodeCertChain(crypto, 'SHA_256', 0x14, certificates),
    signer: { algorithm: 'ML_DSA_44', privateKey } as const,
  };
  const algorithms = { ...suites.P256.algorithms, reqPqcAsym: 1 };
  const sizes = { dataTransferSize: 1000, maxSpdmMsgSize: 0x4000, algorithms };
  for (const clear of [0, 1]) {
    const pair = mutualPair(
      { basic: true, session: 'encapsulated' },
      {
        version: 0x14,
        flags: { CHUNK_CAP: 1, HANDSHAKE_IN_THE_CLEAR_CAP: clear },
        requesterFlags: { LARGE_RESP_CAP: 1, MULTI_KEY_CAP: 1 },
        identity: fixedIdentity(new Map([[0, slot]])),
        requester: sizes,
        responder: {
          ...sizes,
          trust: (chain, size, wanted) =>
            leafKeyOfChain(chain, size, wanted) ?? peerFault('CHAIN', 'no chain'),
        },
      },
    ).authenticate();
    assert.is(challenged(pair), true);
    const session = pair.session();
    assert.is(told(pair).length, 2);
    assert.is(pair.good(heartbeat(pair.requester, session)), true);
    assert.is(pair.requester.negotiated?.requesterAsym, 'ML_DSA_44');
    const chunks = pair.wire.filter(({ request }) => request.bytes[1] === 0x85);
    assert.ok(chunks.length > 3);
  }
});

test.run();
