/**
 * A conversation checked with node:crypto alone, from the bytes on the wire and the DHE secret: signatures,
 * TH1, TH2, HMACs, record keys. What both of our sides get wrong alike is found here.
 */

import { createDecipheriv, createPublicKey, verify } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import { SpdmObserver } from '../../../protocols/spdm/observer/observer.ts';
import type { KeyLogEntry } from '../../../protocols/spdm/party.ts';
import { doeBinding, mctpBinding } from '../../../protocols/spdm/secured-message.ts';
import { converse } from './conversation.ts';
import { expand, hash, hmac, join } from './node-hkdf.ts';
import { crypto, Pair, type PairOptions } from './pair.ts';

const test = suite('spdm from first principles');

const HASH_SIZE = 32;
const SIGNATURE_SIZE = 64;
function signedBy(
  pair: Pair,
  use: string,
  transcript: Uint8Array,
  signature: Uint8Array,
  version: string,
) {
  const { publicKey } = leafKeyOfChain(pair.slot.chain, HASH_SIZE)!;
  const part = (from: number) =>
    Buffer.from(publicKey.subarray(from, from + 32)).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: part(0), y: part(32) };
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const prefix = Buffer.alloc(100);
  prefix.write(`dmtf-spdm-v${version}.*`.repeat(4));
  prefix.write(use, 100 - use.length);
  const message = join(prefix, hash(transcript));
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** The text of a record: AES-256-GCM under a traffic secret. */
function open(secret: Uint8Array, sequence: number, record: Uint8Array, version: string): Buffer {
  const iv = expand(secret, 12, version, 'iv');
  iv[0] = iv[0]! ^ sequence;
  const decipher = createDecipheriv('aes-256-gcm', expand(secret, 32, version, 'key'), iv);
  decipher.setAAD(record.subarray(0, 6));
  decipher.setAuthTag(record.subarray(-16));
  const text = join(decipher.update(record.subarray(6, -16)), decipher.final());
  return text.subarray(2, 2 + text.readUInt16LE(0));
}

interface Told {
  readonly pair: Pair;
  readonly secret: Uint8Array;
  readonly requests: Uint8Array[];
  readonly responses: Uint8Array[];
}
function tell(options: PairOptions): Told {
  const secrets: Uint8Array[] = [];
  const keyLog = ({ secret }: KeyLogEntry) => void secrets.push(secret);
  const pair = new Pair({ ...options, requester: { ...options.requester, keyLog } });
  assert.is(converse(pair).fault, undefined);
  const requests = pair.wire.map(({ request }) => request.bytes);
  const responses = pair.wire.map(({ response }) => response!.bytes);
  return { pair, secret: secrets[0]!, requests, responses };
}

const between = (told: Told, from: number, to: number) =>
  join(...told.requests.slice(from, to).flatMap((bytes, i) => [bytes, told.responses[from + i]!]));
const unsigned = (bytes: Uint8Array) => bytes.subarray(0, -SIGNATURE_SIZE);
const signature = (bytes: Uint8Array) => bytes.subarray(-SIGNATURE_SIZE);

for (const [version, text] of [
  [0x12, '1.2'],
  [0x13, '1.3'],
] as const)
  for (const clear of [0, 1])
    test(`${text}${clear ? ', handshake in the clear' : ''}`, () => {
      const told = tell({ version, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: clear } });
      const { pair, requests, responses, secret } = told;
      const vca = between(told, 0, 3);
      const m1m2 = join(vca, between(told, 3, 6), requests[6]!, unsigned(responses[6]!));
      const use = 'responder-challenge_auth signing';
      assert.ok(signedBy(pair, use, m1m2, signature(responses[6]!), text));
      const l1l2 = join(vca, requests[7]!, unsigned(responses[7]!));
      const ofMeasurements = 'responder-measurements signing';
      assert.ok(signedBy(pair, ofMeasurements, l1l2, signature(responses[7]!), text));

      const answer = responses[8]!;
      const verifyData = clear ? answer.subarray(answer.length) : answer.subarray(-HASH_SIZE);
      const signed = answer.subarray(0, answer.length - verifyData.length);
      const start = join(vca, hash(pair.slot.chain), requests[8]!);
      const ofExchange = 'responder-key_exchange_rsp signing';
      assert.ok(signedBy(pair, ofExchange, join(start, unsigned(signed)), signature(signed), text));

      const th1 = hash(start, signed);
      const handshakeSecret = hmac(Buffer.alloc(HASH_SIZE), secret);
      const requestSecret = expand(handshakeSecret, HASH_SIZE, text, 'req hs data', th1);
      const responseSecret = expand(handshakeSecret, HASH_SIZE, text, 'rsp hs data', th1);
      const requestFinished = expand(requestSecret, HASH_SIZE, text, 'finished');
      const responseFinished = expand(responseSecret, HASH_SIZE, text, 'finished');
      if (!clear) assert.equal(toHex(verifyData), toHex(hmac(responseFinished, th1)));

      const finish = clear ? requests[9]! : open(requestSecret, 0, requests[9]!, text);
      const finished = clear ? responses[9]! : open(responseSecret, 0, responses[9]!, text);
      assert.is(toHex(finish.subarray(0, 4)), `${version.toString(16)}e50000`);
      const whole = join(start, answer, finish.subarray(0, 4));
      const requesterData = hmac(requestFinished, hash(whole));
      assert.is(toHex(finish.subarray(4)), toHex(requesterData));
      const before = join(whole, requesterData, finished.subarray(0, 4));
      const responderData = clear ? toHex(hmac(responseFinished, hash(before))) : '';
      assert.is(toHex(finished.subarray(4)), responderData);

      const th2 = hash(join(whole, requesterData, finished));
      const salt = expand(handshakeSecret, HASH_SIZE, text, 'derived');
      const master = hmac(salt, Buffer.alloc(HASH_SIZE));
      const requestData = expand(master, HASH_SIZE, text, 'req app data', th2);
      const responseData = expand(master, HASH_SIZE, text, 'rsp app data', th2);
      const codes: number[] = [];
      for (let index = 10; index < requests.length; index++) {
        codes.push(open(requestData, index - 10, requests[index]!, text)[1]!);
        codes.push(open(responseData, index - 10, responses[index]!, text)[1]!);
      }
      assert.equal(codes, [0xe0, 0x60, 0xe8, 0x68, 0xfe, 0x7e, 0xec, 0x6c]);
      const measure = open(requestData, 0, requests[10]!, text);
      const measured = open(responseData, 0, responses[10]!, text);
      const inside = join(vca, measure, unsigned(measured));
      assert.ok(signedBy(pair, ofMeasurements, inside, signature(measured), text));
    });

const listened: [name: string, PairOptions][] = [
  ['1.2', {}],
  [
    '1.3, P-384, in the clear',
    { suite: 'P384', version: 0x13, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } },
  ],
  ['1.4', { version: 0x14 }],
  ['MAC only', { flags: { ENCRYPT_CAP: 0 } }],
  ['MCTP', { requester: { binding: mctpBinding }, responder: { binding: mctpBinding } }],
];
for (const [name, options] of listened)
  test(`a listener opens and verifies all of it: ${name}`, () => {
    const { pair, secret } = tell(options);
    const binding = options.requester?.binding ?? doeBinding;
    const observer = new SpdmObserver({
      crypto,
      binding,
      dheSecrets: [secret],
      leafKey: leafKeyOfChain,
      describeVendor: () => ({ protocol: 'echo', name: 'echo', fields: [] }),
    });
    const checks: string[] = [];
    for (const { request, response } of pair.wire)
      for (const packet of [request, response!]) {
        const heard = packet.secured
          ? observer.secured(packet.bytes)
          : observer.plain(packet.bytes);
        assert.is(heard.refusal, undefined, heard.name);
        for (const check of heard.checks) checks.push(`${check.what}: ${check.result}`);
      }
    assert.ok(checks.length >= 5, checks.join(', '));
    for (const check of checks) assert.ok(check.endsWith(': verified'), check);
  });

test.run();
