/** A passive listener beside our own two roles: every way a conversation may go is heard to its end. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, fromHex } from '../../../../protocols/codec/bytes.ts';
import { fixedIdentity, type IdentitySlot } from '../../../../protocols/spdm/identity.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { encapsulated } from '../../../../protocols/spdm/requester/encapsulated.ts';
import { updateKeys } from '../../../../protocols/spdm/requester/key-update.ts';
import { openPskSession } from '../../../../protocols/spdm/requester/psk.ts';
import { endSession, heartbeat } from '../../../../protocols/spdm/requester/session-life.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { updateResponseKey } from '../../../../protocols/spdm/responder/encapsulated-requests.ts';
import { mctpBinding } from '../../../../protocols/spdm/secured-message.ts';
import { buildDeviceChain } from '../../../../protocols/x509/device-chain.ts';
import { encodeCertChain } from '../../../../protocols/x509/spdm-chain.ts';
import { converse } from '../conversation.ts';
import { crypto, type PairOptions } from '../pair.ts';
import {
  checksOf,
  faultsOf,
  hear,
  heardOf,
  type Loud,
  listener,
  loudPair,
  namesOf,
  packetsOf,
} from './listen.ts';

const test = suite('spdm observer');

function conversation(options: PairOptions = {}): Loud {
  const loud = loudPair(options);
  const { fault } = converse(loud.pair);
  assert.is(fault, undefined, fault && `${fault.code} ${fault.detail}`);
  return loud;
}

const chunked = (size: number): PairOptions => ({
  flags: { CHUNK_CAP: 1 },
  requester: { dataTransferSize: size, maxSpdmMsgSize: 0x8000 },
  responder: { dataTransferSize: size, maxSpdmMsgSize: 0x8000 },
});

for (const version of [0x11, 0x12, 0x13, 0x14])
  for (const clear of [0, 1])
    test(`all of it is verified: ${version.toString(16)}, in the clear ${clear}`, () => {
      const loud = conversation({ version, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: clear } });
      const heard = heardOf(loud);
      assert.equal(faultsOf(heard), []);
      assert.equal(checksOf(heard), [
        'CHALLENGE_AUTH Signature: verified',
        'MEASUREMENTS Signature: verified',
        'KEY_EXCHANGE_RSP Signature: verified',
        ...(clear ? [] : ['KEY_EXCHANGE_RSP ResponderVerifyData: verified']),
        'FINISH RequesterVerifyData: verified',
        ...(clear ? ['FINISH_RSP ResponderVerifyData: verified'] : []),
        'MEASUREMENTS Signature: verified',
      ]);
    });

test('1.0 and 1.1 sign the transcript as it is', () => {
  for (const version of [0x10, 0x11]) {
    const loud = loudPair({ version });
    loud.pair.authenticate();
    loud.pair.good(challenge(loud.pair.requester, 0, 0));
    assert.equal(checksOf(heardOf(loud)), ['CHALLENGE_AUTH Signature: verified']);
  }
});

test('a message says with which algorithm it was verified', () => {
  const details = heardOf(conversation({ suite: 'P384' })).flatMap(({ checks }) =>
    checks.map(({ detail }) => detail),
  );
  assert.equal([...new Set(details)], ['ECDSA_P384', 'HMAC SHA_384']);
});

for (const version of [0x12, 0x14])
  for (const size of [42, 64, 255])
    for (const binding of [undefined, mctpBinding])
      test(`chunks of ${size} bytes, ${version.toString(16)}, ${binding?.name ?? 'DOE'}`, () => {
        const sides = chunked(size);
        const options = {
          ...sides,
          version,
          requester: { ...sides.requester, ...(binding && { binding }) },
          responder: { ...sides.responder, ...(binding && { binding }) },
        };
        const loud = conversation(options);
        const heard = heardOf(loud);
        assert.equal(faultsOf(heard), []);
        const whole = heardOf(conversation({ version }));
        assert.equal(checksOf(heard), checksOf(whole));
        const once = (names: string[]) => names.filter((name) => !/CERTIFICATE/.test(name));
        assert.equal(once(namesOf(heard)), once(namesOf(whole)));
        const inside = heard.filter(({ secured, carried }) => secured && carried !== undefined);
        assert.is(inside.length > 0, size < 255, 'chunks in the session too');
      });

test('each chunk says of which message it is a piece', () => {
  const heard = heardOf(conversation({ ...chunked(64), version: 0x12 }));
  const pieces = heard.filter(({ name }) => name === 'CHUNK_SEND');
  assert.equal(pieces[0]?.chunk, { sequence: 0, largeMessageSize: 122 });
  assert.is(pieces[0]?.carried, undefined);
  assert.is(pieces.find(({ carried }) => carried)?.carried?.how, 'large message of 122 bytes');
  // The answer is too large as well: a bare ERROR after the last CHUNK_SEND, then CHUNK_GET.
  const at = heard.findIndex(({ carried }) => carried?.message.name === 'KEY_EXCHANGE');
  assert.ok(['ERROR', 'CHUNK_SEND_ACK'].includes(heard[at + 1]!.name));
  assert.is(heard[at + 2]?.name, 'CHUNK_GET');
});

test('a chunk out of its place is a refusal, and the next large message is whole again', () => {
  const loud = conversation(chunked(255));
  const packets = packetsOf(loud);
  const first = packets.findIndex(({ bytes }) => bytes[1] === 0x06);
  const without = packets.filter((_, index) => index !== first);
  const heard = hear(listener(loud), without);
  assert.match(heard[first + 1]!.refusal?.detail ?? '', /no large message \d+ began/);
  const twice = [...packets.slice(0, first + 1), packets[first]!, ...packets.slice(first + 1)];
  assert.equal(faultsOf(hear(listener(loud), twice)), []);
});

test('an answer put off belongs to the request it was put off for', () => {
  for (const options of [{}, chunked(100)]) {
    const loud = loudPair({
      ...options,
      responder: {
        readiness: (_code, work) =>
          work.some(({ op }) => op === 'sign') ? { rdtExponent: 4, rdtm: 3 } : undefined,
        ...options.responder,
      },
    });
    const { pair } = loud;
    pair.onWait = () => {
      const { held } = pair.responder.state;
      if (held !== undefined) pair.responder.ready(held.token);
    };
    assert.is(converse(pair).fault, undefined);
    const heard = heardOf(loud);
    assert.equal(faultsOf(heard), []);
    assert.equal(checksOf(heard), checksOf(heardOf(conversation(options))));
    assert.ok(heard.some(({ name }) => name === 'RESPOND_IF_READY'));
  }
});

test('a request that met a busy responder is heard twice and counts once', () => {
  const loud = conversation({ flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } });
  const busy = { secured: false, bytes: fromHex('127f0300') };
  const packets = loud.pair.wire.flatMap(({ request, response }) =>
    request.secured ? [request, response!] : [request, busy, request, response!],
  );
  const heard = hear(listener(loud), packets);
  const failed = heard.filter(({ name }) => name !== 'FINISH').flatMap((one) => faultsOf([one]));
  assert.equal(failed, []);
  const finish = heard.filter(({ name }) => name === 'FINISH');
  assert.equal(faultsOf(finish), []);
});

/** A slot of another signature algorithm. */
function slotWith(signature: 'EDDSA_25519' | 'ECDSA_P521', hash: 'SHA3_384' | 'SHA_512') {
  const size = signature === 'EDDSA_25519' ? 32 : 66;
  const entity = (text: string, fill: number) => ({
    name: [['CN', text]] as const,
    privateKey: new Uint8Array(size).fill(fill).fill(0, 0, size === 66 ? 2 : 0),
    serialNumber: Uint8Array.of(fill),
  });
  const leaf = entity('Leaf', 0x33);
  const chain = buildDeviceChain(crypto, {
    signature,
    root: entity('Root', 0x11),
    intermediate: entity('Intermediate', 0x22),
    leaf,
    notBefore: '20240101000000Z',
    notAfter: '99991231235959Z',
    deviceInfo: 'Example:Device:1',
  });
  const { certificates } = chain;
  const slot: IdentitySlot = {
    chain: encodeCertChain(crypto, hash, 0x12, certificates),
    signer: { algorithm: signature, privateKey: leaf.privateKey },
  };
  return fixedIdentity(new Map([[0, slot]]));
}

const families: readonly [string, PairOptions['requester'], ReturnType<typeof slotWith>][] = [
  [
    'Ed25519, SHA3-384, FFDHE2048, ChaCha20',
    { algorithms: { measurementHash: 4, baseAsym: 0x400, baseHash: 0x10, dhe: 1, aead: 4 } },
    slotWith('EDDSA_25519', 'SHA3_384'),
  ],
  [
    'P-521, SHA-512, secp521r1, AES-128',
    { algorithms: { measurementHash: 4, baseAsym: 0x100, baseHash: 4, dhe: 0x20, aead: 1 } },
    slotWith('ECDSA_P521', 'SHA_512'),
  ],
  [
    'P-521, SHA-512, ML-KEM-512',
    { algorithms: { measurementHash: 4, baseAsym: 0x100, baseHash: 4, dhe: 0, kem: 1, aead: 1 } },
    slotWith('ECDSA_P521', 'SHA_512'),
  ],
];
for (const [name, party, identity] of families)
  test(`algorithms: ${name}`, () => {
    const version = /KEM/.test(name) ? 0x14 : 0x13;
    const loud = conversation({
      version,
      requester: { ...party },
      responder: { ...party, identity } as PairOptions['responder'] & object,
    });
    const heard = heardOf(loud);
    assert.equal(faultsOf(heard), []);
    assert.is(checksOf(heard).length, 6);
  });

test('several sessions at once, and keys updated in every way', () => {
  const psk = () => ascii('shared by two');
  const loud = loudPair({
    version: 0x13,
    flags: { PSK_CAP: 1, KEY_UPD_CAP: 1, ENCAP_CAP: 1 },
    responderFlags: { PSK_CAP: 2 },
    requester: { psk },
    responder: { psk, sessionsMax: 4 },
  });
  const { pair } = loud;
  const { requester } = pair;
  pair.authenticate();
  const first = pair.session();
  const asked = { hint: ascii('hint'), summaryType: 0, terminationPolicy: 0 } as const;
  const second = pair.good(openPskSession(requester, asked));
  const third = pair.good(openPskSession(requester, asked));
  for (const session of [first, second, third]) {
    pair.good(heartbeat(requester, session));
    pair.good(updateKeys(requester, session, 'UpdateKey'));
    pair.good(updateKeys(requester, session, 'UpdateAllKeys'));
    updateResponseKey(pair.responder.state, session.id);
    pair.good(encapsulated(requester, session));
    pair.good(getMeasurements(requester, session, { slot: 0, operation: 0xff, signed: false }));
  }
  for (const session of [second, first, third]) pair.good(endSession(requester, session));
  const heard = heardOf(loud);
  assert.equal(faultsOf(heard), []);
  assert.is(new Set(heard.map(({ sessionId }) => sessionId)).size, 4);
  const inner = heard.flatMap(({ vendor }) => (vendor ? [vendor.name] : []));
  assert.is(inner.filter((name) => name === 'KEY_UPDATE').length, 6);
  // Without a key log: one PSK opens both sessions, the other kind has a list of its own.
  const [dhe] = loud.keyLog;
  const { secret } = dhe!;
  const given = { keyLog: [], dheSecrets: [new Uint8Array(32), secret], psks: [psk()] };
  assert.equal(faultsOf(heardOf(loud, given)), []);
});

test('a KEY_UPDATE that was refused leaves the keys as they are', () => {
  for (const op of ['01', '02']) {
    const loud = loudPair();
    const { pair } = loud.pair.authenticate() && loud;
    const session = pair.session();
    const before = packetsOf(loud);
    const request = session.keys.seal('request', session.id, fromHex(`12e9${op}07`));
    const answer = pair.send({ secured: true, bytes: request })!;
    assert.ok(session.keys.open('response', answer.bytes).ok);
    const length = pair.wire.length;
    for (let i = 0; i < 3; i++) pair.good(heartbeat(pair.requester, session));
    const after = packetsOf(loud).slice(2 * length);
    const heard = hear(listener(loud), [
      ...before,
      { secured: true, bytes: request },
      answer,
      ...after,
    ]);
    assert.equal(faultsOf(heard), []);
    assert.equal(
      heard
        .slice(before.length)
        .map(({ name }) => name)
        .slice(0, 2),
      ['KEY_UPDATE', 'ERROR'],
    );
  }
});

test('a record past the AEAD limit that both agreed on is a failed check', () => {
  const limited = { securedVersions: [0x1100, 0x1300], aeadLimitExponent: 2 };
  for (const [requester, responder, limit] of [
    [limited, limited, true],
    [{ ...limited, aeadLimitExponent: 64 }, limited, true],
    [limited, { ...limited, securedVersions: [0x1100] }, false],
  ] as const) {
    const loud = loudPair({ requester, responder, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } });
    const { pair } = loud;
    pair.authenticate();
    const session = pair.session();
    // Both of them forget their limit.
    const other = pair.responder.state.sessions.get(session.id)!;
    for (const { keys } of [session, other])
      (keys.records as { sequenceLimit?: number }).sequenceLimit = 2 ** 32;
    for (let i = 0; i < 4; i++) pair.good(heartbeat(pair.requester, session));
    assert.equal(faultsOf(heardOf(loud)), []);
    pair.good(heartbeat(pair.requester, session));
    const said = 'AEAD limit: failed 2^2 records passed';
    const name = limit ? [said, said] : [];
    assert.equal(faultsOf(heardOf(loud)), name);
  }
});

test('a new GET_VERSION starts a new connection; what was known of the device is kept', () => {
  const loud = loudPair();
  const { pair } = loud;
  converse(pair);
  pair.good(negotiate(pair.requester));
  pair.session();
  const heard = heardOf(loud);
  assert.equal(faultsOf(heard), []);
  assert.is(heard.filter(({ name }) => name === 'GET_VERSION').length, 2);
});

test('a GET_VERSION that was refused changes nothing', () => {
  const loud = conversation();
  const packets = packetsOf(loud);
  const at = packets.findIndex(({ secured }) => secured) + 2;
  const refused = ['10840000', '107f0300'].map((hex) => ({ secured: false, bytes: fromHex(hex) }));
  const heard = hear(listener(loud), [...packets.slice(0, at), ...refused, ...packets.slice(at)]);
  assert.equal(faultsOf(heard), []);
});

test('GET_CAPABILITIES and ALGORITHMS that are said again change nothing', () => {
  const loud = conversation();
  const packets = packetsOf(loud);
  const [vca, rest] = [packets.slice(0, 6), packets.slice(6)];
  const heard = hear(listener(loud), [...vca, ...vca.slice(2), ...rest]);
  assert.equal(faultsOf(heard), []);
});

test('a refused KEY_EXCHANGE is no part of what comes after', () => {
  const loud = conversation();
  const packets = packetsOf(loud);
  const exchange = packets.findIndex(({ bytes }) => bytes[1] === 0xe4);
  const [request, answer] = packets.slice(exchange, exchange + 2);
  // KEY_EXCHANGE again, unanswered but for an ERROR.
  const error = { secured: false, bytes: fromHex('127f0400') };
  const more = [...packets.slice(0, exchange), request!, error, request!, answer!];
  const heard = hear(listener(loud), [...more, ...packets.slice(exchange + 2)]);
  assert.equal(faultsOf(heard), []);
});

test('what cannot be told is said, with its reason', () => {
  const loud = conversation();
  const packets = packetsOf(loud);
  const reasons = (heard: ReturnType<typeof hear>) => [...new Set(faultsOf(heard))].join('\n');
  const none = reasons(hear(listener(loud, { keyLog: [] }), packets));
  assert.match(none, /ResponderVerifyData: unverifiable no secret of this session is given/);
  assert.match(
    none,
    /undecrypted record: BAD_VALUE SessionID session 0x\w{8}: no secret given fits/,
  );
  const wrong = { keyLog: [], dheSecrets: [new Uint8Array(32).fill(1)] };
  assert.match(
    reasons(hear(listener(loud, wrong), packets)),
    /failed the secret given does not make/,
  );
  const late = packets.slice(packets.findIndex(({ bytes }) => bytes[1] === 0xe4));
  const after = reasons(hear(listener(loud), late));
  assert.match(after, /its start was not heard|no ALGORITHMS was heard/);
  const chainless = packets.filter(({ bytes }) => ![0x81, 0x01, 0x82, 0x02].includes(bytes[1]!));
  const blind = reasons(hear(listener(loud), chainless));
  assert.match(blind, /no certificate chain of the responder's slot 0 was heard/);
  assert.match(blind, /neither chain nor digest of the responder's slot 0 was heard/);
});

test('a key log names sessions: another session does not try its secrets', () => {
  const loud = conversation();
  const keyLog = loud.keyLog.map((entry) => ({ ...entry, sessionId: entry.sessionId ^ 1 }));
  const said = faultsOf(heardOf(loud, { keyLog })).join('\n');
  assert.match(said, /unverifiable no secret of this session is given/);
});

test('DIGESTS that do not fit take a chain away', () => {
  const loud = loudPair();
  loud.pair.authenticate();
  const packets = packetsOf(loud);
  const digests = packets.findIndex(({ bytes }) => bytes[1] === 0x01);
  const other = packets[digests]!.bytes.slice();
  other[8]! ^= 1;
  const asks = [packets[digests - 1]!, { secured: false, bytes: other }];
  const challenged = loud.pair.wire.length;
  loud.pair.good(challenge(loud.pair.requester, 0, 0));
  const rest = packetsOf(loud).slice(2 * challenged);
  const heard = hear(listener(loud), [...packets, ...asks, ...rest]);
  assert.match(faultsOf(heard).join(), /no certificate chain/);
});

test.run();
