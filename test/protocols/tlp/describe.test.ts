/** One line per TLP, and routing IDs as people write them. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../../protocols/codec/bytes.ts';
import { tlpMutations } from '../../../protocols/tlp/header-codec.ts';
import { bdf, describeTlp, parseBdf } from '../../../protocols/tlp/index.ts';

const dw = '00000000';
const LINES: readonly (readonly [string, string])[] = [
  [
    `60000010 010103ff 00000002 00000000 ${dw.repeat(16)}`,
    'MWr64 01:00.1 tag 3 addr 0x200000000 64 B',
  ],
  [
    `92000115 60000010 010103ff 00000002 00000000 ${dw.repeat(16)}`,
    'MWr64 01:00.1 tag 3 addr 0x200000000 64 B, IDE stream 1 NPR K0 T M',
  ],
  [
    `920001fe 91400abc 40000001 0101000f 80000000 ${dw.repeat(5)}`,
    'MWr32 01:00.1 tag 0 addr 0x80000000 4 B, IDE stream 1 sub-stream 15 K1 M P, PASID 0x00abc PMR, +16 B',
  ],
  [
    '92070025 00000001 01010a00 80000000',
    'MRd32 01:00.1 tag 10 addr 0x80000000 0 B, IDE stream 0 CPL PR_Sent 7 K0 T M',
  ],
  ['00b04001 01000118 00001000', 'MRd32 01:00.0 tag 513 addr 0x1003 1 B, TC3, poisoned'],
  ['04000001 0000050f 01000104', 'CfgRd0 00:00.0 tag 5 01:00.0 reg 0x104'],
  [
    '45000001 0010000c 5aff0ffc 44332211',
    'CfgWr1 00:02.0 tag 0 5a:1f.7 reg 0xffc be 0xc = 0x11223344',
  ],
  [
    '4a000001 01000004 00000500 86803412',
    'CplD 01:00.0 to 00:00.0 tag 5 SC count 4 lower 0x00 4 B',
  ],
  ['0a000000 0100600c 00000574', 'Cpl 01:00.0 to 00:00.0 tag 5 status 3 count 12 lower 0x74'],
  ['30000000 02000033 0000000000000000', 'Msg 02:00.0 ERR_FATAL to Root Complex'],
  [
    `72000001 0100007f 03001ab4 00000001 ${dw}`,
    'MsgD 01:00.0 Vendor_Defined Type 1 by ID 03:00.0 4 B',
  ],
  ['36000000 02000099 0000000000000000', 'Msg 02:00.0 message 0x99 routing 6'],
  [`4e000002 01010aff 00000040 ${dw}${dw}`, 'CAS32 01:00.1 tag 10 addr 0x40 8 B'],
  ['02000001 0000000f 00000cf8', 'IORd 00:00.0 tag 0 addr 0xcf8 4 B'],
  [
    '9e000000 93000000 00000001 0101000f 80000000',
    'MRd32 01:00.1 tag 0 addr 0x80000000 4 B, VendPrefixE0, prefix 0x93',
  ],
  ['', 'no TLP: TRUNCATED at Header (byte 0): no header'],
  ['ff', 'no TLP: UNKNOWN_CODE at Type (byte 0): Fmt 7, Type 0x1f'],
  [
    '40000001 0101000f 80000000 00',
    'no TLP: BAD_LENGTH at Length (byte 2): 4 bytes of payload expected, 1 present',
  ],
];

const lines = suite('tlp describe');
for (const [hex, line] of LINES) lines(line, () => assert.is(describeTlp(fromHex(hex)), line));
lines('anything gets one line', () => {
  const one = (bytes: Uint8Array) => {
    const text = describeTlp(bytes);
    assert.ok(text.length > 0 && !/\n|undefined|NaN/.test(text), text);
  };
  for (const [hex] of LINES) for (const { bytes } of tlpMutations(fromHex(hex))) one(bytes);
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), one), { seed: 1, numRuns: 3000 });
});
lines.run();

const ids = suite('routing IDs');
ids('as lspci writes them', () => {
  assert.is(bdf(0x0101), '01:00.1');
  assert.is(bdf(0xffff), 'ff:1f.7');
  assert.is(bdf(0), '00:00.0');
  for (let id = 0; id < 65536; id += 7) assert.is(parseBdf(bdf(id)), id);
});
ids('other texts are none', () => {
  for (const text of ['', '1:00.1', '01:20.0', '01:00.8', '0000:01:00.1', '01:00.1 '])
    assert.is(parseBdf(text), undefined);
});
ids.run();
