/** The verb `dump` on recorded traffic of the DMTF emulators, on broken files and on small ones made here. */

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex } from '../../../protocols/codec/bytes.ts';
import { encodePcapHeader, encodePcapRecord } from '../../../sim/sinks/pcap.ts';
import { cli, isComplaint, type Ran, recorded } from './harness.ts';

const test = suite('cli dump');

interface Secrets {
  readonly dheSecrets: readonly string[];
  readonly kemSecrets?: readonly string[];
  readonly psks?: readonly string[];
}

interface Capture {
  readonly path: string;
  readonly secrets: readonly string[];
  readonly codes: readonly string[];
}

function capture(name: string): Capture | undefined {
  const path = recorded(`captures/${name}.pcap`);
  if (path === undefined) return undefined;
  const {
    dheSecrets,
    kemSecrets = [],
    psks = [],
  } = JSON.parse(readFileSync(path.replace(/pcap$/, 'json'), 'utf8')) as Secrets;
  const secrets = [
    ...dheSecrets.flatMap((secret) => ['--dhe-secret', secret]),
    ...kemSecrets.flatMap((secret) => ['--kem-secret', secret]),
    ...psks.flatMap((psk) => ['--psk', psk]),
  ];
  const codes =
    name === 'mctp' ? [] : readFileSync(path.replace(/pcap$/, 'codes'), 'utf8').trim().split('\n');
  return { path, secrets, codes };
}

interface Message {
  readonly index: number;
  readonly layer: string;
  readonly secured: boolean;
  readonly name: string;
  readonly version: number | null;
  readonly code: number | null;
  readonly fields: readonly { path: string; text: string }[];
  readonly vendor?: { protocol: string; name: string; fields: readonly { path: string }[] };
}
interface Document {
  readonly schema: string;
  readonly messages: readonly Message[];
  readonly totals: Readonly<Record<string, number>>;
  readonly fault?: string;
}

const json = (ran: Ran) => JSON.parse(ran.out) as Document;

/** A line as the reference dump's list of codes has it. */
function codeLine({ index, secured, version, code }: Message): string {
  const byte = (value: number) => value.toString(16).padStart(2, '0');
  const codes = version === null || code === null ? '-' : `${byte(version)} ${byte(code)}`;
  return `${index} ${secured ? 's' : 'p'} ${codes}`;
}

const complete: readonly [name: string, messages: number, verified: number][] = [
  ['nocxl-v1.2', 176, 10],
  ['nocxl-noclear', 176, 10],
  ['nocxl-v1.3', 176, 10],
  ['p256', 250, 12],
  ['chacha', 250, 12],
  ['keyupd-req', 250, 12],
  ['psk-only', 152, 5],
  ['mctp', 42, 10],
  ['mut-w', 262, 14],
  ['full-v1.2', 2490, 50],
  ['hyb-ecdsa384-mlkem768', 56, 10],
  ['mldsa65-mlkem768-mutual-clear', 126, 13],
];

for (const [name, messages, verified] of complete) {
  const found = capture(name);
  const real = found === undefined ? test.skip : test;
  real(
    `${name}: every message decoded, decrypted, verified, as the reference names it`,
    async () => {
      const { path, secrets, codes } = found!;
      const ran = await cli(['dump', path, ...secrets, '--json']);
      assert.is(ran.code, 0);
      assert.is(ran.err, '');
      const { schema, totals, ...document } = json(ran);
      assert.is(schema, 'tdisp-sim/dump@1');
      const none = { undecoded: 0, undecrypted: 0, failed: 0, unverifiable: 0 };
      assert.equal(totals, { messages, ...none, verified });
      if (codes.length > 0) assert.equal(document.messages.map(codeLine), codes);
    },
  );
}

const first = capture('nocxl-v1.2');
const real = first === undefined ? test.skip : test;

real('vendor messages are named with their fields', async () => {
  const { messages } = json(await cli(['dump', first!.path, ...first!.secrets, '--json']));
  const vendor = messages[34]?.vendor;
  assert.is(`${vendor?.protocol} ${vendor?.name}`, 'IDE_KM KEY_PROG');
  assert.ok(vendor?.fields.some(({ path }) => path === 'KeySubStream'));
  const protocols = new Set(messages.flatMap((m) => (m.vendor ? [m.vendor.protocol] : [])));
  assert.equal([...protocols], ['IDE_KM', 'TDISP']);
  assert.is(messages[0]?.layer, 'DOE');
  assert.is(messages[6]?.layer, 'SPDM');
  assert.is(messages[6]?.name, 'GET_VERSION');
});

real('the listing: a line a message, checks below, totals at the end', async () => {
  const { out, code } = await cli(['dump', first!.path, ...first!.secrets]);
  assert.is(code, 0);
  const lines = out.trimEnd().split('\n');
  assert.is(lines.length, 176 + 10 + 1);
  assert.match(lines[1]!, /^ {4}2 +0\.000000 <- plain +DOE Discovery response/);
  assert.match(lines[20]!, /^ +CHALLENGE_AUTH Signature: verified \(ECDSA_P384\)$/);
  assert.match(out, /35 +\S+ -> ffffffff 1\.2 VENDOR_DEFINED_REQUEST IDE_KM KEY_PROG {2}port 1/);
  assert.match(out, /state CONFIG_LOCKED\n/);
  assert.is(
    lines.at(-1),
    '176 messages: 0 undecoded, 0 undecrypted; signatures and HMACs: 10 verified, 0 failed, 0 unverifiable',
  );
});

const mutual = capture('full-v1.2');
(mutual === undefined ? test.skip : test)('encapsulated requests are looked into', async () => {
  const { out } = await cli(['dump', mutual!.path, ...mutual!.secrets]);
  for (const says of [
    /ENCAPSULATED_REQUEST encapsulated GET_DIGESTS\n/,
    /DELIVER_ENCAPSULATED_RESPONSE encapsulated DIGESTS {2}slots 0x\w+\n/,
    /ENCAPSULATED_RESPONSE_ACK encapsulated CHALLENGE {2}slot 0\n/,
    /requester CHALLENGE_AUTH Signature: verified \(RSA(SSA|PSS)_\d+\)/,
    /VENDOR_DEFINED_REQUEST CXL_TSP SET_TARGET_CONFIGURATION/,
  ])
    assert.match(out, says);
});

const large = capture('mldsa65-mlkem768-mutual-clear');
const realLarge = large === undefined ? test.skip : test;

realLarge('chunks are shown one by one, and with the last of them what they carry', async () => {
  const { out } = await cli(['dump', large!.path, ...large!.secrets]);
  for (const says of [
    /->( plain +)1\.4 CHUNK_GET {2}large message of 16869 bytes, chunk 3\n/,
    /CHUNK_RESPONSE {2}large message of 16869 bytes, chunk 3\n +large message of 16869 bytes: CERTIFICATE {2}slot 0, portion 16853, remainder 0\n/,
    /CHUNK_SEND {2}large message of 16873 bytes, chunk 3\n +large message of 16873 bytes: DELIVER_ENCAPSULATED_RESPONSE encapsulated CERTIFICATE/,
    /CHUNK_SEND_ACK\n +answer to the large message: ENCAPSULATED_RESPONSE_ACK encapsulated CHALLENGE {2}slot 0\n/,
    /KEY_EXCHANGE_RSP {2}session 0xffff.*\n +KEY_EXCHANGE_RSP Signature: verified \(ML_DSA_65\)\n/,
    /FINISH RequesterVerifyData: verified \(HMAC SHA_384\)\n/,
    /ALGORITHMS {2}sign ML_DSA_65, hash SHA_384/,
  ])
    assert.match(out, says);
  const { messages } = json(await cli(['dump', large!.path, ...large!.secrets, '--json']));
  const last = messages[23] as Message & { carried?: Message & { how: string }; chunk?: unknown };
  assert.equal(last.chunk, { sequence: 3, largeMessageSize: 16869 });
  assert.is(last.carried?.how, 'large message of 16869 bytes');
  assert.is(last.carried?.name, 'CERTIFICATE');
  assert.ok(last.carried?.fields.some(({ path }) => path === 'LargePortionLength'));
  const fields = await cli(['dump', large!.path, ...large!.secrets, '--fields']);
  assert.match(fields.out, /\n +CERTIFICATE\n +\d+ SPDMVersion: /);
});

real('two connections one after the other, and two at once between other endpoints', async () => {
  const bytes = new Uint8Array(readFileSync(first!.path));
  const twice = { 'x.pcap': concat(bytes, bytes.subarray(24)) };
  const ran = await cli(['dump', 'x.pcap', ...first!.secrets, '--quiet'], twice);
  assert.match(ran.out, /^352 messages: 0 undecoded, 0 undecrypted; .* 20 verified, 0 failed/);
});

const overMctp = capture('mctp');
(overMctp === undefined ? test.skip : test)('endpoints are kept apart', async () => {
  const bytes = new Uint8Array(readFileSync(overMctp!.path));
  const view = new DataView(bytes.buffer);
  const packets: Uint8Array[] = [];
  for (let at = 24; at < bytes.length; ) {
    const size = 16 + view.getUint32(at + 8, true);
    const packet = bytes.slice(at, at + size);
    const other = packet.slice();
    // destination and source endpoint ids of the synthetic MCTP header
    other[17] = packets.length % 4 < 2 ? 8 : 9;
    other[18] = packets.length % 4 < 2 ? 9 : 8;
    packets.push(packet, other);
    at += size;
  }
  const file = { 'x.pcap': concat(bytes.subarray(0, 24), ...packets) };
  const ran = await cli(['dump', 'x.pcap', ...overMctp!.secrets, '--quiet'], file);
  assert.match(ran.out, /^84 messages: 0 undecoded, 0 undecrypted; .* 20 verified, 0 failed/);
});

real('--fields, --hex and --quiet', async () => {
  const { secrets, path } = first!;
  const fields = await cli(['dump', path, ...secrets, '--fields']);
  assert.match(fields.out, /\n +\d+ DataTransferSize: 0x00001200 \(4608\)\n/);
  assert.match(fields.out, /\n +IDE_KM KEY_PROG\n +\d+ ObjectID: /);
  const hex = await cli(['dump', path, ...secrets, '--hex']);
  assert.match(hex.out, /GET_VERSION\n +000000 10840000\n/);
  const quiet = await cli(['dump', path, ...secrets, '--quiet']);
  assert.match(quiet.out, /^176 messages: [^\n]+\n$/);
});

real('without secrets: sessions stay sealed, signatures verify, exit 1', async () => {
  const ran = await cli(['dump', first!.path, '--json']);
  assert.is(ran.code, 1);
  const { totals, messages } = json(ran);
  assert.is(totals['undecrypted'], 142 - 2);
  assert.is(totals['unverifiable'], 4);
  assert.is(totals['failed'], 0);
  const sealed = messages.find(({ index }) => index === 33);
  assert.equal([sealed?.secured, sealed?.version, sealed?.code], [true, null, null]);
  const text = await cli(['dump', first!.path]);
  assert.match(text.out, /33 +\S+ -- ffffffff {5}undecrypted record\n/);
  assert.match(text.out, /FINISH RequesterVerifyData: unverifiable/);
});

real('with a wrong secret, its HMAC fails', async () => {
  const ran = await cli(['dump', first!.path, '--dhe-secret', '00'.repeat(48), '--json']);
  assert.is(ran.code, 1);
  assert.ok(json(ran).totals['failed']! > 0);
});

real('a changed bit in a signed message is found', async () => {
  const bytes = new Uint8Array(readFileSync(first!.path));
  // Record 20, CHALLENGE_AUTH: a byte of its nonce.
  let at = 24;
  const view = new DataView(bytes.buffer);
  for (let i = 1; i < 20; i++) at += 16 + view.getUint32(at + 8, true);
  bytes[at + 16 + 8 + 60]! ^= 1;
  const ran = await cli(['dump', 'x.pcap', ...first!.secrets, '--quiet'], { 'x.pcap': bytes });
  assert.is(ran.code, 1);
  assert.match(ran.out, /9 verified, 1 failed/);
});

/** Whole records in the first `size` bytes. */
function wholeRecords(bytes: Uint8Array, size: number): number {
  const view = new DataView(bytes.buffer);
  let count = 0;
  for (let at = 24; at < size; count++) {
    at += 16 + view.getUint32(at + 8, true);
    if (at > size) break;
  }
  return count;
}

real('a truncated file: what was read is shown, exit 2', async () => {
  const bytes = new Uint8Array(readFileSync(first!.path));
  for (const size of [bytes.length - 1, 5000, 24 + 16 + 11, 24 + 7]) {
    const cut = { 'cut.pcap': bytes.slice(0, size) };
    const ran = await cli(['dump', 'cut.pcap', ...first!.secrets, '--quiet'], cut);
    assert.is(ran.code, 2);
    assert.ok(isComplaint(ran.err), ran.err);
    assert.match(ran.err, /cut\.pcap is cut or damaged: TRUNCATED_RECORD.*what was read before/);
    assert.match(ran.out, new RegExp(`^${wholeRecords(bytes, size)} messages: `));
    const document = json(await cli(['dump', 'cut.pcap', '--json'], cut));
    assert.match(document.fault ?? '', /TRUNCATED_RECORD/);
  }
  assert.is(wholeRecords(bytes, bytes.length - 1), 175);
});

const record = (hex: string) => encodePcapRecord(1_500_000_000, fromHex(hex));
const pcap = (linkType: number, ...packets: string[]) =>
  concat(encodePcapHeader(linkType), ...packets.map(record));

const unreadable: readonly [name: string, bytes: Uint8Array, says: RegExp][] = [
  ['an empty file', new Uint8Array(0), /cannot decode x\.pcap: TRUNCATED_HEADER/],
  ['no pcap', new Uint8Array(100), /cannot decode x\.pcap: BAD_MAGIC/],
  ['another link type', encodePcapHeader(1), /link type 1; captures of link type 292.*291/],
];
for (const [name, bytes, says] of unreadable)
  test(`${name} is exit 2 and says why`, async () => {
    const ran = await cli(['dump', 'x.pcap'], { 'x.pcap': bytes });
    assert.is(ran.code, 2);
    assert.ok(isComplaint(ran.err), ran.err);
    assert.match(ran.err, says);
    assert.is(ran.out, '');
  });

const GET_VERSION_DOE = '01000100 03000000 10840000';
const small: readonly [name: string, bytes: Uint8Array, code: number, out: RegExp][] = [
  ['no packets', pcap(292), 0, /^0 messages: 0 undecoded/],
  [
    'simulated time as it is',
    pcap(292, GET_VERSION_DOE),
    0,
    /^ {4}1 {3}0\.001500 -> plain {4}1\.0/,
  ],
  [
    'another DOE object',
    pcap(292, 'de104500 02000000'),
    1,
    /-- plain +DOE 10de:45\n +UNKNOWN_CODE/,
  ],
  ['no DOE object', pcap(292, '0102'), 1, /DOE object\n +TRUNCATED/],
  ['a DOE length of more', pcap(292, '01000100 04000000 10840000'), 1, /DOE object\n +TRUNCATED/],
  ['an unknown SPDM code', pcap(292, '01000100 03000000 12050000'), 1, /UNKNOWN_CODE|TRUNCATED/],
  ['a record of no session', pcap(292, '01000200 03000000 01000000'), 1, /undecrypted record\n/],
  ['MCTP', pcap(291, '000000c0 05 10840000'), 0, /-> plain {4}1\.0 GET_VERSION\n1 messages/],
  ['MCTP in pieces', pcap(291, '01080988 05 1084', '01080958 0000'), 0, /GET_VERSION\n1 messages/],
  [
    'MCTP without its end',
    pcap(291, '01080988 05 1084'),
    1,
    /^1 messages came in pieces.*\n0 mess/,
  ],
  ['another MCTP type', pcap(291, '000000c0 01 800002'), 1, /MCTP message type 1\n/],
];
for (const [name, bytes, code, out] of small)
  test(`a capture of ${name}`, async () => {
    const ran = await cli(['dump', 'x.pcap'], { 'x.pcap': bytes });
    assert.match(ran.out, out);
    assert.is(ran.code, code);
    assert.is(ran.err, '');
  });

test('a packet the capture cut short is a finding', async () => {
  const bytes = concat(
    encodePcapHeader(292),
    encodePcapRecord(0, fromHex(`${GET_VERSION_DOE}00000000`), 12),
  );
  const ran = await cli(['dump', 'x.pcap'], { 'x.pcap': bytes });
  assert.is(ran.code, 1);
  assert.match(ran.out, /the capture kept 12 of 16 bytes/);
});

const cuts = ['full-v1.2', 'mut-w', 'mldsa65-mlkem768-mutual-clear', 'mctp'];
for (const name of cuts) {
  const whole = capture(name);
  (whole === undefined ? test.skip : test)(
    `${name}, changed anywhere, is dumped all the same`,
    async () => {
      const bytes = new Uint8Array(readFileSync(whole!.path)).slice(0, 60_000);
      for (let i = 0; i < 12; i++) {
        const copy = bytes.slice(0, bytes.length - ((i * 7919) % 20_000));
        for (let at = 24 + i; at < copy.length; at += 3001 + 97 * i) copy[at]! ^= 1 << (i % 8);
        const ran = await cli(['dump', 'x.pcap', ...whole!.secrets], { 'x.pcap': copy });
        assert.ok(ran.code === 1 || ran.code === 2, `exit ${ran.code} on try ${i}`);
      }
    },
  );
}

test('no bytes make it fail otherwise than by exit 1 or 2', async () => {
  const seed = fromHex('01000100 05000000 12e4ff00 ffff0100 c7a19e14');
  for (let i = 0; i < 2000; i++) {
    const bytes = seed.slice(0, 4 + (i % 17));
    bytes[i % bytes.length]! ^= (i * 37) & 0xff;
    const file = concat(encodePcapHeader(i % 2 === 0 ? 292 : 291), encodePcapRecord(0, bytes));
    const { code } = await cli(['dump', 'x.pcap', '--quiet'], { 'x.pcap': file });
    assert.ok(code <= 2, `exit ${code} on try ${i}`);
  }
});

test.run();
