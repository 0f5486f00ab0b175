import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  buildReport,
  deviceAddress,
  factsProblem,
  LockFlags,
  type MmioFact,
  RangeAttributes,
  type ReportFacts,
  reportedPage,
} from '../../../protocols/tdisp/index.ts';
import { FACTS, OFFSET } from './device.ts';

const test = suite('tdisp report');

const lock = (flags: number, mmioReportingOffset = OFFSET) => ({ flags, mmioReportingOffset });
const tail = '05000000 6e69632d37';
// page 0xe0000 + 0xd0000 and so on
const bar0 = '00001b0000000000 04000000 0000 0000';
const msix = '04001b0000000000 01000000';
const bar2 = '00001c0000000000 10000000 0800 0200';

const vectors: readonly [string, number, ReportFacts, string][] = [
  ['MSI-X not locked: omitted', 0, FACTS, `0200 0000 0000 0000 00000000 02000000 ${bar0} ${bar2}`],
  [
    'MSI-X locked: reported with its control word',
    LockFlags.LOCK_MSIX,
    FACTS,
    `0200 0000 0f80 0000 00000000 03000000 ${bar0} ${msix} 0300 0000 ${bar2}`,
  ],
  [
    'MSI-X not locked: as non-TEE memory, if the device says so',
    0,
    { ...FACTS, unlockedMsix: 'non-tee' },
    `0200 0000 0000 0000 00000000 03000000 ${bar0} ${msix} 0400 0000 ${bar2}`,
  ],
  [
    'NO_FW_UPDATE sets bit 0; LNR and TPH are copied',
    LockFlags.NO_FW_UPDATE,
    { ...FACTS, lnrControl: 0x1234, tphControl: 0x89abcdef, ranges: [] },
    '0300 0000 0000 3412 efcdab89 00000000',
  ],
];
for (const [name, flags, facts, hex] of vectors) {
  test(`bytes: ${name}`, () => {
    assert.is(toHex(buildReport(facts, lock(flags))), toHex(fromHex(`${hex} ${tail}`)));
  });
}

test('ranges are sorted by BAR and address, whatever the order of the facts', () => {
  const backwards = { ...FACTS, ranges: [...FACTS.ranges].reverse() };
  assert.is(toHex(buildReport(backwards, lock(4))), toHex(buildReport(FACTS, lock(4))));
});

// device address, reporting offset, reported page
const pages: readonly [bigint, bigint, bigint][] = [
  [0xe0000000n, 0n, 0xe0000n],
  [0xe0000000n, 0xd0000000n, 0x1b0000n],
  [0xe0000000n, (1n << 64n) - 0xe0000000n, 0n],
  [0xe0000000n, (1n << 64n) - 0xe0001000n, 0xfffffffffffffn],
  [0xfffffffffffff000n, 0x2000n, 1n],
];
for (const [address, offset, page] of pages) {
  test(`0x${address.toString(16)} under offset 0x${offset.toString(16)} is page 0x${page.toString(16)}`, () => {
    assert.is(reportedPage(address, offset), page);
    assert.is(deviceAddress(page, offset), address);
  });
}

const range = (change: Partial<MmioFact>): MmioFact => ({
  barIndex: 0,
  address: 0x10000n,
  pages: 2,
  attributes: RangeAttributes.IS_NON_TEE_MEM,
  ...change,
});
const problems: readonly [string, Partial<ReportFacts>, RegExp | undefined][] = [
  ['in order', { ranges: [range({})] }, undefined],
  ['side by side', { ranges: [range({}), range({ barIndex: 1, address: 0x12000n })] }, undefined],
  ['up to the last page', { ranges: [range({ address: (1n << 64n) - 0x2000n })] }, undefined],
  ['BAR 6', { ranges: [range({ barIndex: 6 })] }, /barIndex/],
  ['BAR -1', { ranges: [range({ barIndex: -1 })] }, /barIndex/],
  ['no pages', { ranges: [range({ pages: 0 })] }, /pages/],
  ['too many pages', { ranges: [range({ pages: 2 ** 32 })] }, /pages/],
  ['not aligned', { ranges: [range({ address: 0x10800n })] }, /aligned/],
  ['negative', { ranges: [range({ address: -0x1000n })] }, /aligned/],
  ['past 2^64', { ranges: [range({ address: (1n << 64n) - 0x1000n })] }, /past/],
  ['overlap', { ranges: [range({ barIndex: 2, address: 0x11000n }), range({})] }, /overlap/],
  ['same place', { ranges: [range({}), range({ barIndex: 1 })] }, /overlap/],
  ['longest', { ranges: [], deviceSpecificInfo: new Uint8Array(0xffff - 20) }, undefined],
  ['too long', { ranges: [], deviceSpecificInfo: new Uint8Array(0xffff - 19) }, /65536 bytes/],
];
for (const [name, change, problem] of problems) {
  test(`facts: ${name}`, () => {
    const facts = { ...FACTS, ...change };
    const said = factsProblem(facts);
    if (problem === undefined) {
      assert.is(said, undefined);
      assert.ok(buildReport(facts, lock(0)).length >= 20);
    } else {
      assert.match(said ?? '', problem);
      assert.throws(
        () => buildReport(facts, lock(0)),
        (e: Error) => e instanceof LocalError && problem.test(e.message),
      );
    }
  });
}

test.run();
