import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { costOf } from '../../devices/dsm.ts';
import { readDwLE } from '../../protocols/codec/bytes.ts';
import { isPeerFault } from '../../protocols/codec/refusal.ts';
import { encodeObject, VENDOR_PCI_SIG } from '../../protocols/doe/object.ts';
import { DoeRegisters } from '../../protocols/doe/registers.ts';
import { MS, NS, S, US } from '../../sim/kernel/index.ts';
import { profileWith, scenarioWith } from '../sim/scenario/shipped.ts';
import { type Machine, machineAt } from './machine.ts';

const test = suite('DSM');

const GO = 0x80000000;
const ABORT = 0x1;
const READY = 0x80000000;
const BUSY = 0x1;
const ERROR = 0x4;
const PROCESSING = 20 * US;
const SPDM = 1;
const GET_VERSION = Uint8Array.of(0x10, 0x84, 0, 0);
const HEARTBEAT_LIMIT = 20 * S;

const objectOf = (payload: Uint8Array, type = SPDM, vendor = VENDOR_PCI_SIG) =>
  encodeObject({ VendorID: vendor, DataObjectType: type, payload });

/** Accesses to the mailbox by configuration TLPs, without a driver. */
class Raw {
  readonly machine: Machine;
  readonly base: number;

  constructor(machine: Machine) {
    this.machine = machine;
    this.base = machine.capability(0, 'Data Object Exchange');
  }

  read(register: number): number {
    const { machine, base } = this;
    return machine.run(() => machine.complex.configRead(0x0100, base + register)) >>> 0;
  }
  write(register: number, value: number): void {
    const { machine, base } = this;
    machine.run(() => machine.complex.configWrite(0x0100, base + register, value));
  }
  put(object: Uint8Array): void {
    for (let at = 0; at < object.length; at += 4)
      this.write(DoeRegisters.WRITE_MAILBOX, readDwLE(object, at));
  }
  get status(): number {
    return this.read(DoeRegisters.STATUS);
  }
  go(object: Uint8Array): void {
    this.put(object);
    this.write(DoeRegisters.CONTROL, GO);
  }
}

test('an object is answered after its processing time and the work’s, to the picosecond', () => {
  const rows: [name: string, request: Uint8Array, workPs: number][] = [
    // GET_VERSION: one message
    ['GET_VERSION', GET_VERSION, 15 * US],
    // ERROR for a request out of order: the message alone
    ['GET_DIGESTS too early', Uint8Array.of(0x12, 0x81, 0, 0), 15 * US],
  ];
  for (const [name, request, workPs] of rows) {
    const machine = machineAt('enumerated');
    const raw = new Raw(machine);
    raw.put(objectOf(request));
    const times: number[] = [];
    machine.kernel.bus.on('spdm', ({ time }) => times.push(time));
    const { mailbox } = machine.endpoint.dsm;
    const { write } = mailbox;
    let goAt = 0;
    mailbox.write = (...args) => {
      goAt = machine.kernel.now;
      return write.apply(mailbox, args);
    };
    raw.write(DoeRegisters.CONTROL, GO);
    machine.pass(MS);
    assert.equal(
      times.map((time) => time - goAt),
      [PROCESSING, PROCESSING + workPs],
      name,
    );
  }
});

test('costs add up by operation and byte', () => {
  const { costs } = profileWith();
  const work = [{ op: 'message' }, { op: 'sign' }, { op: 'hash', bytes: 100 }] as const;
  assert.is(costOf(costs, work), 15 * US + 2600 * US + 4 * US + 600 * NS);
  assert.is(costOf(costs, []), 0);
});

test('Ready stands only after the work is done; Busy until then', () => {
  const machine = machineAt('enumerated');
  const raw = new Raw(machine);
  raw.go(objectOf(GET_VERSION));
  assert.is(raw.status & READY, 0);
  assert.is(raw.status & BUSY, BUSY);
  machine.pass(PROCESSING);
  assert.is(raw.status & READY, 0);
  machine.pass(15 * US);
  assert.is((raw.status & READY) >>> 0, READY);
  assert.is(raw.status & BUSY, 0);
});

test('garbage is met with silence, or with ERROR where it was SPDM; then all goes on', () => {
  const silent: [name: string, object: Uint8Array][] = [
    ['unknown type', objectOf(GET_VERSION, 9)],
    ['another vendor', objectOf(GET_VERSION, SPDM, 0x8086)],
    ['length too long', objectOf(GET_VERSION).map((byte, i) => (i === 4 ? 9 : byte))],
    ['length too short', objectOf(GET_VERSION).map((byte, i) => (i === 4 ? 2 : byte))],
    ['header alone', objectOf(new Uint8Array(0)).slice(0, 4)],
  ];
  for (const [name, object] of silent) {
    const machine = machineAt('enumerated');
    const raw = new Raw(machine);
    machine.forget();
    raw.go(object);
    machine.pass(S);
    assert.is(raw.status & (READY | BUSY | ERROR), 0, name);
    assert.equal(machine.of('spdm'), [], name);
    machine.reach('connected');
  }
  const answered: [name: string, payload: Uint8Array, type: number][] = [
    ['no SPDM', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4), SPDM],
    ['empty', new Uint8Array(0), SPDM],
    ['a record of no session', new Uint8Array(64).fill(0xa5), 2],
    ['a record cut short', Uint8Array.of(1, 2, 3, 4), 2],
  ];
  for (const [name, payload, type] of answered) {
    const machine = machineAt('enumerated');
    const raw = new Raw(machine);
    machine.forget();
    raw.go(objectOf(payload, type));
    machine.pass(S);
    const [, answer] = machine.of('spdm');
    assert.is(answer?.bytes[1], 0x7f, name);
    raw.write(DoeRegisters.CONTROL, ABORT);
    machine.reach('connected');
  }
});

test('Abort before the DSM has looked: the object was never there', () => {
  const machine = machineAt('connected');
  const raw = new Raw(machine);
  machine.forget();
  raw.go(objectOf(GET_VERSION));
  raw.write(DoeRegisters.CONTROL, ABORT);
  assert.is(raw.status & (READY | BUSY | ERROR), 0);
  machine.pass(S);
  assert.equal(machine.of('spdm'), []);
  assert.equal(machine.of('session'), [], 'GET_VERSION would have ended the session');
  assert.is(
    machine.run(() => machine.tsm.heartbeat()),
    true,
  );
});

test('Abort while it works: no answer comes, the next object gets its own', () => {
  const machine = machineAt('enumerated');
  const raw = new Raw(machine);
  machine.forget();
  raw.go(objectOf(GET_VERSION));
  machine.pass(PROCESSING + US);
  assert.is(machine.of('spdm').length, 1);
  raw.write(DoeRegisters.CONTROL, ABORT);
  machine.pass(S);
  assert.is(raw.status & (READY | BUSY | ERROR), 0);
  machine.reach('connected');
});

test('no HEARTBEAT for two periods: session over, stream Insecure, TDI in ERROR, DMA stopped', () => {
  const machine = machineAt('run');
  const established = machine.records.find((record) => record.kind === 'session')!.time;
  machine.forget();
  machine.kernel.run(established + HEARTBEAT_LIMIT - 1);
  assert.is(machine.state, 'RUN');
  machine.kernel.run(established + HEARTBEAT_LIMIT);
  assert.equal(
    machine.of('session').map(({ state, reason }) => [state, reason]),
    [['ended', 'heartbeat expired']],
  );
  assert.is(machine.endpoint.ide.streams[0]!.secure, false);
  assert.is(machine.state, 'ERROR');
  assert.is(machine.endpoint.ide.streams[0]!.keys.any, false);
  const address = machine.address(2, 0);
  assert.not(machine.run(() => machine.complex.mmioRead(address, 4, true)).ok);
});

test('each HEARTBEAT gives two periods more', () => {
  const machine = machineAt('connected', { scenario: scenarioWith(['time: 30s', 'time: 300s']) });
  for (let beat = 0; beat < 3; beat++) {
    machine.pass(19 * S);
    assert.is(
      machine.run(() => machine.tsm.heartbeat()),
      true,
      `beat ${beat}`,
    );
  }
  const beats = machine.records.filter(({ kind }) => kind === 'spdm');
  const asked = beats.at(-2)!.time;
  machine.kernel.run(asked + HEARTBEAT_LIMIT - 1);
  assert.is(machine.of('session').length, 1);
  machine.kernel.run(asked + HEARTBEAT_LIMIT);
  assert.is(machine.of('session').at(-1)!.reason, 'heartbeat expired');
});

test('a device without heartbeats never expires a session', () => {
  const profile = profileWith(['heartbeat-period: 10', 'heartbeat-period: 0']);
  const machine = machineAt('connected', { profile });
  machine.pass(25 * S);
  assert.is(machine.of('session').length, 1);
});

/** Ways a session ends with a TDI in RUN. */
const endings: [name: string, end: (machine: Machine) => void][] = [
  ['END_SESSION', (machine) => machine.run(() => machine.tsm.disconnect())],
  [
    'GET_VERSION outside the session',
    (machine) => {
      new Raw(machine).go(objectOf(GET_VERSION));
      machine.pass(MS);
    },
  ],
  [
    'a record that does not open',
    (machine) => {
      const { id } = machine.tsm.liveSession;
      const record = new Uint8Array(40);
      new DataView(record.buffer).setUint32(0, id, true);
      record[6] = 32;
      new Raw(machine).go(objectOf(record, 2));
      machine.pass(MS);
    },
  ],
];
for (const [name, end] of endings)
  test(`${name} while in RUN takes stream and TDI with the session`, () => {
    const machine = machineAt('run');
    machine.forget();
    end(machine);
    assert.is(machine.of('session').at(-1)?.state, 'ended');
    assert.is(machine.endpoint.ide.streams[0]!.secure, false);
    assert.is(machine.state, 'ERROR');
    // Nothing of the order is left to chance: session, then its stream, then what was bound to it.
    const order = machine.records
      .filter(
        ({ kind, source }) => /^(session|ide-stream|tdi)$/.test(kind) && source !== 'root-port',
      )
      .map(({ kind }) => kind);
    assert.equal(order, ['session', 'ide-stream', 'tdi']);
  });

test('after the session is gone the next one may STOP the TDI, key anew and run it', () => {
  const machine = machineAt('run');
  machine.assignment.withdraw();
  machine.run(() => machine.tsm.disconnect());
  assert.is(machine.state, 'ERROR');
  machine.run(function* () {
    const blocks = yield* machine.tsm.authenticate(0);
    assert.not(isPeerFault(blocks));
    const session = yield* machine.tsm.connect(0);
    assert.not(isPeerFault(session));
    assert.is(yield* machine.assignment.stop(), true);
  });
  assert.is(machine.state, 'CONFIG_UNLOCKED');
  const again = machine.run(() => machine.tsm.tearDownStream());
  assert.not(isPeerFault(again));
  machine.backTo('connected').reach('run');
  assert.is(machine.state, 'RUN');
});

test.run();
