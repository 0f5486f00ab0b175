/** RSA: against node:crypto both ways, key generation, key encodings, and what a peer may send. */

import {
  constants,
  createPrivateKey,
  createPublicKey,
  sign as nodeSign,
  verify as nodeVerify,
} from 'node:crypto';
import { numberToBytesBE } from '@noble/curves/utils.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { type HashName, hashSizes, signatureFacts } from '../../../protocols/crypto/algorithms.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { bigintPower } from '../../../protocols/crypto/rsa.ts';
import {
  decodeRsaPrivateKey,
  decodeRsaPublicKey,
  encodeRsaPrivateKey,
  encodeRsaPublicKey,
} from '../../../protocols/crypto/rsa-key.ts';
import { drawsOf } from './vectors.ts';

const test = suite('rsa');
const providers = [nobleProvider, nodeProvider];
const sizes = [2048, 3072, 4096] as const;
const hashNames = {
  SHA_256: 'sha256',
  SHA_384: 'sha384',
  SHA_512: 'sha512',
  SHA3_256: 'sha3-256',
  SHA3_384: 'sha3-384',
  SHA3_512: 'sha3-512',
} as const;
const hashes = Object.keys(hashSizes) as HashName[];
const message = ascii('measure');

const keys = Object.fromEntries(
  sizes.map((bits) => [
    bits,
    nodeProvider.generateSigningKey(`RSAPSS_${bits}`, drawsOf(`rsa ${bits}`)),
  ]),
) as Record<(typeof sizes)[number], Uint8Array>;
const publicKeys = Object.fromEntries(
  sizes.map((bits) => [bits, nodeProvider.signingPublicKey(`RSASSA_${bits}`, keys[bits])]),
) as Record<(typeof sizes)[number], Uint8Array>;
const der = (key: Uint8Array) => ({ key: Buffer.from(key), format: 'der', type: 'pkcs1' }) as const;
const isLocalError = (says: RegExp) => (e: unknown) =>
  e instanceof LocalError && says.test(e.message);

test('the same draws give the same key; OpenSSL takes it', () => {
  const again = nobleProvider.generateSigningKey('RSASSA_2048', drawsOf('rsa 2048'));
  assert.is(toHex(again), toHex(keys[2048]));
  const other = nobleProvider.generateSigningKey('RSASSA_2048', drawsOf('another'));
  assert.is.not(toHex(other), toHex(keys[2048]));
  for (const bits of sizes) {
    const key = createPrivateKey(der(keys[bits]));
    assert.is(key.asymmetricKeyDetails!.modulusLength, bits);
    assert.is(key.asymmetricKeyDetails!.publicExponent, 65537n);
    const exported = createPublicKey(key).export({ format: 'der', type: 'pkcs1' });
    assert.is(toHex(exported), toHex(publicKeys[bits]));
    assert.is(toHex(key.export({ format: 'der', type: 'pkcs1' })), toHex(keys[bits]));
  }
});

const nodeOptions = (family: 'RSASSA' | 'RSAPSS', hash: HashName) =>
  family === 'RSASSA'
    ? { padding: constants.RSA_PKCS1_PADDING }
    : { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: hashSizes[hash] };

for (const family of ['RSASSA', 'RSAPSS'] as const)
  for (const bits of sizes)
    test(`${family}_${bits}: ours with theirs and theirs with ours, every hash`, () => {
      const name = `${family}_${bits}` as const;
      const [privateKey, publicKey] = [keys[bits], publicKeys[bits]];
      const [theirPrivate, theirPublic] = [
        createPrivateKey(der(privateKey)),
        createPublicKey(der(publicKey)),
      ];
      for (const hash of hashes) {
        const options = nodeOptions(family, hash);
        const ours = nobleProvider.sign(name, hash, privateKey, message);
        assert.is(ours.length, bits / 8);
        assert.is(toHex(nodeProvider.sign(name, hash, privateKey, message)), toHex(ours), hash);
        const native = hashNames[hash];
        assert.ok(nodeVerify(native, message, { key: theirPublic, ...options }, ours), hash);
        const theirs = nodeSign(native, message, { key: theirPrivate, ...options });
        if (family === 'RSASSA') assert.is(toHex(theirs), toHex(ours));
        for (const crypto of providers)
          for (const signature of [ours, theirs]) {
            assert.ok(crypto.verify(name, hash, publicKey, message, signature), crypto.name);
            assert.not(crypto.verify(name, hash, publicKey, ascii('x'), signature));
            const other = hash === 'SHA_256' ? 'SHA3_256' : 'SHA_256';
            assert.not(crypto.verify(name, other, publicKey, message, signature));
          }
      }
    });

test('the PSS salt differs from message to message, and not from run to run', () => {
  const sign = (text: string) =>
    toHex(nodeProvider.sign('RSAPSS_2048', 'SHA_256', keys[2048], ascii(text)));
  assert.is(sign('a'), sign('a'));
  assert.is.not(sign('a'), sign('b'));
});

test('PSS with any other salt length is refused', () => {
  const key = createPrivateKey(der(keys[2048]));
  for (const saltLength of [0, 20, 31, 33, 48, constants.RSA_PSS_SALTLEN_MAX_SIGN]) {
    const padding = constants.RSA_PKCS1_PSS_PADDING;
    const signature = nodeSign('sha256', message, { key, padding, saltLength });
    for (const crypto of providers)
      assert.is(
        crypto.verify('RSAPSS_2048', 'SHA_256', publicKeys[2048], message, signature),
        false,
        `${crypto.name} ${saltLength}`,
      );
  }
});

test('a wrong signature is false, s at or above n too', () => {
  const { n } = decodeRsaPublicKey(publicKeys[2048], 2048)!;
  for (const family of ['RSASSA', 'RSAPSS'] as const) {
    const name = `${family}_2048` as const;
    const good = nodeProvider.sign(name, 'SHA_384', keys[2048], message);
    const s = BigInt(`0x${toHex(good)}`);
    const flipped = good.slice();
    flipped[100] = flipped[100]! ^ 1;
    const bad: readonly (readonly [string, Uint8Array])[] = [
      ['flipped', flipped],
      ['zero', new Uint8Array(256)],
      ['one', numberToBytesBE(1n, 256)],
      ['n - 1', numberToBytesBE(n - 1n, 256)],
      ['n', numberToBytesBE(n, 256)],
      ['all ones', new Uint8Array(256).fill(0xff)],
      ['short', good.subarray(1)],
      ['long', concat(Uint8Array.of(0), good)],
      ['none', new Uint8Array(0)],
      ...(s + n < 1n << 2048n ? [['s + n', numberToBytesBE(s + n, 256)] as const] : []),
    ];
    for (const crypto of providers) {
      assert.ok(crypto.verify(name, 'SHA_384', publicKeys[2048], message, good));
      for (const [what, signature] of bad)
        assert.is(
          crypto.verify(name, 'SHA_384', publicKeys[2048], message, signature),
          false,
          `${crypto.name} ${what}`,
        );
    }
  }
});

test('PKCS #1 v1.5 padding is compared whole: no short padding, nothing behind the digest', () => {
  const key = decodeRsaPrivateKey(keys[2048], 2048);
  const good = nodeProvider.sign('RSASSA_2048', 'SHA_256', keys[2048], message);
  const em = bigintPower.public(keys[2048], key, good)!;
  const t = em.subarray(em.indexOf(0, 2));
  const shortened = concat(
    em.subarray(0, 10),
    t,
    new Uint8Array(em.length - 10 - t.length).fill(7),
  );
  const type2 = em.slice();
  type2[1] = 2;
  for (const forged of [shortened, type2]) {
    const signature = bigintPower.private(keys[2048], key, forged);
    for (const crypto of providers)
      assert.not(crypto.verify('RSASSA_2048', 'SHA_256', publicKeys[2048], message, signature));
  }
});

test('public keys of a peer: only strict DER of the right size counts', () => {
  const good = publicKeys[2048];
  const { n } = decodeRsaPublicKey(good, 2048)!;
  assert.is(toHex(encodeRsaPublicKey({ n, e: 65537n })), toHex(good));
  const signature = nodeProvider.sign('RSASSA_2048', 'SHA_256', keys[2048], message);
  const headless = good.subarray(4);
  const body = (bytes: Uint8Array) =>
    concat(Uint8Array.of(0x30, 0x82, bytes.length >> 8, bytes.length & 0xff), bytes);
  const bad: readonly (readonly [string, Uint8Array])[] = [
    ['nothing', new Uint8Array(0)],
    ['a byte', good.subarray(0, 1)],
    ['cut', good.subarray(0, -1)],
    ['trailing', concat(good, Uint8Array.of(0))],
    ['three numbers', body(concat(headless, Uint8Array.of(2, 1, 3)))],
    ['one number', body(headless.subarray(0, -5))],
    ['indefinite', concat(Uint8Array.of(0x30, 0x80), headless, Uint8Array.of(0, 0))],
    ['long size', concat(Uint8Array.of(0x30, 0x83, 0, 1, 10), headless)],
    ['no sequence', concat(Uint8Array.of(0x31), good.subarray(1))],
    ['empty number', body(concat(headless.subarray(0, -5), Uint8Array.of(2, 0)))],
    ['negative', body(concat(headless.subarray(0, -5), Uint8Array.of(2, 1, 0x83)))],
    ['padded e', body(concat(headless.subarray(0, -5), Uint8Array.of(2, 4, 0, 1, 0, 1)))],
    ['even e', encodeRsaPublicKey({ n, e: 65536n })],
    ['e of 1', encodeRsaPublicKey({ n, e: 1n })],
    ['e too long', encodeRsaPublicKey({ n, e: (1n << 64n) + 1n })],
    ['even n', encodeRsaPublicKey({ n: n - 1n, e: 65537n })],
    ['short n', encodeRsaPublicKey({ n: n >> 1n, e: 65537n })],
    ['other key', publicKeys[3072]],
  ];
  for (const crypto of providers) {
    const ok = (key: Uint8Array) =>
      crypto.verify('RSASSA_2048', 'SHA_256', key, message, signature);
    assert.is(ok(good), true);
    for (const [what, key] of bad) assert.is(ok(key), false, `${crypto.name} ${what}`);
  }
});

test('private keys: not ours, not of this size, or numbers that contradict are a LocalError', () => {
  const key = decodeRsaPrivateKey(keys[2048], 2048);
  assert.is(toHex(encodeRsaPrivateKey(key)), toHex(keys[2048]));
  const none = /^privateKey: no RSAPrivateKey/;
  const bad: readonly (readonly [Uint8Array, RegExp])[] = [
    [new Uint8Array(0), none],
    [keys[2048].subarray(1), none],
    [publicKeys[2048], none],
    [encodeRsaPrivateKey({ ...key, n: key.n + 2n }), none],
    [encodeRsaPrivateKey({ ...key, d: key.d + 2n }), none],
    [encodeRsaPrivateKey({ ...key, dP: key.dP + 1n }), none],
    [encodeRsaPrivateKey({ ...key, dQ: key.dQ + 1n }), none],
    [encodeRsaPrivateKey({ ...key, qInv: key.qInv + 1n }), none],
    [encodeRsaPrivateKey({ ...key, p: 0n }), none],
    [keys[3072], /^privateKey: takes a modulus of 2048 bits, got 3072/],
  ];
  for (const crypto of providers)
    for (const [privateKey, says] of bad) {
      for (const name of ['RSASSA_2048', 'RSAPSS_2048'] as const) {
        const sign = () => crypto.sign(name, 'SHA_256', privateKey, message);
        assert.throws(sign, isLocalError(says));
        assert.throws(() => crypto.signingPublicKey(name, privateKey), isLocalError(says));
      }
    }
  assert.is(signatureFacts('RSASSA_2048').publicKeySize, 256);
});

test('a broken source of randomness ends in an error', () => {
  assert.throws(
    () => nobleProvider.generateSigningKey('RSASSA_2048', (size) => new Uint8Array(size)),
    /random source is broken/,
  );
});

test.run();
