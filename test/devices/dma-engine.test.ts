import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { BarMemory } from '../../devices/bar-space.ts';
import {
  type DmaBus,
  DmaCommands,
  DmaEngine,
  DmaRegisters,
  DmaStatus,
} from '../../devices/dma-engine.ts';
import type { SimRecords } from '../../devices/records.ts';
import { concat, le, readLE } from '../../protocols/codec/bytes.ts';
import { delay, Kernel, NS, type Task } from '../../sim/kernel/index.ts';

const test = suite('DMA engine');

const READ_PS = 500 * NS;
const LOCAL_BYTES = 0x4000;
const ALL = () => true;

type Permission = ReturnType<DmaBus['permission']>;

/** A bus that answers reads after a while from a pattern, and remembers what was asked of it. */
class FakeBus implements DmaBus {
  readonly functionId = 0x0101;
  allowed: Permission = { tee: true };
  fails: string | undefined;
  readonly log: string[] = [];
  interrupts = 0;
  readonly written = new Map<number, number>();
  payload = 256;

  permission(): Permission {
    return this.allowed;
  }
  maxPayload(): number {
    return this.payload;
  }
  maxReadRequest(): number {
    return 512;
  }
  write(address: number, data: Uint8Array, tee: boolean) {
    this.log.push(`W ${address.toString(16)}+${data.length} T=${tee ? 1 : 0}`);
    if (this.fails !== undefined) return { sent: false, reason: this.fails };
    for (const [i, byte] of data.entries()) this.written.set(address + i, byte);
    return { sent: true, reason: '' };
  }
  *read(address: number, length: number, tee: boolean): Task<Uint8Array | { reason: string }> {
    this.log.push(`R ${address.toString(16)}+${length} T=${tee ? 1 : 0}`);
    yield* delay(READ_PS);
    if (this.fails !== undefined) return { reason: this.fails };
    return Uint8Array.from({ length }, (_, i) => hostByte(address + i));
  }
  interrupt(): void {
    this.interrupts++;
  }
}

const hostByte = (address: number) => (address * 7 + (address >> 8)) & 0xff;

function setUp() {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const bus = new FakeBus();
  const local = new BarMemory('memory', 0, LOCAL_BYTES);
  const engine = new DmaEngine(kernel, bus, local, 0);
  const ends: SimRecords['dma-end'][] = [];
  kernel.bus.on('dma-end', ({ data }) => ends.push(data));
  const program = (iova: number, at: number, length: number) =>
    engine.write(DmaRegisters.IOVA, concat(le(iova, 8), le(at, 4), le(length, 4)), ALL);
  const ring = (command: number) => engine.write(DmaRegisters.DOORBELL, le(command, 4), ALL);
  const status = () => readLE(engine.read(DmaRegisters.STATUS, 4), 0, 4);
  return { kernel, bus, local, engine, ends, program, ring, status };
}

const { TO_DEVICE, FROM_DEVICE, INTERRUPT } = DmaCommands;

test('a copy is cut at MPS or MRRS and at 4 KiB, every byte in its place', () => {
  const rows: [iova: number, local: number, length: number, reads: string[], writes: string[]][] = [
    [0x1000, 0, 4, ['1000+4'], ['1000+4']],
    [0x1001, 3, 1, ['1001+1'], ['1001+1']],
    [0x10ff, 5, 2, ['10ff+2'], ['10ff+2']],
    [0x1000, 0, 512, ['1000+512'], ['1000+256', '1100+256']],
    [0x1003, 7, 300, ['1003+300'], ['1003+253', '1100+47']],
    [0x1fff, 0, 2, ['1fff+1', '2000+1'], ['1fff+1', '2000+1']],
    [0x1f80, 0, 512, ['1f80+128', '2000+384'], ['1f80+128', '2000+256', '2100+128']],
    [0x2_0000_0ffe, 1, 4, ['200000ffe+2', '200001000+2'], ['200000ffe+2', '200001000+2']],
  ];
  for (const [iova, at, length, reads, writes] of rows) {
    const name = `${iova.toString(16)}+${length}`;
    const down = setUp();
    down.program(iova, at, length);
    down.ring(TO_DEVICE);
    assert.is(down.status(), DmaStatus.BUSY, name);
    down.kernel.run();
    assert.equal(
      down.bus.log,
      reads.map((each) => `R ${each} T=1`),
    );
    const wanted = new Uint8Array(LOCAL_BYTES);
    for (let i = 0; i < length; i++) wanted[at + i] = hostByte(iova + i);
    assert.equal(down.local.bytes, wanted, name);
    assert.is(down.status(), DmaStatus.DONE);
    assert.is(down.kernel.now, reads.length * READ_PS);

    const up = setUp();
    for (let i = 0; i < LOCAL_BYTES; i++) up.local.bytes[i] = i * 3 + 1;
    up.program(iova, at, length);
    up.ring(FROM_DEVICE);
    up.kernel.run();
    assert.equal(
      up.bus.log,
      writes.map((each) => `W ${each} T=1`),
    );
    assert.is(up.bus.written.size, length);
    for (let i = 0; i < length; i++)
      assert.is(up.bus.written.get(iova + i), up.local.bytes[at + i], `${name} byte ${i}`);
    assert.is(up.status(), DmaStatus.DONE);
  }
});

test('what cannot be done fails at once and asks nothing of the bus', () => {
  const rows: [name: string, iova: number, local: number, length: number, command: number][] = [
    ['no bytes', 0x1000, 0, 0, TO_DEVICE],
    ['one byte too many', 0x1000, LOCAL_BYTES - 3, 4, TO_DEVICE],
    ['beyond memory', 0x1000, 0xffffffff, 1, FROM_DEVICE],
    ['longer than memory', 0x1000, 0, 0xffffffff, FROM_DEVICE],
    ['no command', 0x1000, 0, 4, 0],
    ['both commands', 0x1000, 0, 4, 3],
    ['an interrupt alone', 0x1000, 0, 4, INTERRUPT],
    ['an address beyond 48 bits', 2 ** 48 + 0x1000, 0, 4, TO_DEVICE],
  ];
  for (const [name, iova, local, length, command] of rows) {
    const { kernel, bus, engine, program, ring, status } = setUp();
    program(iova, local, length);
    ring(command);
    assert.is(status(), DmaStatus.FAILED, name);
    kernel.run();
    assert.equal(bus.log, [], name);
    assert.is(engine.busy, false);
    program(0x1000, LOCAL_BYTES - 4, 4);
    ring(TO_DEVICE);
    kernel.run();
    assert.is(status(), DmaStatus.DONE, `${name}, then a good one`);
  }
});

test('byte enables: a doorbell rings with its first byte only, STATUS is not written', () => {
  const { kernel, bus, engine, program, status } = setUp();
  program(0x1000, 0, 4);
  engine.write(DmaRegisters.DOORBELL, le(TO_DEVICE, 4), (i) => i !== 0);
  assert.is(status(), DmaStatus.IDLE);
  engine.write(DmaRegisters.STATUS, le(DmaStatus.DONE, 4), ALL);
  assert.is(status(), DmaStatus.IDLE);
  engine.write(DmaRegisters.IOVA, Uint8Array.of(0xaa, 0x20, 0xbb), (i) => i === 1);
  assert.is(readLE(engine.read(DmaRegisters.IOVA, 8), 0, 6), 0x2000);
  engine.write(DmaRegisters.DOORBELL, Uint8Array.of(TO_DEVICE), ALL);
  kernel.run();
  assert.equal(bus.log, ['R 2000+4 T=1']);
});

test('registers read as written, zero behind them, and a whole page is there', () => {
  const { engine, program } = setUp();
  program(0x1234_5678_9abc, 0x11223344, 0x55667788);
  assert.equal(
    [...engine.read(0, 0x10)],
    [...concat(le(0x1234_5678_9abc, 8), le(0x11223344, 4), le(0x55667788, 4))],
  );
  assert.equal([...engine.read(0x0e, 4)], [0x66, 0x55, 0, 0]);
  assert.equal([...engine.read(0x100, 4)], [0, 0, 0, 0]);
  assert.is(engine.size, 4096);
  engine.write(0xff0, new Uint8Array(16).fill(9), ALL);
  assert.equal(engine.read(0xff0, 16), new Uint8Array(16));
});

test('registers written while busy are for the next job; a second ring is nothing', () => {
  const { kernel, bus, program, ring, status } = setUp();
  program(0x1000, 0, 1024);
  ring(TO_DEVICE);
  kernel.run(READ_PS / 2);
  program(0x9000, 0, 4);
  ring(TO_DEVICE);
  kernel.run();
  assert.equal(bus.log, ['R 1000+512 T=1', 'R 1200+512 T=1']);
  assert.is(status(), DmaStatus.DONE);
});

test('the bus is asked before every request', () => {
  const rows: [name: string, later: Permission, reason: RegExp][] = [
    ['refused', { refused: 'Bus Master Enable is clear' }, /Bus Master/],
    ['another T', { tee: false }, /T bit/],
  ];
  for (const [name, later, reason] of rows) {
    const { kernel, bus, ends, program, ring, status } = setUp();
    program(0x1000, 0, 2048);
    ring(TO_DEVICE | INTERRUPT);
    kernel.run(READ_PS + READ_PS / 2);
    bus.allowed = later;
    kernel.run();
    assert.is(bus.log.length, 2, name);
    assert.is(status(), DmaStatus.FAILED, name);
    assert.is(bus.interrupts, 0, name);
    assert.match(ends[0]!.reason, reason);
  }
  const { kernel, bus, program, ring, status } = setUp();
  bus.allowed = { refused: 'no' };
  program(0x1000, 0, 4);
  ring(FROM_DEVICE);
  kernel.run();
  assert.equal(bus.log, []);
  assert.is(status(), DmaStatus.FAILED);
});

test('a failure ends the copy, once, with its reason', () => {
  for (const command of [TO_DEVICE, FROM_DEVICE]) {
    const { kernel, bus, local, ends, program, ring, status } = setUp();
    bus.fails = 'UR';
    program(0x1000, 0, 2048);
    ring(command | INTERRUPT);
    kernel.run();
    assert.is(bus.log.length, 1);
    assert.is(status(), DmaStatus.FAILED);
    assert.equal(ends, [{ functionId: 0x0101, ok: false, reason: 'UR' }]);
    assert.is(bus.interrupts, 0);
    assert.equal(local.bytes, new Uint8Array(LOCAL_BYTES));
  }
});

test('reset while busy: nothing lands any more, registers are zero, a new job may start', () => {
  const { kernel, bus, local, engine, ends, program, ring, status } = setUp();
  program(0x1000, 0, 2048);
  ring(TO_DEVICE | INTERRUPT);
  kernel.run(READ_PS + READ_PS / 2);
  local.scrub();
  engine.reset('the owner left');
  assert.is(engine.busy, false);
  assert.equal(engine.read(0, 0x18), new Uint8Array(0x18));
  kernel.run();
  assert.equal(local.bytes, new Uint8Array(LOCAL_BYTES));
  assert.equal(ends, [{ functionId: 0x0101, ok: false, reason: 'the owner left' }]);
  assert.is(bus.interrupts, 0);
  program(0x3000, 0, 4);
  ring(TO_DEVICE);
  kernel.run();
  assert.is(status(), DmaStatus.DONE);
  assert.is(local.bytes[0], hostByte(0x3000));
});

test('a reset that comes out of the copy itself is not undone by its end', () => {
  const { kernel, bus, engine, ends, program, ring } = setUp();
  const { read } = bus;
  bus.read = function* (address, length, tee) {
    yield* read.call(bus, address, length, tee);
    engine.reset('the TDI went to ERROR');
    return { reason: 'read: UR' };
  };
  program(0x1000, 0, 2048);
  ring(TO_DEVICE);
  kernel.run();
  assert.equal(
    ends.map((each) => each.reason),
    ['the TDI went to ERROR'],
  );
  assert.equal(engine.read(0, 0x18), new Uint8Array(0x18));
  assert.is(bus.log.length, 1);
});

test('a reset of an idle engine is silent', () => {
  const { engine, ends } = setUp();
  engine.reset('x');
  assert.equal(ends, []);
});

test('an interrupt is sent after the last byte, if it was asked for', () => {
  for (const [command, wanted] of [
    [TO_DEVICE, 0],
    [TO_DEVICE | INTERRUPT, 1],
    [FROM_DEVICE | INTERRUPT, 1],
  ] as const) {
    const { kernel, bus, program, ring } = setUp();
    program(0x1000, 0, 4);
    ring(command);
    assert.is(bus.interrupts, 0);
    kernel.run();
    assert.is(bus.interrupts, wanted);
  }
});

test('MPS as it stands at the start bounds the writes', () => {
  const { kernel, bus, program, ring } = setUp();
  bus.payload = 128;
  program(0x1040, 0, 256);
  ring(FROM_DEVICE);
  kernel.run();
  assert.equal(bus.log, ['W 1040+128 T=1', 'W 10c0+128 T=1']);
});

test.run();
