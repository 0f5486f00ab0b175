/** Both crypto providers: the same bytes on the wire from the same random stream. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { nobleProvider } from '../../../protocols/crypto/noble.ts';
import { nodeProvider } from '../../../protocols/crypto/node.ts';
import { converse } from './conversation.ts';
import { Pair, type PairOptions } from './pair.ts';

const test = suite('spdm providers agree');

function wire(options: PairOptions): string[] {
  const pair = new Pair(options);
  assert.is(converse(pair).fault, undefined);
  return pair.wire.flatMap(({ request, response }) => [
    toHex(request.bytes),
    toHex(response!.bytes),
  ]);
}

const flows: [name: string, PairOptions][] = [
  ['P-256', {}],
  [
    'P-384, 1.3, handshake in the clear',
    { suite: 'P384', version: 0x13, flags: { HANDSHAKE_IN_THE_CLEAR_CAP: 1 } },
  ],
  ['MAC only', { flags: { ENCRYPT_CAP: 0 } }],
];
for (const [name, options] of flows)
  test(`${name}: byte for byte`, () => {
    const noble = wire({ ...options, crypto: nobleProvider });
    assert.is(noble.length, 28);
    assert.equal(wire({ ...options, crypto: nodeProvider }), noble);
    const mixed = { responder: { crypto: nobleProvider }, requester: { crypto: nodeProvider } };
    assert.equal(wire({ ...options, ...mixed }), noble);
    assert.not.equal(wire({ ...options, seed: 2 }), noble);
  });

test.run();
