/** SET_CERTIFICATE: a chain that is not sound is refused by name, and nothing changes. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isPeerFault } from '../../../../protocols/codec/refusal.ts';
import { getCertificate } from '../../../../protocols/spdm/requester/certificates.ts';
import { setCertificate } from '../../../../protocols/spdm/requester/provisioning.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { buildCertificate } from '../../../../protocols/x509/build.ts';
import type { DeviceChainPlan } from '../../../../protocols/x509/device-chain.ts';
import { crypto, flipped } from '../pair.ts';
import {
  blobOf,
  certificatesFor,
  chainFor,
  keyOf,
  type ProvisionedOptions,
  ProvisionedPair,
  storeWith,
} from '../provisioned.ts';

const test = suite('spdm SET_CERTIFICATE judges');
const trusted = { trustedEnvironment: () => true };

function negotiated(options: ProvisionedOptions = {}): ProvisionedPair {
  const pair = new ProvisionedPair(options);
  pair.good(negotiate(pair.requester));
  return pair;
}

const [root, intermediate, leaf] = certificatesFor(0x33) as [Uint8Array, Uint8Array, Uint8Array];
const leafBy = (change: Partial<DeviceChainPlan>) => chainFor(0x33, change);
const extended = (fill: number): DeviceChainPlan['leaf'] => ({
  name: [['CN', 'Leaf 51']],
  privateKey: keyOf(fill),
  serialNumber: Uint8Array.of(fill),
});
/** An intermediate that may have none below it, with one below it. */
function tooLong(): Uint8Array {
  const issued = buildCertificate(
    crypto,
    {
      issuer: [['CN', 'Intermediate']],
      subject: [['CN', 'Below']],
      serialNumber: Uint8Array.of(7),
      notBefore: '20240101000000Z',
      notAfter: '20441231235959Z',
      algorithm: 'ECDSA_P256',
      publicKey: crypto.signingPublicKey('ECDSA_P256', keyOf(0x22)),
      extensions: { basicConstraints: { cA: true }, keyUsage: ['keyCertSign'] },
    },
    { signature: 'ECDSA_P256', privateKey: keyOf(0x22) },
  );
  const last = certificatesFor(0x33, {
    intermediate: { ...extended(0x22), name: [['CN', 'Below']] },
  })[2]!;
  return blobOf([root, intermediate, issued, last]);
}

const unsound: [what: string, fault: string, chain: Uint8Array][] = [
  ['expired', 'EXPIRED', leafBy({ notAfter: '20291231235959Z' })],
  ['not valid yet', 'NOT_YET_VALID', leafBy({ notBefore: '20310101000000Z' })],
  [
    "with the requester's extended key usage alone",
    'EKU_MISSING',
    leafBy({ roles: ['requester'] }),
  ],
  ['with a path too long', 'PATH_TOO_LONG', tooLong()],
  ['that is a root alone', 'SELF_SIGNED_LEAF', blobOf([root])],
  ['for the key of another device', 'LEAF_KEY', chainFor(0x66)],
  ['without its root', 'UNKNOWN_ROOT', blobOf([intermediate, leaf])],
  ['without its intermediate', 'ISSUER_MISMATCH', blobOf([root, leaf])],
  [
    'whose root hash is another',
    'ROOT_HASH_MISMATCH',
    blobOf([root, intermediate, leaf], keyOf(1)),
  ],
  [
    'whose leaf has a wrong signature',
    'BAD_SIGNATURE',
    flipped(leafBy({}), leafBy({}).length - 1, 1),
  ],
  ['of bytes that are no certificates', 'BAD_ENCODING', blobOf([Uint8Array.of(1, 2, 3)])],
];
for (const version of [0x12, 0x13])
  for (const [what, fault, chain] of unsound)
    test(`F-S07 ${version.toString(16)}: a chain ${what} is refused as ${fault}, and nothing changes`, () => {
      const pair = negotiated({ version, provisioning: trusted });
      const before = pair.all;
      const refused = pair.run(setCertificate(pair.requester, undefined, { slot: 1 }, chain));
      assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_Unspecified');
      const told = pair.told('certificate-refused') as { slot: number; fault: string };
      assert.equal([told.slot, told.fault], [1, fault]);
      assert.is(pair.all, before);
    });

test('without a clock an expired chain is stored', () => {
  const { now: _, ...clockless } = { now: () => 0, ...trusted };
  const store = storeWith();
  const pair = new ProvisionedPair({
    responder: { provisioning: { store, ...clockless }, identity: store },
  });
  pair.good(negotiate(pair.requester));
  const expired = leafBy({ notAfter: '20291231235959Z' });
  assert.ok(pair.good(setCertificate(pair.requester, undefined, { slot: 1 }, expired)));
});

test('with anchors of its own a device takes no other root, and its root may stay away', () => {
  const other = certificatesFor(0x33, { root: { ...extended(0x77), name: [['CN', 'Other']] } });
  const anchored = { ...trusted, anchors: [{ der: root }] };
  const pair = negotiated({ provisioning: anchored });
  const { requester } = pair;
  const refused = pair.run(setCertificate(requester, undefined, { slot: 1 }, blobOf(other)));
  assert.is(isPeerFault(refused) && refused.code, 'SPDM_ERROR_Unspecified');
  assert.is((pair.told('certificate-refused') as { fault: string }).fault, 'UNKNOWN_ROOT');
  const rootless = blobOf([intermediate, leaf], crypto.hash('SHA_256', root));
  pair.good(setCertificate(requester, undefined, { slot: 1 }, rootless));
  assert.equal(pair.good(getCertificate(requester, 1)), rootless);
});

test('from 1.3 on a leaf says that it is no CA', () => {
  const silent = buildCertificate(
    crypto,
    {
      issuer: [['CN', 'Intermediate']],
      subject: [['CN', 'Leaf']],
      serialNumber: Uint8Array.of(7),
      notBefore: '20240101000000Z',
      notAfter: '20441231235959Z',
      algorithm: 'ECDSA_P256',
      publicKey: crypto.signingPublicKey('ECDSA_P256', keyOf(0x33)),
      extensions: { keyUsage: ['digitalSignature'] },
    },
    { signature: 'ECDSA_P256', privateKey: keyOf(0x22) },
  );
  const blob = blobOf([root, intermediate, silent]);
  const early = negotiated({ provisioning: trusted });
  assert.ok(early.good(setCertificate(early.requester, undefined, { slot: 1 }, blob)));
  const late = negotiated({ version: 0x13, provisioning: trusted });
  assert.ok(isPeerFault(late.run(setCertificate(late.requester, undefined, { slot: 1 }, blob))));
  const told = late.told('certificate-refused') as { fault: string };
  assert.is(told.fault, 'LEAF_CONSTRAINTS');
});

test.run();
