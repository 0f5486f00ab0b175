/** The SPDM chain's bytes: literal layout, lies about lengths, root hash, digest. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, le, toHex } from '../../../protocols/codec/bytes.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import type { ChainPolicy } from '../../../protocols/x509/policy.ts';
import {
  certChainDigest,
  certChainLayout,
  decodeCertChain,
  encodeCertChain,
  verifyCertChain,
} from '../../../protocols/x509/spdm-chain.ts';
import { AT, crypto, deviceChain } from './fixtures.ts';

const test = suite('x509 SPDM chain');
const { root, intermediate, leaf, certificates } = deviceChain('ECDSA_P384');
const policy: ChainPolicy = { anchors: [{ der: root }], at: AT };
const verify = (blob: Uint8Array, version = 0x12, p = policy) => {
  const verdict = verifyCertChain(crypto, blob, 'SHA_384', version, p);
  return verdict.ok ? 'ok' : `${verdict.code} ${verdict.index}`;
};

test('layout: length, reserved, root hash, certificates', () => {
  const hash = `e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`;
  const der = fromHex('0500');
  for (const version of [0x10, 0x13, 0x14])
    assert.is(
      toHex(encodeCertChain(crypto, 'SHA_256', version, [der], fromHex(hash))),
      `26000000${hash}0500`,
    );
});

test('RootHash is of the first certificate, or of the root that is left out', () => {
  const whole = encodeCertChain(crypto, 'SHA_384', 0x12, certificates);
  const size = 4 + 48 + root.length + intermediate.length + leaf.length;
  assert.equal(whole, concat(le(size, 4), crypto.hash('SHA_384', root), ...certificates));
  assert.is(verify(whole), 'ok');
  const rootHash = crypto.hash('SHA_384', root);
  const short = encodeCertChain(crypto, 'SHA_384', 0x12, [intermediate, leaf], rootHash);
  assert.is(verify(short), 'ok');
  const wrong = encodeCertChain(crypto, 'SHA_384', 0x12, [intermediate, leaf]);
  assert.is(verify(wrong), 'ROOT_HASH_MISMATCH -1');
});

test('decode gives back what was encoded', () => {
  for (const version of [0x12, 0x14]) {
    const blob = encodeCertChain(crypto, 'SHA_384', version, certificates);
    const result = decodeCertChain(blob, 'SHA_384', version);
    assert.ok(result.ok);
    if (!result.ok) return;
    assert.equal(result.value, {
      Length: blob.length,
      RootHash: crypto.hash('SHA_384', root),
      Certificates: concat(...certificates),
    });
  }
});

test('above 65,535 bytes only version 1.4 has room', () => {
  const many = Array(120).fill(leaf);
  assert.throws(
    () => encodeCertChain(crypto, 'SHA_384', 0x13, many),
    (e: unknown) => e instanceof LocalError && e.message.includes('Length'),
  );
  const blob = encodeCertChain(crypto, 'SHA_384', 0x14, many);
  assert.is(blob.length, 52 + 120 * leaf.length);
  assert.ok(decodeCertChain(blob, 'SHA_384', 0x14).ok);
  assert.is(verify(blob, 0x14), 'BAD_ENCODING 16');
});

test('no certificates: the encoder throws, the verifier names it', () => {
  assert.throws(() => encodeCertChain(crypto, 'SHA_384', 0x12, []), /^ders: /);
  const bare = concat(le(52, 4), new Uint8Array(48));
  assert.is(verify(bare), 'EMPTY_CHAIN 0');
});

const blob = encodeCertChain(crypto, 'SHA_384', 0x12, certificates);
const patched = (at: number, ...bytes: number[]) => {
  const copy = blob.slice();
  copy.set(bytes, at);
  return copy;
};
const refused: [name: string, bytes: Uint8Array, expected: string][] = [
  ['nothing', new Uint8Array(0), 'BAD_ENCODING 0'],
  ['header cut off', blob.subarray(0, 3), 'BAD_ENCODING 0'],
  ['root hash cut off', blob.subarray(0, 51), 'BAD_ENCODING 0'],
  ['Length 0', patched(0, 0, 0), 'BAD_ENCODING 0'],
  ['Length below the header', patched(0, 51, 0), 'BAD_ENCODING 0'],
  ['Length one more', patched(0, ...le(blob.length + 1, 2)), 'BAD_ENCODING 0'],
  ['Length one less', patched(0, ...le(blob.length - 1, 2)), 'BAD_ENCODING 0'],
  ['a byte more', concat(blob, Uint8Array.of(0)), 'BAD_ENCODING 0'],
  ['root hash of another', patched(4, blob[4]! ^ 1), 'ROOT_HASH_MISMATCH 0'],
  ['second certificate broken', patched(52 + root.length, 0), 'BAD_ENCODING 1'],
  ['leaf changed', patched(blob.length - 1, blob.at(-1)! ^ 1), 'BAD_SIGNATURE 2'],
];
for (const [name, bytes, expected] of refused)
  test(`refused: ${name}`, () => assert.is(verify(bytes), expected));

test('reserved bytes are ignored before 1.4 and part of Length from then on', () => {
  const odd = patched(2, 1, 0);
  assert.is(verify(odd, 0x13), 'ok');
  assert.is(verify(odd, 0x14), 'BAD_ENCODING 0');
});

test('a hash of another size shifts the certificates out of place', () => {
  const verdict = verifyCertChain(crypto, blob, 'SHA_256', 0x12, policy);
  assert.is(verdict.ok, false);
});

test('the digest is of the whole, RootHash included', () => {
  const digest = certChainDigest(crypto, 'SHA_384', blob);
  assert.equal(digest, crypto.hash('SHA_384', blob));
  assert.not.equal(digest, certChainDigest(crypto, 'SHA_384', patched(4, blob[4]! ^ 1)));
});

test('mutations from the table are all refused, reserved bytes apart', () => {
  for (const version of [0x12, 0x14]) {
    const whole = encodeCertChain(crypto, 'SHA_384', version, certificates);
    let seen = 0;
    for (const { name, bytes } of mutations(certChainLayout(version), whole, {
      version,
      hashSize: 48,
    })) {
      if (name.startsWith('Reserved:reserved-set')) continue;
      assert.is.not(verify(bytes, version), 'ok', name);
      seen++;
    }
    assert.ok(seen > 8);
  }
});

test('random bytes end in a verdict', () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const property = fc.property(bytes, fc.boolean(), (content, framed) => {
    const whole = framed
      ? concat(le(content.length + 52, 4), new Uint8Array(48), content)
      : content;
    assert.is.not(verify(whole), 'ok');
  });
  fc.assert(property, { seed: 1, numRuns: 1000 });
});

test.run();
