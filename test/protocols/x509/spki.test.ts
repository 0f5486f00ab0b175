/** SubjectPublicKeyInfo and AlgorithmIdentifier: bytes, names, and what is refused. */

import { createPublicKey } from 'node:crypto';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import type { SignatureName } from '../../../protocols/crypto/algorithms.ts';
import {
  algorithmIdentifier,
  keyUnder,
  parseSubjectPublicKeyInfo,
  SPKI_BYTES_MAX,
  subjectPublicKeyInfo,
} from '../../../protocols/x509/spki.ts';
import { crypto, tlv } from './fixtures.ts';
import { imitation, isRsa, names, privateKeyOf, seeded } from './keys.ts';

const test = suite('x509 spki');

const publicKeyOf = (name: SignatureName) =>
  isRsa(name)
    ? crypto.signingPublicKey(name, privateKeyOf(name))
    : imitation.signingPublicKey(name, Uint8Array.of(1));

// RFC 5480, 3279, 8410; NIST's sigAlgs arc as RFC 9881 and 9909 use it.
const slhDsa: [SignatureName, string][] = [
  ['SLH_DSA_SHA2_128S', '14'],
  ['SLH_DSA_SHA2_128F', '15'],
  ['SLH_DSA_SHA2_192S', '16'],
  ['SLH_DSA_SHA2_192F', '17'],
  ['SLH_DSA_SHA2_256S', '18'],
  ['SLH_DSA_SHA2_256F', '19'],
  ['SLH_DSA_SHAKE_128S', '1a'],
  ['SLH_DSA_SHAKE_128F', '1b'],
  ['SLH_DSA_SHAKE_192S', '1c'],
  ['SLH_DSA_SHAKE_192F', '1d'],
  ['SLH_DSA_SHAKE_256S', '1e'],
  ['SLH_DSA_SHAKE_256F', '1f'],
];
const RSA = '300d06092a864886f70d0101010500';
const identifiers = new Map<SignatureName, string>([
  ['ECDSA_P256', '301306072a8648ce3d020106082a8648ce3d030107'],
  ['ECDSA_P384', '301006072a8648ce3d020106052b81040022'],
  ['ECDSA_P521', '301006072a8648ce3d020106052b81040023'],
  ['EDDSA_25519', '300506032b6570'],
  ['EDDSA_448', '300506032b6571'],
  ['ML_DSA_44', '300b0609608648016503040311'],
  ['ML_DSA_65', '300b0609608648016503040312'],
  ['ML_DSA_87', '300b0609608648016503040313'],
  ...names.filter(isRsa).map((name) => [name, RSA] as const),
  ...slhDsa.map(([name, last]) => [name, `300b06096086480165030403${last}`] as const),
]);

test('AlgorithmIdentifier of every key', () => {
  for (const name of names)
    assert.is(toHex(algorithmIdentifier(name)), identifiers.get(name), name);
});

test('every key comes back under its name, and under no other', () => {
  for (const name of names) {
    const publicKey = publicKeyOf(name);
    const der = subjectPublicKeyInfo(name, publicKey);
    assert.ok(toHex(der).includes(identifiers.get(name)!), name);
    const read = parseSubjectPublicKeyInfo(der, name);
    assert.equal(read.ok && read.value, { algorithm: name, publicKey });
    const fitting = names.filter((other) => parseSubjectPublicKeyInfo(der, other).ok);
    const size = name.slice(-4);
    assert.equal(fitting, isRsa(name) ? [`RSASSA_${size}`, `RSAPSS_${size}`] : [name]);
    const natural = parseSubjectPublicKeyInfo(der);
    assert.is(natural.ok && natural.value.algorithm, isRsa(name) ? `RSASSA_${size}` : name);
  }
});

test('sizes of ML-DSA keys in DER, as OpenSSL writes them', () => {
  const size = (name: SignatureName) => subjectPublicKeyInfo(name, publicKeyOf(name)).length;
  assert.equal([size('ML_DSA_44'), size('ML_DSA_65'), size('ML_DSA_87')], [1334, 1974, 2614]);
});

test('node reads the classic ones', () => {
  const kinds: [SignatureName, string][] = [
    ['ECDSA_P384', 'ec'],
    ['RSAPSS_3072', 'rsa'],
    ['EDDSA_25519', 'ed25519'],
    ['EDDSA_448', 'ed448'],
  ];
  for (const [name, type] of kinds) {
    const der = subjectPublicKeyInfo(name, crypto.signingPublicKey(name, privateKeyOf(name)));
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' });
    assert.is(key.asymmetricKeyType, type);
  }
});

const RSA_ID = fromHex(RSA);
const bitString = (...content: Uint8Array[]) => tlv(0x03, Uint8Array.of(0), ...content);
const integer = (...content: Uint8Array[]) => tlv(0x02, ...content);
const ODD = (bytes: number, top = 0x80) =>
  concat(Uint8Array.of(0, top), new Uint8Array(bytes - 1).fill(1));
const F4 = fromHex('010001');
const rsa = (n: Uint8Array, e: Uint8Array, id = RSA_ID) =>
  tlv(0x30, id, bitString(tlv(0x30, integer(n), integer(e))));
const even = ODD(256);
even[256] = 2;
const PSS_ID = fromHex('300b06092a864886f70d01010a');
const P256_ID = fromHex('301306072a8648ce3d020106082a8648ce3d030107');
const point = (prefix: number, size = 64) =>
  concat(Uint8Array.of(prefix), new Uint8Array(size).fill(1));

const cases: [what: string, der: Uint8Array, expected: string][] = [
  ['2,048-bit RSA', rsa(ODD(256), F4), 'RSASSA_2048'],
  ['exponent 3', rsa(ODD(256), fromHex('03')), 'RSASSA_2048'],
  ['PSS key without parameters', rsa(ODD(512), F4, PSS_ID), 'RSAPSS_4096'],
  [
    'PSS key with parameters',
    rsa(ODD(512), F4, fromHex('300d06092a864886f70d01010a3000')),
    'UNKNOWN_CODE',
  ],
  ['1,024-bit RSA', rsa(ODD(128), F4), 'UNKNOWN_CODE'],
  ['2,047-bit RSA', rsa(fromHex(`40${'01'.repeat(255)}`), F4), 'UNKNOWN_CODE'],
  ['2,056-bit RSA', rsa(ODD(257), F4), 'UNKNOWN_CODE'],
  ['even modulus', rsa(even, F4), 'UNKNOWN_CODE'],
  ['even exponent', rsa(ODD(256), fromHex('010002')), 'UNKNOWN_CODE'],
  ['exponent 1', rsa(ODD(256), fromHex('01')), 'UNKNOWN_CODE'],
  ['exponent of 33 bytes', rsa(ODD(256), ODD(33)), 'UNKNOWN_CODE'],
  ['exponent 0', rsa(ODD(256), fromHex('00')), 'BAD_VALUE'],
  ['negative modulus', rsa(fromHex(`80${'01'.repeat(255)}`), F4), 'BAD_VALUE'],
  ['RSA without NULL', rsa(ODD(256), F4, fromHex('300b06092a864886f70d010101')), 'TRUNCATED'],
  ['RSA key of one integer', tlv(0x30, RSA_ID, bitString(tlv(0x30, integer(F4)))), 'BAD_LENGTH'],
  ['RSA key no DER', tlv(0x30, RSA_ID, bitString(fromHex('ff'))), 'TRUNCATED'],
  ['P-256', tlv(0x30, P256_ID, bitString(point(4))), 'ECDSA_P256'],
  ['compressed point', tlv(0x30, P256_ID, bitString(point(2, 32))), 'BAD_VALUE'],
  ['short point', tlv(0x30, P256_ID, bitString(point(4, 63))), 'BAD_VALUE'],
  [
    'Ed25519 of 31 bytes',
    tlv(0x30, fromHex('300506032b6570'), bitString(point(0, 30))),
    'BAD_VALUE',
  ],
  [
    'Ed25519 with NULL',
    tlv(0x30, fromHex('300706032b65700500'), bitString(point(0, 31))),
    'BAD_VALUE',
  ],
  ['X25519', tlv(0x30, fromHex('300506032b656e'), bitString(point(0, 31))), 'UNKNOWN_CODE'],
  [
    'secp256k1',
    tlv(0x30, fromHex('301006072a8648ce3d020106052b8104000a'), bitString(point(4))),
    'UNKNOWN_CODE',
  ],
  ['bits that do not fill bytes', tlv(0x30, P256_ID, tlv(0x03, fromHex('0180'))), 'BAD_VALUE'],
  ['no key', tlv(0x30, P256_ID), 'TRUNCATED'],
  ['a third field', tlv(0x30, P256_ID, bitString(point(4)), fromHex('0500')), 'TRAILING'],
  ['bytes behind', concat(tlv(0x30, P256_ID, bitString(point(4))), fromHex('00')), 'TRAILING'],
  ['no sequence', fromHex('0500'), 'BAD_VALUE'],
  ['nothing', new Uint8Array(0), 'TRUNCATED'],
  ['too long', new Uint8Array(SPKI_BYTES_MAX + 1), 'OVER_LIMIT'],
];
for (const [what, der, expected] of cases)
  test(`key: ${what}`, () => {
    const read = parseSubjectPublicKeyInfo(der);
    assert.is(read.ok ? read.value.algorithm : read.code, expected);
  });

test('a wanted name that does not fit gives no key', () => {
  const key = Uint8Array.of(1);
  assert.is(keyUnder({ key, fits: [] }), undefined);
  assert.is(keyUnder({ key, fits: ['ML_DSA_44'] }, 'ML_DSA_65'), undefined);
  assert.equal(keyUnder({ key, fits: ['ML_DSA_44'] }), { algorithm: 'ML_DSA_44', publicKey: key });
});

test("a key of the wrong form is the caller's mistake", () => {
  const rsa2048 = publicKeyOf('RSASSA_2048');
  const bad: [SignatureName, Uint8Array][] = [
    ['ECDSA_P256', new Uint8Array(65)],
    ['ML_DSA_65', new Uint8Array(1951)],
    ['RSASSA_3072', rsa2048],
    ['RSAPSS_2048', rsa2048.subarray(1)],
  ];
  for (const [name, key] of bad)
    assert.throws(
      () => subjectPublicKeyInfo(name, key),
      (e: unknown) => e instanceof LocalError && e.message.startsWith('publicKey'),
    );
});

test('changed and random bytes never throw', () => {
  for (const name of ['ECDSA_P256', 'RSASSA_2048', 'EDDSA_448', 'SLH_DSA_SHA2_192F'] as const) {
    const der = subjectPublicKeyInfo(name, publicKeyOf(name));
    for (let at = 0; at < der.length; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const copy = der.slice();
        copy[at] = copy[at]! ^ mask;
        const read = parseSubjectPublicKeyInfo(copy, name);
        if (read.ok) assert.not.equal(read.value.publicKey, publicKeyOf(name));
      }
      assert.is(parseSubjectPublicKeyInfo(der.subarray(0, at)).ok, false);
    }
  }
  const random = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    parseSubjectPublicKeyInfo(bytes);
    parseSubjectPublicKeyInfo(tlv(0x30, bytes));
  });
  fc.assert(random, { seed: 1, numRuns: 2000 });
});

test('the key does not change with the caller-s buffer', () => {
  const buffer = Buffer.from(subjectPublicKeyInfo('EDDSA_25519', seeded('x')(32)));
  const read = parseSubjectPublicKeyInfo(buffer);
  buffer.fill(0);
  assert.equal(read.ok && read.value.publicKey, seeded('x')(32));
});

test.run();
