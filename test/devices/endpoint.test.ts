import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeBusNumbers, Type1Offsets } from '../../devices/caps/type1-bridge.ts';
import { le } from '../../protocols/codec/bytes.ts';
import {
  cfgRead,
  cfgWrite,
  completerId,
  completionStatus,
  memoryRead,
  memoryWrite,
  payloadDw,
} from '../../protocols/tlp/index.ts';
import { US } from '../../sim/kernel/index.ts';
import { profileWith } from '../sim/scenario/shipped.ts';
import { type Machine, machineAt } from './machine.ts';

const test = suite('endpoint');

const ROOT = 0x0008;
const COMMAND = 0x04;
const ALL_ONES = 0xffffffff;
const TAG = 77;

/** Puts a TLP into the device's port and gives the TLPs it sends. */
function answerTo(machine: Machine, tlp: Uint8Array): Uint8Array[] {
  const sent: Uint8Array[] = [];
  const off = machine.kernel.bus.on('tlp', ({ data }) => {
    if (data.direction === 'upstream') sent.push(data.bytes);
  });
  machine.endpoint.port.receive(tlp);
  machine.pass(US);
  off();
  return sent;
}

test('configuration requests: which function answers, and how', () => {
  const machine = machineAt('enumerated');
  const rows: [name: string, destinationId: number, type: 0 | 1, status: number, value?: number][] =
    [
      ['function 0', 0x0100, 0, 0, 0x0a00_1e50],
      ['function 1', 0x0101, 0, 0, 0x0a01_1e50],
      ['no function 2', 0x0102, 0, 1],
      ['no function 7', 0x0107, 0, 1],
      ['device 1', 0x0108, 0, 1],
      ['device 31', 0x01f9, 0, 1],
      ['type 1, meant for a bridge', 0x0100, 1, 1],
    ];
  for (const [name, destinationId, type, status, value] of rows) {
    const options = { requesterId: ROOT, tag: TAG, type, destinationId, register: 0 };
    const [read, ...more] = answerTo(machine, cfgRead(options));
    assert.is(completionStatus(read!), status, name);
    assert.is(more.length, 0, name);
    if (value !== undefined) {
      assert.is(payloadDw(read!), value, name);
      assert.is(completerId(read!), destinationId, name);
    }
    const [write] = answerTo(machine, cfgWrite({ ...options, data: 0 }));
    assert.is(completionStatus(write!), status, `${name}, write`);
  }
  assert.is(machine.endpoint.requesterId(0), 0x0100, 'a refused write captures no bus number');
});

test('a host that opens buses the device does not have finds nobody there', () => {
  const machine = machineAt('enumerated');
  const { rid } = machine.complex.rootPort;
  const wide = encodeBusNumbers({ primary: 0, secondary: 1, subordinate: 9 });
  const seen = machine.run(function* () {
    yield* machine.complex.configWrite(rid, Type1Offsets.BUS_NUMBERS, wide);
    const behind = yield* machine.complex.configRead(0x0200, 0);
    yield* machine.complex.configWrite(0x0300, COMMAND, 0);
    const own = yield* machine.complex.configRead(0x0100, 0);
    return { behind, own };
  });
  assert.equal(seen, { behind: ALL_ONES, own: 0x0a00_1e50 });
  assert.is(machine.endpoint.requesterId(1), 0x0101);
});

test('byte enables of a configuration write', () => {
  const machine = machineAt('enumerated');
  const read = () => machine.run(() => machine.complex.configRead(0x0101, COMMAND)) & 0xffff;
  assert.is(read(), 0x0006);
  const write = (data: number, byteEnable: number) =>
    machine.run(() => machine.complex.configWrite(0x0101, COMMAND, data, byteEnable));
  write(0, 0xe);
  assert.is(read(), 0x0006);
  write(0x0400, 0x2);
  assert.is(read(), 0x0406);
  write(0, 0x1);
  assert.is(read(), 0x0400);
});

test('a BAR decodes from its first to its last byte, and no more', () => {
  const machine = machineAt('enumerated');
  const { functions } = machine.context.machine.enumeration;
  const [zero, one] = functions;
  for (const found of functions)
    for (const bar of found.bars) {
      const device = machine.endpoint.functions.find(
        (each) => each.plan.number === (found.rid & 7),
      )!;
      assert.equal(device.decode(bar.address), { bar: bar.index, offset: 0 });
      const last = bar.address + bar.size - 1;
      assert.equal(device.decode(last), { bar: bar.index, offset: bar.size - 1 });
      for (const outside of [bar.address - 1, last + 1])
        assert.is.not(device.decode(outside)?.bar, bar.index);
    }
  const tail = one!.bars[1]!.address + one!.bars[1]!.size;
  const read = memoryRead({ requesterId: ROOT, tag: TAG, address: tail, length: 4 });
  assert.is(completionStatus(answerTo(machine, read)[0]!), 1);
  const good = memoryRead({
    requesterId: ROOT,
    tag: TAG,
    address: zero!.bars[1]!.address,
    length: 4,
  });
  const done = answerTo(machine, good)[0]!;
  assert.is(completionStatus(done), 0);
  assert.is(completerId(done), 0x0100);
});

test('MSE off, or D3hot: memory requests meet nobody, configuration still answers', () => {
  const rows: [name: string, capability: string | undefined, offset: number, value: number][] = [
    ['MSE', undefined, COMMAND, 0x4],
    ['D3hot', 'Power Management', 4, 0x3],
  ];
  for (const [name, capability, offset, value] of rows) {
    const machine = machineAt('enumerated');
    const at = (capability === undefined ? 0 : machine.capability(1, capability)) + offset;
    const address = machine.address(2, 0);
    const read = () => machine.run(() => machine.complex.mmioRead(address, 4, false));
    assert.ok(read().ok, name);
    machine.run(() => machine.complex.configWrite(0x0101, at, value, 0x1));
    const got = read();
    assert.not(got.ok, name);
    assert.equal(got.data, new Uint8Array(4).fill(0xff), name);
    assert.is(
      machine.run(() => machine.complex.configRead(0x0101, 0)),
      0x0a01_1e50,
      name,
    );
    // Posted: it goes nowhere, and nothing answers.
    const write = memoryWrite({ requesterId: ROOT, address, data: new Uint8Array(4).fill(1) });
    assert.equal(answerTo(machine, write), [], name);
    assert.equal(machine.device.local.bytes.slice(0, 4), new Uint8Array(4), name);
  }
});

test('BME off: no DMA, also in the middle of one', () => {
  const machine = machineAt('enumerated');
  const { host } = machine;
  const job = { direction: 'to-device', iova: 0x1_0000_0000, local: 0, length: 0x8000 } as const;
  assert.is(machine.run(() => host.dma(job)).status, 'done');
  machine.forget();
  const ended = machine.run(function* () {
    yield* host.write(0, 0x10, le(1, 4));
    yield* machine.complex.configWrite(0x0101, COMMAND, 0x2, 0x1);
    return yield* host.read(0, 0x14, 4);
  });
  assert.is(ended.data[0], 3);
  assert.match(machine.of('dma-end')[0]!.reason, /Bus Master/);
  const after = machine.of('memory-read').length;
  assert.ok(after > 0 && after < 0x8000 / 512, `${after} reads`);
  assert.is(machine.run(() => host.dma(job)).status, 'failed');
  assert.is(machine.of('memory-read').length, after);
});

test('requests an endpoint does not have are answered with UR', () => {
  const machine = machineAt('enumerated');
  const address = machine.address(0, 0);
  const read = memoryRead({ requesterId: ROOT, tag: TAG, address, length: 4 });
  const rows: [name: string, byte0: number, tlp: Uint8Array][] = [
    ['MRdLk', 0x01, read],
    ['IORd', 0x02, Uint8Array.from(read, (b, i) => (i === 7 ? 0x0f : b))],
    ['FetchAdd', 0x4c, Uint8Array.from([...read, 1, 0, 0, 0])],
  ];
  for (const [name, byte0, tlp] of rows) {
    const bytes = tlp.slice();
    bytes[0] = byte0;
    const [answer] = answerTo(machine, bytes);
    assert.is(answer && completionStatus(answer), 1, name);
  }
});

test('every BAR of a profile answers, also one with nothing behind it', () => {
  const bars = '{ index: 2, size: 1MiB, prefetchable: true }]';
  const third = '{ index: 2, size: 1MiB, prefetchable: true }, { index: 4, size: 4KiB }]';
  const machine = machineAt('enumerated', { profile: profileWith([bars, third]) });
  const address = machine.address(4, 0x10);
  machine.run(() => machine.complex.mmioWrite(address, new Uint8Array(4).fill(5), false));
  const got = machine.run(() => machine.complex.mmioRead(address, 4, false));
  assert.ok(got.ok);
  assert.equal(got.data, new Uint8Array(4));
});

test('a profile whose BARs hold no whole pages, or no MSI-X table, is the caller’s mistake', () => {
  const bar0 = 'bars: [{ index: 0, size: 64KiB }, { index: 2, size: 1MiB';
  for (const [edit, message] of [
    [[bar0, bar0.replace('1MiB', '2048B')], /whole 4 KiB pages/],
    [['vectors: 8', 'vectors: 2048'], /must hold engine/],
  ] as const) {
    const [from, to] = edit as [string, string];
    assert.throws(() => machineAt('off', { profile: profileWith([from, to]) }), message);
  }
  const large: [string, string] = ['vectors: 8, bar: 0, page: 8', 'vectors: 512, bar: 0, page: 8'];
  const machine = machineAt('enumerated', { profile: profileWith(large) });
  const kinds = machine.device.ranges().filter((range) => range.attributes !== 0);
  // non-TEE page, two pages of table, one of PBA
  assert.equal(
    kinds.map(({ pages, attributes }) => [pages, attributes]),
    [
      [1, 4],
      [2, 1],
      [1, 2],
    ],
  );
});

test('a poisoned write is not done, and ends a running TDI', () => {
  for (const point of ['secure', 'run'] as const) {
    const machine = machineAt(point);
    const address = machine.address(2, 0);
    const data = new Uint8Array(4).fill(7);
    const tlp = memoryWrite({ requesterId: ROOT, address, data, poisoned: true });
    const streamId = machine.context.streamId;
    machine.endpoint.port.options.onRequest({ tlp, tee: point === 'run', streamId });
    machine.pass(US);
    assert.equal(machine.device.local.bytes.slice(0, 4), new Uint8Array(4));
    assert.is(machine.state, point === 'run' ? 'ERROR' : 'CONFIG_UNLOCKED');
  }
});

test.run();
