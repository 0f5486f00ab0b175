/** Sealed TLPs opened from first principles: IV, AAD and MAC cut from the wire bytes by hand. */

import { createDecipheriv } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { referenceSealers } from '../../../protocols/ide/index.ts';
import { encodePasidPrefix } from '../../../protocols/tlp/ide-prefix.ts';
import { EP_ID, endpointKeys, Pair, testKey, wire } from './pair.ts';
import { data, dmaRead, dmaWrite, mmioRead, on, reply, T1 } from './traffic.ts';

const test = suite('ide seal');

/** Opens one wire TLP; throws if the MAC is wrong. */
function openByHand(bytes: Uint8Array, key: Uint8Array, invocation: number): Uint8Array {
  // Prefixes have 100 in the top three bits of their first byte; the header's Fmt says 3 or 4 DWs.
  let at = 0;
  while (bytes[at]! >> 5 === 4) at += 4;
  at += (bytes[at]! >> 5) & 1 ? 16 : 12;
  const iv = new Uint8Array(12);
  iv[0] = (bytes[3]! >> 4) << 4;
  new DataView(iv.buffer).setBigUint64(4, BigInt(invocation));
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 12 });
  decipher.setAAD(bytes.subarray(0, at));
  decipher.setAuthTag(bytes.subarray(bytes.length - 12));
  const text = decipher.update(bytes.subarray(at, bytes.length - 12));
  decipher.final();
  return Uint8Array.of(...bytes.subarray(4, at), ...text);
}

test('every sub-stream, with and without payload, opens with node:crypto alone', () => {
  const { ep } = new Pair().secure(7);
  const [pr, npr, cpl] = endpointKeys(7).TX;
  const pasid = encodePasidPrefix({
    pasid: 0x12345,
    executeRequested: true,
    privilegedModeRequested: false,
  });
  const withPasid = Uint8Array.of(...pasid, ...dmaWrite(20, 4));
  for (let n = 1; n <= 3; n++) {
    for (const [i, tlp] of [dmaWrite(4 * n), dmaWrite(256), withPasid].entries()) {
      const bytes = wire(ep.transmit(tlp, T1));
      assert.is(toHex(openByHand(bytes, pr!, 3 * (n - 1) + i + 1)), toHex(tlp));
    }
    const read = wire(ep.transmit(dmaRead(n), T1));
    assert.is(toHex(openByHand(read, npr!, n)), toHex(dmaRead(n)));
    assert.is(read.length, dmaRead(n).length + 16, 'a MAC even without payload');
    const answer = reply(mmioRead(n), 4, EP_ID);
    const sent = wire(ep.transmit(answer, { tee: true, replyTo: on(true) }));
    assert.is(toHex(openByHand(sent, cpl!, n)), toHex(answer));
  }
});

test('a wrong IV, key or AAD byte does not open', () => {
  const { ep } = new Pair().secure(7);
  const key = endpointKeys(7).TX[0]!;
  const bytes = wire(ep.transmit(dmaWrite(), T1));
  openByHand(bytes, key, 1);
  assert.throws(() => openByHand(bytes, key, 2));
  assert.throws(() => openByHand(bytes, endpointKeys(7).RX[0]!, 1));
  const turned = bytes.slice();
  turned[5]! ^= 0x08;
  assert.throws(() => openByHand(turned, key, 1));
});

test('the reference is AES-256-GCM with the tag cut to 12 bytes', () => {
  const head = dmaRead(1);
  const iv = { hi: 0, lo: 1 };
  const sealed = [nodeProvider, nobleProvider].map((crypto) => {
    const sealer = referenceSealers(crypto)(testKey(3));
    const bytes = sealer.seal(0, iv, Uint8Array.of(...head, ...data(24)), head.length);
    assert.is(
      toHex(sealer.open(0, iv, bytes, head.length)!.subarray(head.length)),
      toHex(data(24)),
    );
    assert.is(sealer.open(1, iv, bytes, head.length), undefined);
    assert.is(sealer.open(0, { hi: 1, lo: 1 }, bytes, head.length), undefined);
    assert.is(sealer.open(0, iv, bytes.subarray(0, head.length + 11), head.length), undefined);
    return toHex(bytes);
  });
  assert.is(sealed[0], sealed[1]);
  assert.is(sealed[0]!.length / 2, head.length + 24 + 12);
});

test('a sealer keeps its own copy of the key and loses it when disposed of', () => {
  const key = testKey(3);
  const sealer = referenceSealers(nodeProvider)(key);
  const at = { hi: 0, lo: 1 };
  const before = toHex(sealer.seal(0, at, dmaWrite(), 12));
  key.fill(0xff);
  assert.is(toHex(sealer.seal(0, at, dmaWrite(), 12)), before);
  sealer.dispose();
  const zero = referenceSealers(nodeProvider)(new Uint8Array(32));
  assert.is(toHex(sealer.seal(0, at, dmaWrite(), 12)), toHex(zero.seal(0, at, dmaWrite(), 12)));
});

test.run();
