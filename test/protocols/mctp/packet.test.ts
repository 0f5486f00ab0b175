/** MCTP packets put together to messages, and the PLDM header. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import {
  MctpAssembler,
  MESSAGE_BYTES_MAX,
  mctpPacket,
  OPEN_MESSAGES_MAX,
} from '../../../protocols/mctp/packet.ts';
import { describePldm, pldmMessage } from '../../../protocols/mctp/pldm.ts';

const test = suite('mctp');

/** What each packet gave: `type body`, `...` for a piece, a refusal's code and path. */
function take(assembler: MctpAssembler, hex: string): string {
  const taken = assembler.take(fromHex(hex));
  if (!taken.ok) return `${taken.code} ${taken.path}`;
  return taken.type === undefined ? '...' : `${taken.type} ${toHex(taken.body)}`;
}

const cases: readonly [
  name: string,
  packets: [hex: string, gives: string][],
  unfinished: number,
][] = [
  ['the emulators-one packet', [['000000c0 05 10840000', '5 10840000']], 0],
  ['a secured record', [['000000c0 06 ffffffff', '6 ffffffff']], 0],
  [
    'two packets',
    [
      ['010a0b88 05 1084', '...'],
      ['010a0b58 0000', '5 10840000'],
    ],
    0,
  ],
  [
    'sequence numbers go round',
    [
      ['010a0bb8 05', '...'],
      ['010a0b08 aa', '...'],
      ['010a0b58 bb', '5 aabb'],
    ],
    0,
  ],
  [
    'tags keep messages apart',
    [
      ['010a0b88 05 01', '...'],
      ['010a0b89 05 02', '...'],
      ['010a0b58 11', '5 0111'],
      ['010a0b59 22', '5 0222'],
    ],
    0,
  ],
  [
    'a lost packet',
    [
      ['010a0b88 05 01', '...'],
      ['010a0b68 11', 'BAD_VALUE Flags.PktSeq'],
      ['010a0b58 11', 'BAD_VALUE Flags'],
    ],
    1,
  ],
  [
    'a message begun anew',
    [
      ['010a0b88 05 01', '...'],
      ['010a0bc8 05 02', '5 02'],
    ],
    1,
  ],
  ['no end', [['010a0b88 05 01', '...']], 1],
  ['no beginning', [['010a0b48 05 01', 'BAD_VALUE Flags']], 0],
  ['no type', [['010a0bc8', 'TRUNCATED MessageType']], 0],
  ['an integrity check', [['010a0bc8 85 01', 'BAD_VALUE MessageType.IC']], 0],
  ['no header', [['010a0b', 'TRUNCATED Flags']], 0],
];
for (const [name, packets, unfinished] of cases)
  test(name, () => {
    const assembler = new MctpAssembler();
    for (const [hex, gives] of packets) assert.is(take(assembler, hex), gives);
    assert.is(assembler.unfinished, unfinished);
  });

test('memory is bounded', () => {
  const assembler = new MctpAssembler();
  const size = 0x10000;
  let last = '';
  for (let i = 0; i <= MESSAGE_BYTES_MAX / size; i++) {
    const packet = new Uint8Array(4 + size);
    packet.set([1, 10, 11, (i === 0 ? 0x88 : 0x08) | ((i & 3) << 4)]);
    const taken = assembler.take(packet);
    last = taken.ok ? '...' : taken.code;
  }
  assert.is(last, 'OVER_LIMIT');
  const many = new MctpAssembler();
  for (let i = 0; i < 1000; i++) many.take(Uint8Array.of(1, i & 0xff, i >> 8, 0x88, 5));
  assert.is(many.unfinished, 1000);
  assert.is(take(many, '01000088 05'), '...');
  assert.is(OPEN_MESSAGES_MAX, 64);
});

const pldm: readonly [hex: string, name: string, request: boolean, last: string][] = [
  ['800002', 'PLDM GetTID', true, 'Payload'],
  ['00000200 01', 'PLDM GetTID', false, 'Payload'],
  ['800204', 'PLDM command 0x4 of platform monitoring and control', true, 'Payload'],
  ['803f04', 'PLDM command 0x4 of 63', true, 'Payload'],
];
for (const [hex, name, request, last] of pldm)
  test(`PLDM ${hex}`, () => {
    const described = describePldm(fromHex(hex));
    assert.is(described.name, name);
    assert.is(described.request, request);
    assert.is(described.refusal, undefined);
    assert.is(described.fields.at(-1)?.path, last);
  });

test('wrong bytes never throw', () => {
  assert.is(describePldm(fromHex('00')).refusal?.code, 'TRUNCATED');
  assert.is(describePldm(fromHex('000002')).refusal?.path, 'PLDMCompletionCode');
  for (const { bytes } of mutations(pldmMessage, fromHex('0000020001'))) describePldm(bytes);
  for (const { bytes } of mutations(mctpPacket, fromHex('000000c00510840000')))
    new MctpAssembler().take(bytes);
  const assembler = new MctpAssembler();
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
      assembler.take(bytes);
      describePldm(bytes);
    }),
    { seed: 1, numRuns: 2000 },
  );
});

test.run();
