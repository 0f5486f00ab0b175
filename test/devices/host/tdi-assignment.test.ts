import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isPeerFault, type PeerFault } from '../../../protocols/codec/refusal.ts';
import { RangeAttributes, type ReportFacts } from '../../../protocols/tdisp/index.ts';
import { S } from '../../../sim/kernel/index.ts';
import { type Machine, machineAt, STREAM_ID } from '../machine.ts';

const test = suite('host: TDI assignment');

const codeOf = (result: unknown): string | undefined =>
  isPeerFault(result) ? (result as PeerFault).code : undefined;

/** The guest may reach nothing, and the IOMMU lets no T=1 through. */
function assertClosed(machine: Machine, name: string): void {
  assert.not(machine.assignment.grants(2, 0, 4), `${name}: no grant`);
  assert.not(machine.platform.iommu.isEnabled('trusted', machine.tdi.rid), `${name}: IOMMU`);
}

const lock = (machine: Machine) => machine.run(() => machine.assignment.lock(STREAM_ID));
const readReport = (machine: Machine) => machine.run(() => machine.assignment.readReport());
const start = (machine: Machine) => machine.run(() => machine.assignment.start());
const stop = (machine: Machine) => machine.run(() => machine.assignment.stop());

test('the good way', () => {
  const machine = machineAt('secure');
  assert.is(lock(machine), true);
  assert.is(machine.state, 'CONFIG_LOCKED');
  assertClosed(machine, 'locked');
  assert.ok(readReport(machine) instanceof Uint8Array);
  assert.is(machine.assignment.judgeReport().ok, true);
  assertClosed(machine, 'judged');
  assert.is(machine.assignment.accept(), true);
  assert.ok(machine.assignment.grants(2, 0, 4));
  assert.not(machine.platform.iommu.isEnabled('trusted', machine.tdi.rid));
  assert.is(start(machine), true);
  assert.ok(machine.platform.iommu.isEnabled('trusted', machine.tdi.rid));
  assert.is(
    machine.run(() => machine.assignment.readState()),
    'RUN',
  );
});

test('the IOMMU opens after START and closes before STOP', () => {
  const machine = machineAt('locked');
  machine.forget();
  machine.reach('run');
  assert.is(stop(machine), true);
  const order = machine.records.flatMap(({ kind, data }) => {
    if (kind === 'tdi') return [(data as { to: string }).to];
    if (kind !== 'iommu-context') return [];
    return [`IOMMU ${(data as { enabled: boolean }).enabled}`];
  });
  assert.equal(order, ['RUN', 'IOMMU true', 'IOMMU false', 'CONFIG_UNLOCKED']);
  assertClosed(machine, 'stopped');
});

test('each step needs the one before', () => {
  const machine = machineAt('secure');
  const { assignment } = machine;
  assert.is(codeOf(start(machine)), 'NOT_ACCEPTED');
  assert.is(codeOf(assignment.accept()), 'REPORT_REFUSED');
  assert.throws(() => assignment.judgeReport(), /report/);
  assert.is(codeOf(readReport(machine)), 'TDISP_INVALID_INTERFACE_STATE');
  lock(machine);
  assert.is(codeOf(start(machine)), 'NOT_ACCEPTED');
  assert.is(codeOf(assignment.accept()), 'REPORT_REFUSED');
  readReport(machine);
  assert.is(codeOf(assignment.accept()), 'REPORT_REFUSED', 'read and not judged');
  assignment.judgeReport();
  assert.is(codeOf(start(machine)), 'NOT_ACCEPTED');
  assert.is(machine.state, 'CONFIG_LOCKED');
  assertClosed(machine, 'not accepted');
});

type Lie = (facts: ReportFacts) => ReportFacts;
const ranges =
  (edit: (list: ReportFacts['ranges']) => ReportFacts['ranges']): Lie =>
  (facts) => ({ ...facts, ranges: edit(facts.ranges) });
const lastOf = (list: ReportFacts['ranges']) => list[list.length - 1]!;

const lies: readonly [name: string, lie: Lie][] = [
  [
    'a BAR larger than it is',
    ranges((all) => [...all.slice(0, -1), { ...lastOf(all), pages: 512 }]),
  ],
  [
    'a BAR that is not there',
    ranges((all) => [...all.slice(0, -1), { ...lastOf(all), barIndex: 4 }]),
  ],
  [
    'memory before the BAR',
    ranges((all) => [
      ...all.slice(0, -1),
      { ...lastOf(all), address: lastOf(all).address - 0x100000n },
    ]),
  ],
  [
    'another function’s BAR',
    ranges((all) => [...all.slice(0, -1), { ...lastOf(all), address: 0x80_0000_0000n, pages: 16 }]),
  ],
  ['ATS is on', (facts) => ({ ...facts, interfaceInfo: facts.interfaceInfo | 0x8 })],
  ['DMA with PASID', (facts) => ({ ...facts, interfaceInfo: facts.interfaceInfo | 0x4 })],
];
for (const [name, lie] of lies)
  test(`a report that lies: ${name}`, () => {
    const machine = machineAt('secure');
    const { tdis } = machine.endpoint;
    const honest = tdis.reportFacts.bind(tdis);
    tdis.reportFacts = (functionId) => lie(honest(functionId));
    assert.is(lock(machine), true);
    assert.ok(readReport(machine) instanceof Uint8Array);
    const verdict = machine.assignment.judgeReport();
    assert.is(verdict.ok, false);
    assert.is(codeOf(machine.assignment.accept()), 'REPORT_REFUSED');
    assert.is(codeOf(start(machine)), 'NOT_ACCEPTED');
    assert.is(machine.state, 'CONFIG_LOCKED');
    assertClosed(machine, name);
  });

test('a non-TEE range is not granted, whatever the guest would like', () => {
  const machine = machineAt('secure');
  const { tdis } = machine.endpoint;
  const honest = tdis.reportFacts.bind(tdis);
  const all = ranges((list) =>
    list.map((each) => ({ ...each, attributes: RangeAttributes.IS_NON_TEE_MEM })),
  );
  tdis.reportFacts = (functionId) => all(honest(functionId));
  lock(machine);
  readReport(machine);
  machine.assignment.judgeReport();
  machine.assignment.accept();
  assert.is(codeOf(start(machine)), 'NOT_ACCEPTED');
  assertClosed(machine, 'nothing but non-TEE');
});

/** The nonce the TSM keeps; tests put another one in its place. */
const kept = (machine: Machine) =>
  machine.assignment as unknown as { nonce: Uint8Array | undefined };

function accepted(machine: Machine): Machine {
  readReport(machine);
  machine.assignment.judgeReport();
  assert.is(machine.assignment.accept(), true);
  return machine;
}

test('START with a nonce that is not the lock’s', () => {
  const flip = (nonce: Uint8Array, bit: number) =>
    nonce.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
  const rows: [name: string, wrong: (nonce: Uint8Array) => Uint8Array][] = [
    ['zeros', () => new Uint8Array(32)],
    ['first bit', (nonce) => flip(nonce, 0)],
    ['last bit', (nonce) => flip(nonce, 255)],
  ];
  for (const [name, wrong] of rows) {
    const machine = accepted(machineAt('locked'));
    kept(machine).nonce = wrong(kept(machine).nonce!);
    assert.is(codeOf(start(machine)), 'TDISP_INVALID_NONCE', name);
    assert.is(machine.state, 'CONFIG_LOCKED', name);
    assert.not(machine.platform.iommu.isEnabled('trusted', machine.tdi.rid), name);
    assert.is(codeOf(start(machine)), 'NOT_LOCKED', `${name}: used up`);
  }
});

test('the nonce of the lock before does not start this one', () => {
  const machine = machineAt('locked');
  const old = kept(machine).nonce!.slice();
  assert.is(stop(machine), true);
  assert.is(lock(machine), true);
  accepted(machine);
  assert.is.not(Buffer.from(old).compare(kept(machine).nonce!), 0);
  kept(machine).nonce = old;
  assert.is(codeOf(start(machine)), 'TDISP_INVALID_NONCE');
});

test('LOCK needs a stream that is Secure and keyed over this session', () => {
  const none = machineAt('connected');
  assert.is(codeOf(lock(none)), 'TDISP_INVALID_REQUEST');
  const disabled = machineAt('secure');
  const { end } = disabled.tsm.liveStream.endpoint;
  const at = end.base + end.block + 4;
  disabled.run(() => disabled.complex.configWrite(end.rid, at, 0x01400000));
  assert.is(codeOf(lock(disabled)), 'TDISP_INVALID_REQUEST');
  const other = machineAt('secure');
  assert.is(codeOf(other.run(() => other.assignment.lock(2))), 'TDISP_INVALID_REQUEST');
  for (const machine of [none, disabled, other]) {
    assert.is(machine.state, 'CONFIG_UNLOCKED');
    assertClosed(machine, 'not locked');
  }
});

test('LOCK needs MSE and BARs of its own', () => {
  const off = machineAt('secure');
  off.run(() => off.complex.configWrite(off.tdi.rid, 0x04, 0x4, 0x3));
  assert.is(codeOf(lock(off)), 'TDISP_INVALID_DEVICE_CONFIGURATION');
  const twin = machineAt('secure');
  const low = twin.context.machine.enumeration.functions[0]!.bars[0]!.address;
  twin.run(() => twin.complex.configWrite(twin.tdi.rid, 0x10, low));
  assert.is(codeOf(lock(twin)), 'TDISP_INVALID_DEVICE_CONFIGURATION');
  assert.is(twin.state, 'CONFIG_UNLOCKED');
});

test('a new lock forgets what was found good under the one before', () => {
  const machine = machineAt('run');
  const { dsm } = machine.endpoint;
  // A device may leave ERROR by itself once it has scrubbed (PCIe Base 6.x 11.2).
  for (const event of ['security-posture-changed', 'scrubbed'] as const)
    dsm.apply(dsm.tdisp.event(machine.tdi.rid, event));
  assert.is(machine.state, 'CONFIG_UNLOCKED');
  assert.is(lock(machine), true);
  assertClosed(machine, 'locked anew');
  assert.is(codeOf(machine.assignment.accept()), 'REPORT_REFUSED');
  assert.is(codeOf(start(machine)), 'NOT_ACCEPTED');
});

test('a report read again is to be judged again', () => {
  const machine = machineAt('locked');
  readReport(machine);
  assert.ok(machine.assignment.judgeReport().ok);
  readReport(machine);
  assert.is(codeOf(machine.assignment.accept()), 'REPORT_REFUSED');
});

test('the guest reaches what it was granted, and only from START to STOP', () => {
  const machine = machineAt('locked');
  const { guest } = machine;
  const read = (bar: number, offset: number, length = 4) =>
    machine.run(() => guest.read(bar, offset, length));
  const link = machine.platform.link.sent;
  const before = link.downstream.tlps;
  assert.match(read(2, 0).reason, /granted/);
  assert.is(link.downstream.tlps, before, 'not even tried');
  machine.reach('run');
  const rows: [bar: number, offset: number, length: number, ok: boolean][] = [
    [2, 0, 4, true],
    [2, 0xffffc, 4, true],
    [2, 0xffffc, 8, false],
    [2, 0x100000, 4, false],
    [0, 0, 4, true],
    [0, 0xffc, 8, false],
    [0, 0x1000, 4, false],
    [0, 0x2000, 4, true],
    [0, 0x8000, 16, true],
    [0, 0xfffc, 4, true],
    [0, 0x10000, 4, false],
    [0, -4, 4, false],
    [1, 0, 4, false],
    [4, 0, 4, false],
  ];
  for (const [bar, offset, length, ok] of rows) {
    assert.is(read(bar, offset, length).ok, ok, `BAR${bar}+${offset.toString(16)} ${length}`);
    const data = new Uint8Array(length);
    assert.is(machine.run(() => guest.write(bar, offset, data)).ok, ok);
  }
  stop(machine);
  assert.match(read(2, 0).reason, /granted/);
});

test('a device that goes silent, or a session that is over, is a fault at every step', () => {
  const steps: [name: string, step: (machine: Machine) => unknown][] = [
    ['lock', lock],
    ['report', readReport],
    ['start', start],
    ['state', (machine) => machine.run(() => machine.assignment.readState())],
    ['stop', stop],
  ];
  for (const [name, step] of steps) {
    const machine = machineAt(name === 'lock' ? 'secure' : 'locked');
    if (name === 'start') accepted(machine);
    const { mailbox } = machine.endpoint.dsm;
    const { respond } = mailbox;
    mailbox.respond = (ticket) => mailbox.drop(ticket);
    assert.is(codeOf(step(machine)), 'DOE_TIMEOUT', name);
    assert.not(machine.platform.iommu.isEnabled('trusted', machine.tdi.rid), name);
    mailbox.respond = respond;
    machine.pass(20 * S);
    assert.ok(codeOf(machine.run(() => machine.assignment.readState())) !== undefined, name);
  }
});

test.run();
