/**
 * Mutual authentication of the DMTF reference emulators, out of recordings: what their requesters signed
 * is what our transcripts say they sign.
 */

import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat } from '../../../protocols/codec/bytes.ts';
import type { SignatureName } from '../../../protocols/crypto/algorithms.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import {
  type SigningContext,
  SigningContexts,
  verifyTranscript,
} from '../../../protocols/spdm/signing.ts';
import { crypto } from './pair.ts';

const test = suite('spdm mutual authentication captured');

const HASH = 'SHA_384';
const HASH_SIZE = 48;
const CMA_SPDM = 1;

/** Data objects of a capture, by their number there, which starts at 1; records are left out. */
function messagesOf(file: URL): (number: number) => Buffer {
  const pcap = readFileSync(file);
  const messages: Buffer[] = [];
  for (let at = 24; at < pcap.length; ) {
    const size = pcap.readUInt32LE(at + 8);
    const object = pcap.subarray(at + 16, at + 16 + size);
    messages.push(object[2] === CMA_SPDM ? object.subarray(8) : Buffer.alloc(0));
    at += 16 + size;
  }
  return (number) => messages[number - 1]!;
}

/** VCA in messages 7 to 12, without padding. */
function vcaOf(message: (number: number) => Buffer): Uint8Array {
  const cut = (number: number, size: number) => message(number).subarray(0, size);
  const listed = (number: number) => cut(number, message(number).readUInt16LE(4));
  const version = cut(8, 6 + 2 * message(8)[5]!);
  return concat(cut(7, 4), version, cut(9, 20), cut(10, 20), listed(11), listed(12));
}

/** A large message out of every other message from here on: CHUNK_SENDs of 1.4. */
function assembled(message: (number: number) => Buffer, first: number, last: number): Buffer {
  const parts: Buffer[] = [];
  for (let number = first; number <= last; number += 2) {
    const chunk = message(number);
    const head = number === first ? 16 : 12;
    parts.push(chunk.subarray(head, head + chunk.readUInt32LE(8)));
  }
  return Buffer.concat(parts);
}

function fits(
  chain: Uint8Array,
  name: SignatureName,
  use: SigningContext,
  version: number,
  transcript: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { algorithm, publicKey } = leafKeyOfChain(chain, HASH_SIZE, name)!;
  const scope = { crypto, hash: HASH, version } as const;
  return verifyTranscript(scope, algorithm, publicKey, use, transcript, signature);
}

const captured = (name: string, run: (message: (number: number) => Buffer) => void) => {
  const file = new URL(`../../../../shared/captures/${name}.pcap`, import.meta.url);
  const isHere = existsSync(file);
  if (!isHere) console.log(`SKIP: the capture ${name} is not here`);
  (isHere ? test : test.skip)(name, () => run(messagesOf(file)));
};

captured('mldsa65-mlkem768-mutual-clear', (message) => {
  const deliveredCertificate = assembled(message, 41, 47);
  assert.is(deliveredCertificate[1], 0xeb);
  const certificate = deliveredCertificate.subarray(4);
  const chain = certificate.subarray(16);
  const digests = message(39).subarray(4, 8 + HASH_SIZE + 4);
  const getCertificate = message(40).subarray(8, 24);
  const challenge = message(48).subarray(16, 16 + 44);
  assert.equal([...challenge.subarray(0, 2)], [0x14, 0x83]);
  const size = 3309;
  const end = 4 + HASH_SIZE + 32 + 2 + 8;
  const auth = message(49).subarray(4, 4 + end + size);
  const m1m2 = concat(
    vcaOf(message),
    Uint8Array.of(0x14, 0x81, 0, 0),
    digests,
    getCertificate,
    certificate,
    challenge,
    auth.subarray(0, end),
  );
  const { MUTUAL_CHALLENGE_AUTH } = SigningContexts;
  const judge = (transcript: Uint8Array) =>
    fits(chain, 'ML_DSA_65', MUTUAL_CHALLENGE_AUTH, 0x14, transcript, auth.subarray(end));
  assert.ok(judge(m1m2));
  assert.not(judge(m1m2.slice(1)));
});

captured('mut-w', (message) => {
  const portion = (bytes: Buffer) => bytes.subarray(8, 8 + bytes.readUInt16LE(4));
  const chain = portion(message(35).subarray(4));
  const opaqueAt = 8 + 32 + 96;
  const cut = (bytes: Buffer, at: number, rest: number) =>
    bytes.subarray(0, at + 2 + bytes.readUInt16LE(at) + rest);
  const exchange = cut(message(29), opaqueAt, 0);
  const answer = cut(message(30), opaqueAt + HASH_SIZE, 96);
  assert.is(answer[6], 2, 'MutAuthRequested: by encapsulated requests');
  const finish = message(37);
  const size = 384;
  const th = concat(
    vcaOf(message),
    crypto.hash(HASH, portion(message(24))),
    exchange,
    answer,
    crypto.hash(HASH, chain),
    finish.subarray(0, 4),
  );
  const judge = (transcript: Uint8Array) =>
    fits(
      chain,
      'RSAPSS_3072',
      SigningContexts.FINISH,
      0x12,
      transcript,
      finish.subarray(4, 4 + size),
    );
  assert.ok(judge(th));
  assert.not(judge(th.slice(1)));
});

test.run();
