/** noble, node:crypto and the readable GCM give the same bytes on random input, unaligned too. */

import { createECDH } from 'node:crypto';
import { ecb } from '@noble/ciphers/aes.js';
import { numberToBytesBE } from '@noble/curves/utils.js';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  type AeadName,
  aeadAlgorithms,
  type CurveName,
  curves,
  type HashName,
  hashSizes,
  signatureAlgorithms,
} from '../../../protocols/crypto/algorithms.ts';
import { nobleCurves } from '../../../protocols/crypto/elliptic.ts';
import { gcmOpen, gcmSeal } from '../../../protocols/crypto/gcm-reference.ts';
import { generatorMultiple } from '../../../protocols/crypto/generator-table.ts';
import { nobleProvider as noble } from '../../../protocols/crypto/noble.ts';
import { nodeProvider as node } from '../../../protocols/crypto/node.ts';
import { nodeCurveNames } from '../../../protocols/crypto/node-elliptic.ts';
import { drawPrivateKey } from '../../../protocols/crypto/provider.ts';
import { drawsOf, ecdsaNames, vectors } from './vectors.ts';

const test = suite('providers agree');
const SEED = 1;

const sized = (size: number) => fc.uint8Array({ minLength: size, maxLength: size });
const upTo = (maxLength: number) => fc.uint8Array({ maxLength, size: 'max' });
const hash = fc.constantFrom(...(Object.keys(hashSizes) as HashName[]));
const curve = fc.constantFrom(...(Object.keys(curves) as CurveName[]));
const hex = (bytes: Uint8Array | undefined) => bytes && toHex(bytes);

/** The same bytes at an odd offset of a larger buffer: providers must not read the neighbours. */
function displaced(bytes: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(0xa5), bytes, Uint8Array.of(0xa5, 0xa5)).subarray(
    1,
    1 + bytes.length,
  );
}

function check<T>(arbitrary: fc.Arbitrary<T>, numRuns: number, property: (x: T) => void): void {
  fc.assert(fc.property(arbitrary, property), { seed: SEED, numRuns });
}

// A new cipher for each block: noble refuses to use one twice.
const block = (key: Uint8Array) => (bytes: Uint8Array) =>
  ecb(key, { disablePadding: true }).encrypt(bytes);

test('hash and HMAC', () => {
  check(fc.tuple(hash, upTo(300), upTo(200)), 300, ([name, data, key]) => {
    assert.is(hex(noble.hash(name, data)), hex(node.hash(name, displaced(data))));
    assert.is(
      hex(noble.hmac(name, key, data)),
      hex(node.hmac(name, displaced(key), displaced(data))),
    );
  });
});

const aeadCase = fc.constantFrom(...(Object.keys(aeadAlgorithms) as AeadName[])).chain((name) =>
  fc.record({
    name: fc.constant(name),
    key: sized(aeadAlgorithms[name].keySize),
    iv: sized(12),
    aad: upTo(80),
    text: upTo(200),
    tagSize: fc.integer({ min: 12, max: 16 }),
    flip: fc.nat(),
  }),
);

test('AEAD, every tag size, good and broken', () => {
  check(aeadCase, 400, ({ name, key, iv, aad, text, tagSize, flip }) => {
    const sealed = noble.aeadSeal(name, key, iv, aad, text, tagSize);
    const far = displaced(text);
    assert.is(
      hex(node.aeadSeal(name, displaced(key), displaced(iv), displaced(aad), far, tagSize)),
      hex(sealed),
    );
    const broken = sealed.slice();
    broken[flip % broken.length]! ^= 1 << (flip % 8);
    for (const provider of [noble, node]) {
      const open = (bytes: Uint8Array) => provider.aeadOpen(name, key, iv, aad, bytes, tagSize);
      assert.is(hex(open(displaced(sealed))), hex(text), provider.name);
      assert.is(open(broken), undefined, provider.name);
    }
  });
});

test('the readable GCM equals both', () => {
  const gcmCase = aeadCase.filter(({ name }) => name !== 'CHACHA20_POLY1305');
  check(gcmCase, 60, ({ name, key, iv, aad, text, tagSize, flip }) => {
    const sealed = node.aeadSeal(name, key, iv, aad, text, tagSize);
    assert.is(hex(gcmSeal(block(key), iv, aad, text, tagSize)), hex(sealed));
    assert.is(hex(gcmOpen(block(key), iv, aad, sealed, tagSize)), hex(text));
    sealed[flip % sealed.length]! ^= 1 << (flip % 8);
    assert.is(gcmOpen(block(key), iv, aad, sealed, tagSize), undefined);
  });
});

test('the readable GCM against the published vectors', () => {
  const cases = vectors('aead').cases.filter(({ algorithm }) => algorithm !== 'CHACHA20_POLY1305');
  assert.is(cases.length, 8);
  for (const one of cases) {
    const bytes = (text: string) => Uint8Array.from(Buffer.from(text, 'hex'));
    const cipher = block(bytes(one.key));
    const sealed = gcmSeal(cipher, bytes(one.iv), bytes(one.aad), bytes(one.plaintext));
    assert.is(toHex(sealed), one.ciphertext + one.tag, one.name);
    assert.is(hex(gcmOpen(cipher, bytes(one.iv), bytes(one.aad), sealed)), one.plaintext, one.name);
  }
});

test('the readable GCM refuses short input and other IVs', () => {
  const cipher = block(new Uint8Array(32));
  const none = new Uint8Array(0);
  assert.is(gcmOpen(cipher, new Uint8Array(12), none, new Uint8Array(15)), undefined);
  assert.is(gcmOpen(cipher, new Uint8Array(12), none, none), undefined);
  for (const size of [0, 11, 13, 16])
    assert.throws(
      () => gcmSeal(cipher, new Uint8Array(size), none, none),
      (e: Error) => e instanceof LocalError && /^iv: expected 12 bytes/.test(e.message),
    );
});

const keyPair = curve.chain((name) =>
  fc.tuple(fc.constant(name), sized(curves[name].fieldSize), sized(curves[name].fieldSize)),
);

test('public keys and shared secrets', () => {
  check(keyPair, 24, ([name, a, b]) => {
    const size = curves[name].fieldSize;
    const [x, y] = [a, b].map((seed) =>
      // The first draw may be out of range; the second, all ones in the low half, never is.
      drawPrivateKey(node, name, once(seed, size)),
    ) as [Uint8Array, Uint8Array];
    const [gx, gy] = [noble.publicKey(name, x), noble.publicKey(name, y)];
    assert.is(hex(node.publicKey(name, displaced(x))), hex(gx));
    const secret = noble.sharedSecret(name, x, gy);
    assert.is(secret?.length, size);
    assert.is(hex(node.sharedSecret(name, displaced(x), displaced(gy))), hex(secret));
    assert.is(hex(node.sharedSecret(name, y, gx)), hex(secret));
  });
});

function once(first: Uint8Array, size: number): () => Uint8Array {
  const queue = [first];
  return () => (queue.pop() ?? new Uint8Array(size).fill(0xff, size / 2)).slice();
}

const signing = fc.constantFrom(...ecdsaNames);

test('signatures of one verify with the other, broken ones with neither', () => {
  check(fc.tuple(signing, hash, upTo(100), fc.nat()), 60, ([name, digest, message, flip]) => {
    const { curve: on } = signatureAlgorithms[name];
    const key = new Uint8Array(curves[on].fieldSize).fill(1 + (flip % 200), 1);
    const publicKey = node.publicKey(on, key);
    const signature = noble.sign(name, digest, key, message);
    assert.is(hex(node.sign(name, digest, displaced(key), displaced(message))), hex(signature));
    const broken = signature.slice();
    broken[flip % broken.length]! ^= 1 << (flip % 8);
    for (const { verify, name: who } of [noble, node]) {
      assert.ok(verify(name, digest, publicKey, displaced(message), displaced(signature)), who);
      assert.not(verify(name, digest, publicKey, message, broken), who);
    }
  });
});

test('garbage from a peer: the same answer from both, never an exception', () => {
  const garbage = fc.tuple(signing, upTo(140), upTo(140), upTo(40));
  check(garbage, 200, ([name, publicKey, signature, message]) => {
    const { curve: on, hash: digest } = signatureAlgorithms[name];
    const key = new Uint8Array(curves[on].fieldSize).fill(5, 1);
    assert.is(noble.verify(name, digest, publicKey, message, signature), false);
    assert.is(node.verify(name, digest, publicKey, message, signature), false);
    assert.is(noble.sharedSecret(on, key, publicKey), undefined);
    assert.is(node.sharedSecret(on, key, publicKey), undefined);
  });
  check(
    curve.chain((on) => fc.tuple(fc.constant(on), sized(2 * curves[on].fieldSize))),
    100,
    ([on, point]) => {
      const key = new Uint8Array(curves[on].fieldSize).fill(5, 1);
      assert.is(noble.sharedSecret(on, key, point), undefined);
      assert.is(node.sharedSecret(on, key, point), undefined);
    },
  );
});

test('ECDSA signatures: every curve with every hash, the same bytes', () => {
  for (const name of ecdsaNames)
    for (const digest of Object.keys(hashSizes) as HashName[])
      for (let i = 0; i < 12; i++) {
        const draw = drawsOf(`${name} ${digest} ${i}`);
        const key = noble.generateSigningKey(name, draw);
        const message = draw(i);
        const signature = noble.sign(name, digest, key, message);
        assert.is(hex(node.sign(name, digest, key, message)), hex(signature), `${name} ${digest}`);
        assert.ok(node.verify(name, digest, node.signingPublicKey(name, key), message, signature));
      }
});

test('multiples of the generator from the table, as OpenSSL has them', () => {
  for (const name of Object.keys(curves) as CurveName[]) {
    const draw = drawsOf(`multiples ${name}`);
    // Enough to have the provider itself change over to the table.
    for (let i = 0; i < 400; i++) {
      const key = drawPrivateKey(node, name, draw);
      const ecdh = createECDH(nodeCurveNames[name]);
      ecdh.setPrivateKey(key);
      const expected = toHex(ecdh.getPublicKey().subarray(1));
      assert.is(hex(node.publicKey(name, key)), expected);
      if (i < 40) assert.is(hex(generatorMultiple(name, BigInt(`0x${toHex(key)}`))), expected);
    }
  }
});

test('multiples of the generator at the edges of windows and of the range', () => {
  for (const name of Object.keys(curves) as CurveName[]) {
    const { fieldSize } = curves[name];
    const { ORDER } = nobleCurves[name].Point.Fn;
    const near = [
      1n,
      2n,
      63n,
      64n,
      65n,
      127n,
      128n,
      129n,
      (1n << 140n) - 1n,
      1n << 140n,
      ORDER >> 1n,
    ];
    for (const scalar of near.flatMap((k) => [k, ORDER - k])) {
      const key = numberToBytesBE(scalar, fieldSize);
      const expected = hex(noble.publicKey(name, key));
      assert.is(hex(generatorMultiple(name, scalar)), expected, `${name} ${scalar}`);
      assert.is(hex(node.publicKey(name, key)), expected, `${name} ${scalar}`);
    }
  }
});

test.run();
