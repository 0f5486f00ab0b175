/** The door of a provider: names, hashes, contexts, drawn keys; the same from both. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  type AeadName,
  type AlgorithmName,
  aeadAlgorithms,
  type GroupName,
  groupNames,
  type HashName,
  hashSizes,
  kemAlgorithms,
  type SignatureName,
  signatureAlgorithms,
} from '../../../protocols/crypto/algorithms.ts';
import { remembered } from '../../../protocols/crypto/bounded-cache.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { type CryptoProvider, drawPrivateKey } from '../../../protocols/crypto/provider.ts';
import { drawsOf } from './vectors.ts';

const test = suite('providers: the door');
const providers = [nobleProvider, nodeProvider];
const none = new Uint8Array(0);
const localError = (says: RegExp) => (e: unknown) =>
  e instanceof LocalError && says.test(e.message);

// NIST, Examples with Intermediate Values for FIPS 202.
const sha3 = {
  '': {
    SHA3_256: 'a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a',
    SHA3_384:
      '0c63a75b845e4f7d01107d852e4c2485c51a50aaaa94fc61995e71bbee983a2ac3713831264adb47fb6bd1e058d5f004',
    SHA3_512:
      'a69f73cca23a9ac5c8b567dc185a756e97c982164fe25859e0d1dcc1475c80a615b2123af1f5f94c11e3e9402c3ac558f500199d95b6d3e301758586281dcd26',
  },
  abc: {
    SHA3_256: '3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532',
    SHA3_384:
      'ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25',
    SHA3_512:
      'b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0',
  },
} as const;

test('SHA-3 as published', () => {
  for (const crypto of providers)
    for (const [message, digests] of Object.entries(sha3))
      for (const [name, digest] of Object.entries(digests))
        assert.is(toHex(crypto.hash(name as HashName, ascii(message))), digest, crypto.name);
});

test('both support every name of the tables, and no other', () => {
  const tables = [hashSizes, signatureAlgorithms, kemAlgorithms, aeadAlgorithms];
  const names = [...tables.flatMap((table) => Object.keys(table)), ...groupNames];
  assert.is(names.length, 6 + 26 + 3 + 3 + 6);
  for (const crypto of providers) {
    for (const name of names) assert.is(crypto.supports(name as AlgorithmName), true, name);
    for (const name of ['', 'toString', 'MD5', 'X25519', 'SM3_256'])
      assert.is(crypto.supports(name as AlgorithmName), false, name);
  }
});

test('an algorithm of another name is the caller mistake, whatever the operation', () => {
  for (const crypto of providers) {
    const [hash, name, group] = ['MD5' as HashName, 'DSA' as SignatureName, 'X25519' as GroupName];
    const key = new Uint8Array(32).fill(1);
    for (const [use, says] of [
      [() => crypto.hash(hash, none), /^name: no algorithm 'MD5'/],
      [() => crypto.hmac(hash, none, none), /^name: no algorithm 'MD5'/],
      [() => crypto.sign(name, 'SHA_256', key, none), /^name: no algorithm 'DSA'/],
      [() => crypto.sign('ECDSA_P256', hash, key, none), /^hash: no algorithm 'MD5'/],
      [() => crypto.verify(name, 'SHA_256', key, none, none), /^name: /],
      [() => crypto.verify('ECDSA_P256', hash, key, none, none), /^hash: /],
      [() => crypto.generateSigningKey(name, drawsOf('')), /^name: /],
      [() => crypto.signingPublicKey(name, key), /^name: /],
      [() => crypto.publicKey(group, key), /^group: /],
      [() => crypto.sharedSecret(group, key, none), /^group: /],
      [() => crypto.publicKey('constructor' as GroupName, key), /^group: /],
      [() => crypto.aeadSeal('AES_192_GCM' as AeadName, key, key, none, none), /^name: /],
      [() => crypto.aeadOpen('AES_192_GCM' as AeadName, key, key, none, none), /^name: /],
      [() => drawPrivateKey(crypto, group, drawsOf('')), /^group: .* does not support X25519/],
    ] as const)
      assert.throws(use, localError(says));
  }
});

test('a context is refused by a scheme without one, an empty one is none', () => {
  for (const name of ['ECDSA_P256', 'RSASSA_2048', 'RSAPSS_3072', 'EDDSA_25519'] as const)
    for (const crypto of providers) {
      const says = new RegExp(`^context: ${name} takes none`);
      const context = Uint8Array.of(1);
      assert.throws(() => crypto.sign(name, 'SHA_256', none, none, context), localError(says));
      assert.throws(
        () => crypto.verify(name, 'SHA_256', none, none, none, context),
        localError(says),
      );
      assert.is(crypto.verify(name, 'SHA_256', none, none, none, none), false);
    }
});

test('the same draws, the same key, the same public key', () => {
  const quick = Object.keys(signatureAlgorithms).filter((name) => /^(EC|ED|ML)/.test(name));
  assert.is(quick.length, 8);
  for (const name of quick as SignatureName[]) {
    const [a, b] = providers.map((crypto) => {
      const key = crypto.generateSigningKey(name, drawsOf(`key ${name}`));
      return [toHex(key), toHex(crypto.signingPublicKey(name, key))];
    });
    assert.equal(a, b, name);
    const other = nodeProvider.generateSigningKey(name, drawsOf('another'));
    assert.is.not(toHex(other), a![0]);
  }
});

test('a drawn Diffie-Hellman key has the same bytes from both, in the length of its group', () => {
  const sizes = [32, 48, 66, 32, 40, 48];
  const draw = (crypto: CryptoProvider, group: GroupName) =>
    toHex(drawPrivateKey(crypto, group, drawsOf(`draw ${group}`)));
  for (const [i, group] of groupNames.entries()) {
    assert.is(draw(nobleProvider, group), draw(nodeProvider, group));
    assert.is(draw(nobleProvider, group).length, 2 * sizes[i]!, group);
  }
  const draws = [new Uint8Array(32), new Uint8Array(32).fill(9)];
  const key = drawPrivateKey(nobleProvider, 'FFDHE_2048', () => draws.shift()!);
  assert.equal(key, new Uint8Array(32).fill(9));
});

test('what is handed out is not what is remembered', () => {
  const key = new Uint8Array(48).fill(5);
  const first = nodeProvider.publicKey('SECP_384_R1', key);
  const expected = toHex(first);
  first.fill(0);
  assert.is(toHex(nodeProvider.publicKey('SECP_384_R1', key)), expected);
  const reused = key.slice();
  reused.fill(6);
  assert.is.not(toHex(nodeProvider.publicKey('SECP_384_R1', reused)), expected);
  const exponent = new Uint8Array(32).fill(5);
  const value = nodeProvider.publicKey('FFDHE_2048', exponent);
  const same = toHex(value);
  value.fill(0);
  assert.is(toHex(nodeProvider.publicKey('FFDHE_2048', exponent)), same);
});

test('the cache is bounded, and the least recently used entry goes first', () => {
  let made = 0;
  const double = remembered((bytes) => {
    made++;
    return bytes[0]! * 2;
  });
  for (let i = 0; i < 64; i++) assert.is(double(Uint8Array.of(i)), 2 * i);
  assert.is(double(Uint8Array.of(0)), 0);
  assert.is(made, 64);
  double(Uint8Array.of(64));
  double(Uint8Array.of(0));
  assert.is(made, 65);
  double(Uint8Array.of(1));
  assert.is(made, 66);
  const long = new Uint8Array(10_000).fill(3);
  double(long);
  double(long.slice());
  double(long.subarray(1));
  assert.is(made, 68);
});

test.run();
