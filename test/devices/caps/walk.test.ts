import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DoeCapability } from '../../../devices/caps/doe.ts';
import { MsixCapability } from '../../../devices/caps/msix.ts';
import { capabilityName, extendedCapabilityName } from '../../../devices/caps/names.ts';
import { PcieCapability, PortTypes } from '../../../devices/caps/pcie.ts';
import { PowerManagementCapability } from '../../../devices/caps/power-management.ts';
import { type CapabilityList, walkCapabilities } from '../../../devices/caps/walk.ts';
import { ConfigSpace } from '../../../devices/config-space.ts';
import { DoeMailbox } from '../../../protocols/doe/mailbox.ts';

const test = suite('capability walk');

function walk(read: (offset: number) => number): { list: CapabilityList; reads: number } {
  const steps = walkCapabilities();
  let answer = 0;
  for (let reads = 0; reads < 5000; reads++) {
    const step = steps.next(answer);
    if (step.done === true) return { list: step.value, reads };
    assert.ok(step.value.read % 4 === 0 && step.value.read < 0x1000);
    answer = read(step.value.read);
  }
  throw new Error('the walk does not end');
}

/** A space of literal DWs. */
const dws = (values: Readonly<Record<number, number>>) => (offset: number) =>
  values[offset] ?? (offset === 0 ? 0x12348086 : offset === 4 ? 0x00100000 : 0);

test('lists what a config space has, in order', () => {
  const config = new ConfigSpace({ type: 0, vendorId: 0x8086, deviceId: 1, classCode: 0 });
  config.addCapability(new PowerManagementCapability());
  config.addCapability(new PcieCapability({ portType: PortTypes.ENDPOINT }));
  config.addCapability(
    new MsixCapability({ vectors: 1, table: { bir: 0, offset: 0 }, pba: { bir: 0, offset: 8 } }),
  );
  const mailbox = new DoeMailbox({ types: [] });
  config.addExtendedCapability(new DoeCapability(mailbox, 2, () => {}));
  config.addExtendedCapability(new DoeCapability(mailbox, 1, () => {}), 0xfe8);
  const { list } = walk((offset) => config.read(offset));
  assert.equal(
    list.standard.map((c) => `${c.offset.toString(16)} ${c.name}`),
    ['40 Power Management', '48 Express', '84 MSI-X'],
  );
  assert.equal(
    list.extended.map((c) => `${c.offset.toString(16)} v${c.version} ${c.name}`),
    ['100 v2 Data Object Exchange', 'fe8 v1 Data Object Exchange'],
  );
  assert.equal(list.problems, []);
});

const bad: readonly [
  name: string,
  read: (offset: number) => number,
  counts: readonly [standard: number, extended: number],
  problems: string,
][] = [
  ['nothing there', () => 0xffffffff, [0, 0], 'standard ABSENT 0'],
  ['no lists', dws({ 4: 0 }), [0, 0], ''],
  ['a standard loop of one', dws({ 52: 0x40, 64: 0x4001 }), [1, 0], 'standard LOOP 40'],
  ['a standard loop of two', dws({ 52: 0x40, 64: 0x5001, 80: 0x4010 }), [2, 0], 'standard LOOP 40'],
  ['a link into the header', dws({ 52: 0x40, 64: 0x1001 }), [1, 0], 'standard OUT_OF_RANGE 10'],
  ['low bits set in links', dws({ 52: 0x43, 64: 0x5301, 80: 0x0010 }), [2, 0], ''],
  ['gone half way', dws({ 52: 0x40, 64: 0x5001, 80: 0xffffffff }), [1, 0], 'standard ABSENT 50'],
  ['an extended loop', dws({ 256: 0x2001002e, 512: 0x10010030 }), [0, 2], 'extended LOOP 100'],
  ['an extended link below 100h', dws({ 256: 0x0801002e }), [0, 1], 'extended OUT_OF_RANGE 80'],
  [
    'an extended capability gone',
    dws({ 256: 0x2001002e, 512: 0xffffffff }),
    [0, 1],
    'extended ABSENT 200',
  ],
  ['no extended space', dws({ 256: 0xffffffff }), [0, 0], ''],
];
for (const [name, read, counts, problems] of bad)
  test(`ends at ${name}`, () => {
    const { list } = walk(read);
    assert.equal([list.standard.length, list.extended.length], counts);
    assert.is(
      list.problems.map((p) => `${p.list} ${p.code} ${p.offset.toString(16)}`).join(', '),
      problems,
    );
  });

test('any contents: ends within the bound, never lists an offset twice', () => {
  const dw = fc.oneof(
    fc.integer({ min: 0, max: 0xffffffff }),
    // links that mostly lead on
    fc.integer({ min: 0x10, max: 0xff }).map((i) => ((i << 4) << 20) | 0x1002e | (i << 8)),
  );
  let longest = 0;
  fc.assert(
    fc.property(fc.array(dw, { minLength: 1, maxLength: 64 }), (values) => {
      const { list, reads } = walk((offset) =>
        offset === 4 ? 0x00100000 : values[(offset / 4) % values.length]! >>> 0,
      );
      assert.ok(reads <= 3 + 48 + 960);
      for (const part of [list.standard, list.extended])
        assert.is(new Set(part.map((c) => c.offset)).size, part.length);
      longest = Math.max(longest, reads);
    }),
    { seed: 1, numRuns: 1000 },
  );
  assert.ok(longest > 10, `longest walk ${longest}`);
});

test('the longest lists there can be', () => {
  const { list, reads } = walk((offset) => {
    if (offset === 0x34) return 0x40;
    if (offset < 0x40) return offset === 4 ? 0x00100000 : 0;
    const next = offset + 4;
    return offset < 0x100 ? 0x05 | ((next & 0xff) << 8) : 0x1000b + (next & 0xfff) * 2 ** 20;
  });
  assert.equal([list.standard.length, list.extended.length, reads], [48, 960, 3 + 48 + 960]);
  assert.equal(list.problems, []);
});

test('names', () => {
  assert.is(capabilityName(0x10), 'Express');
  assert.is(capabilityName(0xee), '#ee');
  assert.is(extendedCapabilityName(0x30), 'Integrity & Data Encryption');
  assert.is(extendedCapabilityName(0x1234), 'Extended Capability ID 0x1234');
});

test.run();
