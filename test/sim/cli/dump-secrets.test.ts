/** What `dump` is given besides the capture: key logs, keys and chains, and what it says of them. */

import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat, toHex } from '../../../protocols/codec/bytes.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import type { KeyLogEntry } from '../../../protocols/spdm/party.ts';
import { subjectPublicKeyInfo } from '../../../protocols/x509/spki.ts';
import { encodePcapHeader, encodePcapRecord } from '../../../sim/sinks/pcap.ts';
import { mutualPair, own } from '../../protocols/spdm/mutual-pair.ts';
import { cli, recorded } from './harness.ts';

const test = suite('cli dump, secrets');
const pcap = (linkType: number) => encodePcapHeader(linkType);
const KEY = new Uint8Array(32).fill(5);

const path = recorded('captures/mldsa65-mlkem768-mutual-clear.pcap');
const realLarge = path === undefined ? test.skip : test;
const kemSecrets = (file: string) =>
  (JSON.parse(readFileSync(file.replace(/pcap$/, 'json'), 'utf8')) as { kemSecrets: string[] })
    .kemSecrets;

realLarge(
  'a key log opens what its sessions need; any secret may be given as either kind',
  async () => {
    const secrets = kemSecrets(path!);
    const line = (secret: string) => `SPDM_KEM ffffffff ${secret}\n`;
    const keys = `# of two sessions\n${secrets.map(line).join('')}`;
    const ran = await cli(['dump', path!, '--keylog', 'keys', '--quiet'], { keys });
    assert.is(ran.code, 0);
    assert.match(ran.out, /0 undecrypted; .* 13 verified, 0 failed, 0 unverifiable\n$/);
    const swapped = secrets.flatMap((secret) => ['--dhe-secret', secret]);
    assert.is((await cli(['dump', path!, ...swapped, '--quiet'])).code, 0);
    const one = await cli(['dump', path!, '--keylog', 'keys', '--quiet'], {
      keys: line(secrets[0]!),
    });
    assert.is(one.code, 1);
    assert.match(
      one.out,
      /^10 records undecrypted: session 0xffffffff: no secret given fits; give --dhe/,
    );
    const bad = await cli(['dump', path!, '--keylog', 'keys'], { keys: 'what\n' });
    assert.is(bad.code, 2);
    assert.match(bad.err, /keys, line 1: expected SPDM_DHE/);
  },
);

test('a public key that is none is exit 2', async () => {
  const files = { key: 'no key', 'x.pcap': pcap(292) };
  const ran = await cli(['dump', 'x.pcap', '--responder-key', 'key'], files);
  assert.is(ran.code, 2);
  assert.match(ran.err, /key: no public key in PEM or DER/);
});

test('a public key in PEM or DER is taken', async () => {
  const der = subjectPublicKeyInfo('ECDSA_P256', nodeProvider.signingPublicKey('ECDSA_P256', KEY));
  const pem = `-----BEGIN PUBLIC KEY-----\n${Buffer.from(der).toString('base64')}\n-----END PUBLIC KEY-----\n`;
  for (const key of [der, pem]) {
    const argv = ['dump', 'x.pcap', '--responder-key', 'key', '--requester-key', 'key'];
    assert.is((await cli(argv, { key, 'x.pcap': pcap(292) })).code, 0);
  }
});

/** A session of a responder that knows the requester's chain beforehand, as a capture. */
function knownBeforehand(): { file: Uint8Array; secret: string } {
  const entries: KeyLogEntry[] = [];
  const pair = mutualPair(
    { session: 'requested' },
    {
      requester: { keyLog: (entry) => void entries.push(entry) },
      responder: { peerChain: own.chain },
    },
  );
  pair.authenticate();
  pair.session();
  const packets = pair.wire.flatMap(({ request, response }) => [request, response!]);
  const records = packets.map(({ secured, bytes }) => {
    const size = Math.ceil(bytes.length / 4) + 2;
    const head = Uint8Array.of(1, 0, secured ? 2 : 1, 0, size & 255, size >> 8, 0, 0);
    const padding = new Uint8Array(4 * (size - 2) - bytes.length);
    return encodePcapRecord(0, concat(head, bytes, padding));
  });
  return { file: concat(pcap(292), ...records), secret: toHex(entries[0]!.secret) };
}

test('a chain that was never fetched can be given', async () => {
  const { file, secret } = knownBeforehand();
  const files = { 'x.pcap': file, chain: own.chain.subarray(4 + 32), bad: 'no chain' };
  const argv = ['dump', 'x.pcap', '--dhe-secret', secret];
  const without = await cli(argv, files);
  assert.is(without.code, 0);
  assert.match(
    without.out,
    /FINISH Signature: unverifiable \(neither chain nor digest of the requester's/,
  );
  const ran = await cli([...argv, '--requester-chain', 'chain'], files);
  assert.is(ran.code, 0);
  assert.match(ran.out, /FINISH Signature: verified \(ECDSA_P256\)/);
  assert.match(ran.out, / 0 undecoded, 0 undecrypted; .* 0 failed, 0 unverifiable\n$/);
  const bad = await cli([...argv, '--requester-chain', 'bad'], files);
  assert.is(bad.code, 2);
  assert.match(bad.err, /bad: no certificates in PEM or DER/);
});

test.run();
