/** Payloads of the three transports: DOE objects with Discovery, MCTP messages, bare messages. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  type SocketTransportName,
  socketTransports,
  type Unwrapped,
  unwrapAnswer,
} from '../../../sim/socket/transport.ts';

const test = suite('socket transport');

const hex = (text: string) => fromHex(text.replace(/\s/g, ''));
function shown(read: Unwrapped): string {
  if (read.kind === 'packet')
    return `${read.packet.secured ? 'S' : 'P'} ${toHex(read.packet.bytes)}`;
  if (read.kind === 'answer') return `answer ${toHex(read.payload)}`;
  if (read.kind === 'foreign') return `foreign ${read.name}`;
  return `refused ${read.refusal.code} ${read.refusal.path}`;
}

const cases: readonly [name: SocketTransportName, bytes: string, reads: string][] = [
  ['PCI_DOE', '01000100 03000000 10840000', 'P 10840000'],
  ['PCI_DOE', '01000200 04000000 ffffffff 02000000', 'S ffffffff02000000'],
  ['PCI_DOE', '01000000 03000000 00000000', 'answer 010000000300000001000001'],
  ['PCI_DOE', '01000000 03000000 01000000', 'answer 010000000300000001000102'],
  // capability version 2 puts a version into byte 1
  ['PCI_DOE', '01000000 03000000 02020000', 'answer 010000000300000001000200'],
  ['PCI_DOE', '01000000 03000000 03000000', 'answer 0100000003000000ffffff00'],
  ['PCI_DOE', '01000000 03000000 ff000000', 'answer 0100000003000000ffffff00'],
  ['PCI_DOE', '01000000 02000000', 'refused TRUNCATED Index'],
  ['PCI_DOE', '01000300 03000000 00000000', 'foreign DOE CMA/SPDM with Connection ID'],
  ['PCI_DOE', '34120100 03000000 00000000', 'foreign DOE 1234:01'],
  ['PCI_DOE', '', 'refused TRUNCATED VendorID'],
  ['PCI_DOE', '01000100 04000000 10840000', 'refused TRUNCATED payload'],
  ['PCI_DOE', '01000100 03000000 10840000 00000000', 'refused TRAILING payload'],
  ['PCI_DOE', '01000100 01000000', 'refused BAD_LENGTH Length'],
  ['PCI_DOE', '01000100 00000000 10840000', 'refused TRUNCATED payload'],
  ['MCTP', '05 10840000', 'P 10840000'],
  ['MCTP', '06 ffffffff 0000', 'S ffffffff0000'],
  ['MCTP', '05', 'P '],
  ['MCTP', '', 'refused TRUNCATED MessageType'],
  ['MCTP', '85 10840000', 'refused BAD_VALUE MessageType.IC'],
  ['MCTP', '01 00', 'foreign MCTP message type 0x1'],
  ['NONE', '10840000', 'P 10840000'],
  ['NONE', '', 'refused TRUNCATED SPDMVersion'],
];
for (const [name, bytes, reads] of cases)
  test(`${name} ${bytes || 'nothing'}: ${reads}`, () =>
    assert.is(shown(socketTransports[name].unwrap(hex(bytes))), reads));

const wraps: readonly [name: SocketTransportName, secured: boolean, bytes: string, out: string][] =
  [
    ['PCI_DOE', false, '1004', '01000100 03000000 10040000'],
    ['PCI_DOE', false, '10040000 01', '01000100 04000000 10040000 01000000'],
    ['PCI_DOE', true, 'ffffffff', '01000200 03000000 ffffffff'],
    ['MCTP', false, '100400', '05 100400'],
    ['MCTP', true, 'ffffffff00', '06 ffffffff00'],
    ['NONE', false, '100400', '100400'],
  ];
for (const [name, secured, bytes, out] of wraps)
  test(`${name} wraps ${bytes}${secured ? ' sealed' : ''}`, () => {
    const wrapped = socketTransports[name].wrap({ secured, bytes: hex(bytes) });
    assert.is(toHex(wrapped), toHex(hex(out)));
  });

test('NONE has no records', () =>
  assert.throws(
    () => socketTransports.NONE.wrap({ secured: true, bytes: new Uint8Array(4) }),
    (error: unknown) => error instanceof LocalError,
  ));

test('an answer must be a packet', () => {
  const read = (bytes: string) => unwrapAnswer(socketTransports.PCI_DOE, hex(bytes));
  const discovery = read('01000000 03000000 01000001');
  assert.is(discovery.ok ? 'ok' : discovery.code, 'UNKNOWN_CODE');
  const foreign = read('34120100 03000000 00000000');
  assert.is(foreign.ok ? 'ok' : foreign.code, 'UNKNOWN_CODE');
  const good = read('01000200 03000000 ffffffff');
  assert.ok(good.ok && good.value.secured);
});

test('no bytes throw', () => {
  for (const transport of Object.values(socketTransports))
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        transport.unwrap(bytes);
        unwrapAnswer(transport, bytes);
      }),
      { seed: 1, numRuns: 300 },
    );
});

test.run();
