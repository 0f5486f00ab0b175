/** Ed25519 and Ed448: RFC 8032, 7.1 and 7.4, and the signatures on which verifiers differ. */

import { ED448_TORSION_SUBGROUP, ed448 } from '@noble/curves/ed448.js';
import { ED25519_TORSION_SUBGROUP, ed25519 } from '@noble/curves/ed25519.js';
import { bytesToNumberLE, numberToBytesLE } from '@noble/curves/utils.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { drawsOf } from './vectors.ts';

const test = suite('eddsa');
const providers = [nobleProvider, nodeProvider];
const names = ['EDDSA_25519', 'EDDSA_448'] as const;

const SK_448 =
  'c4eab05d357007c632f3dbb48489924d552b08fe0c353a0d4a1f00acda2c463afbea67c5e8d2877c5e3bc397a659949ef8021e954e0a12274e';
const PK_448 =
  '43ba28f430cdff456ae531545f7ecd0ac834a55d9358c0372bfa0c6c6798c0866aea01eb00742802b8438ea4cb82169c235160627b4c3a9480';
const published = [
  {
    name: 'EDDSA_25519',
    sk: '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60',
    pk: 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    message: '',
    context: '',
    signature:
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
  },
  {
    name: 'EDDSA_25519',
    sk: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
    pk: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    message: '72',
    context: '',
    signature:
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  },
  {
    name: 'EDDSA_448',
    sk: '6c82a562cb808d10d632be89c8513ebf6c929f34ddfa8c9f63c9960ef6e348a3528c8a3fcc2f044e39a3fc5b94492f8f032e7549a20098f95b',
    pk: '5fd7449b59b461fd2ce787ec616ad46a1da1342485a70e1f8a0ea75d80e96778edf124769b46c7061bd6783df1e50f6cd1fa1abeafe8256180',
    message: '',
    context: '',
    signature:
      '533a37f6bbe457251f023c0d88f976ae2dfb504a843e34d2074fd823d41a591f2b233f034f628281f2fd7a22ddd47d7828c59bd0a21bfd3980ff0d2028d4b18a9df63e006c5d1c2d345b925d8dc00b4104852db99ac5c7cdda8530a113a0f4dbb61149f05a7363268c71d95808ff2e652600',
  },
  {
    name: 'EDDSA_448',
    sk: SK_448,
    pk: PK_448,
    message: '03',
    context: '',
    signature:
      '26b8f91727bd62897af15e41eb43c377efb9c610d48f2335cb0bd0087810f4352541b143c4b981b7e18f62de8ccdf633fc1bf037ab7cd779805e0dbcc0aae1cbcee1afb2e027df36bc04dcecbf154336c19f0af7e0a6472905e799f1953d2a0ff3348ab21aa4adafd1d234441cf807c03a00',
  },
  {
    name: 'EDDSA_448',
    sk: SK_448,
    pk: PK_448,
    message: '03',
    context: '666f6f',
    signature:
      'd4f8f6131770dd46f40867d6fd5d5055de43541f8c5e35abbcd001b32a89f7d2151f7647f11d8ca2ae279fb842d607217fce6e042f6815ea000c85741de5c8da1144a6a1aba7f96de42505d7a7298524fda538fccbbb754f578c1cad10d54d0d5428407e85dcbc98a49155c13764e66c3c00',
  },
] as const;

for (const crypto of providers)
  test(`published vectors over ${crypto.name}`, () => {
    for (const one of published) {
      const [sk, pk, message, context, signature] = [
        one.sk,
        one.pk,
        one.message,
        one.context,
        one.signature,
      ].map(fromHex) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
      assert.is(toHex(crypto.signingPublicKey(one.name, sk)), one.pk);
      assert.is(
        toHex(crypto.sign(one.name, 'SHA_256', sk, message, context)),
        one.signature,
        one.name,
      );
      assert.ok(crypto.verify(one.name, 'SHA_384', pk, message, signature, context));
      if (one.name === 'EDDSA_448') {
        const other = concat(context, Uint8Array.of(1));
        assert.not(crypto.verify(one.name, 'SHA_384', pk, message, signature, other));
      }
    }
  });

test('any wrong byte, length or key is false with both', () => {
  for (const name of names) {
    const key = nobleProvider.generateSigningKey(name, drawsOf(name));
    const publicKey = nodeProvider.signingPublicKey(name, key);
    const message = ascii('measure');
    const signature = nodeProvider.sign(name, 'SHA_512', key, message);
    for (const { verify, name: who } of providers) {
      const ok = (pk: Uint8Array, sig: Uint8Array, text = message) =>
        verify(name, 'SHA_512', pk, text, sig);
      assert.is(ok(publicKey, signature), true);
      for (let at = 0; at < signature.length; at += 5) {
        const broken = signature.slice();
        broken[at] = broken[at]! ^ (1 << (at % 8));
        assert.is(ok(publicKey, broken), false, `${who} byte ${at}`);
      }
      assert.is(ok(publicKey, signature, ascii('Measure')), false);
      for (const bad of [0, 1, signature.length - 1, signature.length + 1])
        assert.is(ok(publicKey, new Uint8Array(bad)), false);
      assert.is(ok(publicKey, new Uint8Array(signature.length)), false, 'all zero');
      assert.is(ok(publicKey, new Uint8Array(signature.length).fill(0xff)), false, 'all ones');
      for (const bad of [0, 31, 33, 56, 58])
        assert.is(ok(new Uint8Array(bad), signature), false, `key of ${bad}`);
      assert.is(ok(new Uint8Array(publicKey.length).fill(0xff), signature), false, 'no point');
    }
  }
});

test('S is below the order: the same S plus it is refused', () => {
  for (const [name, curve] of [
    ['EDDSA_25519', ed25519],
    ['EDDSA_448', ed448],
  ] as const) {
    const key = nobleProvider.generateSigningKey(name, drawsOf(`malleable ${name}`));
    const publicKey = nodeProvider.signingPublicKey(name, key);
    const signature = nodeProvider.sign(name, 'SHA_512', key, ascii('x'));
    const half = signature.length / 2;
    const s = bytesToNumberLE(signature.subarray(half)) + curve.Point.Fn.ORDER;
    const other = concat(signature.subarray(0, half), numberToBytesLE(s, half));
    for (const crypto of providers)
      assert.is(crypto.verify(name, 'SHA_512', publicKey, ascii('x'), other), false, crypto.name);
  }
});

test('keys and Rs of small order: S = 0 would fit, and is refused', () => {
  for (const [name, torsion] of [
    ['EDDSA_25519', ED25519_TORSION_SUBGROUP],
    ['EDDSA_448', ED448_TORSION_SUBGROUP],
  ] as const)
    for (const a of torsion)
      for (const r of torsion)
        for (const crypto of providers) {
          const point = fromHex(r);
          const signature = concat(point, new Uint8Array(point.length));
          const ok = crypto.verify(name, 'SHA_512', fromHex(a), ascii('y'), signature);
          assert.is(ok, false, `${crypto.name} ${name} ${a} ${r}`);
        }
});

test('Ed25519: a signature that holds only with the cofactor is refused by both', () => {
  const { Point } = ed25519;
  const secret = 12345678901234567890n;
  const torsion = Point.fromHex(ED25519_TORSION_SUBGROUP[1]!);
  const publicKey = Point.BASE.multiply(secret).toBytes();
  const message = ascii('mixed order');
  for (const [offset, expected] of [
    [Point.ZERO, true],
    [torsion, false],
  ] as const) {
    const nonce = 987654321987654321n;
    const r = Point.BASE.multiply(nonce).add(offset).toBytes();
    const k = Point.Fn.create(bytesToNumberLE(sha512(concat(r, publicKey, message))));
    const s = Point.Fn.create(nonce + k * secret);
    const signature = concat(r, numberToBytesLE(s, 32));
    for (const crypto of providers)
      assert.is(
        crypto.verify('EDDSA_25519', 'SHA_512', publicKey, message, signature),
        expected,
        crypto.name,
      );
  }
});

test('wrong keys and contexts are the caller mistake', () => {
  const none = new Uint8Array(0);
  for (const crypto of providers) {
    for (const [name, size] of [
      ['EDDSA_25519', 32],
      ['EDDSA_448', 57],
    ] as const)
      for (const bad of [0, size - 1, size + 1])
        assert.throws(
          () => crypto.sign(name, 'SHA_512', new Uint8Array(bad), none),
          (e: Error) =>
            e instanceof LocalError &&
            e.message === `privateKey: ${name} takes ${size} bytes, got ${bad}`,
        );
    for (const [name, context, says] of [
      ['EDDSA_25519', ascii('c'), /^context: EDDSA_25519 takes none/],
      ['EDDSA_448', new Uint8Array(256), /^context: at most 255 bytes, got 256/],
    ] as const) {
      const key = crypto.generateSigningKey(name, drawsOf(name));
      const is = (e: Error) => e instanceof LocalError && says.test(e.message);
      assert.throws(() => crypto.sign(name, 'SHA_512', key, none, context), is);
      assert.throws(() => crypto.verify(name, 'SHA_512', none, none, none, context), is);
    }
  }
});

test.run();
