/** Private keys out of PKCS #8, SEC 1 and PKCS #1. */

import { createPrivateKey } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex } from '../../../protocols/codec/bytes.ts';
import type { SignatureName } from '../../../protocols/crypto/algorithms.ts';
import {
  PRIVATE_KEY_BYTES_MAX,
  pkcs8PrivateKey,
  type SigningKey,
} from '../../../protocols/x509/pkcs8.ts';
import { algorithmIdentifier } from '../../../protocols/x509/spki.ts';
import { crypto, scalar, tlv } from './fixtures.ts';
import { names, privateKeyOf, rsaPkcs8, seeded } from './keys.ts';

const test = suite('x509 pkcs8');

const told = (der: Uint8Array, wanted?: SignatureName) => {
  const read = pkcs8PrivateKey(crypto, der, wanted);
  return read.ok ? read.value.algorithm : read.code;
};
function keyIn(der: Uint8Array, wanted?: SignatureName): SigningKey {
  const read = pkcs8PrivateKey(crypto, der, wanted);
  if (!read.ok) throw new Error(`${read.code} ${read.path} ${read.detail}`);
  return read.value;
}

const V0 = fromHex('020100');
const V1 = fromHex('020101');
const octets = (...content: Uint8Array[]) => tlv(0x04, ...content);
const pkcs8 = (name: SignatureName, inner: Uint8Array, ...more: Uint8Array[]) =>
  tlv(0x30, more.length === 0 ? V0 : V1, algorithmIdentifier(name), octets(inner), ...more);

const base64 = (text: string) => new Uint8Array(Buffer.from(text, 'base64'));
// RFC 8410 10.3: the same key without and with attributes and public key.
const ED_PRIVATE = 'd4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842';
const ED25519 = base64('MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC');
const ED25519_WHOLE = base64(
  'MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCoB8wHQYKKoZIhvcNAQkJFDEP' +
    'DA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=',
);
test('the keys of RFC 8410', () => {
  const expected = { algorithm: 'EDDSA_25519', privateKey: fromHex(ED_PRIVATE) };
  assert.equal(keyIn(ED25519), expected);
  assert.equal(keyIn(ED25519_WHOLE), expected);
  const other = ED25519_WHOLE.slice();
  other[other.length - 1] = other.at(-1)! ^ 1;
  assert.is(told(other), 'BAD_VALUE');
});

const ecSizes = { ECDSA_P256: 32, ECDSA_P384: 48, ECDSA_P521: 66 } as const;
for (const name of Object.keys(ecSizes) as (keyof typeof ecSizes)[])
  test(`${name}: PKCS #8 and SEC 1, with and without its public key`, () => {
    const privateKey = scalar(ecSizes[name], 5);
    const expected = { algorithm: name, privateKey };
    const curve = algorithmIdentifier(name).subarray(11);
    const point = concat(fromHex('0004'), crypto.signingPublicKey(name, privateKey));
    const publicKey = tlv(0xa1, tlv(0x03, point));
    const bare = tlv(0x30, V1, octets(privateKey));
    const sec1 = tlv(0x30, V1, octets(privateKey), tlv(0xa0, curve), publicKey);
    for (const der of [pkcs8(name, bare), sec1, pkcs8(name, sec1)])
      assert.equal(keyIn(der), expected);
    assert.is(told(bare), 'UNKNOWN_CODE');
    const key = createPrivateKey({ key: Buffer.from(sec1), format: 'der', type: 'sec1' });
    assert.equal(keyIn(key.export({ type: 'pkcs8', format: 'der' })), expected);
    const another = tlv(0xa1, tlv(0x03, point.with(3, point[3]! ^ 1)));
    assert.is(told(pkcs8(name, tlv(0x30, V1, octets(privateKey), another))), 'BAD_VALUE');
    assert.is(told(pkcs8(name, tlv(0x30, V1, octets(new Uint8Array(ecSizes[name]))))), 'BAD_VALUE');
    assert.is(told(pkcs8(name, tlv(0x30, V1, octets(privateKey.subarray(1))))), 'BAD_VALUE');
    assert.is(told(pkcs8(name, tlv(0x30, V0, octets(privateKey)))), 'BAD_VALUE');
    const k1 = tlv(0xa0, fromHex('06052b8104000a'));
    assert.is(told(tlv(0x30, V1, octets(privateKey), k1)), 'UNKNOWN_CODE');
    assert.is(told(pkcs8(name, tlv(0x30, V1, octets(privateKey), k1))), 'BAD_VALUE');
  });

for (const size of [2048, 3072, 4096] as const)
  test(`RSA ${size}: PKCS #8 and PKCS #1, under either padding`, () => {
    const der = rsaPkcs8(size);
    const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
    const pkcs1 = new Uint8Array(key.export({ type: 'pkcs1', format: 'der' }));
    assert.equal(keyIn(der), { algorithm: `RSASSA_${size}`, privateKey: pkcs1 });
    assert.equal(keyIn(pkcs1), { algorithm: `RSASSA_${size}`, privateKey: pkcs1 });
    assert.is(keyIn(der, `RSAPSS_${size}`).algorithm, `RSAPSS_${size}`);
    const pss = tlv(0x30, V0, fromHex('300b06092a864886f70d01010a'), octets(pkcs1));
    assert.is(told(pss), `RSAPSS_${size}`);
    assert.is(told(pss, `RSASSA_${size}`), 'UNKNOWN_CODE');
    assert.is(told(der, 'ECDSA_P256'), 'UNKNOWN_CODE');
  });

const ONE = fromHex('020101');
test('RSA keys that are none', () => {
  const small = tlv(0x30, V0, ...Array.from({ length: 8 }, () => fromHex('020103')));
  assert.is(told(small), 'UNKNOWN_CODE');
  assert.is(told(tlv(0x30, ONE, ...Array.from({ length: 8 }, () => ONE))), 'BAD_VALUE');
  assert.is(told(tlv(0x30, V0, ...Array.from({ length: 7 }, () => ONE))), 'BAD_LENGTH');
  assert.is(told(tlv(0x30, V0, ...Array.from({ length: 8 }, () => V0))), 'BAD_VALUE');
});

const sizes = { ML_DSA_44: 2626, ML_DSA_65: 4098, ML_DSA_87: 4962 } as const;
for (const name of Object.keys(sizes) as (keyof typeof sizes)[])
  test(`${name}: seed, expanded key, and both`, () => {
    const seed = seeded(name)(32);
    const expanded = crypto.generateSigningKey(name, () => seed.slice());
    const both = pkcs8(name, tlv(0x30, octets(seed), octets(expanded)));
    assert.is(both.length, sizes[name]);
    for (const der of [both, pkcs8(name, tlv(0x80, seed)), pkcs8(name, octets(expanded))])
      assert.equal(keyIn(der), { algorithm: name, privateKey: expanded });
    const wrong: [Uint8Array, string][] = [
      [tlv(0x30, octets(seed.with(0, seed[0]! ^ 1)), octets(expanded)), 'BAD_VALUE'],
      [tlv(0x30, octets(seed), octets(expanded), V0), 'TRAILING'],
      [tlv(0x30, octets(seed)), 'TRUNCATED'],
      [tlv(0x80, seed.subarray(1)), 'BAD_VALUE'],
      [octets(expanded.subarray(1)), 'BAD_VALUE'],
      [fromHex('0500'), 'BAD_VALUE'],
    ];
    for (const [inner, expected] of wrong) assert.is(told(pkcs8(name, inner)), expected);
  });

test('SLH-DSA: the raw key, nothing around it', () => {
  for (const name of ['SLH_DSA_SHA2_128F', 'SLH_DSA_SHAKE_192F'] as const) {
    const privateKey = privateKeyOf(name);
    assert.equal(keyIn(pkcs8(name, privateKey)), { algorithm: name, privateKey });
    assert.is(told(pkcs8(name, privateKey.subarray(1))), 'BAD_VALUE');
  }
});

test('Ed448', () => {
  const privateKey = privateKeyOf('EDDSA_448');
  assert.equal(keyIn(pkcs8('EDDSA_448', octets(privateKey))).privateKey, privateKey);
  assert.is(told(pkcs8('EDDSA_448', octets(privateKey.subarray(1)))), 'BAD_VALUE');
});

const inner = octets(fromHex(ED_PRIVATE));
const wrong: [what: string, der: Uint8Array, expected: string][] = [
  ['nothing', new Uint8Array(0), 'TRUNCATED'],
  ['no sequence', fromHex('0500'), 'BAD_VALUE'],
  ['an empty sequence', fromHex('3000'), 'TRUNCATED'],
  [
    'version 2',
    tlv(0x30, fromHex('020102'), algorithmIdentifier('EDDSA_25519'), octets(inner)),
    'BAD_VALUE',
  ],
  ['an unknown algorithm', tlv(0x30, V0, fromHex('300506032b656e'), octets(inner)), 'UNKNOWN_CODE'],
  ['Ed25519 with NULL', tlv(0x30, V0, fromHex('300706032b65700500'), octets(inner)), 'BAD_VALUE'],
  ['an unknown field', pkcs8('EDDSA_25519', inner, fromHex('0500')), 'TRAILING'],
  ['bytes behind', concat(ED25519, V0), 'TRAILING'],
  ['an encrypted key', tlv(0x30, fromHex('300506032b6570'), octets(inner)), 'BAD_VALUE'],
  ['too long', new Uint8Array(PRIVATE_KEY_BYTES_MAX + 1), 'OVER_LIMIT'],
];
for (const [what, der, expected] of wrong)
  test(`refused: ${what}`, () => assert.is(told(der), expected));

test('a provider that lacks the algorithm has no key for it', () => {
  const read = pkcs8PrivateKey({ ...crypto, supports: () => false }, ED25519);
  assert.is(read.ok ? 'ok' : read.code, 'UNKNOWN_CODE');
});

test('changed, cut and random bytes never throw', () => {
  const sec1 = tlv(0x30, V1, octets(scalar(32, 5)), tlv(0xa0, fromHex('06082a8648ce3d030107')));
  for (const der of [ED25519_WHOLE, sec1, pkcs8('ECDSA_P256', sec1)])
    for (let at = 0; at < der.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const copy = der.slice();
        copy[at] = copy[at]! ^ mask;
        pkcs8PrivateKey(crypto, copy);
      }
      assert.is(pkcs8PrivateKey(crypto, der.subarray(0, at)).ok, false);
    }
  const rsa = rsaPkcs8(2048);
  for (let at = 0; at < rsa.length; at += 7) pkcs8PrivateKey(crypto, rsa.with(at, rsa[at]! ^ 0x41));
  const random = fc.property(
    fc.uint8Array({ maxLength: 120 }),
    fc.constantFrom(...names),
    (bytes, name) => {
      pkcs8PrivateKey(crypto, bytes);
      pkcs8PrivateKey(crypto, tlv(0x30, bytes));
      pkcs8PrivateKey(crypto, pkcs8(name, bytes));
      pkcs8PrivateKey(crypto, pkcs8(name, octets(bytes)));
    },
  );
  fc.assert(random, { seed: 1, numRuns: 500 });
});

test.run();
