import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeBusNumbers, Type1Offsets } from '../../devices/caps/type1-bridge.ts';
import { DmaRegisters } from '../../devices/dma-engine.ts';
import { ascii } from '../../protocols/codec/bytes.ts';
import { MS, US } from '../../sim/kernel/index.ts';
import { scenarioWith } from '../sim/scenario/shipped.ts';
import { holdCompletions, type Machine, machineAt, STREAM_ID, startCopy } from './machine.ts';

const test = suite('endpoint: owners, resets, bus numbers');

const PRIVATE = 0x2_0000_0000;
const STATUS_PAGE = 0x1000;
const MSIX_TABLE = 0x8000;

const filled = (size: number, byte: number) => new Uint8Array(size).fill(byte);

/** What an owner leaves in every place it can write to. */
function leaveTraces(machine: Machine): void {
  machine.run(function* () {
    yield* machine.guest.write(2, 0, filled(256, 0x11));
    yield* machine.guest.write(2, 0xff00, filled(256, 0x12));
    yield* machine.guest.write(0, MSIX_TABLE, filled(64, 0x13));
    yield* machine.guest.write(0, DmaRegisters.IOVA, filled(16, 0x14));
  });
}

/** Everything a T=0 or T=1 reader can see of a function's two BARs. */
const places: readonly [bar: number, offset: number, length: number][] = [
  [0, 0, 0x18],
  [0, MSIX_TABLE, 128],
  [2, 0, 256],
  [2, 0xff00, 256],
];

test('after STOP the next owner finds zeros, be it the host or another guest', () => {
  const machine = machineAt('run');
  leaveTraces(machine);
  for (const [bar, offset, length] of places) {
    const got = machine.run(() => machine.guest.read(bar, offset, length));
    assert.not(
      got.data.every((byte) => byte === 0),
      `BAR${bar}+${offset} was written`,
    );
  }
  assert.is(
    machine.run(() => machine.assignment.stop()),
    true,
  );
  assert.is(machine.state, 'CONFIG_UNLOCKED');
  for (const [bar, offset, length] of places) {
    const got = machine.run(() => machine.host.read(bar, offset, length));
    assert.ok(got.ok);
    assert.equal(got.data, new Uint8Array(length), `host BAR${bar}+${offset.toString(16)}`);
  }
  const next = machine.assignment;
  machine.run(function* () {
    yield* next.lock(STREAM_ID);
    yield* next.readReport();
    next.judgeReport();
    next.accept();
    yield* next.start();
  });
  assert.is(machine.state, 'RUN');
  for (const [bar, offset, length] of places) {
    const got = machine.run(() => machine.guest.read(bar, offset, length));
    assert.equal(got.data, new Uint8Array(length), `guest BAR${bar}+${offset.toString(16)}`);
  }
});

test('the status page is scrubbed too: in a function without non-TEE pages it is the owner’s', () => {
  const machine = machineAt('run', { scenario: scenarioWith(['01:00.1', '01:00.0']) });
  assert.is(machine.tdi.rid, 0x0100);
  machine.run(() => machine.guest.write(0, STATUS_PAGE + 0x800, filled(16, 0x5e)));
  machine.run(() => machine.guest.write(0, STATUS_PAGE, filled(4, 0x5e)));
  machine.run(() => machine.assignment.stop());
  const rest = machine.run(() => machine.host.read(0, STATUS_PAGE + 0x800, 16));
  assert.equal(rest.data, new Uint8Array(16));
  const text = 'function 0 ready';
  const head = machine.run(() => machine.host.read(0, STATUS_PAGE, text.length));
  assert.equal(head.data, ascii(text));
});

test('STOP in the middle of a copy: it ends, and nothing lands in the scrubbed memory', () => {
  const machine = machineAt('run');
  machine.platform.memory.guestWrite(PRIVATE, filled(0x10000, 0x21));
  const { held, release } = holdCompletions(machine);
  startCopy(machine, 'guest', PRIVATE, 0x10000);
  machine.pass(10 * US);
  assert.ok(held.length > 0);
  machine.run(() => machine.assignment.stop());
  assert.is(machine.device.engine.busy, false);
  release();
  machine.pass(MS);
  assert.ok(machine.device.local.bytes.every((byte) => byte === 0));
});

/** Function-level reset by configuration write. */
function flr(machine: Machine, number: number): void {
  const at = machine.capability(number, 'Express') + 8;
  const { complex } = machine;
  machine.run(function* () {
    const before = yield* complex.configRead(0x0100 | number, at);
    yield* complex.configWrite(0x0100 | number, at, (before & 0x7fff) | 0x8000, 0x3);
  });
}

test('FLR of the TDI’s function: ERROR and scrubbed; stream and session stay', () => {
  const machine = machineAt('run');
  leaveTraces(machine);
  startCopy(machine, 'guest', PRIVATE, 0x10000);
  flr(machine, 1);
  assert.is(machine.state, 'ERROR');
  assert.is(machine.of('tdi').at(-1)!.cause, 'function-reset');
  assert.is(machine.device.engine.busy, false);
  assert.ok(machine.device.local.bytes.every((byte) => byte === 0));
  const read = (at: number) => machine.run(() => machine.complex.configRead(0x0101, at));
  assert.is(read(0x04) & 0xffff, 0);
  assert.is(read(0x10) >>> 4, 0);
  assert.ok(machine.run(() => machine.tsm.streamSecure()));
  machine.pass(MS);
  assert.ok(machine.device.local.bytes.every((byte) => byte === 0));
  assert.is(
    machine.run(() => machine.assignment.stop()),
    true,
  );
  assert.is(machine.state, 'CONFIG_UNLOCKED');
});

test('FLR of function 0: its IDE streams are gone and all TDIs on them; the session stays', () => {
  const machine = machineAt('run');
  const end = machine.tsm.liveStream.endpoint.end;
  flr(machine, 0);
  assert.is(machine.endpoint.ide.streams[0]!.state, 'INSECURE_NO_KEYS');
  assert.is(machine.state, 'ERROR');
  assert.is(machine.of('tdi').at(-1)!.cause, 'stream-insecure');
  const control = machine.run(() => machine.complex.configRead(0x0100, end.base + end.block + 4));
  assert.is(control, 0);
  assert.is(
    machine.run(() => machine.tsm.heartbeat()),
    true,
  );
  assert.is(
    machine.run(() => machine.assignment.stop()),
    true,
  );
  const torn = machine.run(() => machine.tsm.tearDownStream());
  assert.is(torn, true);
});

test('a new bus number: TDIs to ERROR under their new ids, engines stopped, bindings moved', () => {
  const machine = machineAt('run');
  const { complex, endpoint } = machine;
  const toBus = (bus: number) =>
    machine.run(function* () {
      const numbers = encodeBusNumbers({ primary: 0, secondary: bus, subordinate: bus });
      yield* complex.configWrite(complex.rootPort.rid, Type1Offsets.BUS_NUMBERS, numbers);
      yield* complex.configWrite((bus << 8) | 1, 0x3c, 0, 0x1);
    });
  machine.platform.memory.guestWrite(PRIVATE, filled(0x10000, 0x21));
  holdCompletions(machine);
  startCopy(machine, 'guest', PRIVATE, 0x10000);
  machine.pass(10 * US);
  assert.ok(machine.device.engine.busy);
  toBus(2);
  assert.is(machine.device.engine.busy, false);
  assert.is(endpoint.dsm.tdisp.state(0x0201), 'ERROR');
  assert.is(endpoint.dsm.tdisp.state(0x0101), 'CONFIG_UNLOCKED');
  assert.equal(endpoint.tdis.interfaces(), [0x0200, 0x0201]);
  assert.is(endpoint.tdis.bindingOf(0x0101), undefined);
  assert.is(endpoint.tdis.bindingOf(0x0201)?.streamId, STREAM_ID);
  toBus(1);
  assert.is(machine.state, 'ERROR', 'going back does not shake ERROR off');
  assert.is(
    machine.run(() => machine.assignment.stop()),
    true,
  );
  assert.is(machine.state, 'CONFIG_UNLOCKED');
  for (const id of [0x0101, 0x0201]) assert.is(endpoint.tdis.bindingOf(id), undefined);
});

test.run();
