/** Parsing: what a certificate says, and what is refused by name. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import type { Decoded } from '../../../protocols/codec/refusal.ts';
import { curves, signatureAlgorithms } from '../../../protocols/crypto/algorithms.ts';
import { cmaIdentityOf, deviceInfoOf } from '../../../protocols/x509/extensions.ts';
import {
  DmtfOids,
  ExtensionOids,
  keyUsageBits,
  PCI_SIG_CMA_IDENTITY,
} from '../../../protocols/x509/oids.ts';
import {
  CERTIFICATE_BYTES_MAX,
  isSelfIssued,
  parseCertificate,
  rawSignature,
} from '../../../protocols/x509/parse.ts';
import {
  CHAIN_CERTIFICATES_MAX,
  parseChain,
  pemToDer,
  splitChain,
} from '../../../protocols/x509/split.ts';
import {
  AT,
  chainPlan,
  crypto,
  DEVICE_INFO,
  deviceChain,
  END,
  issue,
  parsed,
  parsedOne,
  party,
  tlv,
  toPem,
} from './fixtures.ts';

const test = suite('x509 parse');
const codeOf = (result: Decoded<unknown>) => (result.ok ? 'ok' : `${result.code} ${result.path}`);

/** `der` with the one occurrence of `from` replaced by as many bytes. */
function replaced(der: Uint8Array, from: string, to: string): Uint8Array {
  const [hex, old, fresh] = [toHex(der), toHex(fromHex(from)), toHex(fromHex(to))];
  assert.is(hex.split(old).length, 2, `${from} stands there once`);
  assert.is(old.length, fresh.length);
  return fromHex(hex.replace(old, fresh));
}

for (const algorithm of ['ECDSA_P256', 'ECDSA_P384', 'ECDSA_P521'] as const)
  test(`${algorithm}: the leaf's fields`, () => {
    const { curve, hash, signatureSize } = signatureAlgorithms[algorithm];
    const [root, , leaf] = parsed(deviceChain(algorithm).certificates);
    assert.is(leaf!.version, 3);
    assert.is(toHex(leaf!.serialNumber), '0080000003');
    assert.is(leaf!.subject, 'C=US, O=Acme\\, Inc., CN=Test Device');
    assert.is(leaf!.issuer, 'C=US, O=Acme\\, Inc., CN=Test Device CA');
    assert.ok(isSelfIssued(root!) && !isSelfIssued(leaf!));
    assert.ok(leaf!.notBefore < AT && leaf!.notAfter > AT);
    const key = crypto.publicKey(curve, chainPlan(algorithm).leaf.privateKey);
    assert.equal(leaf!.publicKey, {
      algorithm: 'id-ecPublicKey',
      curve,
      key,
      fits: [algorithm],
    });
    assert.is(leaf!.signature.hash, hash);
    assert.is(rawSignature(leaf!.signature, curve)!.length, signatureSize);
    assert.is(deviceInfoOf(leaf!.extensions), DEVICE_INFO);
    assert.is(cmaIdentityOf(leaf!.extensions), undefined);
  });

test('r and s are padded to the field, and refused if they do not fit', () => {
  const base = parsedOne(deviceChain('ECDSA_P256').leaf).signature;
  const signature = { ...base, ecdsa: { r: Uint8Array.of(1), s: fromHex('0203') } };
  const zeros = (n: number) => '00'.repeat(n);
  assert.is(toHex(rawSignature(signature, 'SECP_256_R1')!), `${zeros(31)}01${zeros(30)}0203`);
  const wide = { ...base, ecdsa: { r: new Uint8Array(33).fill(1), s: Uint8Array.of(1) } };
  assert.is(rawSignature(wide, 'SECP_256_R1'), undefined);
  assert.is(rawSignature(wide, 'SECP_384_R1')!.length, 2 * curves.SECP_384_R1.fieldSize);
  assert.is(rawSignature({ ...base, ecdsa: undefined }, 'SECP_256_R1'), undefined);
});

const A = party('A', 1);
const B = party('B', 2);
const plain = issue(A, B, END);

const changes: [name: string, from: string, to: string, refusal: string][] = [
  ['version 4', 'a003020102', 'a003020103', 'BAD_VALUE version'],
  [
    'UTCTime of 30 February',
    '3234303130313030',
    '3234303233303030',
    'BAD_VALUE validity.notBefore',
  ],
  [
    'time of another type',
    '180f3939393931323331',
    '160f3939393931323331',
    'BAD_VALUE validity.notAfter',
  ],
  ['compressed point', '03420004', '03420002', 'BAD_VALUE subjectPublicKeyInfo.subjectPublicKey'],
  [
    'key identifier no octet string',
    '0603551d0e04160414',
    '0603551d0e04160314',
    'BAD_VALUE extensions.subjectKeyIdentifier',
  ],
  ['unknown field', 'a3523050', 'a4523050', 'TRAILING tbsCertificate'],
];
for (const [name, from, to, refusal] of changes)
  test(`refused: ${name}`, () => {
    assert.is(codeOf(parseCertificate(replaced(plain, from, to))), refusal);
  });

test('refused: one extension twice', () => {
  const other = { extnID: '2.5.29.99', critical: false, extnValue: fromHex('0500') };
  const twice = issue(A, B, { others: [other, other] });
  assert.is(codeOf(parseCertificate(twice)), 'BAD_VALUE extensions');
});

test('refused: a signature that does not fill whole bytes', () => {
  const bits = tlv(0x03, fromHex('01 3006020101020102'));
  const { tbsCertificate } = parsedOne(plain);
  const whole = tlv(0x30, tbsCertificate, fromHex('300a06082a8648ce3d040302'), bits);
  assert.is(codeOf(parseCertificate(whole)), 'BAD_VALUE signatureValue');
});

test('refused: the outer algorithm is not the signed one', () => {
  const hex = toHex(plain);
  const at = hex.lastIndexOf('06082a8648ce3d040302');
  const other = fromHex(`${hex.slice(0, at)}06082a8648ce3d040303${hex.slice(at + 20)}`);
  assert.is(codeOf(parseCertificate(other)), 'BAD_VALUE signatureAlgorithm');
});

test('refused: sizes and shapes of the whole', () => {
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), 'TRUNCATED '],
    [plain.subarray(0, -1), 'TRUNCATED '],
    [concat(plain, Uint8Array.of(0)), 'TRAILING '],
    [fromHex('0500'), 'BAD_VALUE '],
    [fromHex('3000'), 'TRUNCATED tbsCertificate'],
    [new Uint8Array(CERTIFICATE_BYTES_MAX + 1).fill(0x30), 'OVER_LIMIT '],
  ];
  for (const [bytes, refusal] of cases) assert.is(codeOf(parseCertificate(bytes)), refusal);
});

const withValue = (extnID: string, hex: string) =>
  issue(A, B, { others: [{ extnID, critical: false, extnValue: fromHex(hex) }] });
const badExtensions: [name: string, extnID: string, hex: string, refusal: string][] = [
  ['negative path length', ExtensionOids.BASIC_CONSTRAINTS, '30060101ff0201ff', 'BAD_VALUE'],
  [
    'path length past counting',
    ExtensionOids.BASIC_CONSTRAINTS,
    '300d0101ff02087fffffffffffffff',
    'BAD_VALUE',
  ],
  ['key usage no bit string', ExtensionOids.KEY_USAGE, '040107', 'BAD_VALUE'],
  ['indefinite length inside', ExtensionOids.EXT_KEY_USAGE, '30800000', 'BAD_LENGTH'],
  ['bytes after the value', ExtensionOids.EXT_KEY_USAGE, '300000', 'TRAILING'],
  ['no names', ExtensionOids.SUBJECT_ALT_NAME, '3000', 'BAD_LENGTH'],
  ['otherName without a value', ExtensionOids.SUBJECT_ALT_NAME, '3005a003060155', 'TRUNCATED'],
  [
    'otherName of two values',
    ExtensionOids.SUBJECT_ALT_NAME,
    '300ba009060155a00405000500',
    'BAD_LENGTH',
  ],
  [
    'otherName that is no UTF-8',
    ExtensionOids.SUBJECT_ALT_NAME,
    '300aa008060155a0030c01ff',
    'BAD_VALUE',
  ],
  ['SPDM entry no sequence', DmtfOids.SPDM_EXTENSION, '3003060155', 'BAD_VALUE'],
  ['SPDM entry without identifier', DmtfOids.SPDM_EXTENSION, '30023000', 'TRUNCATED'],
  ['SPDM entry of three', DmtfOids.SPDM_EXTENSION, '3009300706015504000400', 'BAD_LENGTH'],
  ['SPDM definition no octets', DmtfOids.SPDM_EXTENSION, '300730050601550500', 'BAD_VALUE'],
];
for (const [name, extnID, hex, code] of badExtensions)
  test(`refused extension: ${name}`, () => {
    const result = parseCertificate(withValue(extnID, hex));
    assert.match(codeOf(result), new RegExp(`^${code} extensions\\.`));
  });

test('every key usage bit is read back by its name', () => {
  for (const name of keyUsageBits) {
    const { extensions } = parsedOne(issue(A, B, { keyUsage: [name] }));
    assert.equal(extensions.keyUsage, [name]);
  }
  const all = parsedOne(issue(A, B, { keyUsage: keyUsageBits }));
  assert.equal(all.extensions.keyUsage, [...keyUsageBits]);
});

test('an extension nobody here knows is kept as it stands', () => {
  const { extensions } = parsedOne(withValue('2.5.29.99', 'deadbeef'));
  assert.equal(extensions.all.at(-1), {
    extnID: '2.5.29.99',
    critical: false,
    extnValue: fromHex('deadbeef'),
  });
});

const otherName = (value: Uint8Array) => tlv(0xa0, fromHex('060155'), tlv(0xa0, value));
const altNames = (...names: Uint8Array[]) =>
  withValue(ExtensionOids.SUBJECT_ALT_NAME, toHex(tlv(0x30, ...names)));

test('otherName of another type than UTF8String has no text', () => {
  const { extensions } = parsedOne(
    altNames(otherName(fromHex('3000')), otherName(fromHex('0c0141'))),
  );
  assert.equal(extensions.otherNames, [
    { typeId: '2.5', value: undefined },
    { typeId: '2.5', value: 'A' },
  ]);
});

test('names other than otherName are passed over; the CMA identity is found', () => {
  const dns = tlv(0x82, fromHex('612e62'));
  assert.is(
    parsedOne(altNames(dns, otherName(fromHex('0c0141')))).extensions.otherNames!.length,
    1,
  );
  const cma = issue(A, B, { otherNames: [{ typeId: PCI_SIG_CMA_IDENTITY, value: 'Vendor=1' }] });
  assert.is(cmaIdentityOf(parsedOne(cma).extensions), 'Vendor=1');
});

test('any change of one byte is refused or changes the value, and never throws', () => {
  for (let at = 0; at < plain.length; at++)
    for (const mask of [0x01, 0x80]) {
      const copy = plain.slice();
      copy[at] = copy[at]! ^ mask;
      const result = parseCertificate(copy);
      if (result.ok) assert.equal(result.value.der, copy);
      else assert.ok(result.offset <= copy.length && result.detail !== '');
    }
});

test('every truncation is refused', () => {
  for (let size = 0; size < plain.length; size++)
    assert.is(parseCertificate(plain.subarray(0, size)).ok, false);
});

test('random bytes, and random edits of a certificate, never throw', () => {
  const random = fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
    parseCertificate(bytes);
    parseChain(bytes);
    return true;
  });
  fc.assert(random, { seed: 1, numRuns: 1000 });
  const edit = fc.record({
    at: fc.nat(plain.length - 1),
    gone: fc.nat(8),
    fresh: fc.uint8Array({ maxLength: 8 }),
  });
  const edited = fc.property(fc.array(edit, { minLength: 1, maxLength: 3 }), (edits) => {
    let bytes: Uint8Array = plain;
    for (const { at, gone, fresh } of edits)
      bytes = concat(bytes.subarray(0, at), fresh, bytes.subarray(at + gone));
    const result = parseCertificate(bytes);
    if (!result.ok) assert.ok(result.code.length > 0);
  });
  fc.assert(edited, { seed: 1, numRuns: 800 });
});

test("the value does not change with the caller's buffer", () => {
  const buffer = Buffer.from(plain);
  const certificate = parsedOne(buffer);
  const before = toHex(certificate.tbsCertificate) + toHex(certificate.der);
  buffer.fill(0);
  assert.is(toHex(certificate.tbsCertificate) + toHex(certificate.der), before);
});

test('a chain splits at its certificates', () => {
  const { certificates } = deviceChain('ECDSA_P256');
  const split = splitChain(concat(...certificates));
  assert.equal(split.ok && split.value, [...certificates]);
  const chain = parseChain(concat(...certificates));
  assert.equal(chain.ok && chain.value.map((c) => c.der), [...certificates]);
});

test('a chain that does not split is refused by place', () => {
  const { root, leaf } = deviceChain('ECDSA_P256');
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), 'TRUNCATED '],
    [concat(root, leaf.subarray(0, -1)), 'TRUNCATED [1]'],
    [concat(root, Uint8Array.of(0, 0, 0)), 'BAD_VALUE [1]'],
    [concat(root, fromHex('0500')), 'BAD_VALUE [1]'],
    [concat(root, fromHex('3000')), 'TRUNCATED [1].tbsCertificate'],
    [concat(root, fromHex('30830100fc'), new Uint8Array(0x100fc)), 'OVER_LIMIT [1]'],
    [concat(...Array(CHAIN_CERTIFICATES_MAX + 1).fill(root)), 'OVER_LIMIT [16]'],
  ];
  for (const [bytes, refusal] of cases) assert.is(codeOf(parseChain(bytes)), refusal);
  const huge = concat(fromHex('30830100fc'), new Uint8Array(0x100fc));
  assert.is(codeOf(splitChain(huge)), 'OVER_LIMIT [0]');
  const late = parseChain(concat(root, fromHex('3000')));
  assert.is(late.ok ? 0 : late.offset, root.length + 2);
});

test('PEM', () => {
  const { certificates } = deviceChain('ECDSA_P256');
  const text = certificates.map(toPem).join('comment\r\n');
  const ders = pemToDer(text);
  assert.equal(ders.ok && ders.value, [...certificates]);
  const cases: [string, string][] = [
    ['', 'TRUNCATED '],
    [toPem(plain).replace('-----END', ''), 'TRUNCATED [0]'],
    [toPem(plain).replace('\nMII', '\nM*I'), 'BAD_VALUE [0]'],
    ['-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----', 'BAD_VALUE [0]'],
    ['-----BEGIN CERTIFICATE-----AAA-----END CERTIFICATE-----', 'BAD_VALUE [0]'],
    [toPem(plain).repeat(CHAIN_CERTIFICATES_MAX + 1), 'OVER_LIMIT [16]'],
  ];
  for (const [bad, refusal] of cases) assert.is(codeOf(pemToDer(bad)), refusal);
});

// Self-signed by OpenSSL: an Ed25519 key, and one on secp256k1, which SPDM does not know.
const ED25519 =
  '3082011d3081d0a003020102020101300506032b6570300d310b300906035504030c0245643020170d32363131' +
  '32303139353333345a180f32313236313032373139353333345a300d310b300906035504030c024564302a3005' +
  '06032b657003210062b51f73804dd59005aa65b80c923a0c073f7b8b7ba88b8069c6988e04d7086ca353305130' +
  '1d0603551d0e04160414552958e8ab4333291a88f328b39514b76da05c4e301f0603551d230418301680145529' +
  '58e8ab4333291a88f328b39514b76da05c4e300f0603551d130101ff040530030101ff300506032b6570034100' +
  '77afaae6fb6a312a3c524d6301373a5b9474422159ce4899ba8016fb253e5221eeab53bfa83de91dfd872d395b' +
  '3d08bea3e8d005bd3edeba6fb2077556801709';
const SECP256K1 =
  '3082015b30820101a003020102020101300a06082a8648ce3d040302300d310b300906035504030c024b313020' +
  '170d3236313132303139353333355a180f32313236313032373139353333355a300d310b300906035504030c02' +
  '4b313056301006072a8648ce3d020106052b8104000a03420004299f2a16b0f432188ae5ff0a08dcdb3c186b44' +
  '5cc19f0c2bbe024d687ae9231b22c1270b8f9c6aba220a34c6e6bf6dce06b255381a0b819858c9531a6ca13da5' +
  'a3533051301d0603551d0e041604148dd925d5c924b92f710cd2fda1ae33007e400690301f0603551d23041830' +
  '1680148dd925d5c924b92f710cd2fda1ae33007e400690300f0603551d130101ff040530030101ff300a06082a' +
  '8648ce3d040302034800304502204b8ede4b65e02ed504e20bacd20f031c12767c6f03ac7fe7df6188f19eee26' +
  '90022100bfe18b9a3d9594985fe080067acd4429fadbbe5f16c00c9aa95dac8e99f90df5';
test('keys and signatures of other algorithms are named and kept', () => {
  const ed = parsedOne(fromHex(ED25519));
  assert.equal([ed.publicKey.algorithm, ed.publicKey.curve], ['id-Ed25519', undefined]);
  assert.equal([ed.publicKey.key.length, ed.signature.value.length], [32, 64]);
  assert.equal([ed.signature.algorithm, ed.signature.hash], ['id-Ed25519', undefined]);
  assert.is(ed.signature.ecdsa, undefined);
  const k1 = parsedOne(fromHex(SECP256K1));
  assert.equal([k1.publicKey.algorithm, k1.publicKey.curve], ['id-ecPublicKey', undefined]);
  assert.is(k1.publicKey.key.length, 65);
});

const badSignatures: [name: string, hex: string, refusal: string][] = [
  ['nothing', '', 'TRUNCATED signatureValue'],
  ['no sequence', '0500', 'BAD_VALUE signatureValue'],
  ['r alone', '3003020101', 'BAD_LENGTH signatureValue'],
  ['three integers', '3009020101020101020101', 'BAD_LENGTH signatureValue'],
  ['r zero', '3006020100020101', 'BAD_VALUE signatureValue.r'],
  ['s negative', '3006020101020180', 'BAD_VALUE signatureValue.s'],
  ['r not minimal', '300702020001020101', 'BAD_VALUE signatureValue'],
  ['bytes behind', '300602010102010100', 'TRAILING signatureValue'],
];
for (const [name, hex, refusal] of badSignatures)
  test(`refused ECDSA-Sig-Value: ${name}`, () => {
    const { tbsCertificate } = parsedOne(plain);
    const bits = tlv(0x03, Uint8Array.of(0), fromHex(hex));
    const whole = tlv(0x30, tbsCertificate, fromHex('300a06082a8648ce3d040302'), bits);
    assert.is(codeOf(parseCertificate(whole)), refusal);
  });

test.run();
