/** Weaknesses of who somebody is: replays, chains of others, portions that lie, signatures over little. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, fromHex, toHex } from '../../../../protocols/codec/bytes.ts';
import { decode } from '../../../../protocols/codec/layout.ts';
import { isPeerFault, peerFault } from '../../../../protocols/codec/refusal.ts';
import { fixedIdentity } from '../../../../protocols/spdm/identity.ts';
import { leafKeyOfChain } from '../../../../protocols/spdm/leaf-key.ts';
import { connectionFacts, layoutOf } from '../../../../protocols/spdm/messages/registry.ts';
import type { TrustChain } from '../../../../protocols/spdm/party.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import {
  getCertificate,
  getDigests,
  trustChain,
} from '../../../../protocols/spdm/requester/certificates.ts';
import { openSession } from '../../../../protocols/spdm/requester/session.ts';
import type { Exchange } from '../../../../protocols/spdm/requester/state.ts';
import { negotiate } from '../../../../protocols/spdm/requester/vca.ts';
import { SigningContexts, verifyTranscript } from '../../../../protocols/spdm/signing.ts';
import { buildCertificate, type NamePlan } from '../../../../protocols/x509/build.ts';
import { encodeCertChain, verifyCertChain } from '../../../../protocols/x509/spdm-chain.ts';
import { crypto, Pair, type PairOptions, slotOf } from '../pair.ts';
import { certificatesFor, keyOf } from '../provisioned.ts';

const test = suite('spdm weaknesses: identity');

const codeOf = (result: unknown): string => (isPeerFault(result) ? result.code : 'ok');
const SIGNED = { slot: 0, operation: 0xff, signed: true } as const;
const UNSIGNED = { ...SIGNED, signed: false } as const;
const ASKED = { slot: 0, summaryType: 0, terminationPolicy: 0 } as const;

/** From its second time on, an answer of this code is the first one again. */
function replaying(pair: Pair, code: number): Pair {
  let first: Uint8Array | undefined;
  pair.tap = ({ secured, bytes }, direction) => {
    if (direction === 'request' || bytes[1] !== code) return { secured, bytes };
    first ??= bytes.slice();
    return { secured, bytes: first };
  };
  return pair;
}

for (const [version, challengeFault, measurementsFault] of [
  [0x11, 'CHALLENGE_AUTH_SIGNATURE', 'MEASUREMENTS_SIGNATURE'],
  [0x12, 'CHALLENGE_AUTH_SIGNATURE', 'MEASUREMENTS_SIGNATURE'],
  [0x13, 'CHALLENGE_AUTH_CONTEXT', 'MEASUREMENTS_CONTEXT'],
] as const)
  test(`F-S06 an old CHALLENGE_AUTH or MEASUREMENTS proves nothing, ${version.toString(16)}`, () => {
    const pair = replaying(new Pair({ version }).authenticate(), 0x03);
    pair.good(challenge(pair.requester, 0, 0));
    pair.requester.authenticated = false;
    assert.is(codeOf(pair.run(challenge(pair.requester, 0, 0))), challengeFault);
    assert.not(pair.requester.authenticated);
    const other = replaying(new Pair({ version }).authenticate(), 0x60);
    other.good(getMeasurements(other.requester, undefined, SIGNED));
    const again = other.run(getMeasurements(other.requester, undefined, SIGNED));
    assert.is(codeOf(again), measurementsFault);
  });

test('F-S06 with the context of the new request put in, the old answer still has the wrong nonce', () => {
  const pair = new Pair({ version: 0x13 }).authenticate();
  let old: Uint8Array | undefined;
  let context = new Uint8Array(8);
  pair.tap = ({ secured, bytes }, direction) => {
    if (direction === 'request') context = bytes.slice(-8);
    if (direction === 'request' || bytes[1] !== 0x03) return { secured, bytes };
    old ??= bytes.slice();
    const forged = old.slice();
    forged.set(context, forged.length - 64 - 8);
    return { secured, bytes: forged };
  };
  pair.good(challenge(pair.requester, 0, 0));
  assert.is(codeOf(pair.run(challenge(pair.requester, 0, 0))), 'CHALLENGE_AUTH_SIGNATURE');
});

const good = certificatesFor(0x33);
const NOW = 1_893_456_000;
/** A requester that trusts the root of `good`, at a day in 2030. */
const strict: TrustChain = (chain, hashSize) => {
  const leaf = { role: 'responder', requireEku: true } as const;
  const policy = { anchors: [{ der: good[0]! }], at: NOW, leaf };
  const verdict = verifyCertChain(crypto, chain, 'SHA_256', 0x12, policy);
  if (!verdict.ok) return peerFault(verdict.code, verdict.detail);
  return leafKeyOfChain(chain, hashSize) ?? peerFault('CHAIN', 'no leaf');
};

/** A device whose slot 0 holds these. */
function deviceWith(certificates: readonly Uint8Array[], options: PairOptions = {}): Pair {
  const chain = encodeCertChain(crypto, 'SHA_256', 0x12, certificates);
  const signer = { algorithm: 'ECDSA_P256', privateKey: keyOf(0x33) } as const;
  return new Pair({
    ...options,
    requester: { trust: strict, ...options.requester },
    responder: { identity: fixedIdentity(new Map([[0, { chain, signer }]])), ...options.responder },
  });
}

const NAMES = {
  root: [['CN', 'Root']],
  intermediate: [['CN', 'Intermediate']],
  leaf: [['CN', 'Leaf 51']],
} as const;
/** A certificate for the device's key with something wrong in it. */
const leafWith = (issuer: keyof typeof NAMES, issuerKey: number, extKeyUsage: string) =>
  buildCertificate(
    crypto,
    {
      issuer: NAMES[issuer],
      subject: NAMES.leaf,
      serialNumber: Uint8Array.of(9),
      notBefore: '20240101000000Z',
      notAfter: '20441231235959Z',
      algorithm: 'ECDSA_P256',
      publicKey: crypto.signingPublicKey('ECDSA_P256', keyOf(0x33)),
      extensions: {
        basicConstraints: { cA: false },
        keyUsage: ['digitalSignature'],
        extKeyUsage: [extKeyUsage],
      },
    },
    { signature: 'ECDSA_P256', privateKey: keyOf(issuerKey) },
  );
const TLS_SERVER = '1.3.6.1.5.5.7.3.1';
const RESPONDER = '1.3.6.1.4.1.412.274.3';
/** A root that allows no CA below the next one, which has one. */
function longer(): readonly Uint8Array[] {
  const ca = (subject: NamePlan, issuer: NamePlan, key: number, pathLenConstraint?: number) =>
    buildCertificate(
      crypto,
      {
        ...{ issuer, subject, serialNumber: Uint8Array.of(7), algorithm: 'ECDSA_P256' },
        ...{ notBefore: '20240101000000Z', notAfter: '20441231235959Z' },
        publicKey: crypto.signingPublicKey('ECDSA_P256', keyOf(key)),
        extensions: {
          basicConstraints: {
            cA: true,
            ...(pathLenConstraint === undefined ? {} : { pathLenConstraint }),
          },
          keyUsage: ['keyCertSign'],
        },
      },
      { signature: 'ECDSA_P256', privateKey: keyOf(issuer === NAMES.root ? 0x11 : 0x77) },
    );
  const middle = [['CN', 'Middle']] as const;
  return [
    root,
    ca(middle, NAMES.root, 0x77, 0),
    ca(NAMES.intermediate, middle, 0x22),
    leafWith('intermediate', 0x22, RESPONDER),
  ];
}
/** The same names, another key at the root. */
const strangers = certificatesFor(0x33, {
  root: { name: NAMES.root, privateKey: keyOf(0x66), serialNumber: Uint8Array.of(1) },
});
const [root, intermediate, leaf] = good as [Uint8Array, Uint8Array, Uint8Array];
const below = (change: Parameters<typeof certificatesFor>[1]) => [
  root,
  ...certificatesFor(0x33, change).slice(1),
];
const chains: [name: string, certificates: readonly Uint8Array[], fault: string][] = [
  ['expired', below({ notAfter: '20251231235959Z' }), 'EXPIRED'],
  ['not valid yet', below({ notBefore: '20350101000000Z' }), 'NOT_YET_VALID'],
  ['made for a requester', below({ roles: ['requester'] }), 'EKU_MISSING'],
  [
    'of a TLS server',
    [root, intermediate, leafWith('intermediate', 0x22, TLS_SERVER)],
    'EKU_MISSING',
  ],
  ['under a root nobody knows', strangers, 'UNKNOWN_ROOT'],
  ['of a leaf that signed itself', [leafWith('leaf', 0x33, RESPONDER)], 'SELF_SIGNED_LEAF'],
  [
    'signed with another key',
    [root, intermediate, leafWith('intermediate', 0x66, RESPONDER)],
    'BAD_SIGNATURE',
  ],
  ['longer than its path may be', longer(), 'PATH_TOO_LONG'],
  ['in another order', [root, leaf, intermediate], 'ISSUER_MISMATCH'],
  ['with its leaf missing', [root, intermediate], 'LEAF_CONSTRAINTS'],
];
for (const [name, certificates, fault] of chains)
  test(`F-S07 a chain ${name}: a named refusal, and no key exchange`, () => {
    const pair = deviceWith(certificates);
    pair.good(negotiate(pair.requester));
    const digest = pair.good(getDigests(pair.requester)).get(0);
    pair.good(getCertificate(pair.requester, 0, digest));
    const verdict = trustChain(pair.requester, 0);
    assert.is(codeOf(verdict), fault);
    assert.is(pair.requester.leaves.size, 0);
    const sent = pair.wire.length;
    const exchanges: Exchange<unknown>[] = [
      openSession(pair.requester, ASKED),
      challenge(pair.requester, 0, 0),
      getMeasurements(pair.requester, undefined, SIGNED),
    ];
    for (const exchange of exchanges) assert.throws(() => pair.run(exchange), /is not trusted yet/);
    assert.is(pair.wire.length, sent, 'nothing is sent');
    assert.is(pair.responder.state.sessions.size, 0);
  });

test('F-S07 the same device with a sound chain has its session', () => {
  assert.ok(deviceWith(good).authenticate().session().established);
});

test('F-S07 the chain of another device: not the one in DIGESTS, and its key signed nothing', () => {
  const other = slotOf('P256', 0x34).chain;
  const swapped = (options: PairOptions = {}) => {
    const pair = new Pair({ requester: { certificatePortion: 0xffff }, ...options });
    pair.tap = ({ secured, bytes }, direction) => {
      if (direction === 'request' || bytes[1] !== 0x02) return { secured, bytes };
      const size = other.length;
      return {
        secured,
        bytes: concat(fromHex('12020000'), Uint8Array.of(size & 255, size >> 8, 0, 0), other),
      };
    };
    return pair;
  };
  const pair = swapped();
  pair.good(negotiate(pair.requester));
  const digest = pair.good(getDigests(pair.requester)).get(0);
  assert.is(codeOf(pair.run(getCertificate(pair.requester, 0, digest))), 'CERTIFICATE_DIGEST');
  assert.is(pair.requester.chains.size, 0);
  // Where nobody asks for digests, the signature tells.
  const blind = swapped();
  blind.good(negotiate(blind.requester));
  blind.good(getCertificate(blind.requester, 0));
  assert.not(isPeerFault(trustChain(blind.requester, 0)));
  assert.is(codeOf(blind.run(challenge(blind.requester, 0, 0))), 'CHALLENGE_AUTH_CHAIN');
  assert.is(codeOf(blind.run(openSession(blind.requester, ASKED))), 'KEY_EXCHANGE_SIGNATURE');
  assert.is(blind.requester.sessions.size, 0);
});

test('F-S07 two slots swapped on their way', () => {
  const slots = new Map([0, 1].map((slot) => [slot, slotOf('P256', 0x33 + slot)] as const));
  const pair = new Pair({ responder: { identity: fixedIdentity(slots) } });
  pair.tap = ({ secured, bytes }, direction) => {
    const isAsked = direction === 'request' && (bytes[1] === 0x82 || bytes[1] === 0x83);
    if (isAsked) bytes = Uint8Array.of(bytes[0]!, bytes[1]!, bytes[2]! ^ 1, ...bytes.subarray(3));
    return { secured, bytes };
  };
  pair.good(negotiate(pair.requester));
  const digest = pair.good(getDigests(pair.requester)).get(0);
  assert.is(codeOf(pair.run(getCertificate(pair.requester, 0, digest))), 'CERTIFICATE_PORTION');
  pair.cached();
  assert.is(codeOf(pair.run(challenge(pair.requester, 0, 0))), 'CHALLENGE_AUTH_SLOT');
});

/** CERTIFICATE as a lying responder says it: what is left, and the bytes. */
const portion = (remainder: number, data: Uint8Array) =>
  concat(
    fromHex('12020000'),
    Uint8Array.of(data.length & 255, data.length >> 8, remainder & 255, remainder >> 8),
    data,
  );
const bytesOf = (size: number) => new Uint8Array(size).fill(0x30);
const portions: [
  name: string,
  answer: (step: number, length: number) => Uint8Array,
  fault: string,
][] = [
  ['nothing, for ever', () => portion(100, bytesOf(0)), 'CERTIFICATE_PORTION'],
  ['one byte, and always 100 more', () => portion(100, bytesOf(1)), 'CERTIFICATE_PORTION'],
  ['a remainder that grows', (step) => portion(100 + step, bytesOf(10)), 'CERTIFICATE_PORTION'],
  [
    'a remainder that jumps to 0',
    (step) => portion(step === 0 ? 100 : 0, bytesOf(10)),
    'CERTIFICATE_PORTION',
  ],
  [
    'more than was asked for',
    (_step, length) => portion(0, bytesOf(length + 1)),
    'CERTIFICATE_PORTION',
  ],
  ['more than a chain may have', () => portion(0xffff, bytesOf(10)), 'CERTIFICATE_PORTION'],
  ['a length of all ones', () => fromHex('12020000 ffff 0000 00'), 'MALFORMED_ANSWER'],
];
for (const [name, answer, fault] of portions)
  test(`F-S08 rust-spdm#14 portions of ${name}: refused within a few steps`, () => {
    const pair = new Pair({ requester: { certificatePortion: 64 } });
    pair.good(negotiate(pair.requester));
    let steps = 0;
    pair.tap = ({ secured, bytes }, direction) =>
      direction === 'response' ? { secured, bytes: answer(steps++, 64) } : { secured, bytes };
    assert.is(codeOf(pair.run(getCertificate(pair.requester, 0))), fault);
    assert.ok(steps <= 2, `${steps} steps`);
    assert.is(pair.requester.chains.size, 0);
  });

test('F-S08 portions in another order are not the chain in DIGESTS', () => {
  const pair = new Pair({ requester: { certificatePortion: 100 } });
  pair.good(negotiate(pair.requester));
  const digest = pair.good(getDigests(pair.requester)).get(0);
  pair.tap = ({ secured, bytes }, direction) => {
    // The first two portions trade places: what remains is told as it should be.
    if (direction === 'request' && bytes[1] === 0x82) {
      const offset = bytes[4]! + bytes[5]! * 256;
      const moved = offset === 0 ? 100 : offset === 100 ? 0 : offset;
      return {
        secured,
        bytes: concat(
          bytes.subarray(0, 4),
          Uint8Array.of(moved & 255, moved >> 8),
          bytes.subarray(6),
        ),
      };
    }
    if (direction === 'response' && bytes[1] === 0x02) return { secured, bytes };
    return { secured, bytes };
  };
  assert.is(codeOf(pair.run(getCertificate(pair.requester, 0, digest))), 'CERTIFICATE_PORTION');
});

test('rust-spdm#14 every one-byte portion costs one step, and no more than a chain has', () => {
  const pair = new Pair({ requester: { certificatePortion: 1 } });
  pair.good(negotiate(pair.requester));
  const before = pair.wire.length;
  const chain = pair.good(getCertificate(pair.requester, 0));
  assert.is(pair.wire.length - before, chain.length);
});

/** GET_MEASUREMENTS in 1.2: all of them, with a signature or without. */
const measurements = (signed: boolean) =>
  fromHex(signed ? `12e001ff${'5a'.repeat(32)}00` : '12e000ff');
type Step = 'signed' | 'unsigned' | 'DIGESTS';
const windows: [steps: Step[], covered: number[]][] = [
  [['signed'], [0]],
  [
    ['unsigned', 'signed'],
    [0, 1],
  ],
  [
    ['signed', 'unsigned', 'signed'],
    [1, 2],
  ],
  [['unsigned', 'DIGESTS', 'signed'], [2]],
  [['signed', 'unsigned', 'DIGESTS', 'signed'], [3]],
  [
    ['unsigned', 'unsigned', 'DIGESTS', 'unsigned', 'signed'],
    [3, 4],
  ],
];
for (const [steps, covered] of windows)
  test(`F-S22 L1/L2 of ${steps.join(', ')} covers requests ${covered}`, () => {
    const pair = new Pair().authenticate();
    const parts: Uint8Array[] = [pair.responder.state.transcript.a.bytes()];
    let signature = new Uint8Array(0);
    for (const [at, step] of steps.entries()) {
      const request = step === 'DIGESTS' ? fromHex('12810000') : measurements(step === 'signed');
      const answer = pair.plain(request)!;
      if (step === 'signed') signature = answer.slice(-64);
      if (covered.includes(at))
        parts.push(request, step === 'signed' ? answer.slice(0, -64) : answer);
    }
    const { publicKey: key } = leafKeyOfChain(pair.slot.chain, 32)!;
    const scope = { crypto, hash: 'SHA_256', version: 0x12 } as const;
    const { MEASUREMENTS } = SigningContexts;
    const fits = (text: Uint8Array) =>
      verifyTranscript(scope, 'ECDSA_P256', key, MEASUREMENTS, text, signature);
    assert.ok(fits(concat(...parts)));
    assert.not(fits(concat(parts[0]!, ...parts.slice(2))), 'the first of them counts');
  });

test('F-S22 in a session and outside, each has a window of its own, and both sides agree', () => {
  const pair = new Pair().authenticate();
  const session = pair.session();
  const { requester } = pair;
  for (const at of [undefined, session, undefined, session]) {
    pair.good(getMeasurements(requester, at, UNSIGNED));
    assert.ok(pair.good(getMeasurements(requester, at, SIGNED)).blocks.length > 0);
  }
  // One window stays open while the other is signed.
  pair.good(getMeasurements(requester, session, UNSIGNED));
  const answer = pair.sealed(session, measurements(true))!.bytes;
  const facts = { ...connectionFacts(0x12, requester.negotiated), signed: 1 };
  assert.ok(decode(layoutOf(0x60)!, answer, facts).ok);
  assert.is(toHex(answer.subarray(0, 2)), '1260');
});

test.run();
