/** The verb `attach` against our own `serve` engines, and against responders that are none. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { register } from '../../../sim/cli/attach.ts';
import { runProgram } from '../../../sim/cli/program.ts';
import { readPcap } from '../../../sim/sinks/pcap.ts';
import type { Connection } from '../../../sim/socket/server.ts';
import { attached, device, documentOf } from './attach-harness.ts';
import { isComplaint, memoryIo } from './harness.ts';

const test = suite('cli attach');

/** ECDSA_P384, SHA_384, SECP_384_R1, AES_256_GCM */
const P384 = { baseAsym: 0x80, pqcAsym: 0, baseHash: 2, dhe: 0x10, kem: 0, aead: 2 } as const;
const made = device({ versions: [0x12], ...P384, measurementHash: 4 });

test('the whole way, pinned: everything found and nothing refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'attach-'));
  try {
    const [pcap, keylog] = [join(folder, 'a.pcap'), join(folder, 'keys')];
    const files = { 'root.der': made.rootCertificate };
    const argv = ['--json', '--root', 'root.der', '--pcap', pcap, '--keylog', keylog];
    const ran = await attached(argv, made.connect, files);
    const found = documentOf(ran);
    assert.equal(found.findings, []);
    assert.is(ran.code, 0, ran.err);
    assert.equal([found.versions, found.version], [['1.2'], '1.2']);
    assert.equal(found.dataObjects, ['DOE Discovery', 'CMA/SPDM', 'Secured CMA/SPDM']);
    assert.ok(found.capabilities?.names.includes('MEAS_CAP=2'));
    assert.is(found.algorithms?.asym, 'ECDSA_P384');
    assert.is(found.slots[0]?.device, 'Example Silicon:TEE Accelerator:0001');
    assert.ok(found.slots[0]?.trusted && found.pinned && found.authenticated);
    assert.is(found.slots[0]?.certificates.length, 3);
    assert.is(found.measurements.length, 9);
    assert.equal(found.measurements[5], {
      index: 6,
      type: 'Version',
      raw: true,
      value: Buffer.from('4.2.0').toString('hex'),
    });
    assert.is(found.ide?.selectiveStreams, 2);
    assert.equal(
      [found.tdisp?.functionId, found.tdisp?.state, found.tdisp?.mmioRanges],
      ['be:1d.7', 'CONFIG_UNLOCKED', 3],
    );
    const names = found.steps.map(({ name }) => name);
    for (const name of [
      'challenge',
      'summary of KEY_EXCHANGE_RSP',
      'TDISP START_INTERFACE',
      'end of session',
    ])
      assert.ok(names.includes(name), name);
    assert.ok(readPcap(new Uint8Array(readFileSync(pcap))).records.length > 60);
    assert.match(readFileSync(keylog, 'utf8'), /^SPDM_DHE [0-9a-f]{8} [0-9a-f]{96}\n$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('text for people, unpinned; a negotiation alone', async () => {
  const argv = ['--exe_conn', 'VCA', '--exe_session', 'DIGEST'];
  const short = await attached(argv, made.connect);
  assert.is(short.code, 0);
  assert.match(short.out, /no findings, not authenticated, no session/);
  const whole = await attached([], made.connect);
  assert.match(whole.out, /consistent, root unknown/);
  assert.match(whole.out, /nobody vouches for this root: .* pin it with --root/);
  assert.match(whole.out, /SecureVersionNumber +raw +0b00000000000000/);
  const quiet = await attached(['-q'], made.connect);
  assert.match(quiet.out, /: no findings, authenticated under an unknown root, 2 sessions held\n$/);
});

test('over MCTP, with other algorithms and portable cryptography', async () => {
  const p256 = { baseAsym: 0x10, baseHash: 1, dhe: 8, aead: 1, measurementHash: 2 };
  const other = device({ versions: [0x13], ...p256 }, 'MCTP');
  const argv = ['--json', '--trans', 'MCTP', '--crypto', 'noble'];
  const found = documentOf(await attached(argv, other.connect, {}, 'MCTP'));
  assert.equal(found.findings, []);
  assert.is(found.dataObjects, null);
  assert.equal(found.algorithms, {
    hash: 'SHA_256',
    asym: 'ECDSA_P256',
    exchange: 'SECP_256_R1',
    requesterAsym: 'ECDSA_P384',
    aead: 'AES_128_GCM',
    measurementHash: 'SHA_256',
    multiKey: true,
  });
});

test('a root that is not the device’s is a finding, and nothing is trusted after it', async () => {
  const p256 = device({ baseAsym: 0x10 });
  const files = { 'other.der': p256.rootCertificate };
  const ran = await attached(['--json', '--root', 'other.der'], made.connect, files);
  assert.is(ran.code, 1);
  const found = documentOf(ran);
  assert.equal(
    found.findings.map(({ code }) => code),
    ['CHAIN_UNKNOWN_ROOT'],
  );
  assert.not(found.authenticated);
  assert.equal(found.sessions, []);
  assert.is(found.measurements.length, 9, 'measured all the same, unsigned');
});

test('what the responder does not offer is no fault', async () => {
  const bare = device({ versions: [0x12], capabilities: { CERT_CAP: 1 } });
  const ran = await attached(['--json'], bare.connect);
  const found = documentOf(ran);
  assert.is(ran.code, 0, JSON.stringify(found.findings));
  const absent = found.steps.filter(({ outcome }) => outcome === 'absent');
  assert.equal(
    absent.map(({ name }) => name),
    [
      ...['challenge', 'measurements', 'measurement log', 'endpoint info, unsigned', 'key pairs'],
      'session',
    ],
  );
});

const [CHALLENGE, GET_MEASUREMENTS] = [0x83, 0xe0];

/** A device whose plain answers to some requests are spoilt: the last byte of them flipped. */
function spoilt(isMeant: (request: Uint8Array) => boolean): () => Connection {
  return () => {
    const inner = made.connect();
    return {
      closed: () => inner.closed(),
      receive: (packet) => {
        const answer = inner.receive(packet);
        if (answer === undefined || answer.secured || !isMeant(packet.bytes)) return answer;
        const bytes = answer.bytes.slice();
        bytes[bytes.length - 1]! ^= 1;
        return { ...answer, bytes };
      },
    };
  };
}

test('a wrong signature is a finding', async () => {
  const ran = await attached(
    ['--json'],
    spoilt((request) => request[1] === CHALLENGE),
  );
  assert.is(ran.code, 1);
  const codes = documentOf(ran).findings.map(({ code }) => code);
  assert.ok(codes.includes('CHALLENGE_AUTH_SIGNATURE'), codes.join());
});

test('measurements one by one carry a signature, and a wrong one is a finding', async () => {
  const signed = (request: Uint8Array) => request[1] === GET_MEASUREMENTS && request[2] === 1;
  const argv = ['--json', '--meas_op', 'ONE_BY_ONE', '--exe_session', 'DIGEST'];
  const codes = documentOf(await attached(argv, spoilt(signed))).findings.map(({ code }) => code);
  assert.equal(codes, ['MEASUREMENTS_SIGNATURE']);
});

test('a responder that breaks off, one that is silent, and nobody there', async () => {
  const silent: Connection = { receive: () => undefined, closed: () => {} };
  const ran = await attached(['--timeout', '1'], () => silent);
  assert.is(ran.code, 2);
  assert.ok(isComplaint(ran.err), ran.err);
  assert.match(ran.err, /ANSWER_TIMEOUT/);
  const io = memoryIo();
  await runProgram(['attach', '--port', '1'], io, [register]);
  assert.is(io.result().code, 2);
  assert.match(io.result().err, /nobody listens there/);
});

test('what this requester cannot do is refused before anybody connects', async () => {
  for (const [argv, says] of [
    [['--root', 'nowhere.der'], /cannot read nowhere\.der/],
    [['--root', 'no.pem'], /--root no\.pem: no PEM certificates/],
    [['--peer-key', 'no.pem'], /--peer-key no\.pem: no PEM public key/],
    [['--cert-dir', '/nowhere/at/all'], /--cert-dir .*: no such directory/],
    [['--psk', 'hint'], /--psk 'hint': give HINT=HEX/],
    [['--psk', '0xzz=00'], /after 0x the hint is hexadecimal/],
    [['--asym', 'SM2_P256'], /SM2_P256: the SM algorithms/],
  ] as const) {
    const io = memoryIo({ 'no.pem': '-----BEGIN NOTHING-----' });
    await runProgram(['attach', '--port', '1', ...argv], io, [register]);
    assert.is(io.result().code, 2);
    assert.match(io.result().err, says);
  }
});

test.run();
