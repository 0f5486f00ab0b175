/** Certificate chains of real devices (H100 GPU, NVSwitch), leaf first in PEM as their maker published them. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { describeChain } from '../../../protocols/x509/describe.ts';
import { DiceOids } from '../../../protocols/x509/oids.ts';
import type { Certificate } from '../../../protocols/x509/parse.ts';
import type { ChainPolicy } from '../../../protocols/x509/policy.ts';
import { encodeCertChain, verifyCertChain } from '../../../protocols/x509/spdm-chain.ts';
import { parseCertificates, pemToDer } from '../../../protocols/x509/split.ts';
import { NO_EXPIRATION } from '../../../protocols/x509/time.ts';
import { verifyChain } from '../../../protocols/x509/verify.ts';
import { AT, crypto } from './fixtures.ts';

const test = suite('x509 evidence');
const folder = new URL('../../../../shared/evidence/', import.meta.url);
const devices = [
  { file: 'h100-gpu.json', deviceInfo: 'NVIDIA:GH100:48B02DF44660DA06' },
  { file: 'nvswitch.json', deviceInfo: 'NVIDIA:LS_10:48B02D5AE1506AA9' },
];

/** Root first, as SPDM orders a chain. */
function load(file: string): Certificate[] {
  const { certificateChainPem } = JSON.parse(readFileSync(new URL(file, folder), 'utf8'));
  const ders = pemToDer(certificateChainPem);
  if (!ders.ok) throw new Error(ders.detail);
  const chain = parseCertificates(ders.value.toReversed());
  if (!chain.ok) throw new Error(`${chain.path} ${chain.detail}`);
  return chain.value;
}

for (const { file, deviceInfo } of devices) {
  const there = existsSync(fileURLToPath(new URL(file, folder)));
  if (!there) console.log(`SKIP: ${file}: evidence of real devices is not here`);
  const real = there ? test : test.skip;

  real(`${file}: verifies down from its self-signed root`, () => {
    const chain = load(file);
    assert.is(chain.length, 5);
    const leaf = { deviceInfo, signature: 'ECDSA_P384' } as const;
    const policy: ChainPolicy = { anchors: [{ der: chain[0]!.der }], at: AT, leaf };
    const verdict = verifyChain(crypto, chain, policy);
    assert.is(verdict.ok ? 'ok' : `${verdict.code} ${verdict.detail}`, 'ok');
    const absent = verifyChain(crypto, chain.slice(1), policy);
    assert.ok(absent.ok && absent.rootAbsent);
    const last = chain[4]!;
    assert.is(last.notAfter, NO_EXPIRATION);
    assert.ok(last.extensions.all.some(({ extnID }) => extnID === DiceOids.TCB_INFO));
    assert.match(last.subject, /^serialNumber=[0-9A-F]{40}, C=US, O=NVIDIA Corporation, CN=/);
  });

  real(`${file}: survives the way through an SPDM chain`, () => {
    const chain = load(file);
    const policy: ChainPolicy = { anchors: [{ der: chain[0]!.der }], at: AT };
    const ders = chain.map((c) => c.der);
    const blob = encodeCertChain(crypto, 'SHA_384', 0x11, ders);
    const verdict = verifyCertChain(crypto, blob, 'SHA_384', 0x11, policy);
    assert.ok(verdict.ok && verdict.deviceInfo === deviceInfo);
  });

  real(`${file}: what is missing or swapped is named`, () => {
    const chain = load(file);
    const policy: ChainPolicy = { anchors: [{ der: chain[0]!.der }], at: AT };
    const judge = (...order: number[]) => {
      const verdict = verifyChain(
        crypto,
        order.map((i) => chain[i]!),
        policy,
      );
      return verdict.ok ? 'ok' : `${verdict.code} ${verdict.index}`;
    };
    const cases: [number[], string][] = [
      [[4, 3, 2, 1, 0], 'SELF_SIGNED_LEAF 4'],
      [[0, 2, 3, 4], 'ISSUER_MISMATCH 1'],
      [[0, 1, 3, 4], 'ISSUER_MISMATCH 2'],
      [[0, 1, 2, 4], 'ISSUER_MISMATCH 3'],
      [[0, 1, 3, 2, 4], 'ISSUER_MISMATCH 2'],
      [[2, 3, 4], 'UNKNOWN_ROOT 0'],
      [[0, 1, 2, 3], 'LEAF_CONSTRAINTS 3'],
    ];
    for (const [order, expected] of cases) assert.is(judge(...order), expected, order.join());
    const early = verifyChain(crypto, chain, { ...policy, at: chain[1]!.notBefore - 1 });
    assert.is(early.ok ? '' : `${early.code} ${early.index}`, 'NOT_YET_VALID 1');
  });

  real(`${file}: described for people`, () => {
    const text = describeChain(load(file)).join('\n');
    assert.match(
      text,
      /^\[0\] root CA: CN=NVIDIA Device Identity CA, O=NVIDIA\n {4}issuer {3}itself\n/,
    );
    assert.ok(text.includes(`device   ${deviceInfo}`));
    assert.ok(text.includes('no expiration'));
  });
}

const both = devices.every(({ file }) => existsSync(fileURLToPath(new URL(file, folder))));
(both ? test : test.skip)("one device's leaf does not stand under another's authority", () => {
  const [gpu, nvswitch] = devices.map(({ file }) => load(file));
  const mixed = [...gpu!.slice(0, 4), nvswitch![4]!];
  const verdict = verifyChain(crypto, mixed, { anchors: [{ der: gpu![0]!.der }], at: AT });
  assert.is(verdict.ok ? '' : `${verdict.code} ${verdict.index}`, 'ISSUER_MISMATCH 4');
});

test.run();
