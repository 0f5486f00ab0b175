/** The verb `verify` on evidence of real devices, changed evidence, policies and file shapes. */

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { encodeCertChain } from '../../../protocols/x509/spdm-chain.ts';
import { pemToDer } from '../../../protocols/x509/split.ts';
import { cli, isComplaint, type Ran, recorded } from './harness.ts';

const test = suite('cli verify');

interface EvidenceRecord {
  what: string;
  source: string;
  nonce: string;
  certificateChainPem: string;
  evidence: string;
}
interface Verdict {
  readonly file: string;
  readonly ok: boolean;
  readonly signer: {
    readonly device: string;
    readonly issuers: readonly unknown[];
    readonly root: { readonly sha256: string };
    readonly serial: string;
  };
  readonly checks: readonly { name: string; ok: boolean; code: string | null }[];
  readonly blocks: readonly { index: number; size: number; value: string }[];
  readonly opaque: readonly { name: string; text: string; value: string }[];
}

const gpuPath = recorded('evidence/h100-gpu.json');
const switchPath = recorded('evidence/nvswitch.json');
const real = gpuPath === undefined || switchPath === undefined ? test.skip : test;
const read = (path: string | undefined): EvidenceRecord =>
  path === undefined ? ({} as EvidenceRecord) : JSON.parse(readFileSync(path, 'utf8'));
const gpu = read(gpuPath);
const nvSwitch = read(switchPath);

const ROOT = '102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48';

const verdicts = (ran: Ran): Verdict[] => {
  const document = JSON.parse(ran.out);
  assert.is(document.schema, 'tdisp-sim/verify@1');
  return document.evidence;
};
const codes = (verdict: Verdict) => verdict.checks.flatMap(({ code }) => code ?? []);

/** Verifies what `value` says in JSON; its reasons, or `ok`. */
async function reasonsOf(value: unknown, policy?: string): Promise<string> {
  const files = { 'e.json': JSON.stringify(value), 'p.yaml': policy ?? '' };
  const policyArgs = policy === undefined ? [] : ['--policy', 'p.yaml'];
  const ran = await cli(['verify', 'e.json', '--json', ...policyArgs], files);
  if (ran.code === 2) return `exit 2 ${ran.err}`;
  const all = verdicts(ran).map((verdict) => (verdict.ok ? 'ok' : codes(verdict).join()));
  assert.is(ran.code, all.every((reasons) => reasons === 'ok') ? 0 : 1);
  return all.join(' ');
}

real('both devices verify, every block and element told', async () => {
  const ran = await cli(['verify', gpuPath!, switchPath!, '--json']);
  assert.is(ran.code, 0);
  assert.is(ran.err, '');
  const [first, second] = verdicts(ran);
  assert.equal(
    [first?.file, first?.ok, second?.file, second?.ok],
    [gpuPath, true, switchPath, true],
  );
  assert.is(first?.signer.device, 'NVIDIA:GH100:48B02DF44660DA06');
  assert.is(second?.signer.device, 'NVIDIA:LS_10:48B02D5AE1506AA9');
  assert.is(first?.signer.issuers.length, 4);
  assert.is(first?.signer.root.sha256, ROOT);
  assert.is(first?.blocks.length, 64);
  assert.is(second?.blocks.length, 31);
  assert.equal(
    first?.blocks.map(({ index }) => index),
    [...Array(64).keys()].map((i) => i + 1),
  );
  const bytes = (verdict: Verdict | undefined) =>
    verdict?.opaque.reduce((sum, { value }) => sum + 4 + value.length / 2, 0);
  assert.is(bytes(first), 579);
  assert.is(bytes(second), 292);
  const element = (verdict: Verdict | undefined, name: string) =>
    verdict?.opaque.find((one) => one.name === name)?.text;
  assert.is(element(first, 'DRIVER_VERSION'), '590.12');
  assert.is(element(first, 'VBIOS_VERSION'), '96.00.A5.00.01');
  assert.is(element(first, 'FEATURE_FLAG'), 'PPCIE');
  assert.is(element(second, 'VBIOS_VERSION'), '96.10.73.00.01');
  assert.is(element(second, 'DEVICE_PDI'), '666e93e19dec7d2d');
});

real('the report says who signed what, and that the root is the reader-s to trust', async () => {
  const { out, code } = await cli(['verify', gpuPath!]);
  assert.is(code, 0);
  assert.match(out, /^[^\n]+h100-gpu\.json: VERIFIED 64 measurements signed by NVIDIA:GH100:/);
  for (const says of [
    /ok +signature: ECDSA_P384 with SHA_384/,
    /ok +nonce: 4760e30534a0/,
    /\[0\] root CA: CN=NVIDIA Device Identity CA/,
    /\[4\] leaf: .*GH100 A01 GSP FMC LF/,
    /serial +72ca27239f0e96f6535f73af84eb1542471a17b2/,
    new RegExp(`root fingerprint \\(SHA-256\\) ${ROOT}\n +trusted only as far as you`),
    /Measurements \(64\)\n/,
    /\n +64 MutableFirmware +48 0{96}\n/,
    /Opaque data \(17 elements\)\n/,
    /\n +DRIVER_VERSION +590\.12\n/,
  ])
    assert.match(out, says);
  const quiet = await cli(['verify', gpuPath!, switchPath!, '--quiet']);
  assert.is(quiet.out.split('\n').length, 3);
});

const flip = (hex: string, at: number) =>
  hex.slice(0, at * 2) +
  (Number.parseInt(hex.slice(at * 2, at * 2 + 2), 16) ^ 1).toString(16).padStart(2, '0') +
  hex.slice(at * 2 + 2);

real('a changed record, nonce or chain is refused with the reason', async () => {
  const { evidence, nonce, certificateChainPem: pem } = nvSwitch;
  const last = evidence.length / 2 - 1;
  const changes: [name: string, value: unknown, reasons: RegExp][] = [
    ['a measurement', { ...nvSwitch, evidence: flip(evidence, 60) }, /^SIGNATURE$/],
    ['the nonce asked', { ...nvSwitch, evidence: flip(evidence, 5) }, /^SIGNATURE,NONCE$/],
    ['the nonce expected', { ...nvSwitch, nonce: flip(nonce, 31) }, /^NONCE$/],
    ['a version', { ...nvSwitch, evidence: flip(evidence, 0) }, /LAYOUT/],
    ['the slot', { ...nvSwitch, evidence: flip(evidence, 36) }, /SIGNATURE,SLOT/],
    ['the signature', { ...nvSwitch, evidence: flip(evidence, last) }, /^SIGNATURE$/],
    ['an end cut off', { ...nvSwitch, evidence: evidence.slice(0, -2) }, /^LAYOUT$/],
    ['a byte too many', { ...nvSwitch, evidence: `${evidence}00` }, /^LAYOUT$/],
    [
      'another device-s chain',
      { ...nvSwitch, certificateChainPem: gpu.certificateChainPem },
      /SIGN/,
    ],
    [
      'no root',
      { ...nvSwitch, certificateChainPem: pem.slice(0, pem.lastIndexOf('-----BEGIN')) },
      /^CHAIN_NO_ROOT$/,
    ],
    [
      'no leaf',
      { ...nvSwitch, certificateChainPem: pem.slice(pem.indexOf('-----BEGIN', 9)) },
      /CHAIN_|SIGN/,
    ],
    ['no certificates', { ...nvSwitch, certificateChainPem: '' }, /^CHAIN_BAD_ENCODING$/],
    ['text in the PEM', { ...nvSwitch, certificateChainPem: `x\n${pem}` }, /^CHAIN_BAD_ENCODING$/],
  ];
  assert.is(await reasonsOf(nvSwitch), 'ok');
  for (const [name, value, reasons] of changes) assert.match(await reasonsOf(value), reasons, name);
});

real('any character of the PEM text counts', async () => {
  const pem = nvSwitch.certificateChainPem;
  for (let at = 0; at < pem.length; at += 41) {
    const changed = String.fromCharCode(pem.charCodeAt(at) ^ 1);
    const text = pem.slice(0, at) + changed + pem.slice(at + 1);
    const reasons = await reasonsOf({ ...nvSwitch, certificateChainPem: text });
    assert.is.not(reasons, 'ok', `character ${at}`);
  }
  for (let at = pem.indexOf('\n'); at >= 0; at = pem.indexOf('\n', at + 640)) {
    const text = `${pem.slice(0, at)}\v${pem.slice(at + 1)}`;
    assert.match(await reasonsOf({ ...nvSwitch, certificateChainPem: text }), /CHAIN_/);
  }
  assert.is(
    await reasonsOf({ ...nvSwitch, certificateChainPem: pem.replaceAll('\n', '\r\n') }),
    'ok',
  );
});

const policy = (lines: string) => `schema: tdisp-sim/verify-policy@1\n${lines}\n`;
const SECOND = '141bea16731cbb5206b0815e854ee4fe';

real('a policy pins roots, revokes, and has reference values', async () => {
  const block = (await cli(['verify', switchPath!, '--json'])).out;
  const value = (JSON.parse(block).evidence as Verdict[])[0]!.blocks[1]!.value;
  assert.ok(value.startsWith(SECOND));
  const other = '00'.repeat(48);
  const cases: [lines: string, reasons: string][] = [
    [`roots: ['${ROOT}']`, 'ok'],
    [`roots: ['${'00'.repeat(32)}', '${ROOT.toUpperCase()}']`, 'ok'],
    [`roots: ['${'00'.repeat(32)}']`, 'ROOT_NOT_PINNED'],
    ["revoked: ['00', '6c324840193be064f01b0677ca652add88434547']", 'REVOKED'],
    ["revoked: ['2d3670b1ca100411c1fec0e82a065b54']", 'REVOKED'],
    ["revoked: ['2d3670b1ca100411c1fec0e82a065b55']", 'ok'],
    [`measurements: { 2: '${value}' }`, 'ok'],
    [`measurements: { 2: ['${other}', '${value}'] }`, 'ok'],
    [`measurements: { 2: '${other}', 3: '${value}' }`, 'MEASUREMENT_MISMATCH,MEASUREMENT_MISMATCH'],
    [`measurements: { 32: '${value}' }`, 'MEASUREMENT_MISSING'],
    ["opaque: { VBIOS_VERSION: ['x', '96.10.73.00.01'] }", 'ok'],
    ["opaque: { DEVICE_PDI: '666E93E19DEC7D2D' }", 'ok'],
    ["opaque: { VBIOS_VERSION: '96.10.73.00.02' }", 'OPAQUE_MISMATCH'],
    ["opaque: { DRIVER_VERSION: '590.12' }", 'OPAQUE_MISMATCH'],
    ["at: '2019-01-01T00:00:00Z'", 'CHAIN_NOT_YET_VALID'],
    ["at: '2026-04-01T00:00:00Z'", 'ok'],
  ];
  for (const [lines, reasons] of cases)
    assert.is(await reasonsOf(nvSwitch, policy(lines)), reasons, lines);
  const pinned = await cli(['verify', switchPath!, '--policy', 'p'], {
    p: policy(`roots: ['${ROOT}']`),
  });
  assert.match(pinned.out, /\n +pinned by the policy\n/);
});

test('a wrong policy names line, key and what is allowed, exit 2', async () => {
  const wrong: [text: string, says: RegExp][] = [
    ['schema: x', /p\.yaml:1: schema: /],
    [policy('rots: []'), /p\.yaml:2: rots: unknown key; allowed here: schema, roots, at/],
    [policy("roots: ['00']"), /p\.yaml:2: roots\[0\]: expected a SHA-256 fingerprint of 32 bytes/],
    [policy("measurements: { 300: '00' }"), /p\.yaml:2: measurements/],
    [policy('opaque: { DRIVER_VERSION: 590.12 }'), /quotes/],
    [policy('at: tomorrow'), /at: expected a time as 2026-04-01T00:00:00Z/],
    ['{', /p\.yaml:\d+: not YAML/],
  ];
  for (const [text, says] of wrong) {
    const ran = await cli(['verify', 'e.json', '--policy', 'p.yaml'], { 'p.yaml': text });
    assert.is(ran.code, 2);
    assert.ok(isComplaint(ran.err), ran.err);
    assert.match(ran.err, says);
  }
});

real('the same evidence in other shapes', async () => {
  const { evidence, nonce, certificateChainPem: pem } = nvSwitch;
  const base64 = (bytes: Uint8Array | string) => Buffer.from(bytes).toString('base64');
  const item = { certificate: base64(pem), evidence: base64(Buffer.from(evidence, 'hex')) };
  const ders = pemToDer(pem);
  assert.ok(ders.ok);
  const blob = encodeCertChain(nodeProvider, 'SHA_384', 0x11, ders.value.toReversed());
  const ours = {
    schema: 'tdisp-sim/evidence@1',
    nonce,
    exchanges: [{ request: evidence.slice(0, 74), response: evidence.slice(74) }],
    certificateChain: { spdm: toHex(blob) },
  };
  assert.is(await reasonsOf([{ ...item, nonce, arch: 'LS10', version: '1.0' }]), 'ok');
  assert.is(await reasonsOf({ nonce, arch: 'LS10', evidence_list: [item, item] }), 'ok ok');
  assert.is(await reasonsOf({ nonce: flip(nonce, 0), evidence_list: [item] }), 'NONCE');
  assert.is(await reasonsOf(ours), 'ok');
  assert.is(await reasonsOf({ ...ours, certificateChain: { pem } }), 'ok');
  const wrongRoot = { spdm: flip(toHex(blob), 4) };
  assert.is(await reasonsOf({ ...ours, certificateChain: wrongRoot }), 'CHAIN_ROOT_HASH_MISMATCH');
  const several = await cli(['verify', 'e.json', '--quiet'], {
    'e.json': JSON.stringify({ nonce, evidence_list: [item, item] }),
  });
  assert.match(several.out, /^e\.json\[0\]: VERIFIED.*\ne\.json\[1\]: VERIFIED.*\n$/);
});

const unreadable: readonly [name: string, text: string, says: RegExp][] = [
  ['no JSON', '{', /cannot read e\.json: not JSON/],
  ['JSON of nothing', 'null', /no evidence in it; expected/],
  ['an unknown shape', '{"x":1}', /no evidence in it; expected/],
  ['another schema', '{"schema":"x"}', /cannot read e\.json: schema: .*tdisp-sim\/evidence@1/],
  ['an empty list', '[]', /cannot read e\.json: /],
  [
    'bad hex',
    '{"evidence":"0g","nonce":"00","certificateChainPem":""}',
    /nonce: expected 32 bytes|evidence: expected hexadecimal/,
  ],
  [
    'a short nonce',
    '{"evidence":"00","nonce":"00","certificateChainPem":""}',
    /nonce: expected 32 bytes/,
  ],
  [
    'bad base64',
    '[{"evidence":"?","certificate":"AA==","nonce":"00"}]',
    /0\.evidence: expected canonical base64/,
  ],
];
for (const [name, text, says] of unreadable)
  test(`${name} is exit 2 and says why`, async () => {
    const ran = await cli(['verify', 'e.json'], { 'e.json': text });
    assert.is(ran.code, 2);
    assert.ok(isComplaint(ran.err), ran.err);
    assert.match(ran.err, says);
  });

test('bytes that are nothing', async () => {
  for (const bytes of [[], [0xff, 0xfe], [0x13, 0x84], [0, 0, 0, 0]]) {
    const ran = await cli(['verify', 'e.json'], { 'e.json': Uint8Array.from(bytes) });
    assert.is(ran.code, 2);
    assert.match(ran.err, /cannot read e\.json: no evidence in it; expected SPDM messages/);
  }
});

test.run();
