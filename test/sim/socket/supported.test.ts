/** What `serve` and `attach` offer of what a provider computes, and what they refuse by name. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { nodeProvider as crypto } from '../../../protocols/crypto/node.ts';
import { EngineRefusal, type SpdmChoices } from '../../../sim/socket/engines.ts';
import { makeResponder } from '../../../sim/socket/responder-engine.ts';
import { supportedAlgorithms } from '../../../sim/socket/supported.ts';
import { socketTransports } from '../../../sim/socket/transport.ts';
import { stream } from '../../protocols/spdm/pair.ts';

const test = suite('supported algorithms');

const device = {
  manufacturer: 'Example',
  product: 'Device',
  serial: '7',
  measured: [],
  ctExponent: 10,
  dataTransferSize: 4608,
  heartbeatPeriod: 0,
  selectiveStreams: 1,
  addressWidth: 52,
  reportPortion: 64,
};
const optionsOf = (choices: SpdmChoices) => ({
  crypto,
  random: stream(1),
  transport: socketTransports.PCI_DOE,
  choices,
  device,
  identitySeed: 1,
  functionId: 0,
  dataTransferSizeMax: Number.POSITIVE_INFINITY,
});

test('choices nobody computes are refused by name', () => {
  const refused: readonly [SpdmChoices, RegExp][] = [
    [{ baseHash: 0x40 }, /--hash SM3_256: not computed here; choose of SHA_256/],
    [{ baseAsym: 0, pqcAsym: 0 }, /--asym NONE with --pqc_asym NONE/],
    [{ aead: 8 }, /--aead AEAD_SM4_GCM/],
  ];
  for (const [choices, says] of refused)
    assert.throws(
      () => makeResponder(optionsOf(choices)),
      (error: unknown) => error instanceof EngineRefusal && says.test(error.message),
    );
});

test('everything that is computed is offered', () => {
  assert.is(supportedAlgorithms(crypto, {}).measurementHash, 4, 'SHA_384 alone');
  assert.is(supportedAlgorithms(crypto, {}).baseAsym, 0xdff, 'all but SM2');
  assert.is(supportedAlgorithms(crypto, { otherParams: 0x12 }).opaqueFormats, 2);
});

test.run();
