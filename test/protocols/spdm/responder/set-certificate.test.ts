/** SET_CERTIFICATE: what is stored shows at once or after a reset; what is not sound is refused by name. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, toHex } from '../../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { DeviceStore } from '../../../../protocols/spdm/provisioning/store.ts';
import { getCertificate, getDigests } from '../../../../protocols/spdm/requester/certificates.ts';
import {
  eraseCertificate,
  setCertificate,
} from '../../../../protocols/spdm/requester/provisioning.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { buildCertificate } from '../../../../protocols/x509/build.ts';
import type { DeviceChainPlan } from '../../../../protocols/x509/device-chain.ts';
import { decodeCertChain } from '../../../../protocols/x509/spdm-chain.ts';
import { parseChain } from '../../../../protocols/x509/split.ts';
import { crypto, flipped } from '../pair.ts';
import {
  blobOf,
  certificatesFor,
  chainFor,
  keyOf,
  MULTI_KEY,
  type ProvisionedOptions,
  ProvisionedPair,
  storeWith,
} from '../provisioned.ts';

const test = suite('spdm SET_CERTIFICATE');
const trusted = { trustedEnvironment: () => true };

function negotiated(options: ProvisionedOptions = {}): ProvisionedPair {
  const pair = new ProvisionedPair(options);
  pair.good(negotiate(pair.requester));
  return pair;
}
const multi = (options: ProvisionedOptions = {}) =>
  negotiated({
    version: 0x13,
    ...options,
    responderFlags: { ...MULTI_KEY, ...options.responderFlags },
  });

for (const version of [0x12, 0x13, 0x14])
  test(`${version.toString(16)}: what is stored in a slot is what DIGESTS and CERTIFICATE say next`, () => {
    const pair = negotiated({ version, provisioning: trusted });
    assert.equal([...pair.good(getDigests(pair.requester)).keys()], [0]);
    const blob = chainFor(0x33, { deviceInfo: 'Example:Device:new' });
    const stored = pair.good(setCertificate(pair.requester, undefined, { slot: 1 }, blob));
    assert.equal(stored, { stored: true });
    const digests = pair.good(getDigests(pair.requester));
    assert.equal([...digests.keys()], [0, 1]);
    assert.equal(pair.good(getCertificate(pair.requester, 1, digests.get(1))), blob);
    assert.equal(pair.told('certificate-stored'), {
      type: 'certificate-stored',
      slot: 1,
      keyPairId: 1,
      when: 'now',
    });
  });

test('a responder that pretends acknowledges a chain, even a stranger’s, and stores nothing', () => {
  const pair = negotiated({ provisioning: { ...trusted, pretends: true } });
  const before = pair.good(getDigests(pair.requester));
  const strange = chainFor(0x44, { deviceInfo: 'Example:Device:stranger' });
  const answer = pair.good(setCertificate(pair.requester, undefined, { slot: 0 }, strange));
  assert.equal(answer, { stored: true });
  assert.equal(pair.good(getDigests(pair.requester)), before);
  assert.is(pair.told('certificate-stored'), undefined);
  assert.match(JSON.stringify(pair.told('provisioning-pretended')), /is not stored/);
  // What cannot be read is refused all the same.
  const cut = pair.run(setCertificate(pair.requester, undefined, { slot: 0 }, strange.slice(0, 9)));
  assert.is(isPeerFault(cut) && cut.code, 'SPDM_ERROR_InvalidRequest');
});

test('a slot that is written again shows the new chain, and its key signs with it', () => {
  const pair = new ProvisionedPair({ provisioning: trusted }).authenticate();
  const blob = chainFor(0x33, { deviceInfo: 'Example:Device:new' });
  pair.good(setCertificate(pair.requester, undefined, { slot: 0 }, blob));
  assert.not(pair.requester.chains.has(0));
  pair.authenticate();
  assert.equal(pair.requester.chains.get(0), blob);
  assert.ok(pair.session().established);
});

test('in a session slots above 0 are writable outside a trusted environment', () => {
  const pair = new ProvisionedPair().authenticate();
  const { requester } = pair;
  const session = pair.session();
  assert.ok(pair.good(setCertificate(requester, session, { slot: 1 }, chainFor(0x33))));
  assert.equal([...pair.good(getDigests(requester, session)).keys()], [0, 1]);
  const longer = concat(chainFor(0x33), Uint8Array.of(0));
  const refused = pair.run(setCertificate(requester, session, { slot: 1 }, longer));
  assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_InvalidRequest');
});

test('transport padding after the chain is no part of it', () => {
  const pair = negotiated({ provisioning: trusted });
  const blob = chainFor(0x33);
  const padded = concat(Uint8Array.of(0x12, 0xee, 1, 0), blob, Uint8Array.of(0, 0, 0));
  assert.is(toHex(pair.plain(padded)!), '126e0100');
  assert.equal(pair.good(getCertificate(pair.requester, 1)), blob);
});

test('with CERT_INSTALL_RESET_CAP a chain shows after the reset of the device, not before', () => {
  const reset = { CERT_INSTALL_RESET_CAP: 1 };
  const pair = negotiated({ provisioning: trusted, responderFlags: reset });
  const { requester } = pair;
  const stored = pair.good(setCertificate(requester, undefined, { slot: 1 }, chainFor(0x33)));
  assert.equal(stored, { resetRequired: true, trackingTag: 0 });
  assert.equal([...pair.good(getDigests(requester)).keys()], [0]);
  pair.responder.reset('GET_VERSION does not apply it');
  pair.good(negotiate(requester));
  assert.equal([...pair.good(getDigests(requester)).keys()], [0]);
  assert.equal(pair.store.deviceReset(), { changedSlots: 2 });
  assert.equal([...pair.good(getDigests(requester)).keys()], [0, 1]);
  assert.equal(pair.store.deviceReset(), { changedSlots: 0 });
});

test('a slot is erased, and its key pair stays with it', () => {
  const pair = multi({ provisioning: trusted });
  const { requester, store } = pair;
  const asked = { slot: 1, keyPairId: 2, certModel: 1 };
  pair.good(setCertificate(requester, undefined, asked, chainFor(0x44)));
  assert.equal(requester.slotFacts, undefined);
  pair.good(getDigests(requester));
  assert.equal(requester.slotFacts?.keys.get(1), { keyPairId: 2, certModel: 1, keyUsage: 15 });
  assert.is(requester.slotFacts?.supported, 0x0f);
  pair.good(eraseCertificate(requester, undefined, { slot: 1, keyPairId: 2 }));
  assert.equal([...pair.good(getDigests(requester)).keys()], [0]);
  assert.is(store.tables.keyPairs[1]!.slots, 2);
  assert.equal(pair.told('certificate-erased'), {
    type: 'certificate-erased',
    slot: 1,
    when: 'now',
  });
});

const models = ['device', 'generic'] as const;
for (const [i, model] of models.entries())
  test(`a chain of model ${model} is kept under that model`, () => {
    const pair = multi({ provisioning: trusted });
    const certModel = 2 * i + 1;
    const asked = { slot: 1, keyPairId: 2, certModel };
    pair.good(setCertificate(pair.requester, undefined, asked, chainFor(0x44, { model })));
    pair.good(getDigests(pair.requester));
    assert.is(pair.requester.slotFacts?.keys.get(1)?.certModel, certModel);
  });

/** A device of the alias model: SET_CERTIFICATE brings the device certificate, it makes the alias itself. */
function aliasStore(): DeviceStore {
  return new DeviceStore({
    crypto,
    keyPairs: [
      {
        kind: 'ECC256',
        privateKey: keyOf(0x55),
        slots: [1],
        alias: {
          devicePrivateKey: keyOf(0x44),
          issue: (device, publicKey) =>
            buildCertificate(
              crypto,
              {
                issuer: [['CN', device.subject.replace('CN=', '')]],
                subject: [['CN', 'Alias']],
                serialNumber: Uint8Array.of(9),
                notBefore: '20240101000000Z',
                notAfter: '20441231235959Z',
                algorithm: 'ECDSA_P256',
                publicKey,
                extensions: { basicConstraints: { cA: false }, keyUsage: ['digitalSignature'] },
              },
              { signature: 'ECDSA_P256', privateKey: keyOf(0x44) },
            ),
        },
      },
    ],
    slots: [{ slot: 0 }, { slot: 1 }],
  });
}

test('alias model: the device certificate is stored, and the device puts its alias under it', () => {
  const provisioning = { ...trusted, store: aliasStore() };
  const pair = multi({ provisioning, responderFlags: { ALIAS_CERT_CAP: 1 } });
  const toDevice = {
    model: 'alias',
    device: { name: [['CN', 'Dev']], privateKey: keyOf(0x44), serialNumber: Uint8Array.of(4) },
  } as const;
  const brought = certificatesFor(0x55, toDevice).slice(0, 3);
  const asked = { slot: 1, keyPairId: 1, certModel: 2 };
  pair.good(setCertificate(pair.requester, undefined, asked, blobOf(brought)));
  const chain = decodeCertChain(pair.good(getCertificate(pair.requester, 1)), 'SHA_256', 0x13);
  const certificates = chain.ok ? parseChain(chain.value.Certificates) : chain;
  assert.ok(certificates.ok);
  assert.equal(
    certificates.value.map(({ subject }) => subject),
    ['CN=Root', 'CN=Intermediate', 'CN=Dev', 'CN=Alias'],
  );
  assert.equal(
    certificates.value[3]!.publicKey.key,
    crypto.signingPublicKey('ECDSA_P256', keyOf(0x55)),
  );
  const foreign = blobOf(certificatesFor(0x66, toDevice));
  const refused = pair.run(setCertificate(pair.requester, undefined, asked, foreign));
  assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_Unspecified');
});

const [root, intermediate, leaf] = certificatesFor(0x33) as [Uint8Array, Uint8Array, Uint8Array];
const extended = (fill: number): DeviceChainPlan['leaf'] => ({
  name: [['CN', 'Leaf 51']],
  privateKey: keyOf(fill),
  serialNumber: Uint8Array.of(fill),
});
const hex = (bytes: Uint8Array) => toHex(bytes);
const good = hex(chainFor(0x33));
const refusals: [
  what: string,
  version: number,
  options: ProvisionedOptions,
  request: string,
  answer: string,
][] = [
  ['slot 8', 0x12, { provisioning: trusted }, `12ee0800${good}`, '127f0100'],
  ['slot 15', 0x12, { provisioning: trusted }, `12ee0f00${good}`, '127f0100'],
  [
    'a slot the device does not have',
    0x12,
    { provisioning: trusted },
    `12ee0500${good}`,
    '127f0100',
  ],
  ['no chain', 0x12, { provisioning: trusted }, '12ee0100', '127f0100'],
  ['a chain of its length alone', 0x12, { provisioning: trusted }, '12ee010024000000', '127f0100'],
  ['a length of 0', 0x12, { provisioning: trusted }, `12ee01000000${good.slice(4)}`, '127f0100'],
  [
    'a length of all ones',
    0x12,
    { provisioning: trusted },
    `12ee0100ffff${good.slice(4)}`,
    '127f0100',
  ],
  [
    'a length of 1.4 of all ones',
    0x14,
    { provisioning: trusted },
    `14ee0100ffffffff${good.slice(8)}`,
    '147f0100',
  ],
  ['slot 1 outside sessions', 0x12, {}, `12ee0100${good}`, '127f0400'],
  ['slot 0 outside a trusted environment', 0x12, {}, `12ee0000${good}`, '127f0400'],
  ['slot 0 outside a trusted environment', 0x13, {}, `13ee0000${good}`, '137f1100'],
  ['a slot that is too small', 0x12, { provisioning: trusted }, `12ee0200${good}`, '127f0500'],
  ['a slot that is too small', 0x13, { provisioning: trusted }, `13ee0200${good}`, '137f4400'],
  ['a key pair without multi-key', 0x13, { provisioning: trusted }, `13ee0101${good}`, '137f0100'],
  ['a model without multi-key', 0x13, { provisioning: trusted }, `13ee1100${good}`, '137f0100'],
  ['an erase with a model', 0x13, { provisioning: trusted }, '13ee9100', '137f0100'],
  ['no provisioning, though the flag says so', 0x12, { bare: true }, `12ee0100${good}`, '127f07ee'],
  ['no SET_CERT_CAP', 0x12, { responderFlags: { SET_CERT_CAP: 0 } }, `12ee0100${good}`, '127f07ee'],
  ['version 1.1', 0x11, {}, `11ee0100${good}`, '117f07ee'],
];
for (const [what, version, options, request, answer] of refusals)
  test(`refused: ${what} (${version.toString(16)})`, () => {
    const pair = negotiated({ version, ...options });
    const before = pair.all;
    assert.is(hex(pair.plain(request)!), answer);
    assert.is(pair.all, before);
  });

const fixed = hex(chainFor(0x44));
const multiRefusals: [what: string, request: string, answer: string][] = [
  ['KeyPairID 0', `13ee1100${good}`, '137f0100'],
  ['KeyPairID 0 of an erase', '13ee8100', '137f0100'],
  ['no model', `13ee0102${fixed}`, '137f0100'],
  ['model 4', `13ee4102${fixed}`, '137f0100'],
  ['a key pair that does not exist', `13ee1104${good}`, '137f0100'],
  ['a key pair that cannot be associated', `13ee1101${good}`, '137f4400'],
  ['a key pair without a key', `13ee1103${good}`, '137f4400'],
  ['a slot of another key pair', `13ee1002${fixed}`, '137f4400'],
  ['the alias model without a device key', `13ee2102${fixed}`, '137f0500'],
  ['an erase for another key pair', '13ee8002', '137f0100'],
];
for (const [what, request, answer] of multiRefusals)
  test(`refused in a multi-key connection: ${what}`, () => {
    const pair = multi({ provisioning: trusted });
    const before = pair.all;
    assert.is(hex(pair.plain(request)!), answer);
    assert.is(pair.all, before);
  });

test('the store says why a key pair does not take a slot', () => {
  const rows: [capabilities: readonly ('CertAssocCap' | 'ShareableCap')[], why: RegExp][] = [
    [['ShareableCap'], /cannot be associated/],
    [['CertAssocCap'], /cannot be shared/],
  ];
  for (const [capabilities, why] of rows) {
    const pairPlan = { kind: 'ECC256', privateKey: keyOf(0x33), capabilities, slots: [0] } as const;
    const store = storeWith({ keyPairs: [pairPlan], slots: [{ slot: 0 }, { slot: 1 }] });
    const pair = multi({ provisioning: { ...trusted, store } });
    const before = pair.all;
    assert.is(hex(pair.plain(`13ee1101${good}`)!), '137f4400');
    assert.match((pair.told('provisioning-refused') as { detail: string }).detail, why);
    assert.is(pair.all, before);
  }
});

test('a slot holds a chain for each kind of key, and shows the one that was negotiated', () => {
  const large = { ...extended(0x55), privateKey: new Uint8Array(48).fill(0x55) };
  const certificates = certificatesFor(0, { leaf: { ...large, signature: 'ECDSA_P384' } });
  const store = storeWith({
    keyPairs: [
      { kind: 'ECC384', privateKey: large.privateKey },
      { kind: 'ECC256', privateKey: keyOf(0x33) },
    ],
    slots: [
      {
        slot: 0,
        chains: [
          { keyPairId: 2, certificates: [root, intermediate, leaf] },
          { keyPairId: 1, certificates },
        ],
      },
    ],
  });
  const scope = { hash: 'SHA_256' } as const;
  const small = store.slots({ ...scope, signature: 'ECDSA_P256' }).get(0)!;
  assert.equal(small.chain, blobOf([root, intermediate, leaf]));
  assert.is(small.keyPairId, 2);
  assert.is(store.slots({ ...scope, signature: 'ECDSA_P384' }).get(0)!.keyPairId, 1);
  assert.is(store.slots({ ...scope, signature: 'ML_DSA_44' }).size, 0);
});

test('the requester refuses an answer for another slot', () => {
  const pair = negotiated({ provisioning: trusted });
  pair.tap = (packet, direction) => {
    if (direction === 'request') return packet;
    return { ...packet, bytes: flipped(packet.bytes, 2, 2) };
  };
  const refused = pair.run(setCertificate(pair.requester, undefined, { slot: 1 }, chainFor(0x33)));
  assert.is(isPeerFault(refused) && refused.code, 'SET_CERTIFICATE_SLOT');
});

test('SLOT_MANAGEMENT, whose layout is not public, is not supported', () => {
  const pair = negotiated({ version: 0x14, responder: { extFlags: 1 } });
  assert.is(hex(pair.plain('14880000')!), '147f0788');
});

test('a plan that contradicts itself is a mistake of the caller', () => {
  const chain = { keyPairId: 3, certificates: certificatesFor(0x33) };
  for (const change of [
    { keyPairs: [] },
    { slots: [{ slot: 8 }] },
    { slots: [{ slot: 1 }, { slot: 1 }] },
    { slots: [{ slot: 1, chains: [chain] }] },
    { slots: [{ slot: 1, chains: [{ keyPairId: 1, certificates: [] }] }] },
    { slots: [{ slot: 1, chains: [{ keyPairId: 1, certificates: [keyOf(1)] }] }] },
    { keyPairs: [{ privateKey: keyOf(1) }], slots: [] },
  ])
    assert.throws(() => storeWith(change), /^(keyPairs|slots): /);
});

test.run();
