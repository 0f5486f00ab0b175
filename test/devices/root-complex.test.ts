import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  completionStatus,
  memoryRead,
  memoryWrite,
  payload,
  typeOf,
} from '../../protocols/tlp/index.ts';
import { US } from '../../sim/kernel/index.ts';
import { type Machine, machineAt } from './machine.ts';

const test = suite('root complex');

const DEVICE = 0x0101;
const SHARED = 0x1_0000_0000;
const PRIVATE = 0x2_0000_0000;
const ONES = new Uint8Array(4).fill(0xff);

/** Puts a TLP into the root port and gives what goes down. */
function answerTo(machine: Machine, tlp: Uint8Array): Uint8Array[] {
  const sent: Uint8Array[] = [];
  const off = machine.kernel.bus.on('tlp', ({ data }) => {
    if (data.direction === 'downstream') sent.push(data.bytes);
  });
  machine.complex.rootPort.port.receive(tlp);
  machine.pass(10 * US);
  off();
  return sent;
}

const write = (address: number, data: Uint8Array) =>
  memoryWrite({ requesterId: DEVICE, address, data });

test('byte enables with holes: the bytes between stay', () => {
  const machine = machineAt('enumerated');
  const { memory } = machine.platform;
  for (const [firstBE, wanted] of [
    [0xf, [1, 2, 3, 4]],
    [0x9, [1, 0xee, 0xee, 4]],
    [0x5, [1, 0xee, 3, 0xee]],
    [0x0, [0xee, 0xee, 0xee, 0xee]],
  ] as const) {
    memory.guestWrite(SHARED, new Uint8Array(4).fill(0xee));
    const tlp = write(SHARED, Uint8Array.of(1, 2, 3, 4));
    tlp[7] = firstBE;
    answerTo(machine, tlp);
    assert.equal([...memory.peek(SHARED, 4)], wanted, `BE ${firstBE}`);
  }
});

test('device requests: which are answered with data, which with UR, which dropped', () => {
  const rows: [name: string, rid: number, address: number, ok: boolean][] = [
    ['shared', DEVICE, SHARED, true],
    ['private, T=0', DEVICE, PRIVATE, false],
    ['another Requester ID', 0x0100, SHARED, false],
    ['unmapped', DEVICE, 0x9_0000_0000, false],
    ['the interrupt range', DEVICE, 0xfee00000, false],
  ];
  for (const [name, rid, address, ok] of rows) {
    const machine = machineAt('enumerated');
    machine.platform.memory.guestWrite(PRIVATE, new Uint8Array(8).fill(9));
    const read = memoryRead({ requesterId: rid, tag: 5, address, length: 8 });
    const [answer, ...more] = answerTo(machine, read);
    assert.is(completionStatus(answer!), ok ? 0 : 1, name);
    assert.is(typeOf(answer!), ok ? 'CplD' : 'Cpl', name);
    assert.is(more.length, 0);
    const tlp = memoryWrite({ requesterId: rid, address, data: new Uint8Array(8).fill(7) });
    assert.equal(answerTo(machine, tlp), [], name);
    assert.is(
      machine.of('memory-write').some((each) => each.by !== 'guest'),
      ok,
      name,
    );
    const dropped = machine.of('tlp-dropped').map(({ code }) => code);
    const code = address === 0xfee00000 ? 'BAD_INTERRUPT' : 'IOMMU_FAULT';
    assert.is(dropped.includes(code), !ok, name);
  }
});

test('without the root port’s Bus Master Enable no request of a device goes up', () => {
  const machine = machineAt('enumerated');
  machine.run(() => machine.complex.configWrite(0x0008, 0x04, 0x2, 0x3));
  const read = memoryRead({ requesterId: DEVICE, tag: 5, address: SHARED, length: 4 });
  assert.is(completionStatus(answerTo(machine, read)[0]!), 1);
  answerTo(machine, write(SHARED, new Uint8Array(4).fill(7)));
  assert.equal(machine.platform.memory.peek(SHARED, 4), new Uint8Array(4));
});

test('a read is split at RCB and MPS, its bytes in order', () => {
  const machine = machineAt('enumerated');
  const data = Uint8Array.from({ length: 512 }, (_, i) => (i * 5) & 0xff);
  machine.platform.memory.guestWrite(SHARED + 0x20, data);
  const read = memoryRead({ requesterId: DEVICE, tag: 5, address: SHARED + 0x20, length: 512 });
  const parts = answerTo(machine, read).map(payload);
  assert.equal(
    parts.map((part) => part.length),
    [224, 256, 32],
  );
  assert.equal(Buffer.concat(parts).compare(data), 0);
});

test('CPU accesses to MMIO of any alignment and length', () => {
  const machine = machineAt('enumerated');
  const { complex } = machine;
  const base = machine.address(2, 0);
  for (const [offset, length] of [
    [0, 1],
    [3, 1],
    [1, 7],
    [61, 6],
    [0xffc, 8],
    [0, 4096],
  ] as const) {
    const data = Uint8Array.from({ length }, (_, i) => offset + i + 1);
    assert.ok(machine.run(() => complex.mmioWrite(base + offset, data, false)).ok);
    const back = machine.run(() => complex.mmioRead(base + offset, length, false));
    assert.equal(back, { ok: true, data, reason: '' }, `${offset}+${length}`);
  }
});

test('addresses that no window forwards never leave the root complex', () => {
  const machine = machineAt('enumerated');
  const { complex } = machine;
  const { limit } = machine.context.machine.enumeration.memoryWindow;
  const before = machine.platform.link.sent.downstream.tlps;
  for (const address of [0, SHARED, limit + 1, limit - 1]) {
    const got = machine.run(() => complex.mmioRead(address, 4, false));
    assert.not(got.ok);
    assert.equal(got.data, ONES);
    assert.not(machine.run(() => complex.mmioWrite(address, ONES, false)).ok);
  }
  complex.rootPort.config.write(0x04, 0x4, 0x3);
  assert.not(machine.run(() => complex.mmioRead(machine.address(2, 0), 4, false)).ok);
  assert.is(machine.platform.link.sent.downstream.tlps, before);
});

test('T=1 without a Secure stream is held back, not sent in the clear', () => {
  const machine = machineAt('enumerated');
  const before = machine.platform.link.sent.downstream.tlps;
  const got = machine.run(() => machine.complex.mmioRead(machine.address(2, 0), 4, true));
  assert.not(got.ok);
  assert.match(got.reason, /blocked/);
  assert.not(machine.run(() => machine.complex.mmioWrite(machine.address(2, 0), ONES, true)).ok);
  assert.is(machine.platform.link.sent.downstream.tlps, before);
});

test.run();
