/** CHALLENGE as evidence: A || B || C of a real exchange, alone and with the measurements it sums up. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat } from '../../../../protocols/codec/bytes.ts';
import { type Evidence, verifyEvidence } from '../../../../protocols/spdm/evidence/evidence.ts';
import { challenge, getMeasurements } from '../../../../protocols/spdm/requester/auth.ts';
import { decodeCertChain } from '../../../../protocols/x509/spdm-chain.ts';
import { splitChain } from '../../../../protocols/x509/split.ts';
import { flipped, Pair, slotOf, type Travelled } from '../pair.ts';
import { AT, crypto } from './fixtures.ts';

const test = suite('spdm evidence challenge');

const ALL = { slot: 0, operation: 0xff, signed: true } as const;
const CHALLENGE = 0x83;

const bytesOf = (wire: readonly Travelled[]) =>
  concat(...wire.flatMap(({ request, response }) => [request.bytes, response!.bytes]));

interface Recorded {
  readonly a: Uint8Array;
  readonly b: Uint8Array;
  readonly c: Uint8Array;
  readonly l: Uint8Array;
}

/** What a pair says to each other: VCA, digests and chain, CHALLENGE, measurements. */
function record(version: number, summaryType = 0xff, seed = 1): Recorded {
  const pair = new Pair({ version, seed, responder: { versions: [version] } });
  pair.authenticate();
  pair.good(challenge(pair.requester, 0, summaryType));
  pair.good(getMeasurements(pair.requester, undefined, ALL));
  const at = pair.wire.findIndex(({ request }) => request.bytes[1] === CHALLENGE);
  const { wire } = pair;
  return {
    a: bytesOf(wire.slice(0, 3)),
    b: bytesOf(wire.slice(3, at)),
    c: bytesOf(wire.slice(at, at + 1)),
    l: bytesOf(wire.slice(at + 1)),
  };
}

function look(evidence: Evidence, policy = {}) {
  return verifyEvidence(crypto, evidence, { at: AT, ...policy });
}
function reasons(evidence: Evidence, policy = {}): string {
  const { ok, checks } = look(evidence, policy);
  return ok ? 'ok' : checks.flatMap(({ code }) => code ?? []).join();
}

const nonceIn = (request: Uint8Array) => request.slice(4, 36);
const versions = [0x10, 0x11, 0x12, 0x13, 0x14];

for (const version of versions)
  test(`SPDM ${version.toString(16)}: challenge and measurements`, () => {
    const { a, b, c, l } = record(version);
    const whole = { messages: concat(a, b, c, l), nonce: [nonceIn(c), nonceIn(l)] };
    const verified = look(whole);
    assert.is(reasons(whole), 'ok');
    assert.equal(verified.signed, ['challenge', 'measurements']);
    assert.is(verified.blocks.length, 4);
    assert.is(verified.chain.length, 3);
    const good = verified.checks.map(({ name }) => name);
    for (const name of ['challenge signature', 'certificate chain hash', 'summary'])
      assert.ok(good.includes(name), name);
    assert.is(reasons({ messages: concat(a, b, c) }), 'ok');
    assert.is(reasons({ messages: concat(b, c), vca: a }), 'ok');
    assert.is(reasons({ messages: concat(a, b, l) }), 'ok');
    // Where VCA is signed it counts; B always does.
    assert.match(reasons({ messages: concat(b, c) }), /VCA/);
    assert.match(reasons({ messages: concat(a, c), chain: slotOf('P256').chain }), /SIGNATURE/);
  });

const { a, b, c, l } = record(0x12);
const { chain } = slotOf('P256');
const fields = decodeCertChain(chain, 'SHA_256', 0x12);
assert.ok(fields.ok);
const ders = splitChain(fields.value.Certificates);
assert.ok(ders.ok);
const certificates = ders.value;

test('the chain in any form is held against CertChainHash', () => {
  const messages = concat(a, b, c);
  assert.is(reasons({ messages, chain }), 'ok');
  assert.is(reasons({ messages, certificates }), 'ok');
  // F-S07: the chain of another device of the same vendor.
  const other = slotOf('P256', 0x44).chain;
  assert.is(reasons({ messages, chain: other }), 'SIGNATURE,CERT_CHAIN_HASH');
  assert.is(
    reasons({ messages, chain: flipped(chain, 8, 1) }),
    'CHAIN_ROOT_HASH_MISMATCH,CERT_CHAIN_HASH',
  );
  assert.is(reasons({ messages, chain: flipped(chain, 0, 1) }), 'CHAIN_BAD_ENCODING');
  assert.is(
    reasons({ messages, certificates: certificates.slice(1) }),
    'CHAIN_NO_ROOT,CERT_CHAIN_HASH',
  );
});

test('F-S06 an old CHALLENGE_AUTH does not answer a new nonce', () => {
  const messages = concat(a, b, c);
  const fresh = new Uint8Array(32).fill(9);
  assert.is(reasons({ messages, nonce: nonceIn(c) }), 'ok');
  assert.is(reasons({ messages, nonce: fresh }), 'NONCE');
  assert.is(reasons({ messages: concat(a, b, c, l), nonce: nonceIn(c) }), 'NONCE');
  const renewed = c.slice();
  renewed.set(fresh, 4);
  assert.is(reasons({ messages: concat(a, b, renewed), nonce: fresh }), 'SIGNATURE');
  const later = record(0x12, 0xff, 2);
  assert.is(reasons({ messages: concat(a, b, c.slice(0, 36), later.c.slice(36)) }), 'SIGNATURE');
});

test('every byte of A, B and C counts', () => {
  const messages = concat(a, b, c);
  const policy = { rootSha256: [crypto.hash('SHA_256', certificates[0]!)] };
  assert.is(reasons({ messages }, policy), 'ok');
  for (let at = 0; at < messages.length; at += 1) {
    const isInChain = at > a.length + 200 && at < a.length + b.length - 100;
    if (isInChain && at % 13 !== 0) continue;
    assert.is.not(
      reasons({ messages: flipped(messages, at, 1 << (at % 8)) }, policy),
      'ok',
      `${at}`,
    );
  }
  for (let size = 0; size < messages.length; size += 7)
    assert.is.not(reasons({ messages: messages.slice(0, size) }, policy), 'ok', `${size}`);
});

test('regions of CHALLENGE_AUTH and their refusals', () => {
  const at = a.length + b.length;
  // CHALLENGE has 36 bytes; its answer: header 4, hash 32, nonce 32, summary 32, opaque length 2, signature.
  const answer = at + 36;
  const regions: [name: string, offset: number, reason: RegExp][] = [
    ['slot asked', at + 2, /SIGNATURE,SLOT|CHAIN_EMPTY_CHAIN/],
    ['summary type', at + 3, /SIGNATURE/],
    ['nonce', at + 10, /^SIGNATURE$/],
    ['version', answer, /^LAYOUT$/],
    ['code', answer + 1, /^LAYOUT$/],
    ['slot answered', answer + 2, /^SIGNATURE,SLOT$/],
    ['slot mask', answer + 3, /^SIGNATURE$/],
    ['CertChainHash', answer + 4, /^SIGNATURE,CERT_CHAIN_HASH$/],
    ['nonce answered', answer + 40, /^SIGNATURE$/],
    ['summary', answer + 70, /^SIGNATURE,SUMMARY$/],
    ['opaque length', answer + 100, /^LAYOUT$/],
    ['signature', answer + 110, /^SIGNATURE$/],
  ];
  for (const [name, offset, reason] of regions)
    assert.match(reasons({ messages: flipped(concat(a, b, c, l), offset, 1) }), reason, name);
});

test('the summary is of the measurements given', () => {
  const other = record(0x12, 1);
  const codes = (evidence: Evidence, policy = {}) =>
    look(evidence, policy).notes.map(({ code }) => code);
  const tcb = { messages: concat(other.a, other.b, other.c, other.l) };
  assert.ok(codes(tcb).includes('SUMMARY_UNCOMPARED'));
  assert.is(reasons(tcb, { tcb: [1, 2] }), 'ok');
  assert.not.ok(codes(tcb, { tcb: [1, 2] }).includes('SUMMARY_UNCOMPARED'));
  assert.is(reasons(tcb, { tcb: [1, 3] }), 'SUMMARY');
  assert.ok(codes(tcb, { tcb: [1, 9] }).includes('SUMMARY_UNCOMPARED'));
  assert.ok(codes({ messages: concat(a, b, c) }).includes('SUMMARY_UNCOMPARED'));
  const none = record(0x12, 0);
  const silent = { messages: concat(none.a, none.b, none.c, none.l) };
  assert.is(reasons(silent), 'ok');
  assert.not.ok(look(silent).checks.some(({ name }) => name === 'summary'));
  const mixed = { messages: concat(a, b, c, other.l) };
  assert.is(reasons(mixed), 'ok');
});

test('parts that do not belong together', () => {
  const other = record(0x13);
  assert.is(reasons({ messages: concat(a, b, c), vca: a }), 'ok');
  assert.is(reasons({ messages: concat(a, b, c), vca: other.a }), 'VCA');
  assert.is(reasons({ messages: concat(a, b, c, other.l) }), 'LAYOUT');
  // Slot 1 asked and answered: GET_MEASUREMENTS has 37 bytes, SlotIDParam last.
  const moved = flipped(flipped(l, 36, 1), 37 + 3, 1);
  assert.is(reasons({ messages: concat(a, b, c, moved) }), 'SIGNATURE,SLOT');
});

test('what the policy wants signed', () => {
  const both = { require: ['measurements', 'challenge'], requireNonce: true };
  const nonce = [nonceIn(c), nonceIn(l)];
  assert.is(reasons({ messages: concat(a, b, c, l), nonce }, both), 'ok');
  assert.is(reasons({ messages: concat(a, b, c), nonce }, both), 'EVIDENCE_MISSING');
  assert.is(reasons({ messages: concat(a, b, l) }, both), 'EVIDENCE_MISSING,FRESHNESS');
});

test.run();
