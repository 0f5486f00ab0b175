/** Evidence of every SPDM version, made here and from real devices: good is good, one byte changed is not. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, equal, fromHex } from '../../../../protocols/codec/bytes.ts';
import { mutations } from '../../../../protocols/codec/mutate.ts';
import { type Evidence, verifyEvidence } from '../../../../protocols/spdm/evidence/evidence.ts';
import { firmwareIds } from '../../../../protocols/spdm/evidence/fwid.ts';
import { readVca } from '../../../../protocols/spdm/evidence/parts.ts';
import { readMeasurementRecord } from '../../../../protocols/spdm/evidence/record.ts';
import { keyOf, leafKeyOfChain } from '../../../../protocols/spdm/leaf-key.ts';
import { measurements } from '../../../../protocols/spdm/messages/auth.ts';
import { encodeCertChain } from '../../../../protocols/x509/spdm-chain.ts';
import { parseCertificates, pemToDer } from '../../../../protocols/x509/split.ts';
import {
  AT,
  crypto,
  deviceChain,
  type GivenEvidence,
  type Making,
  makeEvidence,
  NONCE,
  vcaOf,
} from './fixtures.ts';

const test = suite('spdm evidence');

/** The reasons of a refusal, or `ok`. */
function reasons(evidence: Evidence, policy = {}): string {
  const { ok, checks } = verifyEvidence(crypto, evidence, { at: AT, ...policy });
  const codes = checks.flatMap(({ code }) => code ?? []);
  assert.is(ok, codes.length === 0);
  return ok ? 'ok' : codes.join();
}

const flipped = (bytes: Uint8Array, at: number, mask = 1) => {
  const copy = bytes.slice();
  copy[at] = copy[at]! ^ mask;
  return copy;
};

const chain = deviceChain();

for (const version of [0x10, 0x11, 0x12, 0x13])
  test(`SPDM ${version.toString(16)} evidence verifies`, () => {
    const evidence = makeEvidence({ version }, chain);
    const verified = verifyEvidence(crypto, evidence, { at: AT });
    assert.is(reasons(evidence), 'ok');
    assert.equal(
      [verified.version, verified.algorithm, verified.hash],
      [version, 'ECDSA_P384', 'SHA_384'],
    );
    assert.equal(
      verified.blocks.map(({ Index, Value }) => [Index, Value[0]]),
      [
        [1, 0xa1],
        [2, 0xa2],
      ],
    );
    assert.is(verified.chain.length, 3);
    assert.equal(verified.rootSha256, crypto.hash('SHA_256', chain.root));
  });

test('unsigned pairs before the signed one count', () => {
  const before = [
    { index: 1, fill: 0xa1 },
    { index: 9, fill: 0xa9 },
  ];
  const evidence = makeEvidence({ version: 0x12, before }, chain);
  assert.is(reasons(evidence), 'ok');
  const { blocks } = verifyEvidence(crypto, evidence, { at: AT });
  assert.equal(
    blocks.map(({ Index }) => Index),
    [1, 9, 2],
  );
  const conflict = makeEvidence({ version: 0x12, before: [{ index: 1, fill: 0 }] }, chain);
  assert.is(reasons(conflict), 'DUPLICATE_INDEX');
});

const P256 = 0x10;
const refusals: readonly [name: string, making: Making, code: string][] = [
  ['another key', { version: 0x12, signer: new Uint8Array(48).fill(9) }, 'SIGNATURE'],
  ['no VCA', { version: 0x12, vca: undefined }, 'VCA'],
  ['VCA of another version', { version: 0x12, vca: vcaOf(0x13) }, 'VCA'],
  [
    'VCA with bytes left over',
    { version: 0x12, vca: concat(vcaOf(0x12), Uint8Array.of(0)) },
    'VCA',
  ],
  ['VCA cut short', { version: 0x12, vca: vcaOf(0x12).slice(0, -1) }, 'VCA'],
  ['another algorithm', { version: 0x12, vca: vcaOf(0x12, { baseAsym: P256 }) }, 'ALGORITHM'],
  ['another slot', { version: 0x12, slot: 1, answeredSlot: 2 }, 'SLOT'],
  ['another context', { version: 0x13, answeredContext: new Uint8Array(8) }, 'CONTEXT'],
  ['bad opaque data', { version: 0x12, opaque: fromHex('01000000 00') }, 'OPAQUE_LAYOUT'],
];
for (const [name, making, code] of refusals)
  test(`${name} is refused: ${code}`, () => {
    assert.is(reasons(makeEvidence(making, chain)), code);
  });

test('the certificate path-s own reasons', () => {
  const evidence = makeEvidence({ version: 0x12 }, chain);
  const [root, intermediate, leaf] = chain.certificates;
  const cases: [certificates: Uint8Array[], policy: object, code: string][] = [
    [[], {}, 'CHAIN_EMPTY_CHAIN'],
    [[intermediate, leaf], {}, 'CHAIN_NO_ROOT'],
    [[root, leaf], {}, 'CHAIN_ISSUER_MISMATCH'],
    [[root, intermediate, leaf.slice(0, -1)], {}, 'CHAIN_BAD_ENCODING'],
    [[root, intermediate, leaf], { at: 0 }, 'CHAIN_NOT_YET_VALID'],
    [[root, intermediate, leaf], { rootSha256: [new Uint8Array(32)] }, 'ROOT_NOT_PINNED'],
    [[root, intermediate, leaf], { rootSha256: [crypto.hash('SHA_256', root)] }, 'ok'],
  ];
  for (const [certificates, policy, code] of cases)
    assert.is(reasons({ ...evidence, certificates }, policy), code);
});

test('bytes of messages, VCA, nonce and certificates count', () => {
  const evidence = makeEvidence({ version: 0x12 }, chain);
  for (let at = 0; at < evidence.messages.length; at += 2)
    assert.is.not(
      reasons({ ...evidence, messages: flipped(evidence.messages, at) }),
      'ok',
      `${at}`,
    );
  for (let at = 0; at < evidence.vca!.length; at += 3)
    assert.is.not(reasons({ ...evidence, vca: flipped(evidence.vca!, at, 0x80) }), 'ok', `${at}`);
  for (let at = 0; at < NONCE.length; at++)
    assert.is(reasons({ ...evidence, nonce: flipped(NONCE, at) }), 'NONCE');
  for (const [i, der] of evidence.certificates.entries())
    for (let at = 0; at < der.length; at += 17) {
      const certificates = evidence.certificates.with(i, flipped(der, at, 1 << (at % 8)));
      assert.is.not(reasons({ ...evidence, certificates }), 'ok', `${i} ${at}`);
    }
});

test('no bytes make it throw', () => {
  const evidence = makeEvidence({ version: 0x11 }, chain);
  const bytes = fc.uint8Array({ maxLength: 200 });
  fc.assert(
    fc.property(bytes, bytes, bytes, (messages, vca, nonce) => {
      assert.is.not(reasons({ ...evidence, messages, vca, nonce }), 'ok');
      assert.is.not(reasons({ ...evidence, certificates: [messages] }), 'ok');
      readVca(vca);
    }),
    { seed: 1, numRuns: 200 },
  );
  const response = evidence.messages.subarray(37);
  const facts = { version: 0x11, signed: 1, signatureSize: 96 };
  let count = 0;
  for (const { name, bytes: wrong } of mutations(measurements, response, facts)) {
    const messages = concat(evidence.messages.subarray(0, 37), wrong);
    // A field that is zero already stays as it is.
    if (equal(messages, evidence.messages)) continue;
    assert.is.not(reasons({ ...evidence, messages }), 'ok', name);
    count++;
  }
  assert.ok(count > 40);
});

test('a record is bounded and complete', () => {
  const { messages } = makeEvidence({ version: 0x11 }, chain);
  assert.ok(readMeasurementRecord(messages, 96).ok);
  for (let size = 0; size < messages.length; size++)
    assert.is(readMeasurementRecord(messages.subarray(0, size), 96).ok, false, `${size}`);
  const unsigned = fromHex('11e00001 11600000 00000000'.replaceAll(' ', ''));
  const pairs = concat(unsigned, new Uint8Array(34));
  assert.match(JSON.stringify(readMeasurementRecord(pairs, 96)), /nothing here is signed/);
  const many = concat(...Array.from({ length: 257 }, () => pairs));
  assert.match(JSON.stringify(readMeasurementRecord(many, 96)), /OVER_LIMIT/);
});

test('VCA tells what was negotiated', () => {
  const vca = readVca(vcaOf(0x13));
  assert.ok(vca.ok);
  const { version, asym, baseHash, opaqueFormat1 } = vca.value;
  assert.equal([version, asym, baseHash, opaqueFormat1], [0x13, 'ECDSA_P384', 'SHA_384', true]);
});

test('the leaf-s key out of an SPDM chain', () => {
  const blob = encodeCertChain(crypto, 'SHA_384', 0x12, chain.certificates);
  assert.equal(leafKeyOfChain(blob, 48), {
    algorithm: 'ECDSA_P384',
    publicKey: chain.leafPublicKey,
  });
  assert.is(leafKeyOfChain(blob, 32), undefined);
  assert.is(leafKeyOfChain(blob.subarray(0, 100), 48), undefined);
  assert.is(leafKeyOfChain(new Uint8Array(0), 48), undefined);
  const parsed = parseCertificates(chain.certificates);
  assert.ok(parsed.ok);
  const { publicKey } = parsed.value[2]!;
  const rsa = { ...parsed.value[2]!, publicKey: { ...publicKey, fits: [] } };
  assert.is(keyOf(rsa), undefined);
});

const folder = new URL('../../../../../shared/evidence/', import.meta.url);
function recorded(file: string): GivenEvidence | undefined {
  const path = fileURLToPath(new URL(file, folder));
  if (!existsSync(path)) {
    console.log(`SKIP: ${file}: evidence of real devices is not here`);
    return undefined;
  }
  const { evidence, nonce, certificateChainPem } = JSON.parse(readFileSync(path, 'utf8'));
  const ders = pemToDer(certificateChainPem);
  assert.ok(ders.ok);
  const certificates = ders.value.toReversed();
  return { messages: fromHex(evidence), nonce: fromHex(nonce), certificates };
}

const devices: readonly [file: string, blocks: number, opaque: number][] = [
  ['h100-gpu.json', 64, 17],
  ['nvswitch.json', 31, 7],
];
for (const [file, blocks, opaque] of devices) {
  const found = recorded(file);
  const real = found === undefined ? test.skip : test;
  real(`${file} verifies`, () => {
    const verified = verifyEvidence(crypto, found!, { at: AT });
    assert.is(reasons(found!), 'ok');
    assert.is(verified.blocks.length, blocks);
    assert.is(verified.opaque.length, opaque);
    assert.is(firmwareIds(verified.chain.at(-1)!).length, 1);
  });
}

const nvSwitch = recorded('nvswitch.json');
const real = nvSwitch === undefined ? test.skip : test;
real('nvswitch.json: any byte changed is refused with its reason', () => {
  const { messages, certificates, nonce } = nvSwitch!;
  const RESPONSE_HEADER_END = 37 + 8;
  const SIGNATURE = messages.length - 96;
  for (let at = 0; at < messages.length; at++) {
    if (at >= RESPONSE_HEADER_END && at < SIGNATURE && at % 37 !== 0) continue;
    const changed = reasons({ ...nvSwitch!, messages: flipped(messages, at, 1 << (at % 8)) });
    assert.match(changed, /SIGNATURE|LAYOUT/, `byte ${at}`);
    if (at >= 4 && at < 36) assert.is(changed, 'SIGNATURE,NONCE');
    if (at >= SIGNATURE) assert.is(changed, 'SIGNATURE');
  }
  for (let at = 0; at < nonce.length; at++)
    assert.is(reasons({ ...nvSwitch!, nonce: flipped(nonce, at) }), 'NONCE');
  for (const [i, der] of certificates.entries())
    for (let at = 0; at < der.length; at += 43) {
      const changed = certificates.with(i, flipped(der, at, 1 << (at % 8)));
      assert.match(reasons({ ...nvSwitch!, certificates: changed }), /CHAIN_/, `${i}:${at}`);
    }
});

const gpu = recorded('h100-gpu.json');
(gpu === undefined ? test.skip : test)('a firmware id not certified is refused', () => {
  const others = nvSwitch!.certificates;
  assert.is(reasons({ ...gpu!, certificates: others }), 'SIGNATURE,FWID');
});

test.run();
