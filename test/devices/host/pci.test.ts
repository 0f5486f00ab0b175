import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { memoryWindow, prefetchableWindow } from '../../../devices/caps/type1-bridge.ts';
import { type Enumeration, enumerate, type MmioRoom } from '../../../devices/host/pci.ts';
import type { DeviceProfile } from '../../../sim/scenario/schema.ts';
import { profileText, profileWith } from '../../sim/scenario/shipped.ts';
import { Machine, machineAt } from '../machine.ts';

const test = suite('host: enumeration');

const room: MmioRoom = { memoryBase: 0xc000_0000, prefetchableBase: 0x80_0000_0000 };
const FUNCTION_1_BARS =
  'bars: [{ index: 0, size: 64KiB }, { index: 2, size: 1MiB, prefetchable: true }]';
const MIB = 2 ** 20;

/** The shipped profile with function 0 alone. */
function singleFunction(): DeviceProfile {
  const start = profileText.indexOf('  - number: 1');
  return profileWith([profileText.slice(start), '']);
}

const profiles: readonly [name: string, profile: DeviceProfile, functions: number][] = [
  ['as shipped', profileWith(), 2],
  ['one function', singleFunction(), 1],
  [
    'large, small and odd BARs',
    profileWith([
      FUNCTION_1_BARS,
      'bars: [{ index: 0, size: 1MiB }, { index: 2, size: 256MiB, prefetchable: true }, { index: 4, size: 4KiB }]',
    ]),
    2,
  ],
  [
    'nothing prefetchable',
    profileWith(
      [FUNCTION_1_BARS, 'bars: [{ index: 0, size: 128KiB }, { index: 2, size: 2MiB }]'],
      ['size: 64KiB, prefetchable: true', 'size: 64KiB'],
    ),
    2,
  ],
];

function overlaps(found: Enumeration): string[] {
  const all = found.functions.flatMap((each) =>
    each.bars.map((bar) => ({ name: `${each.bdf} BAR${bar.index}`, ...bar })),
  );
  return all.flatMap((a, i) =>
    all
      .slice(i + 1)
      .filter((b) => a.address < b.address + b.size && b.address < a.address + a.size)
      .map((b) => `${a.name} and ${b.name}`),
  );
}

for (const [name, profile, count] of profiles)
  test(`BARs of a device: ${name}`, () => {
    const machine = new Machine({ profile });
    const { complex } = machine;
    const found = machine.run(() => enumerate(complex, room))!;
    assert.is(found.functions.length, count);
    assert.equal(overlaps(found), []);
    const read = (rid: number, at: number) => machine.run(() => complex.configRead(rid, at)) >>> 0;
    for (const each of found.functions) {
      const plan = profile.functions.find(({ number }) => number === (each.rid & 7))!;
      assert.equal(
        each.bars.map(({ index, size, prefetchable }) => ({ index, size, prefetchable })),
        plan.bars,
      );
      assert.is(each.deviceId, plan['device-id']);
      assert.is(each.classCode, plan['class-code']);
      assert.is(each.teeIo, true);
      for (const bar of each.bars) {
        const where = `${each.bdf} BAR${bar.index}`;
        assert.is(bar.address % bar.size, 0, `${where} is aligned`);
        const window = bar.prefetchable ? found.prefetchableWindow : found.memoryWindow;
        assert.ok(bar.address >= window.base && bar.address + bar.size - 1 <= window.limit, where);
        const at = 0x10 + 4 * bar.index;
        assert.is(
          ((read(each.rid, at) & ~0xf) >>> 0) + read(each.rid, at + 4) * 2 ** 32,
          bar.address,
        );
        // Every byte of it is decoded by this function, and forwarded by the root port.
        assert.ok(complex.rootPort.forwards(bar.address, bar.size), where);
        const first = machine.run(() => complex.mmioRead(bar.address, 4, false));
        const last = machine.run(() => complex.mmioRead(bar.address + bar.size - 4, 4, false));
        assert.ok(first.ok && last.ok, where);
      }
      assert.is(read(each.rid, 0x04) & 0x7, 0x6, 'MSE and BME');
    }
  });

test('the bridge’s windows are those reported, in whole MiB', () => {
  const machine = machineAt('enumerated');
  const { enumeration: found } = machine.context.machine;
  const { config } = machine.complex.rootPort;
  const read = (offset: number) => config.read(offset);
  const big = ({ base, limit }: { base: number; limit: number }) => [BigInt(base), BigInt(limit)];
  const memory = memoryWindow(read)!;
  const prefetchable = prefetchableWindow(read)!;
  assert.equal([memory.base, memory.limit], big(found.memoryWindow));
  assert.equal([prefetchable.base, prefetchable.limit], big(found.prefetchableWindow));
  for (const { base, limit } of [found.memoryWindow, found.prefetchableWindow]) {
    assert.is(base % MIB, 0);
    assert.is((limit + 1) % MIB, 0);
    assert.ok(machine.complex.rootPort.forwards(limit, 1));
    assert.not(machine.complex.rootPort.forwards(limit, 2));
    assert.not(machine.complex.rootPort.forwards(base - 1, 1));
  }
});

test('MPS and MRRS are the same at every function', () => {
  const machine = machineAt('enumerated');
  for (const device of machine.endpoint.functions) {
    assert.is(device.pcie.maxPayloadBytes, 256);
    assert.is(device.pcie.maxReadRequestBytes, 512);
  }
});

test('functions are told apart and nobody is invented', () => {
  const machine = machineAt('enumerated');
  const { functions, rootPort } = machine.context.machine.enumeration;
  assert.equal(
    functions.map((each) => each.bdf),
    ['01:00.0', '01:00.1'],
  );
  assert.is(rootPort.bdf, '00:01.0');
  for (const rid of [0x0102, 0x0107, 0x0108, 0x0200, 0x0000])
    assert.is(
      machine.run(() => machine.complex.configRead(rid, 0)),
      0xffffffff,
    );
});

test('no device below the port: enumeration ends without one', () => {
  const machine = new Machine();
  machine.platform.link.interpose(() => () => []);
  assert.is(
    machine.run(() => enumerate(machine.complex, room)),
    undefined,
  );
});

test.run();
