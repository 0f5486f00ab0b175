/** ML-DSA-65 certificates made by OpenSSL, out of a recorded SPDM 1.4 connection. */

import { existsSync, readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat } from '../../../protocols/codec/bytes.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import type { Certificate } from '../../../protocols/x509/parse.ts';
import { decodeCertChain } from '../../../protocols/x509/spdm-chain.ts';
import { parseChain } from '../../../protocols/x509/split.ts';
import { isSignedBy, verifyChain } from '../../../protocols/x509/verify.ts';
import { crypto } from './fixtures.ts';

const test = suite('x509 captured');

const PCAP_HEADER = 24;
const RECORD_HEADER = 16;
const DOE_HEADER = 8;
const CHUNK_RESPONSE = 0x06;
const CERTIFICATE = 0x02;
const HASH_SIZE = 48;

/** SPDM messages of a capture of data objects. */
function* messages(pcap: Buffer): Generator<Buffer> {
  for (let at = PCAP_HEADER; at < pcap.length; ) {
    const size = pcap.readUInt32LE(at + 8);
    yield pcap.subarray(at + RECORD_HEADER + DOE_HEADER, at + RECORD_HEADER + size);
    at += RECORD_HEADER + size;
  }
}

/** Chain blobs in the large CERTIFICATE responses that CHUNK_RESPONSEs in the clear carry. */
function chainBlobs(pcap: Buffer): Uint8Array[] {
  const blobs: Uint8Array[] = [];
  let large = new Uint8Array(0);
  for (const message of messages(pcap)) {
    if (message[0] !== 0x14 || message[1] !== CHUNK_RESPONSE) continue;
    const isFirst = message.readUInt32LE(4) === 0;
    const head = isFirst ? 16 : 12;
    const chunk = message.subarray(head, head + message.readUInt32LE(8));
    large = new Uint8Array(concat(isFirst ? new Uint8Array(0) : large, chunk));
    const isLast = (message[2]! & 1) === 1;
    if (isLast && large[1] === CERTIFICATE && large[2]! >= 0x80) blobs.push(large.slice(16));
  }
  return blobs;
}

const file = new URL(
  '../../../../shared/captures/mldsa65-mlkem768-mutual-clear.pcap',
  import.meta.url,
);
const isHere = existsSync(file);
if (!isHere) console.log('SKIP: the ML-DSA-65 capture is not here');
(isHere ? test : test.skip)('every chain verifies, though its leaf asserts keyEncipherment', () => {
  const blobs = chainBlobs(readFileSync(file));
  assert.ok(blobs.length >= 1);
  for (const blob of blobs) {
    const decoded = decodeCertChain(blob, 'SHA_384', 0x14);
    assert.ok(decoded.ok);
    const chain = parseChain(decoded.value.Certificates);
    assert.ok(chain.ok);
    const [root, ca, leaf] = chain.value as [Certificate, Certificate, Certificate];
    assert.equal(
      [root, ca, leaf].map((c) => c.publicKey.fits),
      Array(3).fill(['ML_DSA_65']),
    );
    assert.ok(leaf.extensions.keyUsage!.includes('keyEncipherment'));
    const judge = (strictKeyUsage: boolean) => {
      const leafPolicy = { signature: 'ML_DSA_65' } as const;
      const anchors = [{ der: root.der }];
      const options = { anchors, at: undefined, leaf: leafPolicy, strictKeyUsage };
      const verdict = verifyChain(crypto, chain.value, options);
      return verdict.ok ? 'ok' : `${verdict.code} ${verdict.index} ${verdict.detail}`;
    };
    assert.is(judge(false), 'ok');
    assert.match(judge(true), /^KEY_USAGE \d .*keyEncipherment/);
    assert.is(isSignedBy(crypto, leaf, root), false);
    const forged = { ...leaf, tbsCertificate: leaf.tbsCertificate.with(99, 0x5a) };
    assert.is(isSignedBy(crypto, forged, ca), false);
    const key = { algorithm: 'ML_DSA_65', publicKey: leaf.publicKey.key };
    assert.equal(leafKeyOfChain(blob, HASH_SIZE, 'ML_DSA_65'), key);
    assert.is(leafKeyOfChain(blob, HASH_SIZE, 'ML_DSA_87'), undefined);
  }
});

test.run();
