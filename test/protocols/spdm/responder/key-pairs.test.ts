/** GET_KEY_PAIR_INFO and SET_KEY_PAIR_INFO: what is told, what may change, what a reset does. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { fitsKind, kindOf, signaturesOf } from '../../../../protocols/spdm/provisioning/kinds.ts';
import type { KeyPairPlan } from '../../../../protocols/spdm/provisioning/store.ts';
import {
  getCsr,
  getKeyPairInfo,
  setCertificate,
  setKeyPairInfo,
} from '../../../../protocols/spdm/requester/provisioning.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { algorithmIdentifier } from '../../../../protocols/x509/spki.ts';
import {
  chainFor,
  keyOf,
  MULTI_KEY,
  type ProvisionedOptions,
  ProvisionedPair,
  storeWith,
} from '../provisioned.ts';

const test = suite('spdm key pairs');
const trusted = { trustedEnvironment: () => true };

function negotiated(options: ProvisionedOptions = {}): ProvisionedPair {
  const pair = new ProvisionedPair({ version: 0x13, ...options });
  pair.good(negotiate(pair.requester));
  return pair;
}
const infoOf = (pair: ProvisionedPair, id: number) =>
  pair.good(getKeyPairInfo(pair.requester, undefined, id));
const IDENTIFIER = toHex(algorithmIdentifier('ECDSA_P256'));

test('KEY_PAIR_INFO byte by byte, 1.3 and 1.4', () => {
  const one = `7c0000 03 01 0000 0f00 0f00 08000000 08000000 1500 01 ${IDENTIFIER}`;
  const three = '7c0000 03 03 3f00 0f00 0000 18000000 00000000 0000 00';
  const rows: [version: number, id: string, answer: string][] = [
    [0x13, '01', one],
    [0x13, '03', three],
    [0x14, '01', `${one} 0400000000 0400000000`],
    [0x14, '03', `${three} 0401000000 0400000000`],
  ];
  for (const [version, id, answer] of rows) {
    const pair = negotiated({ version });
    const v = version.toString(16);
    assert.is(toHex(pair.plain(`${v}fc0000${id}`)!), (v + answer).replace(/ /g, ''));
  }
});

test('without SET_KEY_PAIR_INFO_CAP a key pair can do nothing', () => {
  const pair = negotiated({ responderFlags: { SET_KEY_PAIR_INFO_CAP: 0 } });
  assert.is(infoOf(pair, 3).capabilities, 0);
});

test('generate, choose usage and slots, certify, and undo it all in order', () => {
  const pair = negotiated({ provisioning: trusted, responderFlags: MULTI_KEY });
  const { requester } = pair;
  const set = (asked: Parameters<typeof setKeyPairInfo>[2]) =>
    pair.run(setKeyPairInfo(requester, undefined, asked));
  const refusedBy = (result: unknown) => (isPeerFault(result) ? result.code : 'good');
  const FAILED = 'SPDM_ERROR_OperationFailed';
  const INVALID = 'SPDM_ERROR_InvalidRequest';
  const generate = { operation: 'GenerateKeyPair', keyPairId: 3 } as const;
  const change = { operation: 'ParameterChange', keyPairId: 3 } as const;
  const erase = { operation: 'KeyPairErase', keyPairId: 3 } as const;
  assert.is(refusedBy(set(generate)), FAILED);
  assert.is(refusedBy(set({ ...change, kind: 'ECC384' })), 'good');
  assert.is(refusedBy(set({ ...change, kind: 'ECC256' })), INVALID);
  assert.equal([infoOf(pair, 3).asym, infoOf(pair, 3).publicKeyInfo.length], [0x10, 0]);
  assert.is(refusedBy(set({ ...generate, kind: 'ECC256', usage: 4, slots: 8 })), 'good');
  assert.equal(infoOf(pair, 3), {
    keyPairId: 3,
    total: 3,
    capabilities: 0x3f,
    usageCapabilities: 0x0f,
    usage: 4,
    asymCapabilities: 0x18,
    asym: 8,
    pqcCapabilities: 0,
    pqc: 0,
    slots: 8,
    publicKeyInfo: algorithmIdentifier('ECDSA_P256'),
  });
  assert.equal(pair.told('key-pair-changed'), {
    type: 'key-pair-changed',
    keyPairId: 3,
    operation: 2,
    when: 'now',
  });
  assert.is(refusedBy(set(generate)), FAILED);
  assert.is(refusedBy(set(erase)), FAILED);
  const csr = pair.good(getCsr(requester, undefined, { keyPairId: 3, certModel: 3 }));
  assert.ok(!('resetRequired' in csr));
  assert.is(refusedBy(set({ ...change, usage: 8, slots: 0x0a })), 'good');
  assert.is(infoOf(pair, 3).slots, 0x0a);
  assert.is(refusedBy(set(change)), 'good');
  assert.equal([infoOf(pair, 3).slots, infoOf(pair, 3).usage], [0, 8]);
  assert.is(refusedBy(set(erase)), 'good');
  assert.equal([infoOf(pair, 3).asym, infoOf(pair, 3).usage], [0, 0]);
});

test('a slot keeps its key while it holds a certificate of it', () => {
  const pair = negotiated({ provisioning: trusted, responderFlags: MULTI_KEY });
  const { requester } = pair;
  const asked = { slot: 1, keyPairId: 2, certModel: 1 };
  pair.good(setCertificate(requester, undefined, asked, chainFor(0x44)));
  const before = pair.all;
  const drop = { operation: 'ParameterChange', keyPairId: 2, slots: 0 } as const;
  const refused = pair.run(setKeyPairInfo(requester, undefined, drop));
  assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_OperationFailed');
  assert.is(pair.all, before);
  assert.ok(pair.good(setKeyPairInfo(requester, undefined, { ...drop, slots: 0x0a })));
});

test('by its capabilities a key is not shared, and keeps the slots that it cannot change', () => {
  const plan = { kind: 'ECC256', privateKey: keyOf(0x33), slots: [0] } as const;
  const keyPairs: KeyPairPlan[] = [
    { ...plan, capabilities: ['CertAssocCap'] },
    { ...plan, capabilities: ['KeyUsageCap'], slots: [1] },
  ];
  const slots = [0, 1, 2, 3].map((slot) => ({ slot }));
  const pair = negotiated({ provisioning: { store: storeWith({ keyPairs, slots }) } });
  const change = { operation: 'ParameterChange', keyPairId: 1 } as const;
  const shared = pair.run(setKeyPairInfo(pair.requester, undefined, { ...change, slots: 5 }));
  assert.is(isPeerFault(shared) && shared.code, 'SPDM_ERROR_InvalidRequest');
  pair.good(setKeyPairInfo(pair.requester, undefined, { ...change, keyPairId: 2, usage: 1 }));
  assert.equal([infoOf(pair, 2).slots, infoOf(pair, 2).usage], [2, 1]);
  assert.is(infoOf(pair, 1).slots, 1);
});

test('1.4 with SET_KEY_PAIR_RESET_CAP: the change holds after the reset of the device', () => {
  const responderFlags = { SET_KEY_PAIR_RESET_CAP: 1, CERT_INSTALL_RESET_CAP: 1, ...MULTI_KEY };
  const pair = negotiated({ version: 0x14, responderFlags, provisioning: trusted });
  const { requester } = pair;
  const generate = { operation: 'GenerateKeyPair', keyPairId: 3, kind: 'ML_DSA_44' } as const;
  const waits = { resetRequired: true, trackingTag: 0 };
  assert.equal(pair.good(setKeyPairInfo(requester, undefined, generate)), waits);
  assert.is(infoOf(pair, 3).pqc, 0);
  const asked = { slot: 1, keyPairId: 2, certModel: 1 };
  assert.equal(pair.good(setCertificate(requester, undefined, asked, chainFor(0x44))), waits);
  assert.equal(pair.store.deviceReset(), { changedSlots: 2 });
  const info = infoOf(pair, 3);
  assert.equal([info.pqc, info.asym, info.pqcCapabilities], [1, 0, 1]);
  assert.equal(info.publicKeyInfo, algorithmIdentifier('ML_DSA_44'));
  assert.is(pair.store.tables.keyPairs[1]!.slots, 2);
});

test('what happens now must go together with what waits for the reset', () => {
  const responderFlags = { CERT_INSTALL_RESET_CAP: 1, ...MULTI_KEY };
  const pair = negotiated({ responderFlags, provisioning: trusted });
  const { requester } = pair;
  const asked = { slot: 1, keyPairId: 2, certModel: 1 };
  pair.good(setCertificate(requester, undefined, asked, chainFor(0x44)));
  const take = { operation: 'GenerateKeyPair', keyPairId: 3, kind: 'ECC256', slots: 2 } as const;
  const refused = pair.run(setKeyPairInfo(requester, undefined, take));
  assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_OperationFailed');
  pair.good(setKeyPairInfo(requester, undefined, { ...take, slots: 8 }));
  const made = pair.store.tables.keyPairs[2]!.privateKey!;
  assert.is(made.length, 32);
  pair.store.deviceReset();
  assert.equal(pair.store.tables.keyPairs[2]!.privateKey, made);
  assert.equal(
    pair.store.tables.keyPairs.map(({ slots }) => slots),
    [1, 2, 8],
  );
});

const refusals: [
  what: string,
  version: number,
  options: ProvisionedOptions,
  hex: string,
  answer: string,
][] = [
  ['GET_KEY_PAIR_INFO in 1.2', 0x12, {}, '12fc000001', '127f07fc'],
  ['KeyPairID 0', 0x13, {}, '13fc000000', '137f0100'],
  ['KeyPairID beyond the last', 0x13, {}, '13fc000004', '137f0100'],
  ['KeyPairID 255', 0x13, {}, '13fc0000ff', '137f0100'],
  ['no KeyPairID', 0x13, {}, '13fc0000', '137f0100'],
  ['no provisioning, though the flag says so', 0x13, { bare: true }, '13fc000001', '137f07fc'],
  [
    'no GET_KEY_PAIR_INFO_CAP',
    0x13,
    { responderFlags: { GET_KEY_PAIR_INFO_CAP: 0 } },
    '13fc000001',
    '137f07fc',
  ],
  ['SET: no provisioning, though the flag says so', 0x13, { bare: true }, '13fd010003', '137f07fd'],
  [
    'SET: no SET_KEY_PAIR_INFO_CAP',
    0x13,
    { responderFlags: { SET_KEY_PAIR_INFO_CAP: 0 } },
    '13fd010003',
    '137f07fd',
  ],
  ['SET: KeyPairID 0', 0x13, {}, '13fd010000', '137f0100'],
  ['SET: KeyPairID beyond the last', 0x13, {}, '13fd010004', '137f0100'],
  ['SET: operation 3', 0x13, {}, '13fd030003 00 0000 00000000 00', '137f0100'],
  ['SET: parameters cut', 0x13, {}, '13fd000003 00 0000 000000', '137f0100'],
  ['SET: no PQC tail in 1.4', 0x14, {}, '14fd000003 00 0000 00000000 00', '147f0100'],
  ['SET: a PQC tail that is cut', 0x14, {}, '14fd000003 00 0000 00000000 00 04000000', '147f0100'],
  ['SET: two algorithms', 0x13, {}, '13fd020003 00 0000 18000000 00', '137f0100'],
  ['SET: an algorithm it cannot have', 0x13, {}, '13fd020003 00 0000 20000000 00', '137f0100'],
  ['SET: an unknown algorithm', 0x13, {}, '13fd020003 00 0000 00000080 00', '137f0100'],
  [
    'SET: an algorithm of both families',
    0x14,
    {},
    '14fd020003 00 0000 08000000 00 0401000000',
    '147f0100',
  ],
  [
    'SET: a PQC algorithm it cannot have',
    0x14,
    {},
    '14fd020003 00 0000 00000000 00 0402000000',
    '147f0100',
  ],
  ['SET: a usage it cannot have', 0x13, {}, '13fd000003 00 1000 00000000 00', '137f0100'],
  ['SET: a usage where it is fixed', 0x13, {}, '13fd000002 00 0100 00000000 00', '137f0100'],
  ['SET: an algorithm where it is fixed', 0x13, {}, '13fd000002 00 0000 08000000 00', '137f0100'],
  ['SET: slots where they are fixed', 0x13, {}, '13fd000001 00 0000 00000000 03', '137f0100'],
  ['SET: a slot that does not exist', 0x13, {}, '13fd000002 00 0000 00000000 80', '137f0100'],
  ['SET: a slot of another key', 0x13, {}, '13fd000002 00 0000 00000000 01', '137f4400'],
  ['SET: generate where it cannot', 0x13, {}, '13fd020002 00 0000 00000000 00', '137f0100'],
  ['SET: erase where it cannot', 0x13, {}, '13fd010002', '137f0100'],
];
for (const [what, version, options, request, answer] of refusals)
  test(`refused: ${what}`, () => {
    const pair = negotiated({ version, ...options });
    const before = pair.all;
    assert.is(toHex(pair.plain(request)!), answer);
    assert.is(pair.all, before);
  });

test('the requester refuses information on another key pair', () => {
  for (const [at, mask] of [
    [5, 3],
    [4, 3],
  ] as const) {
    const pair = negotiated();
    pair.tap = (packet, direction) => {
      if (direction === 'response') packet.bytes[at] = packet.bytes[at]! ^ mask;
      return packet;
    };
    const refused = pair.run(getKeyPairInfo(pair.requester, undefined, 1));
    assert.is(isPeerFault(refused) && refused.code, 'KEY_PAIR_INFO_ID');
  }
});

test('kinds of keys and the schemes they sign with', () => {
  assert.equal(signaturesOf('RSA3072'), ['RSASSA_3072', 'RSAPSS_3072']);
  assert.equal(signaturesOf('SM2'), []);
  assert.is(kindOf('RSAPSS_2048'), 'RSA2048');
  assert.is(kindOf('ML_DSA_65'), 'ML_DSA_65');
  assert.not(fitsKind('ECC256', 'ECDSA_P384'));
});

test('a responder that pretends acknowledges an erase, and the key pair stays', () => {
  const pair = negotiated({
    provisioning: { ...trusted, pretends: true },
    responderFlags: MULTI_KEY,
  });
  const before = infoOf(pair, 3);
  const erase = { operation: 'KeyPairErase', keyPairId: 3 } as const;
  assert.not(isPeerFault(pair.run(setKeyPairInfo(pair.requester, undefined, erase))));
  assert.equal(infoOf(pair, 3), before);
  assert.match(JSON.stringify(pair.told('provisioning-pretended')), /stays as it is/);
  const absent = pair.run(setKeyPairInfo(pair.requester, undefined, { ...erase, keyPairId: 9 }));
  assert.is(isPeerFault(absent) && absent.code, 'SPDM_ERROR_InvalidRequest');
});

test.run();
