import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { concat } from '../../../protocols/codec/bytes.ts';
import { encode } from '../../../protocols/codec/layout.ts';
import { mutations } from '../../../protocols/codec/mutate.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import {
  buildReport,
  checkReport,
  type InterfaceReport,
  interfaceReport,
  LockFlags,
  type MmioRange,
  type ReportExpectation,
  ReportFindings,
} from '../../../protocols/tdisp/index.ts';
import { FACTS, OFFSET } from './device.ts';

const test = suite('tdisp report check');

const EXPECT: ReportExpectation = {
  bars: [
    { index: 0, address: 0xe0000000n, size: 0x8000n },
    { index: 2, address: 0xf0000000n, size: 0x10000n },
    { index: 5, address: 0x1000n, size: 0x1000n, kind: 'io' },
  ],
  reportingOffset: OFFSET,
  lockFlags: LockFlags.LOCK_MSIX,
  interfaceInfo: { mask: 0x1e, value: 0x02 },
};
const GUEST: ReportExpectation = {
  ...EXPECT,
  bars: EXPECT.bars.map(({ address: _unknown, ...bar }) => bar),
};

const B0: MmioRange = {
  FIRST_PAGE: 0x1b0000n,
  NUMBER_OF_PAGES: 4,
  RANGE_ATTRIBUTES: 0,
  RANGE_ID: 0,
};
const X0: MmioRange = {
  FIRST_PAGE: 0x1b0004n,
  NUMBER_OF_PAGES: 1,
  RANGE_ATTRIBUTES: 3,
  RANGE_ID: 0,
};
const B2: MmioRange = {
  FIRST_PAGE: 0x1c0000n,
  NUMBER_OF_PAGES: 16,
  RANGE_ATTRIBUTES: 8,
  RANGE_ID: 2,
};
const GOOD: InterfaceReport = {
  INTERFACE_INFO: 2,
  MSI_X_MESSAGE_CONTROL: 0x800f,
  LNR_CONTROL: 0,
  TPH_CONTROL: 0,
  MMIO_RANGE: [B0, X0, B2],
  DEVICE_SPECIFIC_INFO: new Uint8Array(3),
};
const ranges = (...list: MmioRange[]): Partial<InterfaceReport> => ({ MMIO_RANGE: list });
const findings = (bytes: Uint8Array, expectation: ReportExpectation): string[] => {
  const verdict = checkReport(bytes, expectation);
  return verdict.ok ? [] : verdict.findings.map((f) => `${f.name} ${f.range ?? '-'}`);
};

test('a true report: descriptors of every range, encrypted ones marked', () => {
  const verdict = checkReport(
    buildReport(FACTS, { flags: 4, mmioReportingOffset: OFFSET }),
    EXPECT,
  );
  assert.ok(verdict.ok);
  if (!verdict.ok) return;
  assert.equal(verdict.descriptors, [
    { barIndex: 0, offset: 0n, pages: 4, kind: 'tee', encrypted: true, updatable: false },
    { barIndex: 0, offset: 0x4000n, pages: 1, kind: 'msix', encrypted: false, updatable: false },
    { barIndex: 2, offset: 0n, pages: 16, kind: 'tee', encrypted: true, updatable: true },
  ]);
  assert.equal(verdict.notes, []);
  assert.is(verdict.report.INTERFACE_INFO, 2);
});

test('non-TEE memory stays shared', () => {
  const bytes = encode(interfaceReport, { ...GOOD, ...ranges({ ...B2, RANGE_ATTRIBUTES: 4 }) });
  const verdict = checkReport(bytes, EXPECT);
  assert.ok(verdict.ok && verdict.descriptors[0]?.kind === 'non-tee');
  assert.ok(verdict.ok && verdict.descriptors[0]?.encrypted === false);
});

// name, change to the true report, change to what is expected, findings
const lies: readonly [string, Partial<InterfaceReport>, Partial<ReportExpectation>, string[]][] = [
  ['none', {}, {}, []],
  ['no ranges at all', ranges(), {}, []],
  ['reserved INTERFACE_INFO', { INTERFACE_INFO: 0x22 }, {}, ['INTERFACE_INFO_RESERVED -']],
  ['ATS on', { INTERFACE_INFO: 0x0a }, {}, ['INTERFACE_INFO_UNEXPECTED -']],
  ['no DMA', { INTERFACE_INFO: 0 }, {}, ['INTERFACE_INFO_UNEXPECTED -']],
  ['updates not forbidden', {}, { lockFlags: 5 }, ['NO_FW_UPDATE_MISSING -']],
  ['updates forbidden', { INTERFACE_INFO: 3 }, { lockFlags: 5 }, []],
  ['MSI-X without lock', {}, { lockFlags: 0 }, ['MSIX_NOT_LOCKED -', 'MSIX_NOT_LOCKED 1']],
  [
    'reserved attributes',
    ranges({ ...B0, RANGE_ATTRIBUTES: 0x10 }),
    {},
    ['RANGE_ATTRIBUTES_RESERVED 0'],
  ],
  ['BAR 6', ranges({ ...B2, RANGE_ID: 6 }), {}, ['BAR_ID_INVALID 0']],
  ['BAR 0xffff', ranges({ ...B2, RANGE_ID: 0xffff }), {}, ['BAR_ID_INVALID 0']],
  ['upper half of a 64-bit BAR', ranges({ ...B2, RANGE_ID: 3 }), {}, ['BAR_ABSENT 0']],
  ['I/O BAR', ranges({ ...B2, RANGE_ID: 5, NUMBER_OF_PAGES: 1 }), {}, ['BAR_NOT_MEMORY 0']],
  ['BARs descending', ranges(B2, B0), {}, ['BAR_ID_DESCENDING 1']],
  ['empty range', ranges({ ...B0, NUMBER_OF_PAGES: 0 }), {}, ['RANGE_EMPTY 0']],
  ['wrap', ranges({ ...B0, FIRST_PAGE: (1n << 52n) - 3n }), {}, ['RANGE_WRAPS 0']],
  ['page above 2^52', ranges({ ...B0, FIRST_PAGE: (1n << 64n) - 1n }), {}, ['RANGE_WRAPS 0']],
  ['overlap', ranges(B0, { ...X0, FIRST_PAGE: 0x1b0003n }), {}, ['RANGE_OVERLAP 1']],
  ['same range twice', ranges(B2, B2), {}, ['RANGE_OVERLAP 1']],
  ['descending', ranges(X0, B0), { offsetRule: 'absolute' }, ['RANGE_DESCENDING 1']],
  [
    'too long for its BAR',
    ranges({ ...B2, NUMBER_OF_PAGES: 17 }),
    {},
    ['RANGE_OUTSIDE_BAR 0', 'RANGE_NOT_AT_BAR 0'],
  ],
  [
    'one range too many',
    ranges(B0, X0, { ...B0, FIRST_PAGE: 0x1b0008n, NUMBER_OF_PAGES: 1 }),
    {},
    ['RANGE_OUTSIDE_BAR 2', 'RANGE_NOT_AT_BAR 2'],
  ],
  [
    'wrong offset for everything: only the address tells',
    ranges({ ...B2, FIRST_PAGE: 0x1c0100n }),
    {},
    ['RANGE_NOT_AT_BAR 0'],
  ],
  [
    'below its BAR',
    ranges({ ...B2, FIRST_PAGE: 0x1bffffn, NUMBER_OF_PAGES: 1 }),
    { offsetRule: 'absolute' },
    ['RANGE_OUTSIDE_BAR 0', 'RANGE_NOT_AT_BAR 0'],
  ],
  [
    'over the end by the modulo rule',
    ranges({ ...B2, FIRST_PAGE: 0x1c0001n, NUMBER_OF_PAGES: 16 }),
    { offsetRule: 'modulo' },
    ['RANGE_OUTSIDE_BAR 0', 'RANGE_NOT_AT_BAR 0'],
  ],
];
for (const [name, change, expect, found] of lies) {
  test(`lie: ${name}`, () => {
    const bytes = encode(interfaceReport, { ...GOOD, ...change });
    assert.equal(findings(bytes, { ...EXPECT, ...expect }), found);
  });
}

test('every finding has a lie that shows it', () => {
  const shown = new Set(lies.flatMap(([, , , found]) => found.map((f) => f.split(' ')[0])));
  shown.add('REPORT_LENGTH');
  assert.equal([...shown].sort(), Object.keys(ReportFindings).sort());
});

test('length: every cut, a byte too many, and counts that lie', () => {
  const bytes = encode(interfaceReport, GOOD);
  for (let size = 0; size < bytes.length; size++)
    assert.equal(findings(bytes.slice(0, size), EXPECT), ['REPORT_LENGTH -'], `${size} bytes`);
  assert.equal(findings(concat(bytes, Uint8Array.of(0)), EXPECT), ['REPORT_LENGTH -']);
  for (const MMIO_RANGE_COUNT of [2, 4, 0xffffffff]) {
    const lie = encode(interfaceReport, { ...GOOD, MMIO_RANGE_COUNT });
    assert.equal(findings(lie, EXPECT), ['REPORT_LENGTH -'], `count ${MMIO_RANGE_COUNT}`);
  }
  const long = encode(interfaceReport, { ...GOOD, DEVICE_SPECIFIC_INFO_LEN: 0xfffffff0 });
  assert.equal(findings(long, EXPECT), ['REPORT_LENGTH -']);
});

test('an omitted first page: the rules disagree, and say so', () => {
  // MSI-X stands first in the BAR and is not locked, so that the report starts at page 1.
  const first = { ...B0, FIRST_PAGE: 0x1b0001n, NUMBER_OF_PAGES: 3 };
  const bytes = encode(interfaceReport, { ...GOOD, ...ranges(first) });
  const offsets = (['relative', 'modulo', 'absolute'] as const).map((offsetRule) => {
    const verdict = checkReport(bytes, { ...EXPECT, offsetRule });
    assert.ok(verdict.ok);
    assert.equal(verdict.ok && verdict.notes.map((n) => n.name), ['OFFSET_RULES_DISAGREE']);
    return verdict.ok ? verdict.descriptors[0]?.offset : undefined;
  });
  assert.equal(offsets, [0n, 0x1000n, 0x1000n]);
  const guest = checkReport(bytes, GUEST);
  assert.ok(guest.ok && guest.notes[0]?.detail.includes('absolute unknown'));
});

test('a reporting offset that is no multiple of the BAR is noted', () => {
  const reportingOffset = OFFSET + 0x1000n;
  const bytes = buildReport(FACTS, { flags: 4, mmioReportingOffset: reportingOffset });
  const verdict = checkReport(bytes, { ...EXPECT, reportingOffset });
  assert.ok(verdict.ok && verdict.notes.some((n) => n.name === 'OFFSET_NOT_BAR_ALIGNED'));
});

test('two’s complement: an offset that moves everything down, across zero', () => {
  const reportingOffset = (1n << 64n) - 0xf0000000n;
  const facts = { ...FACTS, ranges: FACTS.ranges.filter((r) => r.barIndex === 0) };
  const bytes = buildReport(facts, { flags: 4, mmioReportingOffset: reportingOffset });
  const verdict = checkReport(bytes, { ...EXPECT, reportingOffset, offsetRule: 'absolute' });
  assert.equal(verdict.ok && verdict.descriptors.map((d) => d.offset), [0n, 0x4000n]);
});

test('a caller’s mistake is named', () => {
  const bytes = encode(interfaceReport, GOOD);
  const local = (e: Error) => e instanceof LocalError && e.message.startsWith('bars');
  assert.throws(() => checkReport(bytes, { ...EXPECT, bars: [{ index: 0, size: 0n }] }), local);
  assert.throws(() => checkReport(bytes, { ...GUEST, offsetRule: 'absolute' }), local);
});

test('mutations and random bytes: a verdict, never a throw; no descriptor leaves its BAR', () => {
  const bytes = encode(interfaceReport, GOOD);
  const judged = (report: Uint8Array, offsetRule: 'relative' | 'modulo' | 'absolute') => {
    const verdict = checkReport(report, { ...EXPECT, offsetRule });
    if (!verdict.ok) return assert.ok(verdict.findings.length > 0);
    for (const d of verdict.descriptors) {
      const bar = EXPECT.bars.find((b) => b.index === d.barIndex)!;
      assert.ok(d.offset >= 0n && d.offset + BigInt(d.pages) * 4096n <= bar.size);
    }
  };
  const rules = ['relative', 'modulo', 'absolute'] as const;
  for (const { bytes: bad } of mutations(interfaceReport, bytes))
    for (const rule of rules) judged(bad, rule);
  const anyRange = fc.record({
    FIRST_PAGE: fc.oneof(
      fc.bigInt({ min: 0x1affffn, max: 0x1c0010n }),
      fc.bigInt(0n, 2n ** 64n - 1n),
    ),
    NUMBER_OF_PAGES: fc.oneof(fc.nat(20), fc.nat(0xffffffff)),
    RANGE_ATTRIBUTES: fc.nat(31),
    RANGE_ID: fc.nat(7),
  });
  fc.assert(
    fc.property(fc.array(anyRange, { maxLength: 4 }), fc.constantFrom(...rules), (list, rule) => {
      judged(encode(interfaceReport, { ...GOOD, MMIO_RANGE: list }), rule);
    }),
    { seed: 1, numRuns: 3000 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 96 }), (junk) => judged(junk, 'relative')),
    { seed: 1, numRuns: 3000 },
  );
});

test.run();
