/** What `attach` offers by default, and what choices of options make of it. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ascii, toHex } from '../../../protocols/codec/bytes.ts';
import { peerFault } from '../../../protocols/codec/refusal.ts';
import { nodeProvider as crypto } from '../../../protocols/crypto/node.ts';
import { capability } from '../../../protocols/spdm/codes.ts';
import { fixedIdentity } from '../../../protocols/spdm/identity.ts';
import { provisionedPeer, requesterConfig } from '../../../sim/socket/attach-config.ts';
import { EngineRefusal, type SpdmChoices } from '../../../sim/socket/engines.ts';
import { socketTransports } from '../../../sim/socket/transport.ts';

const test = suite('attach config');

const configOf = (choices: SpdmChoices) =>
  requesterConfig(
    {
      crypto,
      random: (size) => new Uint8Array(size),
      transport: socketTransports.PCI_DOE,
      choices,
      roots: [],
      now: 0,
    },
    {
      identity: fixedIdentity(new Map()),
      psks: [{ hint: ascii('a'), key: ascii('key') }],
      trust: () => peerFault('CHAIN', ''),
    },
  );

test('by default all versions, all that is computed, and the emulator’s capabilities', () => {
  const { versions, securedVersions, flags, algorithms, psk, maxSpdmMsgSize } = configOf({});
  assert.equal(versions, [0x10, 0x11, 0x12, 0x13, 0x14]);
  assert.equal(securedVersions, [0x1000, 0x1100, 0x1200]);
  // ENCAP, MUT_AUTH, PSK, CHUNK, MULTI_KEY, EP_INFO, LARGE_RESP and the older ones
  assert.is(flags.toString(16), '8882f7c6');
  assert.is(algorithms.baseAsym, 0xdff, 'all but SM2');
  assert.is(algorithms.pqcAsym, 0x7fff);
  assert.is(algorithms.kem, 7);
  assert.is(algorithms.melSpecification, 1);
  assert.is(toHex(psk?.(ascii('a')) ?? new Uint8Array(0)), toHex(ascii('key')));
  assert.is(psk?.(ascii('b')), undefined);
  assert.ok(maxSpdmMsgSize > 0x10000);
});

test('without CHUNK_CAP a message is no longer than one transfer', () => {
  const { dataTransferSize, maxSpdmMsgSize } = configOf({ capabilities: { CERT_CAP: 1 } });
  assert.is(maxSpdmMsgSize, dataTransferSize);
  assert.is(configOf({ dataTransferSize: 100, maxSpdmMsgSize: 4000 }).maxSpdmMsgSize, 4000);
});

test('choices: versions, secured versions, opaque format, keys by slot', () => {
  const chosen = configOf({ versions: [0x12], securedVersions: [0x1200], otherParams: 2 });
  assert.equal([chosen.versions, chosen.securedVersions], [[0x12], [0x1200]]);
  assert.equal([chosen.algorithms.opaqueFormats, chosen.asksMultiKey], [2, false]);
  assert.is(configOf({ otherParams: 0x12 }).asksMultiKey, true);
  assert.is(configOf({ baseAsym: 0x80 }).algorithms.baseAsym, 0x80);
  assert.throws(
    () => configOf({ baseAsym: 0x200 }),
    (error: unknown) => error instanceof EngineRefusal && /--asym SM2_P256/.test(error.message),
  );
});

test('what VER_ONLY takes for granted: one of each kind, the classic family first', () => {
  const { flags, selected } = provisionedPeer({}, configOf({}));
  assert.is(capability(flags, 'PSK_CAP'), 2);
  assert.equal(
    [selected.baseAsym, selected.pqcAsym, selected.dhe, selected.kem, selected.aead],
    [0x80, 0, 0x10, 0, 2],
  );
  const pqc = provisionedPeer(
    { peerCapabilities: { PSK_CAP: 1 } },
    configOf({ baseAsym: 0, pqcAsym: 2, dhe: 0, kem: 2 }),
  );
  assert.is(pqc.flags, 0x400);
  assert.equal([pqc.selected.baseAsym, pqc.selected.pqcAsym, pqc.selected.kem], [0, 2, 2]);
});

test.run();
