/** The relying party's rules, each with evidence that keeps it and evidence that does not. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, fromHex } from '../../../../protocols/codec/bytes.ts';
import { verifyEvidence } from '../../../../protocols/spdm/evidence/evidence.ts';
import type { EvidencePolicy } from '../../../../protocols/spdm/evidence/policy.ts';
import { reportOf } from '../../../../protocols/spdm/evidence/report.ts';
import { hashStrength, signatureStrength } from '../../../../protocols/spdm/evidence/strength.ts';
import { meaningOf, valueText } from '../../../../protocols/spdm/evidence/values.ts';
import { AT, block, crypto, deviceChain, makeEvidence } from './fixtures.ts';

const test = suite('spdm evidence policy');

const raw = (Index: number, type: number, Value: Uint8Array) => ({
  ...block(Index, 0),
  ValueType: type | 0x80,
  Value,
});
const modes = (debug: string, operational = '04000000') =>
  raw(0xfe, 5, fromHex(`3f000000 ${operational} 1f000000 ${debug}`));
const OFF = '00000000';
const firmware = (debug = OFF, operational?: string) => [
  block(1, 0xa1),
  block(2, 0xa2),
  raw(3, 6, ascii('12.5\0\0')),
  raw(4, 7, fromHex('0700000000000000')),
  modes(debug, operational),
];

const chain = deviceChain('ACME:X1:00:42');
const evidence = (blocks = firmware()) => makeEvidence({ version: 0x12, blocks }, chain);

function reasons(policy: EvidencePolicy, blocks = firmware()): string {
  const { ok, checks } = verifyEvidence(crypto, evidence(blocks), { at: AT, ...policy });
  return ok ? 'ok' : checks.flatMap(({ code }) => code ?? []).join();
}

const A1 = new Uint8Array(48).fill(0xa1);
const A2 = new Uint8Array(48).fill(0xa2);
const root = chain.certificates[0];
const intermediate = chain.certificates[1];
const sha256 = (der: Uint8Array) => crypto.hash('SHA_256', der);

const table: readonly [name: string, policy: EvidencePolicy, reasons: string][] = [
  ['a value', { rules: [{ index: 1, values: [A2, A1] }] }, 'ok'],
  ['another value', { rules: [{ index: 1, values: [A2] }] }, 'MEASUREMENT_MISMATCH'],
  ['a type', { rules: [{ index: 1, type: 1, values: [A1] }] }, 'ok'],
  ['another type', { rules: [{ index: 1, type: 2 }] }, 'MEASUREMENT_MISMATCH'],
  ['every block of a type', { rules: [{ type: 1, values: [A1, A2] }] }, 'ok'],
  ['one of them differs', { rules: [{ type: 1, values: [A1] }] }, 'MEASUREMENT_MISMATCH'],
  ['a missing block', { rules: [{ index: 9 }] }, 'MEASUREMENT_MISSING'],
  ['a missing type', { rules: [{ type: 2 }] }, 'MEASUREMENT_MISSING'],
  ['a missing block that may be', { rules: [{ index: 9, values: [A1], optional: true }] }, 'ok'],
  ['a bad value', { rules: [{ index: 2, forbidden: [A1, A2] }] }, 'MEASUREMENT_FORBIDDEN'],
  ['no bad value', { rules: [{ type: 1, forbidden: [new Uint8Array(48)] }] }, 'ok'],
  ['a bad value of no block', { rules: [{ index: 9, forbidden: [A1] }] }, 'ok'],
  ['a version', { rules: [{ versions: ['12.4', '12.5'] }] }, 'ok'],
  ['an old version', { rules: [{ index: 3, versions: ['12.6'] }] }, 'VERSION_NOT_ALLOWED'],
  ['a version of a digest', { rules: [{ index: 1, versions: ['1'] }] }, 'MEASUREMENT_MISMATCH'],
  ['the least SVN', { rules: [{ minimumSvn: 7n }] }, 'ok'],
  ['a low SVN', { rules: [{ index: 4, minimumSvn: 8n }] }, 'SVN_TOO_LOW'],
  [
    'unlisted',
    { refuseUnlisted: true, rules: [1, 2, 3, 4].map((index) => ({ index })) },
    'MEASUREMENT_UNLISTED',
  ],
  [
    'all listed',
    { refuseUnlisted: true, rules: [1, 2, 3, 4, 254].map((index) => ({ index })) },
    'ok',
  ],
  [
    'a manifest of two',
    {
      manifests: [
        { name: 'old', rules: [{ index: 1, values: [A2] }] },
        {
          name: 'new',
          rules: [
            { index: 1, values: [A1] },
            { index: 2, values: [A2] },
          ],
        },
      ],
    },
    'ok',
  ],
  [
    'values of two manifests mixed',
    {
      manifests: [
        {
          name: 'old',
          rules: [
            { index: 1, values: [A1] },
            { index: 2, values: [A1] },
          ],
        },
        {
          name: 'new',
          rules: [
            { index: 1, values: [A2] },
            { index: 2, values: [A2] },
          ],
        },
      ],
    },
    'MANIFEST_MISMATCH',
  ],
  ['debug', { debug: 'never' }, 'ok'],
  ['the operational mode', { operational: ['Normal', 'Recovery'] }, 'ok'],
  ['another one', { operational: ['Recovery'] }, 'OPERATIONAL_MODE'],
  ['a root', { rootSha256: [new Uint8Array(32), sha256(root)] }, 'ok'],
  ['the root itself', { rootCertificates: [root] }, 'ok'],
  ['another root', { rootCertificates: [deviceChain('A:B:C').certificates[2]] }, 'ROOT_NOT_PINNED'],
  ['a revoked serial', { revoked: [{ serial: Uint8Array.of(0, 0x22) }] }, 'REVOKED'],
  ['of its issuer', { revoked: [{ serial: Uint8Array.of(0x22), issuer: 'CN=Root' }] }, 'REVOKED'],
  ['of another issuer', { revoked: [{ serial: Uint8Array.of(0x22), issuer: 'CN=Other' }] }, 'ok'],
  ['a revoked certificate', { revoked: [{ sha256: sha256(intermediate) }] }, 'REVOKED'],
  [
    'the device',
    { device: { manufacturer: ['ACME'], product: ['X1'], serialNumber: ['00:42'] } },
    'ok',
  ],
  ['another device', { device: { serialNumber: ['00:43'] } }, 'IDENTITY_MISMATCH'],
  ['its subject', { device: { subject: ['CN=Leaf'] } }, 'ok'],
  ['another subject', { device: { subject: ['CN=leaf'] } }, 'IDENTITY_MISMATCH'],
  ['no CMA identity', { device: { cmaIdentity: ['Vendor=0001'] } }, 'IDENTITY_MISMATCH'],
  ['its certificate', { device: { leafSha256: [sha256(chain.leaf)] } }, 'ok'],
  ['another certificate', { device: { leafSha256: [sha256(root)] } }, 'IDENTITY_MISMATCH'],
  ['its model', { device: { model: 'device', hardwareIdentity: true } }, 'ok'],
  ['another model', { device: { model: 'alias' } }, 'CERTIFICATE_MODEL'],
  ['EKU', { requireEku: true }, 'ok'],
  ['a floor', { algorithms: { minimumBits: 192 } }, 'ok'],
  [
    'too high a floor',
    { algorithms: { minimumBits: 256 } },
    Array(5).fill('ALGORITHM_TOO_WEAK').join(),
  ],
  ['named algorithms', { algorithms: { signatures: ['ECDSA_P384'], hashes: ['SHA_384'] } }, 'ok'],
  ['other algorithms', { algorithms: { signatures: ['ML_DSA_87'] } }, 'ALGORITHM_TOO_WEAK'],
  ['other hashes', { algorithms: { hashes: ['SHA_512'] } }, 'ALGORITHM_TOO_WEAK'],
  ['post-quantum', { algorithms: { postQuantum: true } }, 'ALGORITHM_TOO_WEAK'],
  ['a version', { minimumVersion: 0x12 }, 'ok'],
  ['a later version', { minimumVersion: 0x13 }, 'VERSION_TOO_LOW'],
];
for (const [name, policy, wanted] of table)
  test(`${name}: ${wanted}`, () => {
    assert.is(reasons(policy), wanted);
  });

test('debug states', () => {
  const states: [state: string, off: string, offSinceReset: string, never: string][] = [
    ['00000000', 'ok', 'ok', 'ok'],
    ['01000000', 'DEBUG', 'DEBUG', 'DEBUG'],
    ['02000000', 'DEBUG', 'DEBUG', 'DEBUG'],
    ['04000000', 'ok', 'DEBUG', 'DEBUG'],
    ['08000000', 'ok', 'DEBUG', 'DEBUG'],
    ['10000000', 'ok', 'ok', 'DEBUG'],
  ];
  for (const [state, off, offSinceReset, never] of states)
    for (const [debug, wanted] of Object.entries({ off, offSinceReset, never }))
      assert.is(reasons({ debug: debug as 'off' }, firmware(state)), wanted, `${state} ${debug}`);
  const without = firmware().slice(0, 4);
  assert.is(reasons({ debug: 'off' }, without), 'DEVICE_MODE_MISSING');
  assert.is(reasons({ operational: ['Normal'] }, without), 'DEVICE_MODE_MISSING');
  const short = [...without, raw(0xfe, 5, new Uint8Array(15))];
  assert.is(reasons({ debug: 'off' }, short), 'VALUE_LAYOUT');
  const digest = [...without, { ...block(0xfe, 0), ValueType: 5 }];
  assert.is(reasons({ debug: 'off' }, digest), 'VALUE_LAYOUT');
  assert.is(reasons({ operational: ['Normal'] }, firmware(OFF, OFF)), 'OPERATIONAL_MODE');
  assert.is(reasons({ operational: ['Normal'] }, firmware(OFF, '0c000000')), 'OPERATIONAL_MODE');
  const bad = [raw(4, 7, new Uint8Array(4))];
  assert.is(reasons({ rules: [{ minimumSvn: 0n }] }, bad), 'VALUE_LAYOUT');
});

test('a root that the chain does not hold', () => {
  const short = { ...evidence(), certificates: chain.certificates.slice(1) };
  const look = (policy: EvidencePolicy) => verifyEvidence(crypto, short, { at: AT, ...policy });
  assert.ok(look({ rootCertificates: [root] }).ok);
  assert.equal(look({ rootCertificates: [root] }).rootSha256, sha256(root));
  assert.not.ok(look({ rootSha256: [sha256(root)] }).ok);
  assert.not.ok(look({}).ok);
  assert.throws(() => look({ rootCertificates: [new Uint8Array(3)] }), /anchors/);
});

test('what values say', () => {
  assert.is(valueText(raw(3, 6, ascii('1.2\0'))), '1.2');
  assert.is(valueText(raw(3, 6, fromHex('01ff'))), '01ff');
  assert.is(valueText(raw(3, 7, fromHex('ffffffffffffffff'))), 'SVN 18446744073709551615');
  assert.is(valueText(raw(3, 7, fromHex('0100000001000000'))), 'SVN 4294967297');
  assert.is(meaningOf(raw(3, 7, fromHex('01'))), undefined);
  assert.is(meaningOf(block(3, 7)), undefined);
  assert.is(valueText(modes('02000080')), 'operational Normal; debug InvasiveDebugActive, bit 31');
});

test('the report', () => {
  const policy: EvidencePolicy = {
    at: AT,
    tcb: [1, 4, 9],
    rules: [{ index: 1, values: [A2] }, { minimumSvn: 3n }, { index: 9, values: [A1] }],
  };
  const verified = verifyEvidence(crypto, evidence(firmware('04000000')), policy);
  const report = reportOf(verified, policy);
  assert.equal(
    [report.ok, report.reasons],
    [false, ['MEASUREMENT_MISMATCH', 'MEASUREMENT_MISSING']],
  );
  const { device, debug, tcb, differences, svns, versions } = report;
  assert.equal(
    [device.manufacturer, device.product, device.serialNumber, device.model],
    ['ACME', 'X1', '00:42', 'device'],
  );
  assert.is(device.hardwareIdentity, 2);
  assert.equal([debug.state, debug.mode?.debug], ['wasActive', ['NonInvasiveDebugWasActive']]);
  assert.equal(tcb, { indices: [1, 4], missing: [9], matches: false });
  assert.equal(
    differences.map(({ index, measured, code }) => [index, measured?.slice(0, 4), code]),
    [
      [1, 'a1a1', 'MEASUREMENT_MISMATCH'],
      [9, undefined, 'MEASUREMENT_MISSING'],
    ],
  );
  assert.equal(svns, [{ index: 4, svn: 7n }]);
  assert.equal(versions, [{ index: 3, text: '12.5' }]);
  assert.equal(
    report.firmware.map(({ index, tcb: isIn, reference }) => [index, isIn, reference]),
    [
      [1, true, 'differs'],
      [2, false, 'unreferenced'],
      [3, false, 'unreferenced'],
      [4, true, 'matches'],
      [254, false, 'unreferenced'],
    ],
  );
  const debugOf = (blocks: ReturnType<typeof firmware>) =>
    reportOf(verifyEvidence(crypto, evidence(blocks))).debug.state;
  assert.is(debugOf(firmware()), 'off');
  assert.is(debugOf(firmware('02000000')), 'active');
  assert.is(debugOf([...firmware(), raw(7, 5, new Uint8Array(3))]), 'unknown');
  const open = reportOf(verifyEvidence(crypto, evidence(), {}));
  assert.equal(
    open.notCovered.map(({ code }) => code),
    ['ROOT_UNPINNED', 'VALIDITY_UNCHECKED', 'REVOCATION_UNCHECKED', 'UNREFERENCED', 'TCB_UNKNOWN'],
  );
  assert.is(open.tcb, undefined);
  const part = makeEvidence({ version: 0x12, operation: 1, blocks: [block(1, 1)] }, chain);
  const { notCovered } = reportOf(verifyEvidence(crypto, part));
  assert.ok(notCovered.some(({ code }) => code === 'MEASUREMENTS_PARTIAL'));
  assert.ok(notCovered.some(({ code }) => code === 'DEBUG_UNKNOWN'));
});

test('strengths', () => {
  const bits = [
    signatureStrength('RSAPSS_2048'),
    signatureStrength('RSASSA_4096'),
    signatureStrength('ECDSA_P521'),
    signatureStrength('EDDSA_448'),
    signatureStrength('ML_DSA_65'),
    signatureStrength('SLH_DSA_SHAKE_256S'),
    hashStrength('SHA3_384'),
  ];
  assert.equal(bits, [112, 128, 256, 224, 192, 256, 192]);
});

test.run();
