import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  decodeAddressAssociation,
  decodeRidAssociation,
  encodeAddressAssociation,
  encodeRidAssociation,
  field,
  fieldsOf,
  IdeCapability,
  ideDwordsNeeded,
  maskOf,
  parseIdeCapability,
  registerValue,
  StreamControl,
  StreamStatus,
  withField,
} from '../../../protocols/ide/index.ts';
import { local } from './pair.ts';

const test = suite('ide registers');

const positions: readonly [string, Record<string, { lsb: number; width: number }>, string[]][] = [
  [
    'IDE Capability',
    IdeCapability,
    ['0:1', '1:1', '2:1', '3:1', '4:1', '5:1', '6:1', '7:1', '8:5', '13:3', '16:8', '24:1', '25:1'],
  ],
  [
    'Stream Control',
    StreamControl,
    [
      '0:1',
      '1:1',
      '2:2',
      '4:2',
      '6:2',
      '8:1',
      '9:1',
      '10:4',
      '14:5',
      '19:3',
      '22:1',
      '23:1',
      '24:8',
    ],
  ],
  ['Stream Status', StreamStatus, ['0:4', '31:1']],
];
for (const [name, register, expected] of positions)
  test(`${name}: field positions`, () => {
    assert.equal(
      Object.values(register).map((f) => `${f.lsb}:${f.width}`),
      expected,
    );
  });

test('fields of one register do not overlap', () => {
  for (const [, register] of positions) {
    const bits = Object.values(register).reduce((sum, f) => sum + f.width, 0);
    const mask = maskOf(register as never, () => true);
    assert.is(mask.toString(2).replaceAll('0', '').length, bits);
  }
});

test('values by name, bits 31 and up unsigned', () => {
  const value = registerValue(StreamControl, {
    Enable: 1,
    Tc: 5,
    DefaultStream: 1,
    StreamId: 0xfe,
  });
  assert.is(value, 0xfe680001);
  assert.is(field(value, StreamControl.StreamId), 0xfe);
  assert.is(fieldsOf(StreamControl, value).Tc, 5);
  assert.is(withField(value, StreamControl.StreamId, 1), 0x01680001);
  assert.throws(() => withField(0, StreamControl.Tc, 8), local('part'));
  assert.throws(() => registerValue(StreamControl, { Nothing: 1 } as never), local('values'));
});

const rids: readonly [string, Parameters<typeof encodeRidAssociation>[0], [number, number]][] = [
  ['one function', { base: 0x0100, limit: 0x0100 }, [0x00010000, 0x00010001]],
  ['a range', { base: 0x0100, limit: 0x01ff }, [0x0001ff00, 0x00010001]],
  ['segment', { base: 0xabcd, limit: 0xffff, segmentBase: 0x12 }, [0x00ffff00, 0x12abcd01]],
  ['not valid', { base: 8, limit: 9, valid: false }, [0x00000900, 0x00000800]],
];
for (const [name, value, dws] of rids)
  test(`RID association: ${name}`, () => {
    assert.equal(encodeRidAssociation(value), dws);
    assert.equal(decodeRidAssociation(...dws), { valid: true, segmentBase: 0, ...value });
  });

type Address = Parameters<typeof encodeAddressAssociation>[0];
const addresses: readonly [string, Address, [number, number, number]][] = [
  ['one MiB', { base: 0x100000, limit: 0x1fffff }, [0x00100101, 0, 0]],
  // Register 2 is the limit's upper half, register 3 the base's.
  ['limit before base', { base: 0x1_fff0_0000, limit: 0x2_001f_ffff }, [0x001fff01, 2, 1]],
  ['whole 4 GiB', { base: 0, limit: 0xffffffff }, [0xfff00001, 0, 0]],
  ['not valid', { base: 0, limit: 0xfffff, valid: false }, [0, 0, 0]],
];
for (const [name, value, dws] of addresses)
  test(`address association: ${name}`, () => {
    assert.equal(encodeAddressAssociation(value), dws);
    assert.equal(decodeAddressAssociation(...dws), { valid: true, ...value });
  });

test('associations off their granule are the caller’s mistake', () => {
  for (const [base, limit, argument] of [
    [1, 0xfffff, 'base'],
    [0, 0x100000, 'limit'],
    [0x200000, 0x1fffff, 'limit'],
    [-0x100000, 0xfffff, 'base'],
    [2 ** 53, 2 ** 53 + 0xfffff, 'base'],
  ] as const)
    assert.throws(() => encodeAddressAssociation({ base, limit }), local(argument));
  assert.throws(() => encodeRidAssociation({ base: 2, limit: 1 }), local('limit'));
  assert.throws(() => encodeRidAssociation({ base: 0, limit: 0x10000 }), local('part'));
});

test('the whole of 64-bit space still compares sensibly', () => {
  const all = decodeAddressAssociation(0xfff00001, 0xffffffff, 0);
  assert.ok(all.limit >= 2 ** 63);
});

/** Two Link blocks, then Selective blocks of 0, 3 and 1 address associations. */
const capability = registerValue(IdeCapability, {
  LinkIdeStreamSupported: 1,
  SelectiveIdeStreamsSupported: 1,
  NumberOfTcsSupportedForLinkIde: 1,
  NumberOfSelectiveIdeStreamsSupported: 2,
});
const block = (n: number, id: number) => {
  const dws = [n, (id << 24) | 1, 2, ...encodeRidAssociation({ base: id, limit: id })];
  for (let i = 0; i < n; i++)
    dws.push(...encodeAddressAssociation({ base: i * 2 ** 32, limit: i * 2 ** 32 + 0xfffff }));
  return dws;
};
const blocks = [...block(0, 5), ...block(3, 6), ...block(1, 7)];
const dwords = [capability, 4, 0x01000000, 0, 0x02000000, 0x80000000, ...blocks];

test('walk: blocks of different size', () => {
  const parsed = parseIdeCapability(dwords);
  assert.ok(parsed.ok);
  const { link, selective, control } = parsed.value;
  assert.is(control.FlowThroughIdeStreamEnabled, 1);
  assert.equal(
    link.map((b) => [b.offset, b.control.StreamId, b.status.ReceivedIntegrityCheckFailMessage]),
    [
      [0x0c, 1, 0],
      [0x14, 2, 1],
    ],
  );
  assert.equal(
    selective.map((b) => [b.offset, b.control.StreamId, b.status.State, b.rid.base]),
    [
      [0x1c, 5, 2, 5],
      [0x30, 6, 2, 6],
      [0x68, 7, 2, 7],
    ],
  );
  assert.equal(
    selective.map((b) => b.addresses.map((a) => a.base)),
    [[], [0, 2 ** 32, 2 ** 33], [0]],
  );
  assert.is(parsed.size, dwords.length * 4);
});

test('a reader that goes DW by DW knows when it has all', () => {
  const read: number[] = [];
  for (let i = 0; ideDwordsNeeded(read) > read.length; i++) {
    assert.ok(i < dwords.length, 'reads past the capability');
    read.push(dwords[i]!);
  }
  assert.equal(read, dwords);
});

test('too few and too many DWs are refused', () => {
  for (let n = 0; n < dwords.length; n++) {
    const cut = parseIdeCapability(dwords.slice(0, n));
    assert.ok(!cut.ok && cut.code === 'TRUNCATED', `${n} DWs`);
  }
  const more = parseIdeCapability([...dwords, 0]);
  assert.ok(!more.ok && more.code === 'TRAILING');
});

test('a port without streams has two DWs', () => {
  const parsed = parseIdeCapability([0x40, 0]);
  assert.ok(parsed.ok);
  assert.equal([parsed.value.link, parsed.value.selective], [[], []]);
});

test('random DWs never throw', () => {
  const words = fc.array(fc.integer({ min: 0, max: 0xffffffff }), { maxLength: 80 });
  fc.assert(
    fc.property(words, (dws) => {
      const parsed = parseIdeCapability(dws);
      assert.is(parsed.ok, ideDwordsNeeded(dws) === dws.length);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test.run();
