/** Every provider against published vectors, and what it answers to wrong arguments and wrong peers. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  type AeadName,
  aeadAlgorithms,
  type CurveName,
  curves,
  hashSizes,
  signatureAlgorithms,
} from '../../../protocols/crypto/algorithms.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { type CryptoProvider, drawPrivateKey } from '../../../protocols/crypto/provider.ts';
import { ecdsaCurves, ecdsaNames, vectors } from './vectors.ts';

const hashNames = ['SHA_256', 'SHA_384', 'SHA_512'] as const;
const filled = (size: number, byte: number) => new Uint8Array(size).fill(byte);
const flipped = (bytes: Uint8Array, at: number) =>
  bytes.map((byte, i) => (i === (at + bytes.length) % bytes.length ? byte ^ 1 : byte));
/** A private key that is in range on every curve. */
const someKey = (curve: CurveName, byte = 1) => {
  const key = filled(curves[curve].fieldSize, byte);
  key[0] = 0;
  return key;
};

function isLocalError(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof LocalError && pattern.test(error.message);
}

function vectorTests(crypto: CryptoProvider): void {
  const test = suite(`${crypto.name}: published vectors`);

  test('SHA-2', () => {
    for (const one of vectors('sha2-fips180').cases)
      for (const name of hashNames) {
        const digest = crypto.hash(name, ascii(one.message));
        assert.is(toHex(digest), one[name], `${name} '${one.message}'`);
        assert.is(digest.length, hashSizes[name]);
      }
  });

  test('HMAC', () => {
    for (const one of vectors('hmac-rfc4231').cases)
      for (const name of hashNames) {
        const mac = crypto.hmac(name, fromHex(one.key), fromHex(one.data));
        assert.is(toHex(mac), one[name], `${name} ${one.clause}`);
      }
  });

  test('ECDSA: public key, deterministic signature, verification', () => {
    for (const key of vectors('ecdsa-rfc6979').keys) {
      const curve = ecdsaCurves[key.algorithm];
      const publicKey = fromHex(key.Ux + key.Uy);
      assert.is(toHex(crypto.publicKey(curve, fromHex(key.x))), toHex(publicKey), key.clause);
      for (const { hash, message, r, s } of key.signatures) {
        const signature = fromHex(r + s);
        const made = crypto.sign(key.algorithm, hash, fromHex(key.x), ascii(message));
        assert.is(toHex(made), toHex(signature), `${key.algorithm} ${hash} ${message}`);
        const ok = crypto.verify(key.algorithm, hash, publicKey, ascii(message), signature);
        assert.ok(ok, `verify ${key.algorithm} ${hash} ${message}`);
      }
    }
  });

  test('ECDH: public keys and the shared X, from both sides', () => {
    for (const { curve, clause, i, gi, r, gr, girx } of vectors('ecdh-rfc5903').cases) {
      assert.is(toHex(crypto.publicKey(curve, fromHex(i))), toHex(fromHex(gi)), clause);
      assert.is(toHex(crypto.publicKey(curve, fromHex(r))), toHex(fromHex(gr)), clause);
      for (const [own, peer] of [
        [i, gr],
        [r, gi],
      ] as const) {
        const shared = crypto.sharedSecret(curve, fromHex(own), fromHex(peer));
        assert.is(shared && toHex(shared), girx.toLowerCase(), clause);
      }
    }
  });

  test('AEAD: seal, open, and the tag cut to 12 bytes', () => {
    for (const one of vectors('aead').cases) {
      const [key, iv, aad, text] = [one.key, one.iv, one.aad, one.plaintext].map(fromHex) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      for (const tagSize of [undefined, 16, 12]) {
        const sealed = one.ciphertext + one.tag.slice(0, 2 * (tagSize ?? 16));
        const made = crypto.aeadSeal(one.algorithm, key, iv, aad, text, tagSize);
        assert.is(toHex(made), sealed, `${one.name}, tag ${tagSize}`);
        const opened = crypto.aeadOpen(one.algorithm, key, iv, aad, fromHex(sealed), tagSize);
        assert.is(opened && toHex(opened), one.plaintext, `open ${one.name}, tag ${tagSize}`);
      }
    }
  });
  test.run();
}

const message = ascii('measure');

function signatureRefusals(crypto: CryptoProvider): void {
  const test = suite(`${crypto.name}: signatures of a peer`);

  for (const name of ecdsaNames) {
    const { curve, hash, signatureSize } = signatureAlgorithms[name];
    const algorithm = name;
    const key = someKey(curve);
    const publicKey = crypto.publicKey(curve, key);
    const signature = crypto.sign(algorithm, hash, key, message);
    const half = signatureSize / 2;

    test(`${name}: any wrong byte, length, hash or key is false`, () => {
      assert.is(signature.length, signatureSize);
      assert.is(crypto.verify(algorithm, hash, publicKey, message, signature), true);
      const zero = new Uint8Array(half);
      const wrong: readonly (readonly [string, Uint8Array, Uint8Array, Uint8Array])[] = [
        ['message', publicKey, ascii('Measure'), signature],
        ['no message', publicKey, new Uint8Array(0), signature],
        ['r', publicKey, message, flipped(signature, 1)],
        ['s', publicKey, message, flipped(signature, -1)],
        ['r zero', publicKey, message, concat(zero, signature.subarray(half))],
        ['s zero', publicKey, message, concat(signature.subarray(0, half), zero)],
        ['all ones', publicKey, message, filled(signatureSize, 0xff)],
        ['signature short', publicKey, message, signature.subarray(1)],
        ['signature long', publicKey, message, concat(signature, Uint8Array.of(0))],
        ['no signature', publicKey, message, new Uint8Array(0)],
        ['other key', crypto.publicKey(curve, someKey(curve, 2)), message, signature],
        ['off the curve', flipped(publicKey, -1), message, signature],
        ['zero point', new Uint8Array(publicKey.length), message, signature],
        ['coordinates above p', filled(publicKey.length, 0xff), message, signature],
        ['key short', publicKey.subarray(0, -1), message, signature],
        ['key long', concat(publicKey, Uint8Array.of(0)), message, signature],
        ['prefixed key', concat(Uint8Array.of(4), publicKey), message, signature],
        ['no key', new Uint8Array(0), message, signature],
      ];
      for (const [what, point, text, sig] of wrong)
        assert.is(crypto.verify(algorithm, hash, point, text, sig), false, what);
      const other = hash === 'SHA_256' ? 'SHA_384' : 'SHA_256';
      assert.is(crypto.verify(algorithm, other, publicKey, message, signature), false, 'hash');
    });
  }
  test.run();
}

function keyRefusals(crypto: CryptoProvider): void {
  const test = suite(`${crypto.name}: points of a peer, private keys of our own`);
  for (const algorithm of ecdsaNames) {
    const { curve, hash } = signatureAlgorithms[algorithm];
    const key = someKey(curve);
    const publicKey = crypto.publicKey(curve, key);

    test(`${curve}: no shared secret with what is no point`, () => {
      const size = curves[curve].fieldSize;
      assert.is(crypto.sharedSecret(curve, key, publicKey)?.length, size);
      for (const [what, peer] of [
        ['off the curve', flipped(publicKey, -1)],
        ['zero', new Uint8Array(2 * size)],
        ['above p', filled(2 * size, 0xff)],
        ['short', publicKey.subarray(1)],
        ['compressed', concat(Uint8Array.of(2), publicKey.subarray(0, size))],
        ['prefixed', concat(Uint8Array.of(4), publicKey)],
        ['nothing', new Uint8Array(0)],
      ] as const)
        assert.is(crypto.sharedSecret(curve, key, peer), undefined, what);
    });

    test(`${curve}: a private key out of range is the caller's mistake`, () => {
      const size = curves[curve].fieldSize;
      for (const [bad, says] of [
        [new Uint8Array(size), /not in \[1, n-1\]/],
        [filled(size, 0xff), /not in \[1, n-1\]/],
        [key.subarray(1), new RegExp(`takes ${size} bytes, got ${size - 1}`)],
        [concat(Uint8Array.of(0), key), new RegExp(`takes ${size} bytes, got ${size + 1}`)],
        [new Uint8Array(0), /got 0/],
      ] as const) {
        assert.throws(() => crypto.publicKey(curve, bad), isLocalError(says));
        assert.throws(() => crypto.sharedSecret(curve, bad, publicKey), isLocalError(says));
        assert.throws(() => crypto.sign(algorithm, hash, bad, message), isLocalError(says));
      }
    });
  }
  test.run();
}

function aeadRefusals(crypto: CryptoProvider): void {
  const test = suite(`${crypto.name}: AEAD refusals`);
  for (const [name, { keySize, ivSize }] of Object.entries(aeadAlgorithms)) {
    const algorithm = name as AeadName;
    const [key, iv, aad, text] = [
      filled(keySize, 1),
      filled(ivSize, 2),
      ascii('head'),
      ascii('x'.repeat(21)),
    ];

    test(`${name}: nothing opens with one bit wrong, for every tag size`, () => {
      for (const tagSize of [12, 13, 14, 15, 16]) {
        const sealed = crypto.aeadSeal(algorithm, key, iv, aad, text, tagSize);
        assert.is(sealed.length, text.length + tagSize);
        const open = (k = key, i = iv, a = aad, s = sealed) =>
          crypto.aeadOpen(algorithm, k, i, a, s, tagSize);
        assert.equal(open(), text);
        for (let at = 0; at < sealed.length; at++)
          assert.is(open(key, iv, aad, flipped(sealed, at)), undefined, `byte ${at}`);
        assert.is(open(flipped(key, 0)), undefined, 'key');
        assert.is(open(key, flipped(iv, -1)), undefined, 'iv');
        assert.is(open(key, iv, flipped(aad, 0)), undefined, 'aad');
        assert.is(open(key, iv, ascii('')), undefined, 'no aad');
        assert.is(open(key, iv, aad, sealed.subarray(1)), undefined, 'first byte lost');
        assert.is(open(key, iv, aad, sealed.subarray(0, -1)), undefined, 'last byte lost');
        for (const size of [0, 1, tagSize - 1, tagSize])
          assert.is(open(key, iv, aad, sealed.subarray(0, size)), undefined, `${size} bytes`);
      }
    });

    test(`${name}: a plaintext of no bytes still has a tag`, () => {
      const none = new Uint8Array(0);
      const sealed = crypto.aeadSeal(algorithm, key, iv, aad, none);
      assert.is(sealed.length, 16);
      assert.equal(crypto.aeadOpen(algorithm, key, iv, aad, sealed), none);
    });

    test(`${name}: wrong sizes are the caller's mistake`, () => {
      const sealed = crypto.aeadSeal(algorithm, key, iv, aad, text);
      const cases: readonly (readonly [Uint8Array, Uint8Array, number, RegExp])[] = [
        [filled(keySize - 1, 1), iv, 16, new RegExp(`^key: ${name} takes ${keySize} bytes, got`)],
        [filled(keySize + 1, 1), iv, 16, /^key: /],
        [new Uint8Array(0), iv, 16, /^key: /],
        ...[0, 8, 11, 13, 16].map(
          (n) => [key, filled(n, 2), 16, /^iv: .* takes 12 bytes/] as const,
        ),
        ...[0, 4, 11, 17, -1, 12.5, Number.NaN].map((n) => [key, iv, n, /^tagSize: /] as const),
      ];
      for (const [k, i, tagSize, says] of cases) {
        const seal = () => crypto.aeadSeal(algorithm, k, i, aad, text, tagSize);
        assert.throws(seal, isLocalError(says));
        const open = () => crypto.aeadOpen(algorithm, k, i, aad, sealed, tagSize);
        assert.throws(open, isLocalError(says));
      }
    });
  }
  test.run();
}

for (const provider of [nobleProvider, nodeProvider]) {
  vectorTests(provider);
  signatureRefusals(provider);
  keyRefusals(provider);
  aeadRefusals(provider);
}

const drawing = suite('drawPrivateKey');
drawing('draws again until the scalar is in range', () => {
  const draws = [filled(32, 0), filled(32, 0xff), filled(32, 7), filled(32, 8)];
  let drawn = 0;
  const key = drawPrivateKey(nodeProvider, 'SECP_256_R1', () => draws[drawn++]!);
  assert.equal(key, filled(32, 7));
  assert.is(drawn, 3);
});
drawing('clears the bits above P-521', () => {
  const key = drawPrivateKey(nobleProvider, 'SECP_521_R1', () => filled(66, 0x55));
  assert.is(key[0], 1);
  assert.is(nobleProvider.publicKey('SECP_521_R1', key).length, 132);
});
drawing('gives up on a broken source', () => {
  let drawn = 0;
  const draw = () => {
    drawn++;
    return filled(48, 0);
  };
  assert.throws(
    () => drawPrivateKey(nobleProvider, 'SECP_384_R1', draw),
    /random source is broken/,
  );
  assert.is(drawn, 128);
});
drawing.run();
