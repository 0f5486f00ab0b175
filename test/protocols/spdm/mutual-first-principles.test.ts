/**
 * Mutual authentication checked with node:crypto alone, from the bytes on the wire: the requester's
 * CHALLENGE_AUTH over the mutual M1/M2, FINISH's signature and HMAC over TH, and TH2.
 */

import { createPublicKey, verify } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { fixedIdentity } from '../../../protocols/spdm/identity.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import type { KeyLogEntry } from '../../../protocols/spdm/party.ts';
import { challenged, mutualPair, own } from './mutual-pair.ts';
import { expand, hash, hmac, join } from './node-hkdf.ts';
import type { Pair } from './pair.ts';

const test = suite('spdm mutual authentication from first principles');

const HASH_SIZE = 32;
const SIGNATURE_SIZE = 64;
/** True if the requester's leaf signed the transcript for this use. */
function signed(use: string, transcript: Uint8Array, signature: Uint8Array, version: string) {
  const { publicKey } = leafKeyOfChain(own.chain, HASH_SIZE)!;
  const part = (from: number) =>
    Buffer.from(publicKey.subarray(from, from + 32)).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: part(0), y: part(32) };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const prefix = Buffer.alloc(100);
  prefix.write(`dmtf-spdm-v${version}.*`.repeat(4));
  prefix.write(use, 100 - use.length);
  const message = version === '1.1' ? transcript : join(prefix, hash(transcript));
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

const wireOf = (pair: Pair) =>
  pair.wire.map(({ request, response }) => [request.bytes, response!.bytes] as const);

/** Encapsulated messages in order, unwrapped: the responder's requests and the requester's answers. */
function unwrapped(wire: readonly (readonly [Uint8Array, Uint8Array])[], ackHead: number) {
  const asked: Uint8Array[] = [];
  const answered: Uint8Array[] = [];
  for (const [request, response] of wire) {
    if (request[1] === 0xeb) answered.push(request.subarray(4));
    if (response[1] === 0x6a) asked.push(response.subarray(4));
    if (response[1] === 0x6b && response[3] === 1) asked.push(response.subarray(ackHead));
  }
  return { asked, answered };
}

const rows: readonly (readonly [number, string])[] = [
  [0x11, '1.1'],
  [0x12, '1.2'],
  [0x13, '1.3'],
  [0x14, '1.4'],
];

for (const [version, text] of rows)
  test(`the requester's CHALLENGE_AUTH, ${text}`, () => {
    const pair = mutualPair({ basic: true }, { version }).authenticate();
    assert.is(challenged(pair), true);
    const wire = wireOf(pair);
    const { asked, answered } = unwrapped(wire, version >= 0x12 ? 8 : 4);
    assert.equal(
      asked.map(([, code]) => code),
      [0x81, 0x82, 0x83],
    );
    const vca = version >= 0x12 ? join(...wire.slice(0, 3).flat()) : Buffer.alloc(0);
    const pairs = answered.flatMap((answer, at) => [asked[at]!, answer]);
    const whole = join(vca, ...pairs);
    const m1m2 = whole.subarray(0, -SIGNATURE_SIZE);
    const signature = whole.subarray(-SIGNATURE_SIZE);
    assert.ok(signed('requester-challenge_auth signing', m1m2, signature, text));
    assert.not(
      signed('responder-challenge_auth signing', join(m1m2, Buffer.of(0)), signature, text),
    );
    const [, , last] = answered;
    assert.is(toHex(last!.subarray(4, 36)), toHex(hash(own.chain)));
  });

for (const [version, text] of rows)
  for (const session of ['requested', 'encapsulated', 'digests'] as const)
    for (const multiKey of version >= 0x13 && session !== 'requested' ? [0, 1] : [0])
      test(`FINISH, ${text}, ${session}${multiKey ? ', multi-key' : ''}`, () => {
        const secrets: Uint8Array[] = [];
        const keyLog = ({ secret }: KeyLogEntry) => void secrets.push(secret);
        const identity = fixedIdentity(new Map([[0, own]]));
        const pair = mutualPair(
          { session },
          {
            version,
            identity,
            flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 },
            requesterFlags: { MULTI_KEY_CAP: multiKey },
            requester: { keyLog },
            responder: { peerChain: own.chain },
          },
        ).authenticate();
        const opened = pair.session();
        const wire = wireOf(pair);
        const vca = join(...wire.slice(0, 3).flat());
        const exchange = wire.find(([request]) => request[1] === 0xe4)!;
        const [finish, finished] = wire.at(-1)!;
        const { answered } = unwrapped(wire, version >= 0x12 ? 8 : 4);
        assert.is(answered.length, session === 'requested' ? 0 : 2);
        const digests = multiKey ? answered[0]! : Buffer.alloc(0);
        const start = join(vca, hash(pair.slot.chain), ...exchange);
        const end = finish.length - HASH_SIZE - SIGNATURE_SIZE;
        const covered = join(start, digests, hash(own.chain), finish.subarray(0, end));
        const signature = finish.subarray(end, end + SIGNATURE_SIZE);
        assert.ok(signed('requester-finish signing', covered, signature, text));

        const handshakeSecret = hmac(Buffer.alloc(HASH_SIZE), secrets[0]!);
        const th1 = hash(start);
        const key = (direction: string) =>
          expand(
            expand(handshakeSecret, HASH_SIZE, text, `${direction} hs data`, th1),
            HASH_SIZE,
            text,
            'finished',
          );
        const th = join(covered, signature);
        const requesterData = hmac(key('req'), hash(th));
        assert.is(toHex(finish.subarray(-HASH_SIZE)), toHex(requesterData));
        const before = join(th, requesterData, finished.subarray(0, -HASH_SIZE));
        const responderData = hmac(key('rsp'), hash(before));
        assert.is(toHex(finished.subarray(-HASH_SIZE)), toHex(responderData));

        const th2 = hash(before, responderData);
        const master = hmac(
          expand(handshakeSecret, HASH_SIZE, text, 'derived'),
          Buffer.alloc(HASH_SIZE),
        );
        const exported = expand(master, HASH_SIZE, text, 'exp master', th2);
        assert.is(toHex(opened.keys.exportMasterSecret!), toHex(exported));
      });

test.run();
