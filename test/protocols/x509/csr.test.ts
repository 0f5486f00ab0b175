/** Certification requests: made, read, verified, and refused. */

import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import type { SignatureName } from '../../../protocols/crypto/algorithms.ts';
import { buildCsr, type CsrPlan } from '../../../protocols/x509/build-csr.ts';
import {
  type CertificationRequest,
  CSR_ATTRIBUTES_MAX,
  CSR_BYTES_MAX,
  parseCsr,
  parseRequestInfo,
  REQUEST_INFO_BYTES_MAX,
  type RequestInfo,
  verifyCsr,
} from '../../../protocols/x509/csr.ts';
import { DmtfOids, EXTENSION_REQUEST } from '../../../protocols/x509/oids.ts';
import { subjectPublicKeyInfo } from '../../../protocols/x509/spki.ts';
import { crypto, DEVICE_INFO, opensslVersion, tlv } from './fixtures.ts';
import { imitation, isRsa, isSlhDsa, names, privateKeyOf } from './keys.ts';

const test = suite('x509 csr');

const CHALLENGE_PASSWORD = '1.2.840.113549.1.9.7';
const PASSWORD = { type: CHALLENGE_PASSWORD, values: [fromHex('0c03616263')] };
const plan = (algorithm: SignatureName, change: Partial<CsrPlan> = {}): CsrPlan => ({
  crypto,
  algorithm,
  privateKey: change.privateKey ?? privateKeyOf(algorithm),
  subject: [['CN', 'Device']],
  extensions: {
    otherNames: [{ typeId: DmtfOids.DEVICE_INFO, value: DEVICE_INFO }],
    spdmOids: [DmtfOids.HARDWARE_IDENTITY],
  },
  attributes: [PASSWORD],
  ...change,
});

function request(der: Uint8Array): CertificationRequest {
  const read = parseCsr(der);
  if (!read.ok) throw new Error(`${read.code} ${read.path} ${read.detail}`);
  return read.value;
}

const quick = names.filter((name) => !isSlhDsa(name) && !name.endsWith('4096'));
for (const name of quick)
  test(`${name}: a request says what was planned and is signed by its key`, () => {
    const der = buildCsr(plan(name));
    const { info, publicKey, signature } = request(der);
    assert.is(verifyCsr(crypto, request(der)), true);
    assert.is(info.subject, 'CN=Device');
    assert.ok(publicKey.fits.includes(name) && signature.names.includes(name));
    assert.equal(publicKey.key, crypto.signingPublicKey(name, privateKeyOf(name)));
    assert.equal(info.extensions.otherNames, [
      { typeId: DmtfOids.DEVICE_INFO, value: DEVICE_INFO },
    ]);
    assert.equal(info.extensions.spdmOids, [DmtfOids.HARDWARE_IDENTITY]);
    // SET OF stands in the order of its encodings: the shorter attribute first.
    assert.equal(
      info.attributes.map(({ type }) => type),
      [CHALLENGE_PASSWORD, EXTENSION_REQUEST],
    );
    assert.equal(info.attributes[0], PASSWORD);
    const other = request(buildCsr(plan(name, { subject: [['CN', 'Other']] })));
    assert.is(verifyCsr(crypto, { ...request(der), info: other.info }), false);
    assert.is(
      verifyCsr(crypto, { ...request(der), publicKey: { ...publicKey, fits: [] } }),
      undefined,
    );
  });

test('every algorithm fits into a request', () => {
  for (const algorithm of names.filter((name) => !isRsa(name))) {
    const privateKey = Uint8Array.of(1);
    const der = buildCsr(plan(algorithm, { crypto: imitation, privateKey }));
    assert.is(verifyCsr(imitation, request(der)), true, algorithm);
  }
});

const MINIMAL = buildCsr(plan('EDDSA_25519', { extensions: {}, attributes: [] }));
test('a request without attributes has the empty set, byte for byte', () => {
  const key = toHex(crypto.signingPublicKey('EDDSA_25519', privateKeyOf('EDDSA_25519')));
  const info = `3044 020100 3011310f300d06035504030c06446576696365 302a300506032b6570032100${key} a000`;
  const { signature } = request(MINIMAL);
  assert.equal(
    toHex(MINIMAL).slice(6),
    toHex(fromHex(`${info} 300506032b6570 034100${toHex(signature.value)}`)),
  );
});

// A requester's CertificationRequestInfo: its subject, an EC key nobody has, a password.
const NAME = tlv(
  0x30,
  tlv(0x31, tlv(0x30, fromHex('0603550403'), tlv(0x0c, Buffer.from('Wanted')))),
);
const KEY = subjectPublicKeyInfo('ECDSA_P256', new Uint8Array(64).fill(1));
const ATTRIBUTE = tlv(0x30, fromHex('06092a864886f70d010907'), tlv(0x31, fromHex('0c0178')));
const infoOf = (name: Uint8Array, ...attributes: Uint8Array[]) =>
  tlv(0x30, fromHex('020100'), name, KEY, tlv(0xa0, ...attributes));
function requestInfo(der: Uint8Array): RequestInfo {
  const read = parseRequestInfo(der);
  if (!read.ok) throw new Error(read.detail);
  return read.value;
}

test("RequesterInfo: its subject and attributes, the device's key and what is left out", () => {
  const requesterInfo = requestInfo(infoOf(NAME, ATTRIBUTE));
  const { info, publicKey } = request(buildCsr(plan('ECDSA_P384', { requesterInfo })));
  assert.is(info.subject, 'CN=Wanted');
  assert.ok(equal(info.subjectDer, NAME));
  assert.equal(publicKey.fits, ['ECDSA_P384']);
  assert.equal(info.attributes[0], { type: CHALLENGE_PASSWORD, values: [fromHex('0c0178')] });
  assert.is(info.attributes.length, 2);
  assert.equal(info.extensions.spdmOids, [DmtfOids.HARDWARE_IDENTITY]);
  const unnamed = requestInfo(infoOf(fromHex('3000')));
  const own = request(buildCsr(plan('ECDSA_P384', { requesterInfo: unnamed })));
  assert.is(own.info.subject, 'CN=Device');
});

test('RequesterInfo of any key fits, whatever it holds; the largest still fits CSRLength', () => {
  const rsa512 = tlv(0x30, fromHex('300506032b656e'), fromHex('030100'));
  const der = tlv(0x30, fromHex('020100'), NAME, rsa512, fromHex('a000'));
  assert.is(requestInfo(der).subject, 'CN=Wanted');
  assert.is(requestInfo(tlv(0x30, fromHex('020100'), NAME, rsa512)).attributes.length, 0);
  const room = REQUEST_INFO_BYTES_MAX - infoOf(NAME, ATTRIBUTE).length - 30;
  const filler = tlv(0x30, fromHex('0603550403'), tlv(0x31, tlv(0x04, new Uint8Array(room))));
  const requesterInfo = requestInfo(infoOf(NAME, ATTRIBUTE, filler));
  const largest = { crypto: imitation, privateKey: Uint8Array.of(1), requesterInfo };
  assert.ok(buildCsr(plan('SLH_DSA_SHA2_256F', largest)).length <= CSR_BYTES_MAX);
  const long = parseRequestInfo(new Uint8Array(REQUEST_INFO_BYTES_MAX + 1));
  assert.is(long.ok ? 'ok' : long.code, 'OVER_LIMIT');
});

const many = Array.from({ length: CSR_ATTRIBUTES_MAX + 1 }, (_, i) =>
  tlv(0x30, Uint8Array.of(0x06, 2, 0x55, i), fromHex('31020500')),
);
const EXTENSIONS = '06092a864886f70d01090e';
const extensionRequest = (...values: Uint8Array[]) =>
  tlv(0x30, fromHex(EXTENSIONS), tlv(0x31, ...values));
const wrong: [what: string, der: Uint8Array, expected: string][] = [
  ['as many attributes as may be', infoOf(NAME, ...many.slice(1)), 'ok'],
  ['one more', infoOf(NAME, ...many), 'OVER_LIMIT attributes'],
  ['an attribute twice', infoOf(NAME, ATTRIBUTE, ATTRIBUTE), 'BAD_VALUE attributes'],
  [
    'an attribute without values',
    infoOf(NAME, tlv(0x30, fromHex('06025501'), fromHex('3100'))),
    'BAD_LENGTH attributes.2.5.1',
  ],
  [
    'an attribute without a set',
    infoOf(NAME, tlv(0x30, fromHex('06025501'))),
    'TRUNCATED attributes.2.5.1',
  ],
  ['an attribute no sequence', infoOf(NAME, fromHex('0500')), 'BAD_VALUE attributes'],
  [
    'two lists of extensions',
    infoOf(NAME, extensionRequest(fromHex('3000'), fromHex('3000'))),
    'BAD_LENGTH attributes',
  ],
  [
    'extensions no sequence',
    infoOf(NAME, extensionRequest(fromHex('0500'))),
    'BAD_VALUE attributes',
  ],
  ['version 1', tlv(0x30, fromHex('020101'), NAME, KEY, fromHex('a000')), 'BAD_VALUE version'],
  ['no key', tlv(0x30, fromHex('020100'), NAME), 'TRUNCATED subjectPublicKeyInfo'],
  [
    'attributes untagged',
    tlv(0x30, fromHex('020100'), NAME, KEY, fromHex('3100')),
    'BAD_VALUE attributes',
  ],
  [
    'a fifth field',
    tlv(0x30, fromHex('020100'), NAME, KEY, fromHex('a0000500')),
    'TRAILING certificationRequestInfo',
  ],
  ['no sequence', fromHex('0500'), 'BAD_VALUE certificationRequestInfo'],
  ['a length beyond the end', fromHex('3084ffffffff'), 'OVER_LIMIT certificationRequestInfo'],
  [
    'an attribute longer than its set',
    infoOf(NAME, fromHex('307f0602550131020500')),
    'TRUNCATED certificationRequestInfo',
  ],
];
for (const [what, der, expected] of wrong)
  test(`RequesterInfo: ${what}`, () => {
    const read = parseRequestInfo(der);
    assert.is(read.ok ? 'ok' : `${read.code} ${read.path}`, expected);
  });

test('requests that are none', () => {
  const { info } = request(MINIMAL);
  const id = fromHex('300506032b6570');
  const bits = tlv(0x03, new Uint8Array(65));
  const cases: [Uint8Array, string][] = [
    [tlv(0x30, info.der, id, bits, id), 'TRAILING certificationRequest'],
    [tlv(0x30, info.der, id), 'TRUNCATED signatureValue'],
    [tlv(0x30, info.der, fromHex('0500'), bits), 'BAD_VALUE signatureAlgorithm'],
    [tlv(0x30, fromHex('0500'), id, bits), 'BAD_VALUE certificationRequestInfo'],
    [new Uint8Array(CSR_BYTES_MAX + 1), 'OVER_LIMIT certificationRequest'],
  ];
  for (const [der, expected] of cases) {
    const read = parseCsr(der);
    assert.is(read.ok ? 'ok' : `${read.code} ${read.path}`, expected);
  }
});

test('no byte of a request can change unseen, and none makes it throw', () => {
  for (const name of ['EDDSA_25519', 'ECDSA_P256'] as const) {
    const der = buildCsr(plan(name));
    for (let at = 0; at < der.length; at++) {
      const copy = der.slice();
      copy[at] = copy[at]! ^ (1 << (at % 8));
      const read = parseCsr(copy);
      if (read.ok) assert.is.not(verifyCsr(crypto, read.value), true, `byte ${at}`);
      assert.is(parseCsr(der.subarray(0, at)).ok, false);
    }
  }
});

test('random bytes and edits never throw', () => {
  const der = buildCsr(plan('ECDSA_P256'));
  const edit = fc.record({
    at: fc.nat(der.length - 1),
    gone: fc.nat(8),
    fresh: fc.uint8Array({ maxLength: 8 }),
  });
  const property = fc.property(
    fc.array(edit, { maxLength: 3 }),
    fc.uint8Array(),
    (edits, noise) => {
      let bytes = der;
      for (const { at, gone, fresh } of edits)
        bytes = concat(bytes.subarray(0, at), fresh, bytes.subarray(at + gone));
      parseCsr(bytes);
      parseCsr(noise);
      parseRequestInfo(tlv(0x30, fromHex('020100'), NAME, KEY, tlv(0xa0, noise)));
    },
  );
  fc.assert(property, { seed: 1, numRuns: 600 });
});

test("a plan that cannot be encoded is the caller's mistake", () => {
  const bad: [string, Partial<CsrPlan>][] = [
    ['attributes', { attributes: [{ type: '2.5.1', values: [] }] }],
    [
      'attributes',
      { attributes: [{ type: '2.5.1', values: [tlv(0x04, new Uint8Array(65_400))] }] },
    ],
    ['oid', { attributes: [{ type: 'x', values: [fromHex('0500')] }] }],
    ['name', { subject: [['C', '_']] }],
  ];
  for (const [argument, change] of bad)
    assert.throws(
      () => buildCsr(plan('EDDSA_25519', change)),
      (e: unknown) => e instanceof LocalError && e.message.startsWith(argument),
    );
});

const openssl = opensslVersion();
if (openssl === undefined) console.log('SKIP: openssl is not installed');
(openssl === undefined ? test.skip : test)('OpenSSL verifies the classic ones', () => {
  for (const name of ['ECDSA_P384', 'RSASSA_2048', 'RSAPSS_3072', 'EDDSA_25519'] as const) {
    const input = Buffer.from(buildCsr(plan(name)));
    const options = { input, encoding: 'utf8', stdio: 'pipe' } as const;
    const args = ['req', '-inform', 'DER', '-verify', '-noout', '-text'];
    const { stdout, stderr } = spawnSync('openssl', args, options);
    const text = stdout + stderr;
    assert.match(text, /verify OK/i);
    assert.match(text, 'Subject: CN = Device');
    assert.match(text, DmtfOids.DEVICE_INFO);
    const copy = Buffer.from(input);
    copy[input.indexOf('Device')] = 0x45;
    const tampered = spawnSync('openssl', args, { ...options, input: copy });
    assert.match(tampered.stdout + tampered.stderr, /verify failure|verification failed/i);
  }
});

test.run();
