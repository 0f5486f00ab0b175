/**
 * ML-KEM, ML-DSA and SLH-DSA against published vectors. The accumulated ones run a hundred keys drawn from
 * SHAKE128 of nothing and hash everything that comes out (C2SP CCTV, ML-DSA/accumulated; Go's crypto/mlkem,
 * TestAccumulated, for ML-KEM-768).
 */

import { shake128 } from '@noble/hashes/sha3.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  type KemName,
  kemAlgorithms,
  type SignatureName,
  signatureAlgorithms,
} from '../../../protocols/crypto/algorithms.ts';
import { nobleProvider as noble } from '../../../protocols/crypto/noble.ts';
import { nodeProvider as node } from '../../../protocols/crypto/node.ts';
import { drawsOf } from './vectors.ts';

const test = suite('pqc');
const providers = [noble, node];
const none = new Uint8Array(0);
const hex = (bytes: Uint8Array | undefined) => bytes && toHex(bytes);
const localError = (says: RegExp) => (e: unknown) =>
  e instanceof LocalError && says.test(e.message);

const kemDigests = {
  ML_KEM_512: '86b1b4703b8ffef6f7f3290c6dbce4ad954498a0673ded401a94828e8c519a59',
  ML_KEM_768: '1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415',
  ML_KEM_1024: '800018fec3e2723f73f1d657fe239b4d5d8782efaade297e8cd448e54cc2ac00',
} as const;
const dsaDigests = {
  ML_DSA_44: 'd51148e1f9f4fa1a723a6cf42e25f2a99eb5c1b378b3d2dbbd561b1203beeae4',
  ML_DSA_65: '8358a1843220194417cadbc2651295cd8fc65125b5a5c1a239a16dc8b57ca199',
  ML_DSA_87: '8c3ad714777622b8f21ce31bb35f71394f23bc0fcf3c78ace5d608990f3b061b',
} as const;
const ROUNDS = 100;

for (const [name, expected] of Object.entries(kemDigests) as [KemName, string][])
  test(`${name}: accumulated vectors`, () => {
    const input = shake128.create({});
    const output = shake128.create({});
    for (let i = 0; i < ROUNDS; i++) {
      const pair = node.kemKeyPair(name, input.xof(64));
      const made = node.kemEncapsulate(name, pair.encapsulationKey, input.xof(32))!;
      output.update(pair.encapsulationKey).update(made.ciphertext).update(made.sharedSecret);
      const own = node.kemDecapsulate(name, pair.decapsulationKey, made.ciphertext);
      assert.equal(own, made.sharedSecret);
      const random = input.xof(kemAlgorithms[name].ciphertextSize);
      output.update(node.kemDecapsulate(name, pair.decapsulationKey, random)!);
    }
    assert.is(toHex(output.xof(32)), expected);
  });

for (const [name, expected] of Object.entries(dsaDigests) as [SignatureName, string][])
  test(`${name}: accumulated vectors`, () => {
    const input = shake128.create({});
    const output = shake128.create({});
    for (let i = 0; i < ROUNDS; i++) {
      const key = noble.generateSigningKey(name, (size) => input.xof(size));
      output.update(noble.signingPublicKey(name, key));
      output.update(noble.sign(name, 'SHA_256', key, none));
    }
    assert.is(toHex(output.xof(32)), expected);
  });

test('both providers agree on keys, ciphertexts and secrets', () => {
  for (const name of Object.keys(kemAlgorithms) as KemName[]) {
    const draw = drawsOf(name);
    const seed = draw(64);
    const [a, b] = [noble.kemKeyPair(name, seed), node.kemKeyPair(name, seed)];
    assert.equal(a, b);
    assert.is(a.encapsulationKey.length, kemAlgorithms[name].encapsulationKeySize);
    const message = draw(32);
    const [x, y] = providers.map((p) => p.kemEncapsulate(name, a.encapsulationKey, message)!);
    assert.equal(x, y);
    assert.is(x!.ciphertext.length, kemAlgorithms[name].ciphertextSize);
    assert.is(x!.sharedSecret.length, 32);
  }
});

test('a peer: wrong lengths and coefficients above q are undefined, a wrong ciphertext is another secret', () => {
  for (const name of Object.keys(kemAlgorithms) as KemName[])
    for (const crypto of providers) {
      const { encapsulationKey: ek, decapsulationKey: dk } = crypto.kemKeyPair(
        name,
        drawsOf(name)(64),
      );
      const message = new Uint8Array(32).fill(7);
      const above = ek.slice();
      above[0] = 0xff;
      above[1] = above[1]! | 0x0f;
      for (const bad of [none, ek.subarray(1), concat(ek, Uint8Array.of(0)), above])
        assert.is(crypto.kemEncapsulate(name, bad, message), undefined);
      const { ciphertext, sharedSecret } = crypto.kemEncapsulate(name, ek, message)!;
      for (const bad of [none, ciphertext.subarray(1), concat(ciphertext, Uint8Array.of(0))])
        assert.is(crypto.kemDecapsulate(name, dk, bad), undefined);
      const broken = ciphertext.slice();
      broken[5] = broken[5]! ^ 1;
      const other = crypto.kemDecapsulate(name, dk, broken)!;
      assert.is(other.length, 32);
      assert.is.not(hex(other), hex(sharedSecret));
    }
});

test('our own mistakes with a KEM', () => {
  for (const crypto of providers) {
    const { encapsulationKey: ek, decapsulationKey: dk } = crypto.kemKeyPair(
      'ML_KEM_768',
      drawsOf('m')(64),
    );
    const broken = dk.slice();
    broken[1200] = broken[1200]! ^ 1;
    const ciphertext = new Uint8Array(1088);
    for (const [use, says] of [
      [() => crypto.kemKeyPair('ML_KEM_768', new Uint8Array(63)), /^seed: ML_KEM_768 takes 64/],
      [() => crypto.kemEncapsulate('ML_KEM_768', ek, new Uint8Array(31)), /^message: .* takes 32/],
      [
        () => crypto.kemDecapsulate('ML_KEM_768', dk.subarray(1), ciphertext),
        /^decapsulationKey: /,
      ],
      [() => crypto.kemDecapsulate('ML_KEM_768', broken, ciphertext), /^decapsulationKey: /],
      [() => crypto.kemKeyPair('ML_KEM_2048' as KemName, new Uint8Array(64)), /^name: /],
    ] as const)
      assert.throws(use, localError(says));
  }
});

/** Signs once and looks at it from all sides. */
function signsAndVerifies(name: SignatureName): void {
  const key = noble.generateSigningKey(name, drawsOf(name));
  const publicKey = node.signingPublicKey(name, key);
  const { signatureSize, publicKeySize } = signatureAlgorithms[name];
  const [message, context] = [ascii('measure'), ascii('responder-challenge_auth signing')];
  const signature = node.sign(name, 'SHA_384', key, message, context);
  assert.is(signature.length, signatureSize);
  assert.is(publicKey.length, publicKeySize);
  const { verify } = noble;
  const ok = (pk: Uint8Array, text: Uint8Array, sig: Uint8Array, c = context) =>
    verify(name, 'SHA_512', pk, text, sig, c);
  assert.is(ok(publicKey, message, signature), true);
  assert.is(ok(publicKey, message, signature, none), false, 'no context');
  assert.is(ok(publicKey, ascii('Measure'), signature), false, 'message');
  for (const at of [0, 40, signatureSize >> 1, signatureSize - 1]) {
    const broken = signature.slice();
    broken[at] = broken[at]! ^ 0x10;
    assert.is(ok(publicKey, message, broken), false, `byte ${at}`);
  }
  for (const bad of [none, signature.subarray(1), concat(signature, Uint8Array.of(0))])
    assert.is(ok(publicKey, message, bad), false, 'length');
  for (const bad of [none, publicKey.subarray(1), concat(publicKey, Uint8Array.of(0))])
    assert.is(ok(bad, message, signature), false, 'key');
  const other = publicKey.slice();
  other[publicKeySize - 1] = other[publicKeySize - 1]! ^ 1;
  assert.is(ok(other, message, signature), false, 'other key');
}

test('ML-DSA: with context, wrong bytes, lengths and keys', () => {
  for (const name of ['ML_DSA_44', 'ML_DSA_65', 'ML_DSA_87'] as const) {
    signsAndVerifies(name);
    const key = noble.generateSigningKey(name, drawsOf('x'));
    assert.is(
      hex(node.sign(name, 'SHA_256', key, ascii('x'))),
      hex(noble.sign(name, 'SHA3_512', key, ascii('x'))),
    );
  }
});

test('SLH-DSA-SHA2-128f: with context, wrong bytes, lengths and keys', () => {
  signsAndVerifies('SLH_DSA_SHA2_128F');
});

// NIST ACVP, SLH-DSA-keyGen-FIPS205, test cases 21 and 31: the seeds, and the public key's root.
const slhKeys = [
  [
    'SLH_DSA_SHA2_128F',
    'e2bdaa37c8cffe5e8d5676c23267890c31441758f573285881cdc82ab911dd8472dc8d26df6ef708f4c41af9fd04b65a',
    '8927927229891d47a60d67ecef3d2c17',
  ],
  [
    'SLH_DSA_SHAKE_128F',
    'bbc74306f75dc2daf7372b3c9841a4d6852c17b459f1692b8e9a1a0dace5ba26380c99304a0ddd32f344b95144e1fdef',
    '60bbc2340e08770fb41a80a76cb08e34',
  ],
] as const;

test('SLH-DSA keys as published', () => {
  for (const [name, seed, root] of slhKeys)
    for (const crypto of providers) {
      const key = crypto.generateSigningKey(name, (size) => fromHex(seed).subarray(0, size));
      assert.is(toHex(key), seed + root);
      assert.is(toHex(crypto.signingPublicKey(name, key)), seed.slice(64) + root);
    }
});

test('every SLH-DSA: sizes, and a false for a signature of zeros', () => {
  const names = (Object.keys(signatureAlgorithms) as SignatureName[]).filter((name) =>
    name.startsWith('SLH_DSA'),
  );
  assert.is(names.length, 12);
  for (const name of names) {
    const { signatureSize, publicKeySize } = signatureAlgorithms[name];
    const [publicKey, zeros] = [new Uint8Array(publicKeySize), new Uint8Array(signatureSize)];
    assert.is(node.verify(name, 'SHA_256', publicKey, none, zeros), false);
    assert.throws(
      () => node.sign(name, 'SHA_256', new Uint8Array(2 * publicKeySize - 1), none),
      localError(new RegExp(`^privateKey: ${name} takes ${2 * publicKeySize} bytes`)),
    );
    if (!name.endsWith('F')) continue;
    const key = node.generateSigningKey(name, drawsOf(name));
    assert.is(key.length, 2 * publicKeySize);
    assert.equal(node.signingPublicKey(name, key), key.subarray(publicKeySize));
  }
});

test('wrong keys and contexts are the caller mistake', () => {
  for (const crypto of providers)
    for (const [name, size] of [
      ['ML_DSA_44', 2560],
      ['ML_DSA_65', 4032],
      ['ML_DSA_87', 4896],
      ['SLH_DSA_SHA2_128F', 64],
    ] as const) {
      for (const bad of [0, size - 1, size + 1]) {
        const says = new RegExp(`^privateKey: ${name} takes ${size} bytes, got ${bad}$`);
        const key = new Uint8Array(bad);
        assert.throws(() => crypto.sign(name, 'SHA_256', key, none), localError(says));
        assert.throws(() => crypto.signingPublicKey(name, key), localError(says));
      }
      const long = new Uint8Array(256);
      const says = /^context: at most 255 bytes, got 256$/;
      const key = new Uint8Array(size);
      assert.throws(() => crypto.sign(name, 'SHA_256', key, none, long), localError(says));
      assert.throws(() => crypto.verify(name, 'SHA_256', none, none, none, long), localError(says));
    }
});

test.run();
