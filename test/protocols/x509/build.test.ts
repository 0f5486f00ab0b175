/** Built certificates, judged by other people's code: node's X509Certificate and OpenSSL. */

import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { encodeExtensions } from '../../../protocols/x509/build-extensions.ts';
import { buildDeviceChain } from '../../../protocols/x509/device-chain.ts';
import { DiceOids, DmtfOids, EkuOids } from '../../../protocols/x509/oids.ts';
import { encodeEcdsaSignature } from '../../../protocols/x509/signature.ts';
import {
  chainPlan,
  crypto,
  DEVICE_INFO,
  deviceChain,
  issue,
  opensslVersion,
  parsed,
  party,
  toPem,
} from './fixtures.ts';

const test = suite('x509 build');
const algorithms = ['ECDSA_P256', 'ECDSA_P384', 'ECDSA_P521'] as const;

for (const algorithm of algorithms)
  test(`${algorithm}: node accepts every certificate and link`, () => {
    const [root, intermediate, leaf] = deviceChain(algorithm).certificates.map(
      (der) => new X509Certificate(der),
    );
    assert.ok(root!.checkIssued(root!) && root!.verify(root!.publicKey));
    assert.ok(intermediate!.checkIssued(root!) && intermediate!.verify(root!.publicKey));
    assert.ok(leaf!.checkIssued(intermediate!) && leaf!.verify(intermediate!.publicKey));
    assert.is(leaf!.verify(root!.publicKey), false);
    assert.equal([root!.ca, intermediate!.ca, leaf!.ca], [true, true, false]);
    assert.is(leaf!.subject, 'C=US\nO=Acme\\, Inc.\nCN=Test Device');
    assert.is(leaf!.serialNumber, '80000003');
    assert.is(leaf!.validTo, 'Dec 31 23:59:59 9999 GMT');
    assert.equal(leaf!.keyUsage, [DmtfOids.EKU_RESPONDER_AUTH, EkuOids.SERVER_AUTH]);
  });

const openssl = opensslVersion();
if (openssl === undefined) console.log('SKIP: openssl is not installed');
(openssl === undefined ? test.skip : test)('OpenSSL verifies the chains strictly', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tdisp-sim-x509-'));
  const file = (name: string, der: Uint8Array) => {
    writeFileSync(join(folder, name), toPem(der));
    return join(folder, name);
  };
  try {
    for (const algorithm of algorithms) {
      const { root, intermediate, leaf } = deviceChain(algorithm);
      const names = [file('root', root), file('inter', intermediate), file('leaf', leaf)] as const;
      const options = { encoding: 'utf8', stdio: 'pipe' } as const;
      const anchors = ['-x509_strict', '-check_ss_sig', '-CAfile', names[0]];
      const verify = [...anchors, '-untrusted', names[1], '-purpose', 'sslserver', names[2]];
      assert.match(execFileSync('openssl', ['verify', ...verify], options), /leaf: OK/);
      assert.throws(() => execFileSync('openssl', ['verify', ...anchors, names[2]], options));
      const show = ['x509', '-in', names[2], '-noout', '-text'];
      const text = execFileSync('openssl', show, options);
      assert.match(text, `othername: ${DmtfOids.DEVICE_INFO}::${DEVICE_INFO}`);
      assert.match(text, /Basic Constraints: critical\s+CA:FALSE/);
      assert.match(text, /Key Usage: critical\s+Digital Signature\n/);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the same plan gives the same bytes, whichever provider signs', () => {
  for (const algorithm of ['ECDSA_P256', 'ECDSA_P384'] as const) {
    const again = buildDeviceChain(nobleProvider, chainPlan(algorithm));
    assert.equal(again, deviceChain(algorithm));
  }
  const hash = (der: Uint8Array) => toHex(crypto.hash('SHA_256', der)).slice(0, 16);
  assert.equal(deviceChain('ECDSA_P384').certificates.map(hash), EXPECTED_P384);
});
// Fixed so that a changed encoding does not go unseen: provisioned devices keep their identity.
const EXPECTED_P384 = ['e4280d2bf96028c6', '1b0dceefa839608b', 'f091243722c16e56'];

test('everything planned is read back', () => {
  const [, intermediate, leaf] = parsed(deviceChain('ECDSA_P384').certificates);
  const ca = intermediate!.extensions;
  assert.equal(ca.basicConstraints, { cA: true, pathLenConstraint: 0 });
  assert.equal(ca.keyUsage, ['keyCertSign', 'cRLSign']);
  const { extensions } = leaf!;
  assert.equal(extensions.basicConstraints, { cA: false });
  assert.equal(extensions.keyUsage, ['digitalSignature']);
  assert.equal(extensions.extKeyUsage, [DmtfOids.EKU_RESPONDER_AUTH, EkuOids.SERVER_AUTH]);
  assert.equal(extensions.otherNames, [{ typeId: DmtfOids.DEVICE_INFO, value: DEVICE_INFO }]);
  assert.equal(extensions.spdmOids, [DmtfOids.HARDWARE_IDENTITY]);
  assert.equal(extensions.authorityKeyIdentifier, ca.subjectKeyIdentifier);
  assert.is(extensions.subjectKeyIdentifier!.length, 20);
});

test('models and roles set what DSP0274 asks of each certificate', () => {
  const cma = 'Vendor=1AF4:Device=1234:CC=120000:REV=01';
  const plan = chainPlan('ECDSA_P256', {
    model: 'alias',
    roles: ['responder', 'requester'],
    cmaIdentity: cma,
  });
  const [root, intermediate, leaf] = parsed(buildDeviceChain(crypto, plan).certificates);
  assert.is(root!.extensions.spdmOids, undefined);
  assert.equal(intermediate!.extensions.spdmOids, [DmtfOids.HARDWARE_IDENTITY]);
  assert.equal(leaf!.extensions.spdmOids, [DmtfOids.MUTABLE_CERTIFICATE]);
  assert.ok(leaf!.extensions.extKeyUsage!.includes(DmtfOids.EKU_REQUESTER_AUTH));
  assert.is(leaf!.extensions.otherNames![1]!.value, cma);
  const generic = buildDeviceChain(crypto, chainPlan('ECDSA_P256', { model: 'generic' }));
  assert.is(parsed(generic.certificates)[2]!.extensions.spdmOids, undefined);
});

// RFC 5280 and DSP0274 structures in DER, written by hand.
const extensionVectors: [string, Parameters<typeof encodeExtensions>[0], string][] = [
  ['CA', { basicConstraints: { cA: true } }, '300f 0603551d13 0101ff 0405 3003 0101ff'],
  [
    'CA with path length',
    { basicConstraints: { cA: true, pathLenConstraint: 1 } },
    '3012 0603551d13 0101ff 0408 3006 0101ff 020101',
  ],
  ['no CA', { basicConstraints: { cA: false } }, '300c 0603551d13 0101ff 0402 3000'],
  ['digitalSignature', { keyUsage: ['digitalSignature'] }, '300e 0603551d0f 0101ff 0404 03020780'],
  [
    'keyCertSign and cRLSign',
    { keyUsage: ['cRLSign', 'keyCertSign'] },
    '300e 0603551d0f 0101ff 0404 03020106',
  ],
  ['decipherOnly', { keyUsage: ['decipherOnly'] }, '300f 0603551d0f 0101ff 0405 0303070080'],
  ['subject key', { subjectKeyIdentifier: fromHex('aabb') }, '300b 0603551d0e 0404 0402aabb'],
  [
    'authority key',
    { authorityKeyIdentifier: fromHex('aabb') },
    '300d 0603551d23 0406 3004 8002aabb',
  ],
  [
    'responder authentication',
    { extKeyUsage: [DmtfOids.EKU_RESPONDER_AUTH] },
    '3015 0603551d25 040e 300c 060a2b06010401831c821203',
  ],
  [
    'device information',
    { otherNames: [{ typeId: DmtfOids.DEVICE_INFO, value: 'A:B:C' }] },
    '3020 0603551d11 0419 3017 a015 060a2b06010401831c821201 a007 0c05413a423a43',
  ],
  [
    'hardware identity',
    { spdmOids: [DmtfOids.HARDWARE_IDENTITY] },
    '301e 060a2b06010401831c821206 0410 300e 300c 060a2b06010401831c821202',
  ],
  [
    'an extension of any kind',
    { others: [{ extnID: DiceOids.UEID, critical: true, extnValue: fromHex('0500') }] },
    '300f 0606678105050404 0101ff 0402 0500',
  ],
];
for (const [name, plan, hex] of extensionVectors)
  test(`extension bytes: ${name}`, () => {
    const whole = toHex(new Uint8Array(encodeExtensions(plan)!.toBER()));
    assert.is(whole.slice(4), toHex(fromHex(hex)));
  });

test('ECDSA-Sig-Value keeps integers positive and minimal', () => {
  const raw = fromHex('00000080 0000007f');
  assert.is(toHex(encodeEcdsaSignature(raw)), '3007020200800201 7f'.replace(' ', ''));
});

test('times before 2050 are UTCTime, later ones GeneralizedTime', () => {
  const [a, b] = [party('A', 1), party('B', 2)];
  const hex = (notAfter: string) => toHex(issue(a, b, {}, { notAfter }));
  assert.ok(hex('20491231235959Z').includes(`170d${toHex(Buffer.from('491231235959Z'))}`));
  assert.ok(hex('20500101000000Z').includes(`180f${toHex(Buffer.from('20500101000000Z'))}`));
});

test("a plan that cannot be encoded is the caller's mistake", () => {
  const [a, b] = [party('A', 1), party('B', 2)];
  const bad: [string, () => unknown][] = [
    ['serialNumber', () => issue(a, b, {}, { serialNumber: new Uint8Array(4) })],
    ['serialNumber', () => issue(a, b, {}, { serialNumber: new Uint8Array(21).fill(1) })],
    ['serialNumber', () => issue(a, b, {}, { serialNumber: new Uint8Array(20).fill(0x80) })],
    ['time', () => issue(a, b, {}, { notAfter: '20250230000000Z' })],
    ['publicKey', () => issue(a, b, {}, { publicKey: new Uint8Array(96) })],
    ['name', () => issue(a, b, {}, { subject: [['C', 'U_']] })],
    ['keyUsage', () => issue(a, b, { keyUsage: [] })],
    [
      'pathLenConstraint',
      () => issue(a, b, { basicConstraints: { cA: true, pathLenConstraint: -1 } }),
    ],
    ['oid', () => issue(a, b, { extKeyUsage: ['serverAuth'] })],
  ];
  for (const [argument, act] of bad)
    assert.throws(act, (e: unknown) => e instanceof LocalError && e.message.startsWith(argument));
});

test.run();
