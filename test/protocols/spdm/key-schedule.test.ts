/** Key schedule (DSP0274 12): every vector for SHA-256 and SHA-384, with both providers. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, concat, fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import type { AeadName, HashName } from '../../../protocols/crypto/algorithms.ts';
import { hashSizes } from '../../../protocols/crypto/algorithms.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import type { CryptoProvider } from '../../../protocols/crypto/provider.ts';
import {
  binConcat,
  dataKeys,
  handshakeKeys,
  trafficKeys,
  updatedKeys,
  verifyData,
} from '../../../protocols/spdm/key-schedule.ts';

const test = suite('spdm key schedule');

/** SPDM 1.2; the secret is 00 01 02 ..., TH1 is all 0x11 and TH2 all 0x22, each one hash long. */
const vectors: Record<'SHA_256' | 'SHA_384', Record<string, string>> = {
  SHA_256: {
    HandshakeSecret: '46bd320605c5a6b6163ab70bc6345b92a5f908e79fe58979c23ebb47d1a5e307',
    ReqHS: 'a5df8eaa0e919095d6630686dcbf9a57315f9e2aae1b57b98dc7cec639ad114d',
    RspHS: '59cf519a68b29e2cde2bbfbcc6f5266354ebe0f1e0573dc05e9c95c97cbe1374',
    ReqHSKey: '2b6aec44647f4d5b22e5e8be4762ed2e5e5b4e5c3a3ae9e7d0a1fc4b2ddc1136',
    ReqHSIv: '04eb446eb29c4fb623285c6e',
    ReqHSFinished: 'ad99ef6143eff454fc155a2d60afb34a73dcf9f30642c353c27727bf4be31946',
    Master: 'e6209c58435df5be77edc4341fc40385fc481f113db6daf21a5bd2a4ea5cbbd6',
    ReqApp: '698971943733c6365b5d1b0b760c47520c47a06cdcf8c1948a566ce6bd46c516',
    RspApp: '4afcc97bfd849063802a7fb812bfbc0257ab93189df02189958d7037b403746c',
    ExportMaster: 'da0e219473fea95c7d5f0128ab1eafc52b1aaa474ba6a253e315794c32745748',
    ReqAppUpdated: '26f66515706e4b755d2ae0914e183474b24782816fa66ac481688e32c1b25004',
  },
  SHA_384: {
    HandshakeSecret:
      '360732e7447a7e51164ebc696c02061ead7f37c94691c4c830c8bb5ccc75ad69aa72ba3bc5d8112486c6d0c5c6b9e0be',
    ReqHS:
      '70076ced1e9b40e6de963b7ee93509d0ecbe311cddcac365d2c161316802d09f4e2f0cd88406afac67f32e0d3f31afe4',
    Master:
      '8640594d596156cff44e02500ff07a7fd5dd57435e8b6cf02472e2a95acc9160fa45a22a48c6b593e29084de1aba4982',
    ReqApp:
      '77966064c36c4f643d3b11561a3fbf7a1961aff1dd2d12ea2ea2d9aac10a8a06937ad5f783045ba08c0d1f987f5d0b87',
  },
};

const scopeOf = (crypto: CryptoProvider, hash: HashName, version = 0x12) =>
  ({ crypto, hash, version, aead: 'AES_256_GCM' }) as const;
const counting = (size: number) => Uint8Array.from({ length: size }, (_, i) => i);
const filled = (size: number, value: number) => new Uint8Array(size).fill(value);

function computed(crypto: CryptoProvider, hash: HashName): Record<string, string> {
  const size = hashSizes[hash];
  const scope = scopeOf(crypto, hash);
  const handshake = handshakeKeys(scope, counting(size), filled(size, 0x11));
  const data = dataKeys(scope, handshake.handshakeSecret, filled(size, 0x22));
  const bytes = {
    HandshakeSecret: handshake.handshakeSecret,
    ReqHS: handshake.request.secret,
    RspHS: handshake.response.secret,
    ReqHSKey: handshake.request.key,
    ReqHSIv: handshake.request.iv,
    ReqHSFinished: handshake.requestFinishedKey,
    Master: data.masterSecret,
    ReqApp: data.request.secret,
    RspApp: data.response.secret,
    ExportMaster: data.exportMasterSecret,
    ReqAppUpdated: updatedKeys(scope, data.request).secret,
  };
  return Object.fromEntries(Object.entries(bytes).map(([name, value]) => [name, toHex(value)]));
}

for (const crypto of [nobleProvider, nodeProvider])
  for (const hash of ['SHA_256', 'SHA_384'] as const)
    for (const [name, value] of Object.entries(vectors[hash]))
      test(`${crypto.name} ${hash} ${name}`, () => {
        assert.is(computed(crypto, hash)[name], value);
      });

/** Salt1 is not handed out: MasterSecret is its HMAC over zeros. */
test('Salt1 lies between HandshakeSecret and MasterSecret', () => {
  const salt1 = fromHex('5c3fd8d84abcd07b25d74a7833333eda27b2b83635deca76e9ba8a1e4acd70b0');
  const master = nodeProvider.hmac('SHA_256', salt1, new Uint8Array(32));
  assert.is(toHex(master), vectors.SHA_256['Master']);
});

const labels: [name: string, size: number, version: number, label: string, hex: string][] = [
  ['key', 32, 0x12, 'key', '20 00 73 70 64 6d 31 2e 32 20 6b 65 79'],
  ['iv', 12, 0x12, 'iv', '0c 00 73 70 64 6d 31 2e 32 20 69 76'],
  ['1.1', 16, 0x11, 'key', '10 00 73 70 64 6d 31 2e 31 20 6b 65 79'],
  ['1.3', 48, 0x13, 'derived', '30 00 73 70 64 6d 31 2e 33 20 64 65 72 69 76 65 64'],
  ['1.4, above 255 bytes', 0x123, 0x14, 'x', '23 01 73 70 64 6d 31 2e 34 20 78'],
];
for (const [name, size, version, label, hex] of labels)
  test(`BinConcat: ${name}`, () => {
    assert.equal(binConcat(size, version, label), fromHex(hex));
    const context = fromHex('0102');
    assert.equal(binConcat(size, version, label, context), concat(fromHex(hex), context));
  });

test('a PSK session starts from a salt of 0xFF bytes from 1.3 on, a DHE session never', () => {
  const psk = ascii('TestPskData');
  const th1 = filled(32, 0x11);
  const secretOf = (version: number, isPsk: boolean) =>
    toHex(
      handshakeKeys(scopeOf(nodeProvider, 'SHA_256', version), psk, th1, isPsk).handshakeSecret,
    );
  const zeros = toHex(nodeProvider.hmac('SHA_256', filled(32, 0), psk));
  const ones = toHex(nodeProvider.hmac('SHA_256', filled(32, 0xff), psk));
  for (const version of [0x11, 0x12]) assert.is(secretOf(version, true), zeros);
  for (const version of [0x13, 0x14]) assert.is(secretOf(version, true), ones);
  for (const version of [0x11, 0x12, 0x13, 0x14]) assert.is(secretOf(version, false), zeros);
});

test('the version stands in every label', () => {
  const secrets = [0x11, 0x12, 0x13, 0x14].map((version) =>
    toHex(
      handshakeKeys(scopeOf(nodeProvider, 'SHA_256', version), counting(32), filled(32, 0x11))
        .request.secret,
    ),
  );
  assert.is(new Set(secrets).size, 4);
});

const sizes: [AeadName, number][] = [
  ['AES_128_GCM', 16],
  ['AES_256_GCM', 32],
  ['CHACHA20_POLY1305', 32],
];
for (const [aead, size] of sizes)
  test(`${aead} takes a key of ${size} bytes and an IV of 12`, () => {
    const scope = { ...scopeOf(nodeProvider, 'SHA_256'), aead };
    const keys = trafficKeys(scope, counting(32));
    assert.is(keys.key.length, size);
    assert.is(keys.iv.length, 12);
  });

test('KEY_UPDATE changes secret, key and IV, and again each time', () => {
  const scope = scopeOf(nodeProvider, 'SHA_384');
  let keys = trafficKeys(scope, counting(48));
  const seen = new Set<string>();
  for (let i = 0; i < 4; i++) {
    seen.add(toHex(keys.secret)).add(toHex(keys.key)).add(toHex(keys.iv));
    keys = updatedKeys(scope, keys);
  }
  assert.is(seen.size, 12);
});

test('VerifyData is the HMAC of the transcript hash under the finished key', () => {
  const scope = scopeOf(nodeProvider, 'SHA_256');
  const finished = fromHex(vectors.SHA_256['ReqHSFinished']!);
  const th = filled(32, 0x44);
  assert.equal(verifyData(scope, finished, th), nodeProvider.hmac('SHA_256', finished, th));
  assert.not.equal(verifyData(scope, finished, th), verifyData(scope, finished, filled(32, 0x45)));
});

test('both providers agree on everything', () => {
  for (const hash of ['SHA_256', 'SHA_384', 'SHA_512'] as const)
    assert.equal(computed(nobleProvider, hash), computed(nodeProvider, hash));
});

test.run();
