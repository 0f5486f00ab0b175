/** What `attach` can do besides the usual: mutual authentication, PSK, keys without certificates, changes. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { subjectPublicKeyInfo } from '../../../protocols/x509/spki.ts';
import { splitChain } from '../../../protocols/x509/split.ts';
import { AttachIdentity } from '../../../sim/socket/attach-identity.ts';
import { attached, device, documentOf } from './attach-harness.ts';

const test = suite('cli attach requester');

/** ECDSA_P384, SHA_384, SECP_384_R1, AES_256_GCM; the requester signs with ECDSA_P256 */
const P384 = {
  ...{ baseAsym: 0x80, pqcAsym: 0, baseHash: 2, dhe: 0x10, kem: 0, aead: 2, measurementHash: 4 },
  ...{ reqBaseAsym: 0x10, reqPqcAsym: 0 },
} as const;
/** ML_DSA_65, ML_KEM_768 */
const PQC = { baseAsym: 0, pqcAsym: 2, dhe: 0, kem: 2, baseHash: 2, aead: 2 } as const;

const outcomes = (found: ReturnType<typeof documentOf>, outcome: string) =>
  found.steps.filter((step) => step.outcome === outcome).map(({ name }) => name);

test('post-quantum algorithms at 1.4, large messages in chunks', async () => {
  const made = device({ versions: [0x14], ...PQC });
  const found = documentOf(
    await attached(['--json', '--data_transfer_size', '1024'], made.connect),
  );
  assert.equal(found.findings, []);
  assert.is(found.algorithms?.asym, 'ML_DSA_65');
  assert.is(found.algorithms?.exchange, 'ML_KEM_768');
  assert.is(found.sessions[0]?.kind, 'KEM');
  assert.ok(found.authenticated && found.measurementsSigned);
});

/** The chain that `attach` draws for itself where it is given none. */
function ownChain(): readonly Uint8Array[] {
  const identity = new AttachIdentity({ crypto: nodeProvider, seed: 1, slotCount: 1 });
  const slot = identity.slots({ signature: 'ECDSA_P256', hash: 'SHA_384' }).get(0)!;
  const split = splitChain(slot.chain.subarray(4 + 48));
  assert.ok(split.ok);
  return split.ok ? split.value : [];
}

for (const [version, mutAuth, form] of [
  [0x11, 1, 'without encapsulation'],
  [0x12, 2, 'by encapsulated requests'],
  [0x13, 4, 'from GET_DIGESTS on'],
] as const)
  test(`mutual authentication ${form}, at ${version.toString(16)}`, async () => {
    const requester = { roots: [], chains: [ownChain()], publicKeys: [] };
    const choices = { versions: [version], ...P384, mutAuth, basicMutAuth: 1 };
    const made = device(choices, 'PCI_DOE', { requester });
    const argv = ['--json', '--exe_session', 'KEY_EX'];
    const found = documentOf(await attached(argv, made.connect));
    assert.equal(found.findings, []);
    assert.is(found.algorithms?.requesterAsym, 'ECDSA_P256');
    assert.ok(found.requesterAuthenticated);
    assert.ok(found.sessions.length > 0 && found.sessions.every(({ mutual }) => mutual));
  });

test('a responder that does not ask who the requester is', async () => {
  const made = device({ versions: [0x12], ...P384, mutAuth: 0, basicMutAuth: 0 });
  const found = documentOf(await attached(['--json', '--exe_session', 'KEY_EX'], made.connect));
  assert.equal(found.findings, []);
  assert.not(found.requesterAuthenticated);
  assert.ok(found.sessions.length > 0 && found.sessions.every(({ mutual }) => !mutual));
});

test('a PSK session each, by the emulators’ key, by a named one, and a wrong one', async () => {
  const known = fromHex('000102030405060708090a0b0c0d0e0f');
  const psks = ['6800', '7700'].map((hint) => ({ hint: fromHex(hint), key: known }));
  const made = device({ versions: [0x12], ...P384 }, 'PCI_DOE', { psks });
  const argv = ['--json', '--exe_conn', 'VCA', '--exe_session', 'PSK,KEY_UPDATE,HEARTBEAT,MEAS'];
  const key = '000102030405060708090a0b0c0d0e0f';
  const good = documentOf(await attached([...argv, '--psk', `h=${key}`], made.connect));
  assert.equal(good.findings, []);
  assert.equal(
    good.sessions.map(({ kind, slot }) => [kind, slot]),
    [['PSK', null]],
  );
  assert.is(good.measurements.length > 0, true);
  const bad = await attached([...argv, '--psk', 'w=00', '--psk', `0x6800=${key}`], made.connect);
  const found = documentOf(bad);
  assert.is(bad.code, 1);
  assert.equal(
    found.findings.map(({ code }) => code),
    ['PSK_EXCHANGE_VERIFY_DATA'],
  );
  assert.is(found.sessions.length, 1);
});

test('what a 1.3 device tells of itself, and what is changed in it when asked', async () => {
  const made = device({ versions: [0x13], ...P384 });
  const conn =
    'DIGEST,CERT,CHAL,MEAS,MEL,EP_INFO,GET_KEY_PAIR_INFO,GET_CSR,SET_CERT,SET_KEY_PAIR_INFO';
  const sess = 'KEY_EX,MEAS,MEL,EP_INFO,GET_KEY_PAIR_INFO,DIGEST,CERT,GET_CSR';
  const argv = ['--json', '--exe_conn', conn, '--exe_session', sess, '--meas_op', 'ONE_BY_ONE'];
  const found = documentOf(await attached(argv, made.connect));
  assert.equal(found.findings, []);
  assert.equal(outcomes(found, 'absent'), []);
  assert.ok((found.measurementLog?.length ?? 0) > 0);
  assert.ok((found.endpoint?.length ?? 0) > 0);
  assert.ok(found.keyPairs.some(({ algorithms }) => algorithms.includes('ECC384')));
  assert.match(found.certificateRequest ?? '', /^30/);
  assert.ok(found.measurementsSigned);
  const names = found.steps.map(({ name }) => name);
  for (const name of [
    'measurement log replayed',
    'encapsulated ENDPOINT_INFO in the session',
    'certificate 0 in the session',
    'certificate request in the session',
    'chain into slot 0',
    'key pair 1 set',
  ])
    assert.ok(names.includes(name), name);
  const text = await attached(argv.slice(1), made.connect);
  for (const line of [
    /Measurement log \(\d+\)/,
    /Key pairs \(\d+\)/,
    /Endpoint /,
    /Sessions \(\d\)/,
  ])
    assert.match(text.out, line);
});

test('keys are updated by either side', async () => {
  const made = device({ versions: [0x12], ...P384 });
  for (const choice of ['REQ', 'RSP', 'ALL']) {
    const argv = ['--json', '--key_upd', choice, '--exe_session', 'KEY_EX,KEY_UPDATE,HEARTBEAT'];
    const found = documentOf(await attached(argv, made.connect));
    assert.equal(found.findings, [], choice);
    const name = choice === 'RSP' ? 'encapsulated KEY_UPDATE in the session' : 'key update';
    const step = found.steps.find((each) => each.name === name);
    assert.is(step?.outcome, 'ok', choice);
    if (choice === 'RSP') assert.match(step?.detail ?? '', /^[1-9]\d* requests answered$/);
  }
});

test('over MCTP the session is tried with PLDM, with a TDI named with IDE_KM and TDISP', async () => {
  const made = device({ versions: [0x12], ...P384 }, 'MCTP');
  const argv = ['--json', '--trans', 'MCTP', '--exe_session', 'KEY_EX,APP'];
  const pldm = documentOf(await attached(argv, made.connect, {}, 'MCTP'));
  assert.ok(pldm.steps.some(({ name }) => name === 'PLDM GetTID'));
  assert.is(pldm.tdisp, null);
  const named = [...argv, '--function-id', '0xbeef'];
  const tdisp = documentOf(await attached(named, made.connect, {}, 'MCTP'));
  assert.equal(tdisp.findings, []);
  assert.is(tdisp.tdisp?.state, 'CONFIG_UNLOCKED');
});

test('a responder known by its public key alone', async () => {
  const wrong = subjectPublicKeyInfo(
    'ECDSA_P384',
    nodeProvider.signingPublicKey('ECDSA_P384', new Uint8Array(48).fill(7)),
  );
  const capabilities = {
    ...{ CHAL_CAP: 1, MEAS_CAP: 2, PUB_KEY_ID_CAP: 1, KEY_EX_CAP: 1, ENCRYPT_CAP: 1, MAC_CAP: 1 },
  };
  const made = device({ versions: [0x12], ...P384, capabilities });
  const argv = ['--json', '--slot_id', '0xFF'];
  const none = documentOf(await attached(argv, made.connect));
  assert.equal(
    none.findings.map(({ code }) => code),
    ['PUBLIC_KEY'],
  );
  const files = { 'peer.der': wrong };
  const other = documentOf(
    await attached([...argv, '--peer-key', 'peer.der'], made.connect, files),
  );
  const codes = other.findings.map(({ code }) => code);
  assert.ok(codes.includes('CHALLENGE_AUTH_CHAIN'), codes.join());
  assert.not(other.authenticated);
  assert.equal(other.sessions, []);
});

test.run();
