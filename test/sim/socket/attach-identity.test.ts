/** Who `attach` is and whom it believes: out of a directory, or drawn from a seed. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import type { SignatureName } from '../../../protocols/crypto/algorithms.ts';
import { nodeProvider as crypto } from '../../../protocols/crypto/node.ts';
import { verifyCertChain } from '../../../protocols/x509/spdm-chain.ts';
import { subjectPublicKeyInfo } from '../../../protocols/x509/spki.ts';
import { splitChain } from '../../../protocols/x509/split.ts';
import {
  AttachIdentity,
  chainToSet,
  folderOf,
  peerKeyOf,
  rootsOf,
} from '../../../sim/socket/attach-identity.ts';
import { EngineRefusal, type FileReader } from '../../../sim/socket/engines.ts';

const test = suite('attach identity');

const folders: readonly (readonly [SignatureName, string])[] = [
  ['RSASSA_2048', 'rsa2048'],
  ['RSAPSS_4096', 'rsa4096'],
  ['ECDSA_P521', 'ecp521'],
  ['EDDSA_25519', 'ed25519'],
  ['EDDSA_448', 'ed448'],
  ['ML_DSA_65', 'mldsa65'],
  ['SLH_DSA_SHA2_128S', 'slh-dsa-sha2-128s'],
  ['SLH_DSA_SHAKE_256F', 'slh-dsa-shake-256f'],
];
for (const [name, folder] of folders)
  test(`folder of ${name}`, () => assert.is(folderOf(name), folder));

const scope = { signature: 'ECDSA_P256', hash: 'SHA_256' } as const;
const drawn = (seed: string | number, slotCount = 1, files?: FileReader) =>
  new AttachIdentity({ crypto, seed, slotCount, ...(files === undefined ? {} : { files }) });
const certificatesOf = (chain: Uint8Array) => {
  const split = splitChain(chain.subarray(4 + 32));
  assert.ok(split.ok);
  return split.ok ? split.value : [];
};

test('a drawn chain is one of a requester, and the seed decides it', () => {
  const [one, same, other] = [1, 1, 2].map((seed) => drawn(seed).slots(scope).get(0)!);
  assert.equal(one, same);
  assert.is.not(toHex(one!.chain), toHex(other!.chain));
  const root = certificatesOf(one!.chain)[0]!;
  const at = Date.UTC(2026, 0) / 1000;
  const leaf = { role: 'requester', requireEku: true, signature: scope.signature } as const;
  const policy = { anchors: [{ der: root }], at, leaf };
  const verdict = verifyCertChain(crypto, one!.chain, scope.hash, 0x12, policy);
  assert.ok(verdict.ok, verdict.ok ? '' : verdict.detail);
  const asResponder = { ...policy, leaf: { role: 'responder' as const } };
  assert.not(verifyCertChain(crypto, one!.chain, scope.hash, 0x12, asResponder).ok);
});

test('as many slots as were asked for, all of one chain; a key of the same leaf', () => {
  const identity = drawn(1, 3);
  assert.is(identity.supportedSlots, 7);
  const slots = identity.slots(scope);
  assert.equal([...slots.keys()], [0, 1, 2]);
  assert.is(slots.get(0), slots.get(2));
  const { signer, subjectPublicKeyInfo: info } = identity.publicKey(scope);
  const publicKey = crypto.signingPublicKey(signer.algorithm, signer.privateKey);
  assert.equal(info, subjectPublicKeyInfo('ECDSA_P256', publicKey));
  assert.equal(signer, slots.get(0)!.signer);
});

/** SEC 1 private key of a scalar (RFC 5915). */
const ecKey = (scalar: Uint8Array) =>
  Uint8Array.of(0x30, 0x31, 2, 1, 1, 4, 0x20, ...scalar, 0xa0, 0x0a, ...CURVE);
const CURVE = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];

function directory(): { files: FileReader; chain: Uint8Array; key: Uint8Array } {
  const { chain, signer } = drawn('files').slots(scope).get(0)!;
  const ders = certificatesOf(chain);
  const joined = chain.slice(4 + 32);
  const held: Record<string, Uint8Array> = {
    'ecp256/bundle_requester.certchain.der': joined,
    'ecp256/bundle_responder.certchain.der': joined,
    'ecp256/end_requester.key.der': ecKey(signer.privateKey),
    'ecp256/ca.cert.der': ders[0]!,
    'ecp384/bundle_requester.certchain.der': Uint8Array.of(1, 2, 3),
    'ecp384/bundle_responder.certchain.der': Uint8Array.of(1, 2, 3),
    'ecp384/end_requester.key.der': Uint8Array.of(1),
    'ecp384/end_responder.key.pub.der': Uint8Array.of(1),
  };
  return { files: (path) => held[path], chain, key: signer.privateKey };
}

test('a directory has chain, key, roots and the chain to set', () => {
  const { files, chain, key } = directory();
  const slot = drawn(1, 1, files).slots(scope).get(0)!;
  assert.equal([slot.chain, slot.signer.privateKey], [chain, key]);
  assert.equal(rootsOf(files, 'ECDSA_P256'), [certificatesOf(chain)[0]]);
  assert.equal(chainToSet(files, 'ECDSA_P256'), certificatesOf(chain));
  // What it has nothing for is drawn, or is not there.
  assert.equal(drawn(1, 1, files).slots({ ...scope, signature: 'ML_DSA_44' }).size, 1);
  assert.is(chainToSet(files, 'ML_DSA_44'), undefined);
  assert.equal(rootsOf(files, 'ML_DSA_44'), []);
  assert.is(peerKeyOf(undefined, files, 'ECDSA_P256'), undefined);
});

test('broken files are refused by name', () => {
  const { files } = directory();
  const refused = (act: () => unknown) =>
    assert.throws(
      act,
      (error: unknown) =>
        error instanceof EngineRefusal && error.message.startsWith('--cert-dir: ecp384/'),
    );
  refused(() => drawn(1, 1, files).slots({ signature: 'ECDSA_P384', hash: 'SHA_384' }));
  refused(() => chainToSet(files, 'ECDSA_P384'));
  const key = peerKeyOf(undefined, files, 'ECDSA_P384');
  assert.ok(key !== undefined && 'ok' in key);
});

test('the responder’s key: the one given comes first, and must fit', () => {
  const publicKey = crypto.signingPublicKey('ECDSA_P256', new Uint8Array(32).fill(3));
  const der = subjectPublicKeyInfo('ECDSA_P256', publicKey);
  const { files } = directory();
  const key = peerKeyOf(der, files, 'ECDSA_P256');
  assert.ok(key !== undefined && 'key' in key);
  assert.equal(key, { subjectPublicKeyInfo: der, key: { algorithm: 'ECDSA_P256', publicKey } });
  const unfit = peerKeyOf(der, files, 'ECDSA_P384');
  assert.ok(unfit !== undefined && 'ok' in unfit);
});

test.run();
