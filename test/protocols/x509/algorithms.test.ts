/** Chains and certificates of every algorithm SPDM 1.0 to 1.4 may negotiate. */

import { X509Certificate } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { equal, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import {
  type HashName,
  type SignatureName,
  signatureFacts,
} from '../../../protocols/crypto/algorithms.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import type { CryptoProvider } from '../../../protocols/crypto/provider.ts';
import { keyOf, leafKeyOfChain, leafKeyOfPublicKeyInfo } from '../../../protocols/spdm/leaf-key.ts';
import { buildCertificate, type CertificatePlan } from '../../../protocols/x509/build.ts';
import { buildDeviceChain, type DeviceChain } from '../../../protocols/x509/device-chain.ts';
import { drawChainPlan } from '../../../protocols/x509/draw-chain.ts';
import { DmtfOids, EkuOids } from '../../../protocols/x509/oids.ts';
import { parseCertificate } from '../../../protocols/x509/parse.ts';
import type { ChainPolicy } from '../../../protocols/x509/policy.ts';
import { encodeEcdsaSignature } from '../../../protocols/x509/signature.ts';
import { encodeCertChain } from '../../../protocols/x509/spdm-chain.ts';
import { subjectPublicKeyInfo } from '../../../protocols/x509/spki.ts';
import { isSignedBy, verifyChain } from '../../../protocols/x509/verify.ts';
import { AT, crypto, NOT_AFTER, NOT_BEFORE, parsed, parsedOne, tlv } from './fixtures.ts';
import { entityOf, imitation, isRsa, isSlhDsa, names, privateKeyOf, seeded } from './keys.ts';

const test = suite('x509 algorithms');

function selfSigned(
  provider: CryptoProvider,
  name: SignatureName,
  hash?: HashName,
  change: Partial<CertificatePlan> = {},
): Uint8Array {
  const privateKey = provider === imitation ? Uint8Array.of(1) : privateKeyOf(name);
  const plan: CertificatePlan = {
    issuer: [['CN', 'Root']],
    subject: [['CN', 'Root']],
    serialNumber: Uint8Array.of(9),
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    algorithm: name,
    publicKey: provider.signingPublicKey(name, privateKey),
    extensions: { basicConstraints: { cA: true }, keyUsage: ['keyCertSign'] },
    ...change,
  };
  return buildCertificate(provider, plan, { signature: name, privateKey, ...(hash && { hash }) });
}

const policy = (chain: DeviceChain, leaf: ChainPolicy['leaf'] = {}): ChainPolicy => ({
  anchors: [{ der: chain.root }],
  at: AT,
  leaf,
  strictKeyUsage: true,
});
const told = (provider: CryptoProvider, chain: DeviceChain, leaf?: ChainPolicy['leaf']) => {
  const verdict = verifyChain(provider, parsed(chain.certificates), policy(chain, leaf));
  return verdict.ok ? 'ok' : `${verdict.code} ${verdict.index} ${verdict.detail}`;
};

const chainOf = (name: SignatureName) =>
  buildDeviceChain(crypto, {
    signature: name,
    root: entityOf(name, 'Root'),
    intermediate: entityOf(name, 'CA'),
    leaf: entityOf(name, 'Leaf'),
    notBefore: NOT_BEFORE,
    notAfter: NOT_AFTER,
    deviceInfo: 'A:B:C',
  });

const quick = names.filter((name) => !isSlhDsa(name) && !name.endsWith('4096'));
for (const name of quick)
  test(`${name}: a device chain verifies, and no changed signature does`, () => {
    const chain = chainOf(name);
    assert.is(told(crypto, chain, { signature: name }), 'ok');
    const { leaf, intermediate } = chain;
    const issuer = parsedOne(intermediate);
    for (const at of [leaf.length - 1, leaf.length - 20, 60]) {
      const copy = leaf.slice();
      copy[at] = copy[at]! ^ 4;
      const read = parseCertificate(copy);
      if (read.ok) assert.is(isSignedBy(crypto, read.value, issuer), false, `byte ${at}`);
    }
    const key = { algorithm: name, publicKey: chain.leafPublicKey };
    const blob = encodeCertChain(crypto, 'SHA_384', 0x14, chain.certificates);
    assert.equal(leafKeyOfChain(blob, 48, name), key);
    assert.equal(leafKeyOfPublicKeyInfo(subjectPublicKeyInfo(name, key.publicKey), name), key);
    assert.is(signatureFacts(keyOf(parsedOne(leaf))!.algorithm).signatureSize, signatureSize(name));
  });
const signatureSize = (name: SignatureName) => signatureFacts(name).signatureSize;

const single = [
  'RSASSA_4096',
  'RSAPSS_4096',
  'SLH_DSA_SHA2_128F',
  'SLH_DSA_SHAKE_192F',
] as const satisfies SignatureName[];
for (const name of single)
  test(`${name}: a self-signed certificate verifies`, () => {
    const der = selfSigned(crypto, name);
    const certificate = parsedOne(der);
    assert.is(isSignedBy(crypto, certificate, certificate), true);
    const { tbsCertificate } = certificate;
    const changed = tbsCertificate.with(20, tbsCertificate[20]! ^ 1);
    const tampered = { ...certificate, tbsCertificate: changed };
    assert.is(isSignedBy(crypto, tampered, certificate), false);
  });

test('every algorithm: certificate, key and signature keep their names and sizes', () => {
  for (const name of names.filter((n) => !isRsa(n))) {
    const certificate = parsedOne(selfSigned(imitation, name));
    const { publicKey, signature } = certificate;
    assert.equal(publicKey.fits, [name]);
    assert.ok(signature.names.includes(name), name);
    assert.is(isSignedBy(imitation, certificate, certificate), true, name);
    const mute = { ...imitation, supports: (n: string) => n !== name };
    assert.is(isSignedBy(mute, certificate, certificate), undefined, name);
    if (signature.ecdsa === undefined) assert.is(signature.value.length, signatureSize(name));
  }
});

const hashes = ['SHA_256', 'SHA_384', 'SHA_512', 'SHA3_256', 'SHA3_384', 'SHA3_512'] as const;
test('every hash of ECDSA and both RSA paddings', () => {
  for (const name of ['ECDSA_P256', 'RSASSA_2048', 'RSAPSS_2048'] as const)
    for (const hash of hashes.filter((h) => crypto.supports(h))) {
      const certificate = parsedOne(selfSigned(crypto, name, hash));
      assert.is(certificate.signature.hash, hash);
      assert.is(isSignedBy(crypto, certificate, certificate), true, `${name} ${hash}`);
      const other = { ...certificate.signature, hash: hash === 'SHA_256' ? 'SHA_384' : 'SHA_256' };
      const lying = { ...certificate, signature: other } as typeof certificate;
      assert.is(isSignedBy(crypto, lying, certificate), false, `${name} ${hash}`);
    }
});

const classic = ['RSASSA_2048', 'RSASSA_3072', 'RSAPSS_2048', 'EDDSA_25519', 'EDDSA_448'] as const;
for (const name of classic)
  test(`${name}: node accepts every certificate and link`, () => {
    const { certificates } = chainOf(name);
    const [root, intermediate, leaf] = certificates.map((der) => new X509Certificate(der));
    assert.ok(root!.checkIssued(root!) && root!.verify(root!.publicKey));
    assert.ok(intermediate!.checkIssued(root!) && intermediate!.verify(root!.publicKey));
    assert.ok(leaf!.checkIssued(intermediate!) && leaf!.verify(intermediate!.publicKey));
    const spki = leaf!.publicKey.export({ type: 'spki', format: 'der' });
    assert.equal(spki, Buffer.from(subjectPublicKeyInfo(name, chainOf(name).leafPublicKey)));
    assert.equal(leaf!.keyUsage, [DmtfOids.EKU_RESPONDER_AUTH, EkuOids.SERVER_AUTH]);
  });

test('AlgorithmIdentifier of an RSASSA-PSS signature, byte for byte', () => {
  const hex = toHex(selfSigned(imitationRsa(), 'RSAPSS_2048', 'SHA_256'));
  const expected =
    '304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d0101' +
    '08300d06096086480165030402010500a203020120';
  assert.is(hex.split(expected).length, 3);
});
/** Real RSA keys, imitated signatures. */
const imitationRsa = (): CryptoProvider => ({
  ...crypto,
  sign: (name) => new Uint8Array(signatureSize(name)).fill(1),
  signingPublicKey: (name) => crypto.signingPublicKey(name, privateKeyOf(name)),
});

const SHA_256 = '300d06096086480165030402010500';
const MASK = '301a06092a864886f70d010108300d06096086480165030402010500';
const pssCases: [what: string, parameters: string | undefined, names: number | string][] = [
  ['SHA-256 throughout', `a00f${SHA_256} a11c${MASK} a203020120`, 3],
  ['trailer field 1', `a00f${SHA_256} a11c${MASK} a203020120 a303020101`, 3],
  ['trailer field 2', `a00f${SHA_256} a11c${MASK} a203020120 a303020102`, 0],
  ['salt of 20 bytes', `a00f${SHA_256} a11c${MASK} a203020114`, 0],
  ['salt of 8,224 bytes', `a00f${SHA_256} a11c${MASK} a20402022020`, 0],
  ['salt left out', `a00f${SHA_256} a11c${MASK}`, 0],
  ['mask left out', `a00f${SHA_256} a203020120`, 0],
  ['all left out', '', 0],
  ['unknown hash', `a009 3007 06052b0e03021a a11c${MASK} a203020120`, 0],
  ['mask of another hash', `a00f${SHA_256.replace('0201', '0202')} a11c${MASK} a203020130`, 0],
  ['parameters missing', undefined, 'TRUNCATED'],
  ['hash empty', `a000 a11c${MASK}`, 'TRUNCATED'],
  ['fields swapped', `a11c${MASK} a00f${SHA_256}`, 'TRAILING'],
  ['salt no integer', `a00f${SHA_256} a11c${MASK} a203040120`, 'BAD_VALUE'],
];
for (const [what, parameters, expected] of pssCases)
  test(`RSASSA-PSS parameters: ${what}`, () => {
    const oid = fromHex('06092a864886f70d01010a');
    const fresh =
      parameters === undefined ? tlv(0x30, oid) : tlv(0x30, oid, tlv(0x30, fromHex(parameters)));
    const read = parseCertificate(withAlgorithm(fresh));
    assert.equal(read.ok ? read.value.signature.names.length : read.code, expected);
  });

/** A certificate whose two AlgorithmIdentifiers are `algorithm`; the signature is none. */
function withAlgorithm(algorithm: Uint8Array): Uint8Array {
  const certificate = parsedOne(selfSigned(imitation, 'EDDSA_25519'));
  const old = '300506032b6570';
  const [head, ...rest] = toHex(certificate.tbsCertificate.subarray(3)).split(old);
  const tbs = tlv(0x30, fromHex(head!), algorithm, fromHex(rest.join(old)));
  return tlv(0x30, tbs, algorithm, tlv(0x03, new Uint8Array(65)));
}

const schemes: [what: string, algorithm: string, expected: number | string][] = [
  ['sha256WithRSAEncryption', '300d06092a864886f70d01010b0500', 3],
  ['the same without NULL', '300b06092a864886f70d01010b', 3],
  ['the same with another parameter', '300e06092a864886f70d01010b020101', 'BAD_VALUE'],
  ['sha1WithRSAEncryption', '300d06092a864886f70d0101050500', 0],
  ['RSA with SHA3-384', '300d060960864801650304030f0500', 3],
  ['ML-DSA-65', '300b0609608648016503040312', 1],
  ['ML-DSA-65 with NULL', '300d06096086480165030403120500', 'BAD_VALUE'],
  ['SLH-DSA-SHAKE-256f', '300b060960864801650304031f', 1],
  ['Ed448 with NULL', '300706032b65710500', 'BAD_VALUE'],
  ['HashML-DSA-44', '300b0609608648016503040320', 0],
  ['a third field', '300906032b657005000500', 'TRAILING'],
];
for (const [what, algorithm, expected] of schemes)
  test(`signature algorithm: ${what}`, () => {
    const read = parseCertificate(withAlgorithm(fromHex(algorithm)));
    assert.equal(read.ok ? read.value.signature.names.length : read.code, expected);
  });

test('a signature of one kind by a key of another is wrong, one of no kind unsupported', () => {
  const rsa = parsedOne(selfSigned(crypto, 'RSASSA_2048'));
  const ed = parsedOne(selfSigned(crypto, 'EDDSA_25519'));
  assert.is(isSignedBy(crypto, ed, rsa), false);
  assert.is(isSignedBy(crypto, rsa, ed), false);
  const pss = { ...ed, publicKey: { ...rsa.publicKey, fits: ['RSAPSS_2048' as const] } };
  assert.is(isSignedBy(crypto, rsa, pss), false);
  const unknown = { ...rsa, publicKey: { ...rsa.publicKey, fits: [] } };
  assert.is(isSignedBy(crypto, rsa, unknown), undefined);
});

test('drawn chains: one seed, one identity, in every model and role', () => {
  const draw = (seed: string, more: Partial<Parameters<typeof drawChainPlan>[0]> = {}) =>
    buildDeviceChain(
      crypto,
      drawChainPlan({
        crypto,
        random: seeded(seed),
        algorithm: 'ML_DSA_44',
        deviceInfo: 'Acme:Widget:1',
        notBefore: NOT_BEFORE,
        ...more,
      }),
    );
  assert.equal(draw('a'), draw('a'));
  assert.not(equal(draw('a').leaf, draw('b').leaf));
  assert.is(told(crypto, draw('a'), { requireHardwareIdentity: true, requireEku: true }), 'ok');

  const authorities = 'ECDSA_P384';
  const alias = draw('a', { model: 'alias', authorities });
  assert.is(alias.certificates.length, 4);
  const [root, ca, device, leaf] = parsed(alias.certificates).map((c) => c.extensions);
  assert.equal(device!.spdmOids, [DmtfOids.HARDWARE_IDENTITY]);
  assert.equal(leaf!.spdmOids, [DmtfOids.MUTABLE_CERTIFICATE]);
  assert.equal([root!.spdmOids, ca!.spdmOids], [undefined, undefined]);
  assert.equal(
    [root, ca, device].map((e) => e!.basicConstraints),
    [2, 1, 0].map((pathLenConstraint) => ({ cA: true, pathLenConstraint })),
  );
  assert.equal(
    [device!.keyUsage, leaf!.keyUsage],
    [['keyCertSign', 'cRLSign'], ['digitalSignature']],
  );
  const asAlias = {
    model: 'alias',
    requireHardwareIdentity: true,
    signature: 'ML_DSA_44',
  } as const;
  assert.is(told(crypto, alias, asAlias), 'ok');

  const requester = draw('r', { model: 'generic', roles: ['requester'], authorities });
  assert.is(told(crypto, requester, { role: 'requester', requireEku: true }), 'ok');
  assert.match(told(crypto, requester, { role: 'responder' }), 'EKU_MISSING 2');
  assert.match(
    told(crypto, requester, { requireHardwareIdentity: true, role: 'requester' }),
    'HARD',
  );
});

test('whichever provider signs, the bytes are the same', () => {
  for (const name of ['RSAPSS_2048', 'EDDSA_448', 'ML_DSA_44'] as const)
    assert.ok(equal(selfSigned(nobleProvider, name), selfSigned(crypto, name)), name);
});

test('an RSA key of a size SPDM does not know is unsupported, as leaf and as issuer', () => {
  const ones = (size: number) => new Uint8Array(size).fill(1);
  const modulus = tlv(0x02, fromHex('0081'), ones(127));
  const rsa1024 = tlv(
    0x30,
    fromHex('300d06092a864886f70d0101010500'),
    tlv(0x03, fromHex('00'), tlv(0x30, modulus, fromHex('0203010001'))),
  );
  const root = selfSigned(crypto, 'ECDSA_P256');
  const leaf = parsedOne(
    selfSigned(crypto, 'ECDSA_P256', undefined, {
      subject: [['CN', 'Leaf']],
      extensions: { keyUsage: ['digitalSignature'] },
    }),
  );
  const spki = subjectPublicKeyInfo('ECDSA_P256', leaf.publicKey.key);
  const body = toHex(leaf.tbsCertificate.subarray(2 + (leaf.tbsCertificate[1]! & 0x7f)));
  const tbs = tlv(0x30, fromHex(body.replace(toHex(spki), toHex(rsa1024))));
  const raw = crypto.sign('ECDSA_P256', 'SHA_256', privateKeyOf('ECDSA_P256'), tbs);
  const id = fromHex('300a06082a8648ce3d040302');
  const der = tlv(0x30, tbs, id, tlv(0x03, fromHex('00'), encodeEcdsaSignature(raw)));
  const certificate = parsedOne(der);
  assert.equal(certificate.publicKey.fits, []);
  const anchors = [{ der: root }];
  const verdict = verifyChain(crypto, parsed([root, der]), { anchors, at: AT });
  assert.is(verdict.ok ? 'ok' : verdict.code, 'UNSUPPORTED_ALGORITHM');
  assert.match(verdict.ok ? '' : verdict.detail, 'rsaEncryption (140 bytes)');
  assert.is(
    isSignedBy(crypto, parsedOne(selfSigned(crypto, 'RSASSA_2048')), certificate),
    undefined,
  );
});

test('key usages a key is not made for are refused only on request', () => {
  const cases: [SignatureName, 'keyEncipherment' | 'keyAgreement', boolean][] = [
    ['ML_DSA_44', 'keyEncipherment', true],
    ['SLH_DSA_SHA2_128S', 'keyAgreement', true],
    ['EDDSA_448', 'keyAgreement', true],
    ['ECDSA_P256', 'keyEncipherment', true],
    ['ECDSA_P256', 'keyAgreement', false],
  ];
  for (const [name, usage, refused] of cases) {
    const root = selfSigned(imitation, name);
    const leaf = selfSigned(imitation, name, undefined, {
      subject: [['CN', 'Leaf']],
      extensions: { keyUsage: ['digitalSignature', usage] },
    });
    const judge = (strictKeyUsage: boolean) => {
      const anchors = [{ der: root }];
      const verdict = verifyChain(imitation, parsed([root, leaf]), {
        anchors,
        at: AT,
        strictKeyUsage,
      });
      return verdict.ok ? 'ok' : `${verdict.code} ${verdict.index}`;
    };
    assert.is(judge(false), 'ok', name);
    assert.is(judge(true), refused ? 'KEY_USAGE 1' : 'ok', `${name} ${usage}`);
  }
});

test.run();
