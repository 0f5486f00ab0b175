import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { DmaCommands, DmaRegisters, DmaStatus } from '../../devices/dma-engine.ts';
import { TdiAssignment } from '../../devices/host/tdi-assignment.ts';
import type { LinkDirection } from '../../devices/records.ts';
import { concat, le } from '../../protocols/codec/bytes.ts';
import { completion, headerOffset, tag, typeOf } from '../../protocols/tlp/index.ts';
import { armFlipBit, type FlipTarget } from '../../sim/faults/flip-bit.ts';
import { MS, US } from '../../sim/kernel/index.ts';
import { holdCompletions, type Machine, machineAt, STREAM_ID, startCopy } from './machine.ts';

const test = suite('endpoint: DMA and interrupts');

const SHARED = 0x1_0000_0000;
const PRIVATE = 0x2_0000_0000;
const MSIX_TABLE = 0x8000;
const { INTERRUPT } = DmaCommands;

/** Runs until the copy's next read has reached memory: its completion is then on its way. */
function untilMemoryRead(machine: Machine): void {
  const off = machine.kernel.bus.on('memory-read', () => machine.kernel.stop());
  machine.kernel.run(machine.kernel.now + MS);
  off();
}

const leaveRun = (machine: Machine) => {
  const { dsm } = machine.endpoint;
  dsm.apply(dsm.tdisp.event(machine.tdi.rid, 'security-posture-changed'));
};

const filled = (size: number, byte: number) => new Uint8Array(size).fill(byte);

test('DMA stops on leaving RUN, and a completion that comes later is thrown away', () => {
  const machine = machineAt('run');
  machine.platform.memory.guestWrite(PRIVATE, filled(0x8000, 0x5a));
  startCopy(machine, 'guest', PRIVATE, 0x8000);
  for (let i = 0; i < 3; i++) untilMemoryRead(machine);
  leaveRun(machine);
  assert.is(machine.state, 'ERROR');
  assert.is(machine.device.engine.busy, false);
  const before = machine.device.local.bytes.slice();
  machine.forget();
  machine.pass(MS);
  assert.equal(machine.device.local.bytes, before, 'nothing landed');
  assert.equal(machine.of('memory-read'), [], 'nothing was asked');
  assert.match(machine.of('tlp-dropped')[0]!.reason, /called off/);
  assert.is(machine.endpoint.port.pending, 0);
});

test('no write leaves after RUN', () => {
  const machine = machineAt('run');
  const registers = concat(le(PRIVATE, 8), le(0, 4), le(0x10000, 4));
  machine.run(() => machine.guest.write(0, DmaRegisters.IOVA, registers));
  leaveRun(machine);
  machine.forget();
  machine.device.engine.write(DmaRegisters.IOVA, registers, () => true);
  machine.device.engine.write(DmaRegisters.DOORBELL, le(DmaCommands.FROM_DEVICE, 4), () => true);
  machine.pass(MS);
  assert.equal(machine.of('dma-write'), []);
  assert.match(machine.of('dma-end')[0]!.reason, /in ERROR/);
});

test('what the host asked for before the lock does not land after it', () => {
  const machine = machineAt('secure');
  machine.platform.memory.guestWrite(SHARED, filled(0x1000, 0x66));
  const { held, release } = holdCompletions(machine);
  startCopy(machine, 'host', SHARED, 0x1000);
  machine.reach('locked');
  assert.ok(held.length > 0);
  machine.forget();
  release();
  machine.pass(MS);
  assert.ok(machine.device.local.bytes.every((byte) => byte === 0));
  assert.is(machine.device.engine.busy, false);
  assert.is(machine.of('dma-end')[0]!.ok, false);
  assert.equal(machine.of('memory-read'), [], 'no further request while locked');
  assert.is(machine.state, 'CONFIG_LOCKED', 'a T=0 request’s fate is no error of the TDI');
});

test('another function’s lock does not disturb a copy of a TDI in RUN', () => {
  const machine = machineAt('run');
  machine.platform.memory.guestWrite(PRIVATE, filled(0x1000, 0x77));
  const { held, release } = holdCompletions(machine);
  startCopy(machine, 'guest', PRIVATE, 0x1000);
  const { functions } = machine.context.machine.enumeration;
  const other = new TdiAssignment({ ...machine.assignment.options, function: functions[0]! });
  assert.is(
    machine.run(() => other.lock(STREAM_ID)),
    true,
  );
  assert.ok(held.length > 0);
  release();
  machine.pass(MS);
  assert.equal(machine.device.local.bytes.slice(0, 0x1000), filled(0x1000, 0x77));
  assert.is(machine.state, 'RUN');
});

test('a plaintext completion under another Requester ID does not answer a T=1 read', () => {
  const machine = machineAt('run');
  const { release } = holdCompletions(machine);
  const requests: Uint8Array[] = [];
  machine.kernel.bus.on('tlp', ({ data }) => {
    const { bytes } = data;
    if (data.direction === 'upstream' && typeOf(bytes).startsWith('MRd')) requests.push(bytes);
  });
  startCopy(machine, 'guest', PRIVATE, 64);
  machine.pass(10 * US);
  const request = requests[0]!.subarray(headerOffset(requests[0]!));
  const forged = completion({
    ...{ completerId: 8, requesterId: 0x0100, tag: tag(request) },
    ...{ byteCount: 64, data: filled(64, 0xbd) },
  });
  machine.endpoint.port.receive(forged);
  machine.pass(10 * US);
  assert.ok(
    machine.device.local.bytes.every((byte) => byte === 0),
    'the forged bytes are not in',
  );
  assert.ok(machine.device.engine.busy);
  release();
  machine.pass(10 * US);
  assert.not(machine.device.engine.busy);
  assert.is(machine.of('dma-end').at(-1)!.ok, true);
});

test('a plaintext completion under the right Requester ID ends the stream', () => {
  const machine = machineAt('run');
  const { held } = holdCompletions(machine);
  startCopy(machine, 'guest', PRIVATE, 64);
  machine.pass(10 * US);
  const wire = held[0]!.subarray(4);
  const forged = completion({
    ...{ completerId: 8, requesterId: 0x0101, tag: tag(wire) },
    ...{ byteCount: 64, data: filled(64, 0xbd) },
  });
  machine.endpoint.port.receive(forged);
  machine.pass(10 * US);
  assert.ok(machine.device.local.bytes.every((byte) => byte === 0));
  assert.is(machine.state, 'ERROR');
});

test('one bit changed on the link: nothing of the TLP is taken, and the stream is over', () => {
  const rows: [name: string, direction: LinkDirection, tlp: FlipTarget, bit: number][] = [
    ['answer to the device’s read', 'downstream', 'completion', 77],
    ['the guest’s store', 'downstream', 'memory-write', 3],
    ['the device’s read, in its address', 'upstream', 'memory-read', 12],
    ['the device’s write', 'upstream', 'memory-write', 2000],
  ];
  for (const [name, direction, tlp, bit] of rows) {
    const machine = machineAt('run');
    const { memory, link } = machine.platform;
    const before = { there: filled(256, 0x31), here: filled(256, 0x42) };
    memory.guestWrite(PRIVATE, before.there);
    machine.run(() => machine.guest.write(2, 0, before.here));
    machine.pass(US);
    armFlipBit(machine.kernel, link, { direction, tlp, bit });
    const way = tlp === 'memory-write' && direction === 'upstream' ? 'from-device' : 'to-device';
    const job = { direction: way, iova: PRIVATE, local: 0, length: 256 } as const;
    machine.run(() => machine.guest.dma(job));
    machine.pass(60 * MS);
    assert.is(machine.of('interposed').length, 1, name);
    assert.ok(
      machine.of('tlp-dropped').some(({ code }) => code === 'MAC_FAILED'),
      name,
    );
    assert.equal(memory.peek(PRIVATE, 256), before.there, name);
    assert.equal(machine.device.local.bytes.slice(0, 256), before.here, name);
    assert.not(
      machine.run(() => machine.tsm.streamSecure()),
      name,
    );
    // IDE_Fail alone tells the partner and moves nothing: a device whose write was changed runs on,
    // and finds out with its next read.
    assert.is(machine.state, way === 'from-device' ? 'RUN' : 'ERROR', name);
    assert.is(machine.endpoint.ide.streams[0]!.failMessageReceived, direction === 'upstream', name);
  }
});

test('UR, timeout: a T=1 read that fails ends the TDI, told once', () => {
  const rows: [name: string, iova: number, hold: boolean][] = [
    ['UR', 0x7_0000_0000, false],
    ['timeout', PRIVATE, true],
  ];
  for (const [name, iova, hold] of rows) {
    const machine = machineAt('run');
    if (hold) holdCompletions(machine);
    machine.forget();
    startCopy(machine, 'guest', iova, 0x1000);
    machine.pass(60 * MS);
    assert.is(machine.state, 'ERROR', name);
    assert.is(machine.of('tdi')[0]!.cause, 'completion-error', name);
    assert.is(machine.of('dma-end').length, 1, name);
    assert.is(machine.of('iommu-fault').length, hold ? 0 : 1, name);
  }
});

test('a T=0 read that fails or is poisoned ends the copy, and nothing else', () => {
  for (const poison of [false, true]) {
    const machine = machineAt('enumerated');
    machine.platform.link.interpose((next) => (bytes, direction) => {
      const passed = next(bytes, direction);
      const big = typeOf(bytes) === 'CplD' && bytes.length > 64;
      if (!poison || direction !== 'downstream' || !big) return passed;
      return passed.map((each) => each.map((byte, i) => (i === 2 ? byte | 0x40 : byte)));
    });
    const iova = poison ? SHARED : 0x7_0000_0000;
    const job = { direction: 'to-device', iova, local: 0, length: 256 } as const;
    const done = machine.run(() => machine.host.dma(job));
    assert.is(done.status, 'failed');
    assert.match(machine.of('dma-end')[0]!.reason, poison ? /poisoned/ : /UR/);
    assert.is(machine.state, 'CONFIG_UNLOCKED');
  }
});

/** Programs vector 0 by whoever may, with MSI-X enabled before. */
function withVector(point: 'secure' | 'run', entry: Uint8Array): Machine {
  const machine = machineAt('secure');
  const control = machine.capability(1, 'MSI-X');
  machine.run(() => machine.complex.configWrite(0x0101, control, 0x80000000, 0x8));
  machine.reach(point);
  const agent = point === 'run' ? machine.guest : machine.host;
  machine.run(() => agent.write(0, MSIX_TABLE, entry));
  machine.forget();
  return machine;
}

const entryOf = (address: number, data: number, control: number) =>
  concat(le(address, 8), le(data, 4), le(control, 4));

test('interrupts: T=1 from a running TDI with its table locked, T=0 before', () => {
  for (const [point, tee] of [
    ['secure', false],
    ['run', true],
  ] as const) {
    const machine = withVector(point, entryOf(0xfee00000, 0x41, 0));
    startCopy(machine, tee ? 'guest' : 'host', tee ? PRIVATE : SHARED, 64, INTERRUPT);
    machine.pass(100 * US);
    assert.equal(machine.of('interrupt'), [{ rid: 0x0101, tee, vector: 0x41 }], point);
  }
});

test('interrupts that are masked, disabled, or lead nowhere', () => {
  const rows: [name: string, entry: Uint8Array, wanted: number][] = [
    ['masked', entryOf(0xfee00000, 0x41, 1), 0],
    ['low address bits set', entryOf(0xfee00003, 0x42, 0), 1],
    ['an address beyond any memory', filled(16, 0xff).fill(0xfe, 12), 0],
    ['into memory', entryOf(SHARED, 0x41, 0), 0],
  ];
  for (const [name, entry, wanted] of rows) {
    const machine = withVector('secure', entry);
    startCopy(machine, 'host', SHARED, 64, INTERRUPT);
    machine.pass(100 * US);
    assert.is(machine.of('dma-end')[0]?.ok, true, name);
    assert.is(machine.of('interrupt').length, wanted, name);
  }
  const off = machineAt('secure');
  off.run(() => off.host.write(0, MSIX_TABLE, entryOf(0xfee00000, 0x41, 0)));
  startCopy(off, 'host', SHARED, 64, INTERRUPT);
  off.pass(100 * US);
  assert.equal(off.of('interrupt'), []);
});

test('DMA into the interrupt range is an interrupt only as one whole DW', () => {
  const machine = machineAt('enumerated');
  const job = { direction: 'from-device', iova: 0xfee00000, local: 0 } as const;
  for (const [iova, length, wanted] of [
    [0xfee00000, 1, 0],
    [0xfee00002, 2, 0],
    [0xfee00000, 8, 0],
    [0xfee00000, 4, 1],
  ] as const) {
    machine.forget();
    machine.run(() => machine.host.dma({ ...job, iova, length }));
    machine.pass(10 * US);
    assert.is(machine.of('interrupt').length, wanted, `${iova.toString(16)}+${length}`);
  }
});

test('MPS and MRRS bound what is on the wire', () => {
  const machine = machineAt('enumerated');
  const device = machine.capability(1, 'Express') + 8;
  const sizes: [string, number][] = [];
  machine.kernel.bus.on('tlp', ({ data }) => {
    if (data.direction !== 'upstream') return;
    const length = ((data.bytes[2]! & 3) << 8) | data.bytes[3]!;
    const type = typeOf(data.bytes);
    if (/^M(Rd|Wr)/.test(type)) sizes.push([type, length * 4]);
  });
  for (const [control, mps, mrrs] of [
    [0x0900, 128, 128],
    [0x1920, 256, 256],
    [0x2900, 128, 512],
  ] as const) {
    machine.run(() => machine.complex.configWrite(0x0101, device, control, 0x3));
    for (const direction of ['to-device', 'from-device'] as const) {
      sizes.length = 0;
      const job = { direction, iova: SHARED + 0x10, local: 0x100, length: 0x1000 };
      assert.is(machine.run(() => machine.host.dma(job)).status, 'done');
      const limit = direction === 'to-device' ? mrrs : mps;
      assert.is(Math.max(...sizes.map(([, size]) => size)), limit, `${direction} ${limit}`);
    }
  }
});

test('a failed engine says so', () => {
  const machine = machineAt('enumerated');
  const job = { direction: 'to-device', iova: SHARED, local: 0, length: 0 } as const;
  const done = machine.run(() => machine.host.dma(job));
  assert.equal(done, { status: 'failed', reason: `engine status ${DmaStatus.FAILED}` });
});

test.run();
