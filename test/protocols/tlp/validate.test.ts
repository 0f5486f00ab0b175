/** Each rule of `validate`, kept and broken by the smallest difference. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex } from '../../../protocols/codec/bytes.ts';
import { tlpMutations } from '../../../protocols/tlp/header-codec.ts';
import {
  type TlpLimits,
  type TlpRule,
  TlpRules,
  validate,
} from '../../../protocols/tlp/validate.ts';

const pages = '00'.repeat(4);
const CASES: readonly (readonly [string, string, TlpRule | undefined, string?, TlpLimits?])[] = [
  ['no TLP', '', 'SHAPE', 'Header'],
  ['MRd32', '00000001 0101000f 80000000', undefined],
  // prefixes
  ['IDE then PASID', '92000000 91000001 00000001 0101000f 80000000', undefined],
  ['PASID then IDE', '91000001 92000000 00000001 0101000f 80000000', 'PREFIX', 'Prefix[1]'],
  ['two IDE prefixes', '92000000 92000000 00000001 0101000f 80000000', 'PREFIX', 'Prefix[1]'],
  ['unknown end-end prefix', '93000000 00000001 0101000f 80000000', 'PREFIX', 'Prefix[0]'],
  // limits
  [
    'payload at the limit',
    `40000002 010100ff 80000000 ${pages}${pages}`,
    undefined,
    '',
    { maxPayload: 8 },
  ],
  [
    'payload above',
    `40000002 010100ff 80000000 ${pages}${pages}`,
    'MAX_PAYLOAD',
    'Length',
    { maxPayload: 4 },
  ],
  ['read at the limit', '00000020 010100ff 80000000', undefined, '', { maxReadRequest: 128 }],
  [
    'read above',
    '00000021 010100ff 80000000',
    'MAX_READ_REQUEST',
    'Length',
    { maxReadRequest: 128 },
  ],
  [
    'a completion is no read request',
    `4a000002 01000008 00010000 ${pages}${pages}`,
    undefined,
    '',
    { maxReadRequest: 4 },
  ],
  [
    'trailer',
    `92000004 00000001 0101000f 80000000 ${pages.repeat(3)}`,
    undefined,
    '',
    { trailer: 12 },
  ],
  // 4 KiB
  ['up to the boundary', '00000002 010100ff 80000ff8', undefined],
  ['across the boundary', '00000002 010100ff 80000ffc', 'FOUR_KIB_CROSSING', 'Length'],
  ['a whole page', '00000000 010100ff 80001000', undefined],
  ['up to the boundary, with a hint', '00000002 010100ff 80000ffb', undefined],
  ['a page from its second DW', '00000000 010100ff 80001004', 'FOUR_KIB_CROSSING', 'Length'],
  ['across, 64-bit', '20000003 010100ff 00000001 00000ff8', 'FOUR_KIB_CROSSING', 'Length'],
  // byte enables
  ['no byte of one DW', '00000001 01010000 80000000', undefined],
  ['holes in one DW', '00000001 0101000a 80000000', undefined],
  ['Last DW BE with one DW', '00000001 0101001f 80000000', 'BYTE_ENABLES', 'Last DW BE'],
  ['First DW BE 0 with two DW', '00000002 010100f0 80000000', 'BYTE_ENABLES', 'First DW BE'],
  ['Last DW BE 0 with two DW', '00000002 0101000f 80000000', 'BYTE_ENABLES', 'Last DW BE'],
  ['holes in an aligned QW', '00000002 010100a5 80000008', undefined],
  [
    'hole in the first of an unaligned QW',
    '00000002 010100f5 80000004',
    'BYTE_ENABLES',
    'First DW BE',
  ],
  [
    'hole in the last of an unaligned QW',
    '00000002 0101005f 80000004',
    'BYTE_ENABLES',
    'Last DW BE',
  ],
  ['hole in three DW', '00000003 010100f5 80000000', 'BYTE_ENABLES', 'First DW BE'],
  ['hole before the last of three DW', '00000003 010100ef 80000000', 'BYTE_ENABLES', 'Last DW BE'],
  ['contiguous in three DW', '00000003 01010018 80000000', undefined],
  ['steering tag in a read', '00010001 01010012 80000000', undefined],
  [
    'TH in a write frees nothing',
    `40010001 0101001f 80000000 ${pages}`,
    'BYTE_ENABLES',
    'Last DW BE',
  ],
  // form
  ['64-bit form at 4 GiB', '20000001 0101000f 00000001 00000000', undefined],
  ['64-bit form below', '20000001 0101000f 00000000 80000000', 'ADDRESS_FORM', 'Fmt'],
  // AtomicOps
  ['FetchAdd of 8 bytes', `4c000002 01010000 80000008 ${pages}${pages}`, undefined],
  [
    'FetchAdd of 12 bytes',
    `4c000003 01010000 80000000 ${pages.repeat(3)}`,
    'ATOMIC_OPERAND',
    'Length',
  ],
  [
    'FetchAdd misaligned',
    `4c000002 01010000 80000004 ${pages}${pages}`,
    'ATOMIC_OPERAND',
    'Address[31:2]',
  ],
  ['CAS of 16 bytes', `4e000008 01010000 80000010 ${pages.repeat(8)}`, undefined],
  ['CAS of 2 bytes', `4e000001 01010000 80000000 ${pages}`, 'ATOMIC_OPERAND', 'Length'],
  [
    'CAS of 16 bytes misaligned',
    `4e000008 01010000 80000008 ${pages.repeat(8)}`,
    'ATOMIC_OPERAND',
    'Address[31:2]',
  ],
  // configuration and I/O
  ['CfgRd0', '04000001 0000050f 01000104', undefined],
  ['CfgRd0 of two DW', '04000002 0000050f 01000104', 'ONE_DW', 'Length'],
  ['CfgRd0 in TC1', '04100001 0000050f 01000104', 'ONE_DW', 'TC'],
  ['CfgRd0 with IDO', '04040001 0000050f 01000104', 'ONE_DW', 'Attr'],
  ['CfgRd0 translated', '04000801 0000050f 01000104', 'ONE_DW', 'AT'],
  ['CfgRd0 with Last DW BE', '04000001 0000051f 01000104', 'ONE_DW', 'Last DW BE'],
  ['IOWr', `42000001 0000050f 00000cf8 ${pages}`, undefined],
  ['IOWr of two DW', `42000002 0000050f 00000cf8 ${pages}${pages}`, 'ONE_DW', 'Length'],
  // messages
  ['ERR_COR', '30000000 01000030 0000000000000000', undefined],
  ['ERR_COR by broadcast', '33000000 01000030 0000000000000000', 'MESSAGE', 'Type'],
  ['reserved routing', '36000000 01000099 0000000000000000', 'MESSAGE', 'Type'],
  ['unknown code', '30000000 01000099 0000000000000000', undefined],
  ['ERR_COR with data', `70000001 01000030 0000000000000000 ${pages}`, 'MESSAGE', 'Fmt'],
  ['Set_Slot_Power_Limit', `74000001 01000050 0000000000000000 ${pages}`, undefined],
  ['Set_Slot_Power_Limit without data', '34000000 01000050 0000000000000000', 'MESSAGE', 'Fmt'],
  ['IDE_Sync by ID', '32000000 01000054 0100000000000000', undefined],
  ['IDE_Sync to Root Complex', '30000000 01000054 0100000000000000', 'MESSAGE', 'Type'],
  // completions
  ['CplD', `4a000001 01000004 00000500 ${pages}`, undefined],
  ['Cpl with UR', '0a000000 01002004 00000500', undefined],
  ['reserved status', '0a000000 01006004 00000500', 'COMPLETION', 'Completion Status'],
  ['CplD with CA', `4a000001 01008004 00000500 ${pages}`, 'COMPLETION', 'Completion Status'],
  ['two DW for 5 bytes', `4a000002 01000005 00000500 ${pages}${pages}`, undefined],
  ['two DW for 4 bytes', `4a000002 01000004 00000500 ${pages}${pages}`, 'COMPLETION', 'Length'],
  ['two DW for 4 bytes from byte 1', `4a000002 01000004 00000501 ${pages}${pages}`, undefined],
];

/** byte of the header in which each path of a fault stands */
const OFFSETS: Readonly<Record<string, number>> = {
  Fmt: 0,
  Type: 0,
  TC: 1,
  Attr: 1,
  AT: 2,
  Length: 2,
  'Completion Status': 6,
  'First DW BE': 7,
  'Last DW BE': 7,
  'Address[31:2]': 11,
  'Prefix[0]': 0,
  'Prefix[1]': 4,
  Header: 0,
};

const cases = suite('tlp validate: rules');
for (const [name, hex, rule, path, limits] of CASES)
  cases(name, () => {
    const fault = validate(fromHex(hex), limits);
    assert.is(fault?.rule, rule, JSON.stringify(fault));
    if (fault !== undefined) {
      assert.is(fault.path, path);
      assert.is(fault.offset, OFFSETS[fault.path]);
      assert.ok(fault.detail !== '');
    }
  });
cases('every rule is broken somewhere above', () => {
  const broken = new Set(CASES.map(([, , rule]) => rule));
  for (const rule of Object.values(TlpRules)) assert.ok(broken.has(rule), rule);
});
cases('mutations and noise get an answer', () => {
  for (const [, hex] of CASES)
    for (const { bytes } of tlpMutations(fromHex(hex))) validate(bytes, { maxPayload: 128 });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      validate(bytes);
    }),
    { seed: 1, numRuns: 3000 },
  );
});
cases.run();
