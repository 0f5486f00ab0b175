/** The verb `verify` on messages in any form, on captures, and with policies over both. */

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, toHex } from '../../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { encodeCertChain } from '../../../protocols/x509/spdm-chain.ts';
import {
  deviceChain,
  makeEvidence,
  NONCE,
  vcaFor,
} from '../../protocols/spdm/evidence/fixtures.ts';
import { cli, isComplaint, type Ran, recorded } from './harness.ts';

const test = suite('cli verify inputs');

type Files = Readonly<Record<string, Uint8Array | string>>;
interface Verdict {
  readonly file: string;
  readonly ok: boolean;
  readonly reasons: readonly string[];
  readonly signed: readonly string[];
  readonly signer: { readonly algorithm: string; readonly root: { readonly pinned: boolean } };
  readonly debug: { readonly state: string };
  readonly tcb: { readonly svns: unknown; readonly matches: boolean | null } | null;
  readonly differences: readonly { index: number; expected: string; measured: string }[];
  readonly notCovered: readonly { code: string }[];
  readonly blocks: readonly { index: number; value: string; svn?: string; reference: string }[];
}

const verdictsOf = (ran: Ran): Verdict[] => {
  const document = JSON.parse(ran.out);
  assert.is(document.schema, 'tdisp-sim/verify@1');
  return document.evidence;
};

/** Verdicts of a run in a word each: ok, its reasons, or the complaint. */
async function outcome(argv: readonly string[], files: Files): Promise<string> {
  const ran = await cli(['verify', ...argv, '--json'], files);
  if (ran.code === 2) {
    assert.ok(isComplaint(ran.err), ran.err);
    return ran.err;
  }
  return verdictsOf(ran)
    .map(({ ok, reasons }) => (ok ? 'ok' : reasons.join()))
    .join(' ');
}

const chain = deviceChain();
const evidence = makeEvidence({ version: 0x12 }, chain);
const old = makeEvidence({ version: 0x11 }, chain);
const vca = evidence.vca!;
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64');
const pemOf = (ders: readonly Uint8Array[]) =>
  ders
    .map((der) => `-----BEGIN CERTIFICATE-----\n${base64(der)}\n-----END CERTIFICATE-----\n`)
    .join('');
const ders = chain.certificates;
const blob = encodeCertChain(nodeProvider, 'SHA_384', 0x12, ders);
const spaced = (bytes: Uint8Array) =>
  toHex(bytes)
    .replace(/../g, '0x$&, ')
    .replace(/(.{60})/g, '$1\n');

const files: Files = {
  bin: evidence.messages,
  hex: `${toHex(evidence.messages)}\n`,
  spaced: spaced(evidence.messages),
  b64: base64(evidence.messages).replace(/(.{64})/g, '$1\n'),
  whole: concat(vca, evidence.messages),
  old: old.messages,
  vca: toHex(vca),
  pem: pemOf(ders),
  'pem-leaf-first': pemOf(ders.toReversed()),
  der: concat(...ders),
  'der-leaf-first': concat(...ders.toReversed()),
  spdm: blob,
  'spdm-hex': toHex(blob),
  key: pemOf([]),
  other: pemOf(deviceChain('A:B:C').certificates.slice(0, 2)),
};
const nonce = ['--nonce', toHex(NONCE)];

test('messages and chains in every form', async () => {
  for (const form of ['bin', 'hex', 'spaced', 'b64'])
    assert.is(await outcome([form, '--vca', 'vca', '--chain', 'pem', ...nonce], files), 'ok', form);
  const chains = ['pem', 'pem-leaf-first', 'der', 'der-leaf-first', 'spdm', 'spdm-hex'];
  for (const form of chains)
    assert.is(await outcome(['whole', '--chain', form], files), 'ok', form);
  assert.is(await outcome(['old', '--chain', 'pem'], files), 'ok');
  assert.is(await outcome(['old', '--chain', 'pem', '--hash', 'SHA_384'], files), 'ok');
  assert.is(await outcome(['old', '--chain', 'pem', '--hash', 'SHA_256'], files), 'SIGNATURE');
  assert.is(await outcome(['old', '--chain', 'pem', '--asym', 'EDDSA_448'], files), 'ALGORITHM');
});

test('what is missing or wrong is named', async () => {
  const cases: [argv: string[], says: RegExp][] = [
    [['hex', '--chain', 'pem'], /^VCA$/],
    [['whole'], /^CHAIN_EMPTY_CHAIN$/],
    [['whole', '--chain', 'other'], /CHAIN_|SIGNATURE/],
    [['whole', '--chain', 'pem', '--nonce', '00'.repeat(32)], /^NONCE$/],
    [['whole', '--chain', 'pem', '--nonce', '00'.repeat(32), ...nonce], /^ok$/],
    [['whole', '--chain', 'pem', '--role', 'requester'], /ALGORITHM/],
    [['whole', '--chain', 'none'], /cannot read none: no such file/],
    [['whole', '--chain', 'vca'], /cannot read vca: neither certificates in PEM or DER nor/],
    [['whole', '--chain', 'key'], /cannot read key: /],
    [['whole', '--public-key', 'pem'], /pem: no public key/],
    [['whole', '--nonce', '00'], /expected 32 bytes in hexadecimal/],
    [['whole', '--hash', 'MD5'], /hash/],
  ];
  for (const [argv, says] of cases) assert.match(await outcome(argv, files), says, argv.join(' '));
});

test('hostile files are refused or a complaint, never a fault of the program', async () => {
  const bytes = evidence.messages;
  const pcapHead = Uint8Array.from([0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  const hostile: Files = {
    empty: new Uint8Array(0),
    zeros: new Uint8Array(5000),
    short: bytes.slice(0, 5),
    long: concat(bytes, new Uint8Array(70_000)),
    'pcap-cut': pcapHead,
    'pcap-empty': concat(pcapHead, Uint8Array.from([0, 0, 4, 0, 0x24, 1, 0, 0])),
    'pcap-link': concat(pcapHead, Uint8Array.from([0, 0, 4, 0, 1, 0, 0, 0])),
    json: '[[[[[[',
    deep: `${'['.repeat(9000)}${']'.repeat(9000)}`,
    nothing: '{"schema":"tdisp-sim/evidence@1"}',
    two: '{"schema":"tdisp-sim/evidence@1","messages":"12e0","exchanges":[{"request":"00","response":"00"}]}',
  };
  for (const name of Object.keys(hostile)) {
    const ran = await cli(['verify', name, '--chain', 'pem'], { ...files, ...hostile });
    assert.ok(ran.code === 1 || ran.code === 2, `${name}: ${ran.code} ${ran.err}`);
    if (ran.code === 2) assert.ok(isComplaint(ran.err), ran.err);
  }
  for (let at = 0; at < blob.length; at += 29) {
    const cut = { ...files, cut: blob.slice(0, at) };
    const ran = await cli(['verify', 'whole', '--chain', 'cut'], cut);
    assert.ok(ran.code === 1 || ran.code === 2, `${at}`);
  }
});

test('our JSON says what the options say', async () => {
  const ours = {
    schema: 'tdisp-sim/evidence@1',
    messages: toHex(evidence.messages),
    vca: toHex(vca),
    certificateChain: { der: ders.map(toHex) },
  };
  const run = (value: object, ...argv: string[]) =>
    outcome(['e.json', ...argv], { ...files, 'e.json': JSON.stringify(value) });
  assert.is(await run(ours), 'ok');
  assert.is(await run({ ...ours, nonce: ['00'.repeat(32), toHex(NONCE)] }), 'ok');
  assert.is(await run({ ...ours, nonce: '00'.repeat(32) }), 'NONCE');
  assert.is(await run({ ...ours, nonce: '00'.repeat(32) }, ...nonce), 'ok');
  assert.is(await run({ ...ours, role: 'requester' }), 'CHAIN_EKU_MISSING,ALGORITHM');
  assert.is(await run({ ...ours, hash: 'SHA_256' }), 'ALGORITHM');
  assert.is(await run({ ...ours, certificateChain: { pem: 'x' } }, '--chain', 'spdm'), 'ok');
  assert.match(await run({ ...ours, role: 'owner' }), /e\.json: role: /);
  const other = toHex(vcaFor(0x13, 'ECDSA_P384', 'SHA_384'));
  assert.is(await run({ ...ours, vca: other }), 'VCA');
});

const policy = (lines: string) => `schema: tdisp-sim/verify-policy@1\n${lines}\n`;

test('a policy in full, and what it says where it is wrong', async () => {
  const run = (lines: string) =>
    outcome(['whole', '--chain', 'pem', '--policy', 'p.yaml'], {
      ...files,
      'p.yaml': policy(lines),
    });
  const a1 = 'a1'.repeat(48);
  const indented = pemOf([ders[0]]).trimEnd().replaceAll('\n', '\n    ');
  const cases: [lines: string, says: RegExp][] = [
    [`roots:\n  - |\n    ${indented}`, /^ok$/],
    [
      "roots: ['-----BEGIN CERTIFICATE-----']",
      /p\.yaml:2: roots\[0\]: expected certificates in PEM/,
    ],
    ["revoked: [{ serial: '22', issuer: CN=Root }]", /^REVOKED$/],
    [`measurements: { MutableFirmware: ['${a1}', '${'a2'.repeat(48)}'] }`, /^ok$/],
    [`measurements: { 1: { value: '${a1}', type: MutableFirmware } }`, /^ok$/],
    [`measurements: { 1: { forbidden: ['${a1}'] } }`, /^MEASUREMENT_FORBIDDEN$/],
    ['measurements: { SecureVersionNumber: { minimumSvn: 3 } }', /^MEASUREMENT_MISSING$/],
    ['measurements: { SecureVersionNumber: { minimumSvn: 3, optional: true } }', /^ok$/],
    [
      `manifests: [{ name: a, measurements: { 1: '00' } }, { name: b, measurements: { 1: '${a1}' } }]`,
      /^ok$/,
    ],
    ["manifests: [{ name: a, measurements: { 1: '00' } }]", /^MANIFEST_MISMATCH$/],
    ['refuseUnlisted: true', /^MEASUREMENT_UNLISTED$/],
    ['debug: off', /^DEVICE_MODE_MISSING$/],
    ['device: { manufacturer: Example, model: device, hardwareIdentity: true }', /^ok$/],
    ["device: { serialNumber: ['0002', '0003'] }", /^IDENTITY_MISMATCH$/],
    ['requireEku: true', /^ok$/],
    ['algorithms: { minimumBits: 256 }', /^ALGORITHM_TOO_WEAK$/],
    ["minimumVersion: '1.3'", /^VERSION_TOO_LOW$/],
    ['requireNonce: true', /^FRESHNESS$/],
    ['require: [challenge]', /^EVIDENCE_MISSING$/],
    ['tcb: [300]', /p\.yaml:2: tcb\[0\]: /],
    ['debug: on', /p\.yaml:2: debug: /],
    ['operationalModes: [Sleeping]', /p\.yaml:2: operationalModes\[0\]: /],
    ['device: { serial: 1 }', /p\.yaml:2: device\.serial: unknown key; allowed here: subject/],
    ["measurements: { Firmware: '00' }", /p\.yaml:2: measurements/],
    ['algorithms: { minimumBits: 1 }', /p\.yaml:2: algorithms\.minimumBits/],
    ["minimumVersion: '2.0'", /p\.yaml:2: minimumVersion/],
  ];
  for (const [lines, says] of cases) assert.match(await run(lines), says, lines);
  const json = JSON.stringify({ schema: 'tdisp-sim/verify-policy@1', requireNonce: true });
  const ran = await cli(['verify', 'whole', '--chain', 'pem', '--policy', 'p.json'], {
    ...files,
    'p.json': json,
  });
  assert.is(ran.code, 1);
  assert.match(ran.out, /^whole: REFUSED FRESHNESS\n/);
});

test('the text report shows what differs', async () => {
  const lines = `tcb: [1, 2]\nmeasurements: { 1: '00', 2: '${'a2'.repeat(48)}' }`;
  const { out } = await cli(['verify', 'whole', '--chain', 'pem', '--policy', 'p.yaml'], {
    ...files,
    'p.yaml': policy(lines),
  });
  for (const says of [
    /^whole: REFUSED MEASUREMENT_MISMATCH\n/,
    /\n {6}1 MutableFirmware +48 (?:a1){48} TCB DIFFERS\n/,
    /\n {6}2 MutableFirmware +48 (?:a2){48} TCB ok\n/,
    /\nTCB blocks 1, 2; not as the reference has them\n/,
    /\nDifferences \(1\)\n {6}1 MutableFirmware MEASUREMENT_MISMATCH\n {8}expected 00\n {8}measured a1/,
    /\nNot covered\n(?:.*\n)*? +ROOT_UNPINNED/,
    /\nDebug not known/,
  ])
    assert.match(out, says);
});

const capture = (name: string) => recorded(`captures/${name}.pcap`);
interface Secrets {
  readonly dheSecrets?: string[];
  readonly kemSecrets?: string[];
  readonly psks?: string[];
}
function secretsOf(path: string): string[] {
  const {
    dheSecrets = [],
    kemSecrets = [],
    psks = [],
  }: Secrets = JSON.parse(readFileSync(path.replace(/pcap$/, 'json'), 'utf8'));
  const option = (name: string, all: string[]) => all.flatMap((secret) => [name, secret]);
  return [
    ...option('--dhe-secret', dheSecrets),
    ...option('--kem-secret', kemSecrets),
    ...option('--psk', psks),
  ];
}

const BOTH = 'challenge+measurements';
const captures: readonly [name: string, algorithm: string, signed: string][] = [
  ['nocxl-v1.2', 'ECDSA_P384', `${BOTH} measurements measurements`],
  ['nocxl-v1.3', 'ECDSA_P384', `${BOTH} measurements measurements`],
  ['p256', 'ECDSA_P256', `${BOTH} measurements measurements`],
  ['mctp', 'ECDSA_P384', `${BOTH} measurements measurements`],
  ['psk-only', 'ECDSA_P384', 'measurements'],
  ['hyb-ecdsa384-mlkem768', 'ECDSA_P384', `${BOTH} measurements measurements`],
  ['mldsa65-mlkem768-mutual-clear', 'ML_DSA_65', `${BOTH} challenge measurements measurements`],
];
for (const [name, algorithm, signed] of captures) {
  const path = capture(name);
  (path === undefined ? test.skip : test)(`${name}.pcap: all that is signed`, async () => {
    const ran = await cli(['verify', path!, '--json', ...secretsOf(path!)]);
    assert.is(ran.err, '');
    assert.is(ran.code, 0);
    const verdicts = verdictsOf(ran);
    assert.is(verdicts.map((one) => one.signed.join('+')).join(' '), signed);
    for (const verdict of verdicts) {
      assert.is(verdict.signer.algorithm, algorithm);
      if (!verdict.signed.includes('measurements')) continue;
      assert.is(verdict.blocks.length, 8);
      assert.is(verdict.blocks.find(({ index }) => index === 16)?.svn, '7');
      assert.is(verdict.debug.state, 'active');
    }
  });
}

const plain = capture('nocxl-v1.2');
const here = plain === undefined ? test.skip : test;
here(
  'sealed records are said to be sealed, and what is signed in the clear is verified',
  async () => {
    const ran = await cli(['verify', plain!, '--quiet']);
    assert.is(ran.code, 0);
    assert.match(ran.err, /records stayed sealed; --dhe-secret, --psk or --keylog open them\n$/);
    assert.match(
      ran.out,
      /^[^\n]+: VERIFIED 8 measurements and a CHALLENGE signed by ACME:[^\n]+\n$/,
    );
  },
);

here('a capture under a policy', async () => {
  const lines = `tcb: [1, 2, 16]
measurements: { 16: { minimumSvn: 8 } }
debug: off
operationalModes: [Normal]
device: { manufacturer: ACME }`;
  const ran = await cli(['verify', plain!, '--json', '--policy', 'p'], { p: policy(lines) });
  assert.is(ran.code, 1);
  const [verdict] = verdictsOf(ran);
  assert.equal(verdict?.reasons, ['DEBUG', 'SVN_TOO_LOW']);
  assert.equal(
    verdict?.differences.map(({ index, expected, measured }) => [index, expected, measured]),
    [[16, 'SVN 8 or more', 'SVN 7']],
  );
  assert.equal(verdict?.tcb?.svns, [{ index: 16, svn: '7' }]);
  assert.is(verdict?.tcb?.matches, false);
});

here('a changed byte of the capture is found', async () => {
  const bytes = new Uint8Array(readFileSync(plain!));
  // The first block of the first MEASUREMENTS: ImmutableROM, 64 bytes.
  const at = Buffer.from(bytes).indexOf(Buffer.from('01014300004000', 'hex')) + 20;
  assert.ok(at > 20);
  bytes[at] = bytes[at]! ^ 1;
  const run = (changed: Uint8Array) => outcome(['c.pcap'], { 'c.pcap': changed });
  assert.match(await run(bytes), /SIGNATURE,SUMMARY/);
  assert.match(await run(bytes.slice(0, -3)), /is cut or damaged/);
  assert.match(await run(bytes.slice(0, 24)), /no signed MEASUREMENTS/);
});

test.run();
