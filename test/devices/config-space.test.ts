import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { BarSpec } from '../../devices/caps/bar.ts';
import { MsixCapability } from '../../devices/caps/msix.ts';
import { PcieCapability, PortTypes } from '../../devices/caps/pcie.ts';
import { RegisterCapability, whole } from '../../devices/caps/register-block.ts';
import { ConfigSpace, type ConfigSpaceOptions } from '../../devices/config-space.ts';
import { LocalError } from '../../protocols/codec/refusal.ts';

const test = suite('config space');

const ENDPOINT = {
  type: 0,
  vendorId: 0x8086,
  deviceId: 0xffff,
  revisionId: 0x02,
  classCode: 0x120000,
  subsystemVendorId: 0x1af4,
  subsystemId: 0x1100,
} as const;

const make = (more: Partial<ConfigSpaceOptions> = {}) =>
  new ConfigSpace({ ...ENDPOINT, ...more } as ConfigSpaceOptions);
const withBars = (...bars: BarSpec[]) => make({ bars });
const hex = (dw: number) => dw.toString(16).padStart(8, '0');
const local = (name: string) => (e: unknown) =>
  e instanceof LocalError && e.message.startsWith(name);

test('type 0 header, DW by DW', () => {
  const config = make({ multiFunction: true, interruptPin: 1 });
  const rows: [offset: number, dw: string][] = [
    [0x00, 'ffff8086'],
    [0x04, '00000000'],
    [0x08, '12000002'],
    [0x0c, '00800000'],
    [0x10, '00000000'],
    [0x2c, '11001af4'],
    [0x30, '00000000'],
    [0x34, '00000000'],
    [0x3c, '00000100'],
    [0x40, '00000000'],
    [0x100, '00000000'],
    [0xffc, '00000000'],
  ];
  for (const [offset, dw] of rows) assert.is(hex(config.read(offset)), dw, `offset ${offset}`);
});

test('identity cannot be written; Command keeps its bits; Status is RW1C', () => {
  const config = make();
  for (let offset = 0; offset < 0x1000; offset += 4) config.write(offset, 0xffffffff);
  const rows: [offset: number, dw: string][] = [
    [0x00, 'ffff8086'],
    [0x04, '00000546'],
    [0x08, '12000002'],
    [0x0c, '000000ff'],
    [0x10, '00000000'],
    [0x2c, '11001af4'],
    [0x3c, '000000ff'],
  ];
  for (const [offset, dw] of rows) assert.is(hex(config.read(offset)), dw, `offset ${offset}`);
  config.header.set('Status.Received_Master_Abort', 1);
  config.header.set('Status.Detected_Parity_Error', 1);
  config.write(0x04, 0x20000000, 0xc);
  assert.is(hex(config.read(0x04)), '80000546', 'only the bit written 1 is cleared');
});

test('byte enables write just their bytes', () => {
  for (let enable = 0; enable < 16; enable++) {
    const config = withBars({ index: 0, kind: 'memory', size: 16 });
    config.write(0x10, 0xa5a5a5a0, enable);
    let expected = 0;
    for (let byte = 0; byte < 4; byte++)
      if ((enable & (1 << byte)) !== 0) expected += (byte === 0 ? 0xa0 : 0xa5) * 256 ** byte;
    assert.is(hex(config.read(0x10)), hex(expected), `byte enable ${enable}`);
  }
});

/** What a host does to size a BAR: all ones, read, restore. */
function sizeOf(config: ConfigSpace, index: number, is64: boolean): bigint {
  const offset = 0x10 + 4 * index;
  const [low, high] = [config.read(offset), is64 ? config.read(offset + 4) : 0];
  config.write(offset, 0xffffffff);
  if (is64) config.write(offset + 4, 0xffffffff);
  const mask =
    (BigInt(is64 ? config.read(offset + 4) : 0xffffffff) << 32n) |
    BigInt((config.read(offset) & ~0xf) >>> 0);
  config.write(offset, low);
  if (is64) config.write(offset + 4, high);
  return BigInt.asUintN(64, -mask);
}

test('BAR sizing: every 32-bit size, both prefetchable settings', () => {
  for (let bits = 4; bits <= 31; bits++)
    for (const prefetchable of [false, true]) {
      const config = withBars({ index: 3, kind: 'memory', size: 2 ** bits, prefetchable });
      assert.is(config.read(0x1c), prefetchable ? 8 : 0);
      assert.is(sizeOf(config, 3, false), 1n << BigInt(bits));
      config.write(0x1c, 0x80000000);
      assert.equal(config.bars(), [
        {
          index: 3,
          kind: 'memory',
          base: 0x80000000n,
          size: 1n << BigInt(bits),
          width: 32,
          prefetchable,
        },
      ]);
    }
});

test('BAR sizing: every 64-bit size, over the pair', () => {
  for (let bits = 4; bits <= 63; bits++) {
    const config = withBars({
      index: 4,
      kind: 'memory',
      size: 2 ** bits,
      width: 64,
      prefetchable: true,
    });
    assert.is(config.read(0x20), 0xc);
    assert.is(sizeOf(config, 4, true), 1n << BigInt(bits), `2^${bits}`);
    config.write(0x24, 0x80000000);
    assert.is(config.bars()[0]!.base, 1n << 63n);
    config.write(0x20, 0xffffffff);
    assert.is(config.bars()[0]!.base % (1n << BigInt(bits)), 0n, 'aligned to its size');
  }
});

test('I/O BARs: every size; IOSE only where there is one', () => {
  for (let bits = 2; bits <= 8; bits++) {
    const config = withBars({ index: 1, kind: 'io', size: 2 ** bits });
    config.write(0x14, 0xffffffff);
    assert.is(hex(config.read(0x14)), hex((-(2 ** bits) | 1) >>> 0));
    config.write(0x04, 1);
    assert.is(config.get('Command.IOSE'), 1);
    assert.is(config.bars()[0]!.kind, 'io');
  }
  const none = make();
  none.write(0x04, 1);
  assert.is(none.get('Command.IOSE'), 0);
});

test('Expansion ROM: enable bit and size mask', () => {
  const config = make({ expansionRomBytes: 0x10000 });
  config.write(0x30, 0xffffffff);
  assert.is(hex(config.read(0x30)), 'ffff0001');
});

const badBars: readonly [name: string, bars: BarSpec[]][] = [
  ['BAR0', [{ index: 0, kind: 'memory', size: 24 }]],
  ['BAR0', [{ index: 0, kind: 'memory', size: 8 }]],
  ['BAR0', [{ index: 0, kind: 'memory', size: 2 ** 32 }]],
  ['BAR0', [{ index: 0, kind: 'memory', size: 2 ** 64, width: 64 }]],
  ['BAR0', [{ index: 0, kind: 'io', size: 512 }]],
  ['bars: BAR6', [{ index: 5, kind: 'memory', size: 4096, width: 64 }]],
  [
    'bars: BAR1',
    [
      { index: 0, kind: 'memory', size: 4096, width: 64 },
      { index: 1, kind: 'memory', size: 4096 },
    ],
  ],
];
for (const [name, bars] of badBars)
  test(`refuses ${JSON.stringify(bars)}`, () => {
    assert.throws(() => withBars(...bars), local(name));
  });

test('onChange names what changed, in values of the field; same value is no change', () => {
  const config = make({
    bars: [{ index: 0, kind: 'memory', size: 2 ** 21, width: 64, prefetchable: true }],
  });
  const seen: string[] = [];
  const stop = config.onChange((c) =>
    seen.push(`${c.register}@${c.offset.toString(16)} ${c.from.toString(16)}>${c.to.toString(16)}`),
  );
  config.write(0x04, 0x6);
  config.write(0x04, 0x6);
  config.write(0x04, 0x4, 0x1);
  config.write(0x04, 0xffffffff, 0);
  config.write(0x10, 0xfe3fffff);
  config.write(0x14, 0x12);
  config.write(0x00, 0x1234);
  stop();
  config.write(0x04, 0);
  assert.equal(seen, [
    'Command.MSE@4 0>1',
    'Command.BME@4 0>1',
    'Command.MSE@4 1>0',
    'BAR0@10 0>fe200000',
    'BAR1@14 0>12',
  ]);
});

const plain = (id: number, size: number) =>
  new RegisterCapability(id, size, [whole(`scratch ${id}`, 4, 4, 'RW')]);

test('capabilities are placed and linked in order; links cannot be written', () => {
  const config = make();
  const a = plain(0x05, 0x0e);
  const b = plain(0x11, 0x0c);
  assert.is(config.addCapability(a), 0x40);
  assert.is(config.addCapability(b, 0x80), 0x80);
  assert.is(config.addCapability(plain(0x09, 8)), 0x50);
  assert.is(config.offsetOf(b), 0x80);
  config.write(0x80, 0xffffffff);
  config.write(0x40, 0xffffffff);
  assert.is(config.read(0x34), 0x40);
  assert.is(config.read(0x04) >>> 16, 0x10);
  assert.equal(
    [0x40, 0x80, 0x50].map((at) => hex(config.read(at))),
    ['00008005', '00005011', '00000009'],
  );
  config.write(0x44, 0x12345678);
  assert.is(hex(config.read(0x44)), '12345678');
  assert.is(config.read(0x84), 0);
});

test('extended capabilities start at 100h and are linked in order', () => {
  const config = make();
  const x = { ...hollow(0x2e, 0x18), version: 2 };
  assert.throws(() => config.addExtendedCapability(hollow(1, 8), 0x200), local('at'));
  assert.is(config.addExtendedCapability(x), 0x100);
  assert.is(config.addExtendedCapability(hollow(0x30, 0x20), 0x400), 0x400);
  assert.is(config.addExtendedCapability(hollow(0x23, 0x10)), 0x118);
  config.write(0x100, 0xffffffff);
  assert.equal(
    [0x100, 0x400, 0x118].map((at) => hex(config.read(at))),
    ['4002002e', '11810030', '00010023'],
  );
  assert.is(hex(config.read(0x104)), 'dead0004');
});
function hollow(id: number, size: number) {
  return {
    id,
    size,
    read: (offset: number) => 0xdead0000 + offset,
    write: (offset: number) => assert.is.not(offset, 0, 'the header is not its own'),
    reset: () => {},
  };
}

test('places that are taken or too small are refused', () => {
  const config = make();
  const a = plain(1, 8);
  config.addCapability(a);
  for (const at of [0x3c, 0x40, 0x44, 0x42, 0xfc, 0x100])
    assert.throws(() => config.addCapability(plain(2, 8), at), local('capability'), `at ${at}`);
  assert.throws(() => config.addCapability(a), local('capability: added twice'));
  assert.throws(() => config.addCapability(plain(3, 0xc0)), local('capability: no room'));
  assert.throws(() => config.addExtendedCapability(hollow(3, 0xf04)), local('capability: no room'));
  assert.is(config.addExtendedCapability(hollow(3, 0xf00)), 0x100);
});

test('reset: FLR keeps Max_Payload_Size, a conventional reset does not', () => {
  for (const kind of ['flr', 'conventional'] as const) {
    const config = withBars({ index: 0, kind: 'memory', size: 4096 });
    const pcie = new PcieCapability({ portType: PortTypes.ENDPOINT, flr: true });
    const msix = new MsixCapability({
      vectors: 4,
      table: { bir: 0, offset: 0 },
      pba: { bir: 0, offset: 2048 },
    });
    config.addCapability(pcie);
    config.addCapability(msix);
    config.write(0x04, 6);
    config.write(0x10, 0xfe000000);
    pcie.write(0x08, 0x0020, 0x3, () => {});
    msix.write(0x00, 0xc0000000, 0xc, () => {});
    assert.ok(msix.enabled && msix.functionMask);
    config.reset(kind);
    assert.is(hex(config.read(0x04)), '00100000');
    assert.is(config.read(0x10), 0);
    assert.is(msix.enabled, false);
    assert.is(pcie.maxPayloadBytes, kind === 'flr' ? 256 : 128);
    assert.is(hex(config.read(0x00)), 'ffff8086');
  }
});

test('caller mistakes throw by name', () => {
  const config = make();
  for (const offset of [-4, 2, 0x1000, 0.5, Number.NaN]) {
    assert.throws(() => config.read(offset), local('offset'));
    assert.throws(() => config.write(offset, 0), local('offset'));
  }
  assert.throws(() => config.get('Command.XYZ'), local('register'));
  assert.throws(() => config.header.set('Command.MSE', 2), local('value'));
  assert.throws(() => make({ vendorId: 0x10000 }), local('vendorId'));
  assert.throws(() => make({ classCode: -1 }), local('classCode'));
  assert.throws(() => make({ interruptPin: 5 }), local('interruptPin'));
});

test('any writes: read-only bits stand, changes reported are the changes there are', () => {
  const write = fc.tuple(
    fc.integer({ min: 0, max: 63 }),
    fc.integer({ min: 0, max: 0xffffffff }),
    fc.integer({ min: 0, max: 15 }),
  );
  fc.assert(
    fc.property(fc.array(write, { maxLength: 40 }), (writes) => {
      const config = make({
        bars: [
          { index: 0, kind: 'memory', size: 2 ** 20, width: 64 },
          { index: 2, kind: 'memory', size: 4096 },
        ],
        expansionRomBytes: 0x800,
      });
      config.addCapability(
        new PcieCapability({ portType: PortTypes.ENDPOINT, flr: true, teeIo: true }),
      );
      const fixed = [0x00, 0x08, 0x2c, 0x34, 0x40, 0x44].map((at) => config.read(at));
      let changes = 0;
      config.onChange((change) => {
        assert.is.not(change.from, change.to);
        changes++;
      });
      for (const [dw, value, enable] of writes) {
        const before = config.read(dw * 4);
        changes = 0;
        config.write(dw * 4, value, enable);
        const after = config.read(dw * 4);
        assert.is(before !== after, changes > 0);
        for (let byte = 0; byte < 4; byte++)
          if ((enable & (1 << byte)) === 0)
            assert.is((before >>> (8 * byte)) & 0xff, (after >>> (8 * byte)) & 0xff);
      }
      assert.equal(
        [0x00, 0x08, 0x2c, 0x34, 0x40, 0x44].map((at) => config.read(at)),
        fixed,
      );
      assert.is(config.read(0x10) & 0xfffff, 4);
    }),
    { seed: 1, numRuns: 500 },
  );
});

test.run();
