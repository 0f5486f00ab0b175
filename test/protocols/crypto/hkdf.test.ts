/** HKDF against RFC 5869, and its limits. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { hashSizes } from '../../../protocols/crypto/algorithms.ts';
import { hkdfExpand, hkdfExtract } from '../../../protocols/crypto/hkdf.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';

import { vectors } from './vectors.ts';

const test = suite('hkdf');

for (const crypto of [nobleProvider, nodeProvider])
  test(`RFC 5869 over ${crypto.name}`, () => {
    for (const { clause, hash, ikm, salt, info, size, prk, okm } of vectors('hkdf-rfc5869').cases) {
      assert.is(toHex(hkdfExtract(crypto, hash, fromHex(salt), fromHex(ikm))), prk, clause);
      assert.is(toHex(hkdfExpand(crypto, hash, fromHex(prk), fromHex(info), size)), okm, clause);
    }
  });

test('shorter output is a prefix of longer output', () => {
  const prk = new Uint8Array(48).fill(3);
  const info = Uint8Array.of(1, 2, 3);
  const long = toHex(hkdfExpand(nodeProvider, 'SHA_384', prk, info, 200));
  for (const size of [0, 1, 47, 48, 49, 96, 97, 199])
    assert.is(
      toHex(hkdfExpand(nodeProvider, 'SHA_384', prk, info, size)),
      long.slice(0, 2 * size),
      `${size}`,
    );
});

test('the limit is 255 hash lengths', () => {
  const prk = new Uint8Array(64);
  for (const hash of ['SHA_256', 'SHA_384', 'SHA_512'] as const) {
    const max = 255 * hashSizes[hash];
    const expand = (size: number) => hkdfExpand(nodeProvider, hash, prk, new Uint8Array(0), size);
    assert.is(expand(max).length, max);
    for (const size of [max + 1, -1, 1.5, Number.NaN])
      assert.throws(
        () => expand(size),
        (e: Error) => e instanceof LocalError && /^size: /.test(e.message),
      );
  }
});

test.run();
