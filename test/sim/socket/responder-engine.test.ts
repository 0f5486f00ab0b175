/** The served device without a socket: identity, algorithms, files, PSKs, time, triggers, requesters. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import type { SignatureName } from '../../../protocols/crypto/algorithms.ts';
import { nodeProvider as crypto } from '../../../protocols/crypto/node.ts';
import { capabilityFlags } from '../../../protocols/spdm/codes.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import { challenge, getMeasurements } from '../../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../../protocols/spdm/requester/certificates.ts';
import { encapsulatedFlow } from '../../../protocols/spdm/requester/encapsulated.ts';
import { openPskSession } from '../../../protocols/spdm/requester/psk.ts';
import { openSession } from '../../../protocols/spdm/requester/session.ts';
import { type Exchange, RequesterState } from '../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import { verifyCertChain } from '../../../protocols/x509/spdm-chain.ts';
import { AttachIdentity } from '../../../sim/socket/attach-identity.ts';
import { drive } from '../../../sim/socket/drive.ts';
import {
  type DeviceFacts,
  EngineRefusal,
  type ResponderOptions,
  type SpdmChoices,
} from '../../../sim/socket/engines.ts';
import { socketProfiles } from '../../../sim/socket/profile.ts';
import { makeResponder } from '../../../sim/socket/responder-engine.ts';
import { ServedIdentity } from '../../../sim/socket/served-identity.ts';
import type { Connection } from '../../../sim/socket/server.ts';
import { supportedAlgorithms } from '../../../sim/socket/supported.ts';
import { socketTransports } from '../../../sim/socket/transport.ts';
import { stream } from '../../protocols/spdm/pair.ts';

const test = suite('served device');

const device: DeviceFacts = {
  manufacturer: 'Example',
  product: 'Device',
  serial: '7',
  measured: [
    { index: 1, type: 0, raw: false, content: ascii('rom'), tcb: true },
    { index: 6, type: 6, raw: true, content: ascii('4.2'), tcb: false },
  ],
  ctExponent: 10,
  dataTransferSize: 4608,
  heartbeatPeriod: 0,
  selectiveStreams: 1,
  addressWidth: 52,
  reportPortion: 64,
};

const optionsOf = (choices: SpdmChoices, more: Partial<ResponderOptions> = {}) => ({
  crypto,
  random: stream(1),
  transport: socketTransports.PCI_DOE,
  choices,
  device,
  identitySeed: 1,
  functionId: 0,
  dataTransferSizeMax: Number.POSITIVE_INFINITY,
  ...more,
});

const REQUESTER_CAPS = {
  CERT_CAP: 1,
  CHAL_CAP: 1,
  ENCRYPT_CAP: 1,
  MAC_CAP: 1,
  MUT_AUTH_CAP: 1,
  KEY_EX_CAP: 1,
  PSK_CAP: 1,
  ENCAP_CAP: 1,
  KEY_UPD_CAP: 1,
  CHUNK_CAP: 1,
  EP_INFO_CAP: 2,
  MULTI_KEY_CAP: 2,
} as const;

/** A requester that offers everything, but for what `choices` leave. */
function requesterOf(
  choices: SpdmChoices = {},
  caps: object = {},
  dataTransferSize = 4608,
): RequesterState {
  return new RequesterState({
    crypto,
    binding: socketTransports.PCI_DOE.binding,
    random: stream(2),
    versions: choices.versions ?? [0x10, 0x11, 0x12, 0x13, 0x14],
    flags: capabilityFlags({ ...REQUESTER_CAPS, ...caps }),
    ctExponent: 10,
    dataTransferSize,
    maxSpdmMsgSize: 0x20000,
    algorithms: supportedAlgorithms(crypto, choices),
    certificatePortion: 0xfff0,
    identity: new AttachIdentity({ crypto, seed: 3, slotCount: 1 }),
    deviceClasses: [{ ID: 3, VendorID: fromHex('0100'), SubordinateID: [] }],
    psk: () => concat(ascii('TestPskData'), Uint8Array.of(0)),
    trust: (chain, size, wanted) =>
      leafKeyOfChain(chain, size, wanted) ?? { fault: true, code: 'CHAIN', detail: '' },
  } as ConstructorParameters<typeof RequesterState>[0]);
}

function run<T>(connection: Connection, exchange: Exchange<T>): T {
  let step = exchange.next();
  while (step.done !== true) {
    const { secured, bytes } = step.value;
    const answer = connection.receive({ secured, bytes });
    if (answer === undefined) throw new Error('silence');
    step = exchange.next(answer);
  }
  if (isPeerFault(step.value)) throw new Error(`${step.value.code}: ${step.value.detail}`);
  return step.value;
}

function authenticate(
  connection: Connection,
  state: RequesterState,
): ReadonlyMap<number, Uint8Array> {
  run(connection, negotiate(state));
  const digests = run(connection, getDigests(state));
  run(connection, getCertificate(state, 0, digests.get(0)!));
  assert.not(isPeerFault(trustChain(state, 0)));
  return digests;
}

const chosen: readonly [name: string, choices: SpdmChoices, asym: string, exchange: string][] = [
  ['the usual classic', { versions: [0x12] }, 'ECDSA_P384', 'SECP_384_R1'],
  ['of 1.1', { versions: [0x11] }, 'ECDSA_P384', 'SECP_384_R1'],
  ['the strongest', { versions: [0x12], baseAsym: 0xc10, dhe: 0x28 }, 'ECDSA_P256', 'SECP_521_R1'],
  ['EdDSA', { versions: [0x12], baseAsym: 0xc00 }, 'EDDSA_448', 'SECP_384_R1'],
  ['RSA', { versions: [0x12], baseAsym: 2, dhe: 2 }, 'RSAPSS_2048', 'FFDHE_3072'],
  ['post-quantum alone', { baseAsym: 0, dhe: 0, pqcAsym: 2, kem: 2 }, 'ML_DSA_65', 'ML_KEM_768'],
  ['both, classic first', { pqcAsym: 2, kem: 2 }, 'ECDSA_P384', 'SECP_384_R1'],
];
for (const [name, choices, asym, exchange] of chosen)
  test(`everything is offered, and what is chosen works: ${name}`, () => {
    const connection = makeResponder(optionsOf({ mutAuth: 0, basicMutAuth: 0 })).connect();
    const state = requesterOf(choices);
    authenticate(connection, state);
    assert.is(state.negotiated?.asym, asym);
    assert.is(state.negotiated?.exchange, exchange);
    run(connection, challenge(state, 0, 0xff));
    const session = run(
      connection,
      openSession(state, { slot: 0, summaryType: 0, terminationPolicy: 0 }),
    );
    const { blocks } = run(
      connection,
      getMeasurements(state, session, { operation: 0xff, signed: true, slot: 0 }),
    );
    const since = state.version >= 0x13 ? [1, 6, 7, 0xfd, 0xfe] : [1, 6, 0xfd, 0xfe];
    assert.equal(
      blocks.map(({ Index }) => Index),
      since,
    );
  });

test('what a version has no measurement type for is told as configuration', () => {
  const connection = makeResponder(optionsOf({})).connect();
  const types = (version: number) => {
    const state = requesterOf({ versions: [version] });
    run(connection, negotiate(state));
    const asked = { operation: 0xff, signed: false, slot: 0 };
    return run(connection, getMeasurements(state, undefined, asked)).blocks.map(
      ({ ValueType }) => ValueType! & 0x7f,
    );
  };
  assert.equal(types(0x10), [0, 3, 3, 3]);
  assert.equal(types(0x11), [0, 3, 4, 3]);
  assert.equal(types(0x12), [0, 6, 4, 5]);
  assert.equal(types(0x13), [0, 6, 8, 4, 5]);
});

const identityOf = (more: object = {}) =>
  new ServedIdentity({
    crypto,
    seed: 1,
    deviceInfo: 'Example:Device:7',
    multiKey: true,
    alias: false,
    ...more,
  });
const SCOPE = { signature: 'ECDSA_P256', hash: 'SHA_256' } as const;

test('slots 0 and 1 share a key under two roots; slot 4 has its own, for multi-key alone', () => {
  const identity = identityOf();
  assert.is(identity.supportedSlots, 0b10011);
  const [zero, one] = [...identity.slots(SCOPE).values()];
  assert.equal([...identity.slots(SCOPE).keys()], [0, 1]);
  assert.equal(zero!.signer, one!.signer);
  assert.not.equal(zero!.chain.slice(4, 36), one!.chain.slice(4, 36), 'RootHash');
  const multi = identity.slots({ ...SCOPE, multiKey: true });
  assert.equal([...multi.keys()], [0, 1, 4]);
  assert.equal(
    [...multi.values()].map(({ keyPairId }) => keyPairId),
    [2, 2, 3],
  );
  assert.not.equal(multi.get(4)!.signer, zero!.signer);
  assert.equal(multi.get(4)!.chain.slice(4, 36), zero!.chain.slice(4, 36));
  assert.equal(identityOf().slots(SCOPE).get(0)!.chain, zero!.chain, 'the same seed');
  assert.not.equal(identityOf({ seed: 2 }).slots(SCOPE).get(0)!.chain, zero!.chain);
  assert.equal([...identityOf({ multiKey: false, sharedSlots: 3 }).slots(SCOPE).keys()], [0, 1, 2]);
});

const kinds: readonly [signature: SignatureName, alias: boolean][] = [
  ['ECDSA_P384', false],
  ['ECDSA_P384', true],
  ['EDDSA_25519', false],
  ['RSAPSS_2048', false],
  ['ML_DSA_44', false],
  ['SLH_DSA_SHAKE_128F', false],
];
for (const [signature, alias] of kinds)
  test(`chains verify: ${signature}${alias ? ', alias model' : ''}`, () => {
    const identity = identityOf({ alias, multiKey: signature === 'ECDSA_P384' });
    const root = identity.rootOf(signature)!;
    const slots = identity.slots({ signature, hash: 'SHA_384', multiKey: true });
    for (const [slot, { chain, signer }] of slots) {
      const anchors = slot === 1 ? identity.storeOf(signature).tables.chains[1]!.root : root;
      const verdict = verifyCertChain(crypto, chain, 'SHA_384', 0x14, {
        anchors: [{ der: anchors }],
        at: 1_800_000_000,
        leaf: {
          role: 'responder',
          requireEku: true,
          model: alias ? 'alias' : 'device',
          requireHardwareIdentity: true,
          signature,
          deviceInfo: 'Example:Device:7',
        },
      });
      assert.ok(verdict.ok, JSON.stringify(verdict));
      assert.is(signer.algorithm, signature);
      const key = crypto.signingPublicKey(signature, signer.privateKey);
      assert.equal(verdict.leaf.publicKey.key, key);
    }
  });

/** A directory in the emulators' layout, made of a drawn identity. */
function directory(): (path: string) => Uint8Array | undefined {
  const [zero] = identityOf({ seed: 'brought' }).storeOf('ECDSA_P384').tables.chains;
  const scalar = identityOf({ seed: 'brought' })
    .slots({ signature: 'ECDSA_P384', hash: 'SHA_384' })
    .get(0)!.signer.privateKey;
  // RFC 5915 ECPrivateKey of secp384r1, as PEM.
  const der = concat(fromHex('303e0201010430'), scalar, fromHex('a00706052b81040022'));
  const pem = `-----BEGIN EC PRIVATE KEY-----\n${Buffer.from(der).toString('base64')}\n-----END EC PRIVATE KEY-----\n`;
  const files: Record<string, Uint8Array> = {
    'ecp384/bundle_responder.certchain.der': concat(...zero!.certificates),
    'ecp384/end_responder.key': ascii(pem),
  };
  return (path) => files[path];
}

test('chains and keys of a directory take the place of drawn ones, and decide what is offered', () => {
  const engine = makeResponder(optionsOf({ mutAuth: 0, basicMutAuth: 0 }, { files: directory() }));
  assert.equal(engine.rootCertificate, identityOf({ seed: 'brought' }).rootOf('ECDSA_P384'));
  const connection = engine.connect();
  const state = requesterOf({ versions: [0x12] });
  const digests = authenticate(connection, state);
  assert.equal([...digests.keys()], [0]);
  assert.is(state.negotiated?.asym, 'ECDSA_P384');
  run(connection, challenge(state, 0, 0));
  const refuses = (choices: SpdmChoices, files: (path: string) => Uint8Array | undefined) =>
    assert.throws(
      () => makeResponder(optionsOf(choices, { files })),
      (error: unknown) => error instanceof EngineRefusal && /--cert-dir/.test(error.message),
    );
  refuses({ baseAsym: 0x10 }, directory());
  refuses({}, () => undefined);
  const broken = (name: string) => (path: string) =>
    path.endsWith(name) ? fromHex('3003020100ff') : directory()(path);
  refuses({}, broken('certchain.der'));
  refuses({}, broken('end_responder.key'));
});

test('PSK sessions with the emulators’ key, and with ones of one’s own', () => {
  const psks = [{ hint: ascii('mine'), key: ascii('another secret') }];
  const connection = makeResponder(optionsOf({}, { psks })).connect();
  const state = requesterOf({ versions: [0x12] });
  run(connection, negotiate(state));
  const open = (hint: string) =>
    run(
      connection,
      openPskSession(state, {
        hint: concat(ascii(hint), Uint8Array.of(...(hint === 'mine' ? [] : [0]))),
        summaryType: 0,
        terminationPolicy: 0,
      }),
    );
  assert.is(open('TestPskHint').kind, 'PSK');
  assert.throws(() => open('nobody'), /Unspecified/);
  assert.throws(() => open('mine'), /PSK_EXCHANGE|VERIFY|HMAC/i, 'the other key');
});

test('a signature takes real time, and RESPOND_IF_READY fetches it', async () => {
  const options = optionsOf({ mutAuth: 0, basicMutAuth: 0 }, { serviceTimeMs: 20 });
  const connection = makeResponder(options).connect();
  const state = requesterOf({ versions: [0x12] });
  authenticate(connection, state);
  const codes: number[] = [];
  const link = {
    async exchange(packet: { secured: boolean; bytes: Uint8Array }) {
      codes.push(packet.bytes[1]!);
      return connection.receive(packet)!;
    },
  };
  const start = performance.now();
  const result = await drive(challenge(state, 0, 0), link);
  assert.not(isPeerFault(result), JSON.stringify(result));
  assert.is(codes[0], 0x83);
  assert.is(codes.at(-1), 0xff);
  assert.ok(performance.now() - start >= 20);
  connection.closed();
});

test('basic mutual authentication by default, and what the emulators trigger', () => {
  const notes: string[] = [];
  const note = (event: string, detail: string) => notes.push(`${event} ${detail}`);
  const connection = makeResponder(optionsOf({}, { note })).connect();
  const state = requesterOf({ versions: [0x13] });
  assert.not(connection.trigger!('ENDPOINT_INFO', 0), 'before anything is known');
  authenticate(connection, state);
  const { basicMutAuth } = run(connection, challenge(state, 0, 0));
  assert.ok(basicMutAuth);
  run(connection, encapsulatedFlow(state));
  assert.ok(notes.some((line) => /REQUESTER root .* is taken unseen/.test(line)));
  assert.ok(notes.some((line) => /DEVICE requester authenticated/.test(line)));
  assert.not(connection.trigger!('KEY_UPDATE', 5), 'no such session');
  assert.ok(connection.trigger!('ENDPOINT_INFO', 0));
  assert.is(run(connection, encapsulatedFlow(state)).answered, 1);
  assert.ok(notes.includes('REQUESTER endpoint info, 1 device classes'));
  connection.closed();
});

test('named roots: a requester of another one is refused', () => {
  const notes: string[] = [];
  const engine = makeResponder(
    optionsOf(
      {},
      {
        note: (event, detail) => notes.push(`${event} ${detail}`),
        requester: { roots: [identityOf().rootOf('ECDSA_P256')!], chains: [], publicKeys: [] },
      },
    ),
  );
  const connection = engine.connect();
  const state = requesterOf({ versions: [0x13] });
  authenticate(connection, state);
  run(connection, challenge(state, 0, 0));
  assert.throws(() => run(connection, encapsulatedFlow(state)), /InvalidResponseCode/);
  assert.ok(notes.some((line) => /requester refused.*CHAIN_UNKNOWN_ROOT/.test(line)));
});

test('towards QEMU no packet is longer than its mailbox takes, whatever the requester can', () => {
  const { transmitSize, dataTransferSizeMax, answerBytesMax } = socketProfiles.qemu;
  const choices = { baseAsym: 0, dhe: 0, pqcAsym: 4, kem: 4, mutAuth: 0, basicMutAuth: 0 };
  const engine = makeResponder(
    optionsOf(choices, { dataTransferSizeMax, transmitSize: transmitSize! }),
  );
  const connection = engine.connect();
  const sizes: number[] = [];
  const watched: Connection = {
    receive(packet) {
      const answer = connection.receive(packet)!;
      sizes.push(socketTransports.PCI_DOE.wrap(answer).length);
      return answer;
    },
    closed() {},
  };
  const state = requesterOf({ baseAsym: 0, dhe: 0, pqcAsym: 4, kem: 4 }, {}, 0x10000);
  authenticate(watched, state);
  run(watched, challenge(state, 0, 0));
  const session = run(
    watched,
    openSession(state, { slot: 0, summaryType: 0, terminationPolicy: 0 }),
  );
  const asked = { operation: 0xff, signed: true, slot: 0 };
  run(watched, getMeasurements(state, session, asked));
  assert.is(Math.max(...sizes), answerBytesMax);
});

test.run();
