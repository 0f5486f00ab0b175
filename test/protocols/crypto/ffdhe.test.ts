/** Finite-field Diffie-Hellman: the groups of RFC 7919, and what is no public value. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pow } from '@noble/curves/abstract/modular.js';
import { numberToBytesBE } from '@noble/curves/utils.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { type FfdheName, ffdheSizes } from '../../../protocols/crypto/algorithms.ts';
import { ffdhePrime } from '../../../protocols/crypto/ffdhe.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { drawPrivateKey } from '../../../protocols/crypto/provider.ts';
import { drawsOf } from './vectors.ts';

const test = suite('ffdhe');
const names = Object.keys(ffdheSizes) as FfdheName[];
const file = join(import.meta.dirname, '../../vectors/crypto/ffdhe-rfc7919.json');
const published: Record<string, string> = JSON.parse(readFileSync(file, 'utf8'));
const providers = [nobleProvider, nodeProvider];
const hex = (bytes: Uint8Array | undefined) => bytes && toHex(bytes);

for (const name of names) {
  const p = ffdhePrime(name);
  const size = ffdheSizes[name];
  const value = (y: bigint) => numberToBytesBE(y, size);

  test(`${name}: the prime as published`, () => {
    assert.is(toHex(value(p)), published[name]);
  });

  test(`${name}: both providers, both sides, one secret`, () => {
    for (let i = 0; i < 3; i++) {
      const draw = drawsOf(`${name} ${i}`);
      const [a, b] = [
        drawPrivateKey(nobleProvider, name, draw),
        drawPrivateKey(nodeProvider, name, draw),
      ];
      const [ga, gb] = [nobleProvider.publicKey(name, a), nodeProvider.publicKey(name, b)];
      assert.is(hex(nodeProvider.publicKey(name, a)), hex(ga));
      assert.is(ga.length, size);
      const secret = hex(nobleProvider.sharedSecret(name, a, gb));
      assert.is(secret!.length, 2 * size);
      assert.is(hex(nodeProvider.sharedSecret(name, a, gb)), secret);
      assert.is(hex(nodeProvider.sharedSecret(name, b, ga)), secret);
    }
  });

  test(`${name}: 0, 1, p-1, p and what is above are no public values; lengths neither`, () => {
    const key = drawPrivateKey(nobleProvider, name, drawsOf(name));
    for (const crypto of providers) {
      for (const y of [0n, 1n, p - 1n, p, p + 1n, (1n << BigInt(8 * size)) - 1n])
        assert.is(crypto.sharedSecret(name, key, value(y)), undefined, `${crypto.name} ${y}`);
      for (const length of [0, 1, size - 1, size + 1])
        assert.is(crypto.sharedSecret(name, key, new Uint8Array(length).fill(2)), undefined);
    }
    // p-2 is a value, and as 2 generates the squares, one outside of them.
    for (const y of [2n, p - 2n]) {
      const expected = toHex(value(pow(y, BigInt(`0x${toHex(key)}`), p)));
      for (const crypto of providers)
        assert.is(hex(crypto.sharedSecret(name, key, value(y))), expected, `${crypto.name} ${y}`);
    }
  });

  test(`${name}: leading zeros of a value and of a secret stay`, () => {
    const one = new Uint8Array(48).fill(0);
    one[47] = 1;
    for (const crypto of providers) {
      assert.is(hex(crypto.publicKey(name, one)), toHex(value(2n)), crypto.name);
      assert.is(hex(crypto.sharedSecret(name, one, value(5n))), toHex(value(5n)), crypto.name);
    }
  });

  test(`${name}: a private exponent out of range is the caller's mistake`, () => {
    const least = { FFDHE_2048: 29, FFDHE_3072: 35, FFDHE_4096: 41 }[name];
    for (const [bad, says] of [
      [new Uint8Array(least - 1).fill(1), /^privateKey: FFDHE_.* bytes, got/],
      [new Uint8Array(size + 1).fill(1), /^privateKey: FFDHE_.* bytes, got/],
      [new Uint8Array(least), /^privateKey: not in \[1, q-1\]/],
      [value(p >> 1n), /^privateKey: not in \[1, q-1\]/],
    ] as const)
      for (const crypto of providers)
        for (const use of [
          () => crypto.publicKey(name, bad),
          () => crypto.sharedSecret(name, bad, value(4n)),
        ])
          assert.throws(use, (e: Error) => e instanceof LocalError && says.test(e.message));
  });
}

test.run();
