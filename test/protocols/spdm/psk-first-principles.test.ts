/** PSK sessions (DSP0274 10.14, 10.15) checked with node:crypto alone, and by a listener. */

import { createDecipheriv } from 'node:crypto';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import { SpdmObserver } from '../../../protocols/spdm/observer/observer.ts';
import { openPskSession } from '../../../protocols/spdm/requester/psk.ts';
import { endSession, heartbeat } from '../../../protocols/spdm/requester/session-life.ts';
import { doeBinding } from '../../../protocols/spdm/secured-message.ts';
import { SessionKeys, sessionScopes } from '../../../protocols/spdm/session-keys.ts';
import { expand as expandBlock, hash, hmac, join } from './node-hkdf.ts';
import { crypto } from './pair.ts';
import { ASKED, negotiated, PSK, WITH, WITHOUT } from './psk-pair.ts';

const test = suite('spdm PSK from first principles');

for (const [version, text] of [
  [0x11, '1.1'],
  [0x12, '1.2'],
  [0x13, '1.3'],
  [0x14, '1.4'],
] as const)
  for (const cap of [WITHOUT, WITH])
    test(`${text}, PSK_CAP ${cap}: TH1, TH2, HMACs and record keys by node:crypto alone`, () => {
      const pair = negotiated(cap, { version });
      const session = pair.good(openPskSession(pair.requester, { ...ASKED, summaryType: 0xff }));
      pair.good(heartbeat(pair.requester, session));
      const requests = pair.wire.map(({ request }) => request.bytes);
      const responses = pair.wire.map(({ response }) => response!.bytes);
      const vca = join(...[0, 1, 2].flatMap((i) => [requests[i]!, responses[i]!]));
      const expand = (secret: Uint8Array, size: number, label: string, context?: Uint8Array) =>
        expandBlock(secret, size, text, label, context);
      const open = (secret: Uint8Array, record: Uint8Array) => {
        const key = expand(secret, 32, 'key');
        const decipher = createDecipheriv('aes-256-gcm', key, expand(secret, 12, 'iv'));
        decipher.setAAD(record.subarray(0, 6));
        decipher.setAuthTag(record.subarray(-16));
        const plain = join(decipher.update(record.subarray(6, -16)), decipher.final());
        return plain.subarray(2, 2 + plain.readUInt16LE(0));
      };
      const bare = join(vca, requests[3]!, responses[3]!.subarray(0, -32));
      const salt = Buffer.alloc(32, version >= 0x13 ? 0xff : 0);
      const handshakeSecret = hmac(salt, PSK);
      const requestSecret = expand(handshakeSecret, 32, 'req hs data', hash(bare));
      const responseSecret = expand(handshakeSecret, 32, 'rsp hs data', hash(bare));
      const responseFinished = expand(responseSecret, 32, 'finished');
      const verifyData = responses[3]!.subarray(-32);
      assert.is(toHex(verifyData), toHex(hmac(responseFinished, hash(bare))));

      let whole = join(bare, verifyData);
      if (cap === WITH) {
        const finish = open(requestSecret, requests[4]!);
        const finished = open(responseSecret, responses[4]!);
        const opaque = version >= 0x14 ? '0000' : '';
        assert.is(toHex(finish.subarray(0, -32)), `${version.toString(16)}e70000${opaque}`);
        assert.is(toHex(finished), `${version.toString(16)}670000${opaque}`);
        const requestFinished = expand(requestSecret, 32, 'finished');
        const covered = hash(whole, finish.subarray(0, -32));
        assert.is(toHex(finish.subarray(-32)), toHex(hmac(requestFinished, covered)));
        whole = join(whole, finish, finished);
      }
      const master = hmac(expand(handshakeSecret, 32, 'derived'), Buffer.alloc(32));
      const requestData = expand(master, 32, 'req app data', hash(whole));
      const responseData = expand(master, 32, 'rsp app data', hash(whole));
      assert.is(open(requestData, requests.at(-1)!)[1], 0xe8);
      assert.is(open(responseData, responses.at(-1)!)[1], 0x68);
      const exported = expand(master, 32, 'exp master', hash(whole));
      assert.is(toHex(session.keys.exportMasterSecret!), toHex(exported));
    });

test('a listener that has the key opens and verifies all of it', () => {
  for (const cap of [WITHOUT, WITH]) {
    const pair = negotiated(cap);
    const session = pair.good(openPskSession(pair.requester, ASKED));
    pair.good(heartbeat(pair.requester, session));
    pair.good(endSession(pair.requester, session));
    const observer = new SpdmObserver({
      crypto,
      binding: doeBinding,
      psks: [new Uint8Array(3), PSK],
      leafKey: leafKeyOfChain,
    });
    const checks: string[] = [];
    for (const { request, response } of pair.wire)
      for (const { secured, bytes } of [request, response!]) {
        const heard = secured ? observer.secured(bytes) : observer.plain(bytes);
        assert.is(heard.refusal, undefined, heard.name);
        for (const { what, result } of heard.checks) checks.push(`${what}: ${result}`);
      }
    const finish = cap === WITH ? ['PSK_FINISH RequesterVerifyData: verified'] : [];
    assert.equal(checks, ['PSK_EXCHANGE_RSP ResponderVerifyData: verified', ...finish]);
  }
});

test('the salt of a PSK session changed with 1.3, that of a key exchange did not', () => {
  const pair = negotiated(WITH);
  const { keys, records } = sessionScopes(crypto, pair.responder.state.negotiated!, doeBinding)!;
  const secretOf = (version: number, isPsk: boolean) => {
    const scope = { ...keys, version };
    const made = new SessionKeys(scope, records, PSK, new Uint8Array(32), { psk: isPsk });
    return toHex(made.handshake.handshakeSecret);
  };
  const zeros = toHex(hmac(Buffer.alloc(32), PSK));
  const ones = toHex(hmac(Buffer.alloc(32, 0xff), PSK));
  for (const version of [0x11, 0x12, 0x13, 0x14]) {
    assert.is(secretOf(version, false), zeros);
    assert.is(secretOf(version, true), version >= 0x13 ? ones : zeros);
  }
});

test.run();
