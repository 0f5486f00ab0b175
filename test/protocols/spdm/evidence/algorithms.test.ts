/** Measurements signed with every family of algorithm, and the scope of a signature without VCA. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { HashName, SignatureName } from '../../../../protocols/crypto/algorithms.ts';
import { type Evidence, verifyEvidence } from '../../../../protocols/spdm/evidence/evidence.ts';
import { subjectPublicKeyInfo } from '../../../../protocols/x509/spki.ts';
import { stream } from '../pair.ts';
import { AT, crypto, deviceChain, type GivenEvidence, makeEvidence, vcaFor } from './fixtures.ts';

const test = suite('spdm evidence algorithms');

function reasons(evidence: Evidence, policy = {}): string {
  const { ok, checks } = verifyEvidence(crypto, evidence, { at: AT, ...policy });
  return ok ? 'ok' : checks.flatMap(({ code }) => code ?? []).join();
}

const keys = new Map<SignatureName, Uint8Array>();
function keyFor(name: SignatureName): Uint8Array {
  const known = keys.get(name) ?? crypto.generateSigningKey(name, stream(7));
  keys.set(name, known);
  return known;
}

function signedBy(version: number, algorithm: SignatureName, hash: HashName): GivenEvidence {
  const signer = keyFor(algorithm);
  // One key serves both paddings of RSA.
  const chain = deviceChain('A:B:C', { signature: algorithm, privateKey: signer });
  return makeEvidence({ version, algorithm, hash, signer }, chain);
}

const flipped = (bytes: Uint8Array, at: number) => {
  const copy = bytes.slice();
  copy[at] = copy[at]! ^ 1;
  return copy;
};

const all: readonly [version: number, algorithm: SignatureName, hash: HashName][] = [
  [0x12, 'RSASSA_2048', 'SHA_256'],
  [0x13, 'RSASSA_2048', 'SHA_384'],
  [0x12, 'RSAPSS_2048', 'SHA_384'],
  [0x13, 'ECDSA_P256', 'SHA_256'],
  [0x12, 'ECDSA_P384', 'SHA_512'],
  [0x14, 'ECDSA_P521', 'SHA3_512'],
  [0x12, 'EDDSA_25519', 'SHA_512'],
  [0x13, 'EDDSA_448', 'SHA_512'],
  [0x14, 'ML_DSA_44', 'SHA_256'],
  [0x14, 'ML_DSA_65', 'SHA_384'],
  [0x14, 'ML_DSA_87', 'SHA_512'],
  [0x14, 'SLH_DSA_SHA2_128F', 'SHA_256'],
];
for (const [version, algorithm, hash] of all)
  test(`${algorithm} with ${hash} in SPDM ${version.toString(16)}`, () => {
    const evidence = signedBy(version, algorithm, hash);
    const verified = verifyEvidence(crypto, evidence, { at: AT });
    assert.is(reasons(evidence), 'ok');
    assert.equal([verified.algorithm, verified.hash], [algorithm, hash]);
    const last = evidence.messages.length - 1;
    assert.is(reasons({ ...evidence, messages: flipped(evidence.messages, last) }), 'SIGNATURE');
    assert.is(reasons({ ...evidence, messages: flipped(evidence.messages, 70) }), 'SIGNATURE');
    // Another hash in VCA is another signature, as are VCA's own bytes.
    const other = hash === 'SHA_256' ? 'SHA_384' : 'SHA_256';
    const vca = vcaFor(version, algorithm, other);
    assert.is(reasons({ ...evidence, vca }), 'SIGNATURE');
  });

test('the other padding of RSA is another algorithm', () => {
  const evidence = signedBy(0x12, 'RSASSA_2048', 'SHA_384');
  const vca = vcaFor(0x12, 'RSAPSS_2048', 'SHA_384');
  assert.is(reasons({ ...evidence, vca }), 'SIGNATURE');
  assert.is(reasons({ ...evidence, algorithm: 'RSAPSS_2048' }), 'ALGORITHM');
  assert.is(reasons({ ...evidence, hash: 'SHA_512' }), 'ALGORITHM');
  assert.is(reasons({ ...evidence, algorithm: 'RSASSA_2048', hash: 'SHA_384' }), 'ok');
});

test('without VCA (1.0, 1.1) the caller says what was negotiated, or the key-s pairing does', () => {
  for (const version of [0x10, 0x11]) {
    const rsa = signedBy(version, 'RSAPSS_2048', 'SHA_256');
    assert.is(reasons(rsa), 'SIGNATURE');
    assert.is(reasons({ ...rsa, algorithm: 'RSAPSS_2048' }), 'SIGNATURE');
    assert.is(reasons({ ...rsa, algorithm: 'RSAPSS_2048', hash: 'SHA_256' }), 'ok');
    assert.is(reasons({ ...rsa, algorithm: 'ECDSA_P256' }), 'ALGORITHM');
    const vca = vcaFor(version, 'RSAPSS_2048', 'SHA_256');
    assert.is(reasons({ ...rsa, vca }), 'ok');
    assert.is(reasons({ ...rsa, vca: vcaFor(0x12, 'RSAPSS_2048', 'SHA_256') }), 'VCA');
  }
  const paired = signedBy(0x11, 'ECDSA_P384', 'SHA_384');
  const codes = (evidence: Evidence) =>
    verifyEvidence(crypto, evidence, { at: AT }).notes.map(({ code }) => code);
  assert.ok(codes(paired).includes('ALGORITHM_ASSUMED'));
  assert.ok(codes(paired).includes('VCA_UNSIGNED'));
  assert.not.ok(codes({ ...paired, hash: 'SHA_384' }).includes('ALGORITHM_ASSUMED'));
});

test('a public key given beforehand instead of a chain', () => {
  const { certificates: _, ...evidence } = signedBy(0x14, 'ML_DSA_44', 'SHA_256');
  const own = crypto.signingPublicKey('ML_DSA_44', keyFor('ML_DSA_44'));
  const publicKey = subjectPublicKeyInfo('ML_DSA_44', own);
  const verified = verifyEvidence(crypto, { ...evidence, publicKey });
  assert.ok(verified.ok);
  assert.equal([verified.chain, verified.rootSha256], [[], undefined]);
  assert.is(reasons({ ...evidence, publicKey: flipped(publicKey, 100) }), 'SIGNATURE');
  assert.is(reasons({ ...evidence, publicKey: publicKey.slice(1) }), 'PUBLIC_KEY');
  const other = subjectPublicKeyInfo(
    'ECDSA_P384',
    crypto.signingPublicKey('ECDSA_P384', new Uint8Array(48).fill(1)),
  );
  assert.match(reasons({ ...evidence, publicKey: other }), /LAYOUT|ALGORITHM/);
  assert.is(reasons(evidence), 'CHAIN_EMPTY_CHAIN');
  // A policy about certificates has nothing to hold on to.
  const pinned = { rootSha256: [new Uint8Array(32)] };
  assert.is(reasons({ ...evidence, publicKey }, pinned), 'ROOT_NOT_PINNED');
  assert.is(reasons({ ...evidence, publicKey }, { requireEku: true }), 'CHAIN_EKU_MISSING');
  const device = { manufacturer: ['A'] };
  assert.is(reasons({ ...evidence, publicKey }, { device }), 'IDENTITY_MISMATCH');
});

test.run();
