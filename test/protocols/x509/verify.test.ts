/** Path validation: what is accepted, and the name of every fault. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { buildDeviceChain } from '../../../protocols/x509/device-chain.ts';
import { DiceOids, DmtfOids, EkuOids, PCI_SIG_CMA_IDENTITY } from '../../../protocols/x509/oids.ts';
import { type Certificate, parseCertificate } from '../../../protocols/x509/parse.ts';
import {
  ChainFaults,
  type ChainPolicy,
  type ChainVerdict,
  type LeafPolicy,
} from '../../../protocols/x509/policy.ts';
import { verifyChain } from '../../../protocols/x509/verify.ts';
import {
  AT,
  CA,
  chainPlan,
  crypto,
  DEVICE_INFO,
  deviceChain,
  END,
  issue,
  type Party,
  parsed,
  parsedOne,
  party,
} from './fixtures.ts';

const test = suite('x509 verify');

const reached = new Set<string>();
function told(verdict: ChainVerdict): string {
  if (verdict.ok) return 'ok';
  reached.add(verdict.code);
  assert.ok(verdict.detail.length > 0, `${verdict.code} says why`);
  return `${verdict.code} ${verdict.index}`;
}
const verdictOf = (ders: readonly Uint8Array[], policy: ChainPolicy) =>
  told(verifyChain(crypto, parsed(ders), policy));

for (const algorithm of ['ECDSA_P256', 'ECDSA_P384', 'ECDSA_P521'] as const)
  test(`${algorithm}: a chain down from its root, however the root is known`, () => {
    const { root, intermediate, leaf, certificates } = deviceChain(algorithm);
    const chain = parsed(certificates);
    const hash = 'SHA_384';
    const anchors = [{ der: root }, { hash, digest: crypto.hash(hash, root) }] as const;
    for (const anchor of anchors)
      for (const provider of 'der' in anchor ? [crypto, nobleProvider] : [crypto]) {
        const verdict = verifyChain(provider, chain, { anchors: [anchor], at: AT });
        assert.is(told(verdict), 'ok');
        if (!verdict.ok) return;
        assert.is(verdict.leaf, chain[2]);
        assert.is(verdict.anchor, chain[0]);
        assert.is(verdict.deviceInfo, DEVICE_INFO);
        assert.is(verdict.cmaIdentity, undefined);
        assert.equal([verdict.rootAbsent, verdict.hardwareIdentity], [false, 2]);
      }
    const absent = verifyChain(crypto, parsed([intermediate, leaf]), {
      anchors: [{ der: root }],
      at: AT,
    });
    assert.is(told(absent), 'ok');
    if (absent.ok) assert.ok(absent.rootAbsent && absent.anchor.der.length === root.length);
    // An intermediate may be trusted by itself.
    assert.is(verdictOf([intermediate, leaf], { anchors: [{ der: intermediate }], at: AT }), 'ok');
  });

const p256 = deviceChain('ECDSA_P256');
const [R, I, L] = p256.certificates;
const foreign = buildDeviceChain(
  crypto,
  chainPlan('ECDSA_P256', { root: chainPlan('ECDSA_P256').leaf }),
);
const trustR: ChainPolicy = { anchors: [{ der: R }], at: AT };

const arrangements: [name: string, ders: readonly Uint8Array[], expected: string][] = [
  ['nothing', [], 'EMPTY_CHAIN 0'],
  ['root alone', [R], 'SELF_SIGNED_LEAF 0'],
  ['leaf first', [L, I, R], 'SELF_SIGNED_LEAF 2'],
  ['intermediate missing', [R, L], 'ISSUER_MISMATCH 1'],
  ['intermediate and leaf swapped', [R, L, I], 'ISSUER_MISMATCH 1'],
  ['root in the middle', [I, R, L], 'ISSUER_MISMATCH 1'],
  ['leaf twice', [R, I, L, L], 'ISSUER_MISMATCH 3'],
  ['intermediate twice', [R, I, I, L], 'ISSUER_MISMATCH 2'],
  ['root and intermediate missing', [L], 'UNKNOWN_ROOT 0'],
  ['another root', [foreign.root, I, L], 'UNKNOWN_ROOT 0'],
  ['without its leaf', [R, I], 'LEAF_CONSTRAINTS 1'],
];
for (const [name, ders, expected] of arrangements)
  test(`arranged wrongly: ${name}`, () => assert.is(verdictOf(ders, trustR), expected));

test('anchors decide: none, a hash for an absent root, one that is no certificate', () => {
  assert.is(verdictOf([R, I, L], { anchors: [], at: AT }), 'UNKNOWN_ROOT 0');
  const digest = crypto.hash('SHA_256', R);
  const byHash = { anchors: [{ hash: 'SHA_256', digest } as const], at: AT };
  assert.is(verdictOf([I, L], byHash), 'UNKNOWN_ROOT 0');
  const broken = { anchors: [{ der: fromHex('3000') }], at: AT };
  assert.throws(
    () => verdictOf([I, L], broken),
    (e: unknown) => e instanceof LocalError,
  );
});

const [root, ca, ca2, dev] = [party('Root', 1), party('CA', 2), party('CA 2', 3), party('Dev', 4)];
const rootDer = issue(root, root, CA);
const caDer = issue(root, ca, CA);
const leafDer = issue(ca, dev, END);
const trust: ChainPolicy = { anchors: [{ der: rootDer }], at: AT };

test('anchors that share a name: the one whose key fits is taken', () => {
  const renewed = issue({ ...root, key: dev.key }, { ...root, key: dev.key }, CA);
  const both = { anchors: [{ der: renewed }, { der: rootDer }], at: AT };
  assert.is(verdictOf([caDer, leafDer], both), 'ok');
  const wrong = { anchors: [{ der: renewed }], at: AT };
  assert.is(verdictOf([caDer, leafDer], wrong), 'AKI_MISMATCH 0');
});

const LATE = { notBefore: '20300101000000Z' };
const OLD = { notAfter: '20250101000000Z' };
const DICE = { extnID: DiceOids.TCB_INFO, critical: true, extnValue: fromHex('3000') };
const caWith = (change: object, extensions: object = CA) => issue(root, ca, extensions, change);
const leafWith = (change: object, extensions: object = END) => issue(ca, dev, extensions, change);
const p384 = deviceChain('ECDSA_P384').root;

const faults: [name: string, ders: readonly Uint8Array[], expected: string][] = [
  ['nothing wrong', [rootDer, caDer, leafDer], 'ok'],
  ['leaf expired', [rootDer, caDer, leafWith(OLD)], 'EXPIRED 2'],
  ['intermediate not yet valid', [rootDer, caWith(LATE), leafDer], 'NOT_YET_VALID 1'],
  [
    'leaf with a critical extension',
    [rootDer, caDer, leafWith({}, { ...END, others: [DICE] })],
    'UNKNOWN_CRITICAL_EXTENSION 2',
  ],
  [
    'issuer no CA',
    [rootDer, caWith({}, { ...CA, basicConstraints: { cA: false } }), leafDer],
    'NOT_A_CA 1',
  ],
  [
    'issuer without basic constraints',
    [rootDer, caWith({}, { keyUsage: ['keyCertSign'] }), leafDer],
    'NOT_A_CA 1',
  ],
  [
    'issuer without keyCertSign',
    [rootDer, caWith({}, { ...CA, keyUsage: ['cRLSign', 'digitalSignature'] }), leafDer],
    'KEY_USAGE 1',
  ],
  [
    'issuer without key usage',
    [rootDer, caWith({}, { basicConstraints: { cA: true } }), leafDer],
    'ok',
  ],
  [
    'leaf without digitalSignature',
    [rootDer, caDer, leafWith({}, { keyUsage: ['keyAgreement'] })],
    'KEY_USAGE 2',
  ],
  ['leaf without key usage', [rootDer, caDer, leafWith({}, {})], 'KEY_USAGE 2'],
  [
    'leaf a CA',
    [rootDer, caDer, leafWith({}, { ...END, basicConstraints: { cA: true } })],
    'LEAF_CONSTRAINTS 2',
  ],
  [
    'leaf says it is none',
    [rootDer, caDer, leafWith({}, { ...END, basicConstraints: { cA: false } })],
    'ok',
  ],
  [
    'key identifiers differ',
    [rootDer, caDer, leafWith({}, { ...END, authorityKeyIdentifier: fromHex('aa') })],
    'AKI_MISMATCH 2',
  ],
  [
    'signed by another key of that name',
    [
      rootDer,
      caDer,
      issue({ ...ca, key: dev.key }, dev, {
        ...END,
        authorityKeyIdentifier: parsedOne(caDer).extensions.subjectKeyIdentifier!,
      }),
    ],
    'BAD_SIGNATURE 2',
  ],
];
for (const [name, ders, expected] of faults)
  test(`fault: ${name}`, () => assert.is(verdictOf(ders, trust), expected));

test('an extension that is not critical may be unknown', () => {
  const others = [{ ...DICE, critical: false }];
  assert.is(verdictOf([rootDer, caDer, leafWith({}, { ...END, others })], trust), 'ok');
});

test("a root that borrows an anchor's name is unknown", () => {
  const fake = { ...root, key: dev.key };
  const ders = [issue(fake, fake, CA), issue(fake, ca, CA), leafDer];
  assert.is(verdictOf(ders, trust), 'UNKNOWN_ROOT 0');
});

test('validity ends are inclusive, and nobody looks without a time', () => {
  const edges = { notBefore: '20260101000000Z', notAfter: '20260101000001Z' };
  const chain = [rootDer, caDer, leafWith(edges)];
  const verdicts = [AT - 1, AT, AT + 1, AT + 2].map((at) => verdictOf(chain, { ...trust, at }));
  assert.equal(verdicts, ['NOT_YET_VALID 2', 'ok', 'ok', 'EXPIRED 2']);
  assert.is(verdictOf([rootDer, caDer, leafWith(OLD)], { ...trust, at: undefined }), 'ok');
});

test('an anchor above the chain is judged like one inside', () => {
  const old = issue(root, root, CA, OLD);
  assert.is(verdictOf([caDer, leafDer], { anchors: [{ der: old }], at: AT }), 'EXPIRED -1');
  const noCa = issue(root, root, END);
  assert.is(verdictOf([caDer, leafDer], { anchors: [{ der: noCa }], at: AT }), 'NOT_A_CA -1');
});

test('a critical extension the caller understands is let through', () => {
  const ders = [rootDer, caDer, leafWith({}, { ...END, others: [DICE] })];
  assert.is(verdictOf(ders, { ...trust, understood: [DiceOids.TCB_INFO] }), 'ok');
});

test('pathLenConstraint counts intermediates that are not self-issued', () => {
  const limited = (length: number) => ({
    ...CA,
    basicConstraints: { cA: true, pathLenConstraint: length },
  });
  const chain = (rootLength: number, caLength: number) => [
    issue(root, root, limited(rootLength)),
    issue(root, ca, limited(caLength)),
    issue(ca, ca2, CA),
    issue(ca2, dev, END),
  ];
  const judge = (ders: Uint8Array[]) => verdictOf(ders, { anchors: [{ der: ders[0]! }], at: AT });
  assert.is(judge(chain(2, 1)), 'ok');
  assert.is(judge(chain(1, 1)), 'PATH_TOO_LONG 0');
  assert.is(judge(chain(2, 0)), 'PATH_TOO_LONG 1');
  const rolled: Party = { name: ca.name, key: ca2.key };
  const selfIssued = [
    issue(root, root, limited(1)),
    issue(root, ca, CA),
    issue(ca, rolled, CA),
    issue(rolled, dev, END),
  ];
  assert.is(judge(selfIssued), 'ok');
});

test('a root that did not sign itself is refused even when trusted', () => {
  const forged = rootDer.slice();
  forged[forged.length - 1] = forged[forged.length - 1]! ^ 1;
  assert.is(
    verdictOf([forged, caDer, leafDer], { anchors: [{ der: forged }], at: AT }),
    'BAD_SIGNATURE 0',
  );
});

/** `certificate` claiming something no builder makes; its signature is over the true bytes. */
const claiming = (der: Uint8Array, change: Partial<Certificate>): Certificate => ({
  ...parsedOne(der),
  ...change,
});
const forms: [name: string, change: Partial<Certificate>, expected: string][] = [
  ['version 1', { version: 1 }, 'BAD_VERSION 2'],
  ['version 2', { version: 2 }, 'BAD_VERSION 2'],
  ['serial zero', { serialNumber: fromHex('00') }, 'BAD_SERIAL 2'],
  ['serial negative', { serialNumber: fromHex('ff') }, 'BAD_SERIAL 2'],
  ['serial of 21 bytes', { serialNumber: new Uint8Array(21).fill(1) }, 'BAD_SERIAL 2'],
  ['serial of 20 bytes', { serialNumber: new Uint8Array(20).fill(1) }, 'ok'],
  [
    'signature algorithm unknown',
    {
      signature: {
        algorithm: 'x',
        names: [],
        hash: undefined,
        value: fromHex(''),
        ecdsa: undefined,
      },
    },
    'UNSUPPORTED_ALGORITHM 2',
  ],
  [
    'key algorithm unknown',
    { publicKey: { algorithm: 'rsaEncryption', curve: undefined, key: fromHex(''), fits: [] } },
    'UNSUPPORTED_ALGORITHM 2',
  ],
];
for (const [name, change, expected] of forms)
  test(`form: ${name}`, () => {
    const chain = [parsedOne(rootDer), parsedOne(caDer), claiming(leafDer, change)];
    assert.is(told(verifyChain(crypto, chain, trust)), expected);
  });

test('keys of one curve cannot be judged by signatures of another', () => {
  const strange = claiming(rootDer, { publicKey: parsedOne(p384).publicKey });
  const verdict = verifyChain(crypto, [strange, parsedOne(caDer), parsedOne(leafDer)], {
    anchors: [{ der: rootDer }],
    at: AT,
  });
  assert.is(told(verdict), 'BAD_SIGNATURE 0');
});

const RESPONDER = DmtfOids.EKU_RESPONDER_AUTH;
const REQUESTER = DmtfOids.EKU_REQUESTER_AUTH;
const eku: [usages: string[] | undefined, leaf: LeafPolicy, expected: string][] = [
  [undefined, {}, 'ok'],
  [undefined, { requireEku: true }, 'EKU_MISSING 2'],
  [[RESPONDER], { requireEku: true }, 'ok'],
  [[REQUESTER], {}, 'EKU_MISSING 2'],
  [[REQUESTER, RESPONDER], { requireEku: true }, 'ok'],
  [[RESPONDER], { role: 'requester' }, 'EKU_MISSING 2'],
  [[REQUESTER], { role: 'requester', requireEku: true }, 'ok'],
  [[EkuOids.SERVER_AUTH], {}, 'ok'],
  [[EkuOids.SERVER_AUTH], { requireEku: true }, 'EKU_MISSING 2'],
  [[EkuOids.ANY], { requireEku: true }, 'ok'],
];
test('extended key usage against the role', () => {
  for (const [extKeyUsage, leaf, expected] of eku) {
    const extensions = extKeyUsage === undefined ? END : { ...END, extKeyUsage };
    const ders = [rootDer, caDer, leafWith({}, extensions)];
    assert.is(verdictOf(ders, { ...trust, leaf }), expected, JSON.stringify([extKeyUsage, leaf]));
  }
});

const HARDWARE = DmtfOids.HARDWARE_IDENTITY;
const MUTABLE = DmtfOids.MUTABLE_CERTIFICATE;
const identity: [inCa: string[], inLeaf: string[], leaf: LeafPolicy, expected: string][] = [
  [[], [], {}, 'ok'],
  [[], [], { requireHardwareIdentity: true }, 'HARDWARE_IDENTITY 2'],
  [[HARDWARE], [MUTABLE], { model: 'alias', requireHardwareIdentity: true }, 'ok'],
  [[], [HARDWARE], { requireHardwareIdentity: true }, 'ok'],
  [[], [HARDWARE], { model: 'alias' }, 'HARDWARE_IDENTITY 2'],
  [[HARDWARE, MUTABLE], [], {}, 'HARDWARE_IDENTITY 1'],
];
test('hardware identity against the certificate model', () => {
  for (const [inCa, inLeaf, leaf, expected] of identity) {
    const marks = (spdmOids: string[]) => (spdmOids.length === 0 ? {} : { spdmOids });
    const ders = [
      rootDer,
      caWith({}, { ...CA, ...marks(inCa) }),
      leafWith({}, { ...END, ...marks(inLeaf) }),
    ];
    assert.is(verdictOf(ders, { ...trust, leaf }), expected, JSON.stringify([inCa, inLeaf, leaf]));
  }
});

test('the leaf is the expected device with the negotiated algorithm', () => {
  const otherNames = [
    { typeId: DmtfOids.DEVICE_INFO, value: DEVICE_INFO },
    { typeId: PCI_SIG_CMA_IDENTITY, value: 'Vendor=1AF4' },
  ];
  const ders = [rootDer, caDer, leafWith({}, { ...END, otherNames })];
  const judge = (leaf: LeafPolicy, of = ders) => verdictOf(of, { ...trust, leaf });
  assert.is(judge({ deviceInfo: DEVICE_INFO, cmaIdentity: 'Vendor=1AF4' }), 'ok');
  assert.is(judge({ deviceInfo: `${DEVICE_INFO}0` }), 'DEVICE_INFO 2');
  assert.is(judge({ cmaIdentity: 'Vendor=1AF5' }), 'DEVICE_INFO 2');
  assert.is(judge({ deviceInfo: DEVICE_INFO }, [rootDer, caDer, leafDer]), 'DEVICE_INFO 2');
  assert.is(judge({ signature: 'ECDSA_P256' }), 'ok');
  assert.is(judge({ signature: 'ECDSA_P384' }), 'LEAF_KEY 2');
});

for (const algorithm of ['ECDSA_P256', 'ECDSA_P384'] as const)
  test(`${algorithm}: no byte of the leaf can change unseen`, () => {
    const { intermediate, leaf } = deviceChain(algorithm);
    const policy: ChainPolicy = { anchors: [{ der: intermediate }], at: AT };
    assert.is(verdictOf([leaf], policy), 'ok');
    for (let at = 0; at < leaf.length; at++) {
      const copy = leaf.slice();
      copy[at] = copy[at]! ^ (1 << (at % 8));
      const result = parseCertificate(copy);
      if (result.ok) assert.not(verifyChain(crypto, [result.value], policy).ok, `byte ${at}`);
    }
  });

test('any arrangement of good certificates ends in a verdict', () => {
  const pool = parsed([R, I, L, rootDer, caDer, leafDer, p384]);
  const property = fc.property(fc.array(fc.constantFrom(...pool), { maxLength: 6 }), (chain) => {
    const verdict = verifyChain(crypto, chain, { anchors: [{ der: R }, { der: rootDer }], at: AT });
    if (!verdict.ok) {
      assert.ok(verdict.code in ChainFaults);
      assert.ok(verdict.index >= -1 && verdict.index < Math.max(1, chain.length));
    }
  });
  fc.assert(property, { seed: 1, numRuns: 150 });
});

test('every fault that verifyChain names was met above', () => {
  const elsewhere = ['BAD_ENCODING', 'ROOT_HASH_MISMATCH'];
  const missing = Object.keys(ChainFaults).filter((f) => !reached.has(f) && !elsewhere.includes(f));
  assert.equal(missing, []);
});

test.run();
