import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import type { Measured } from '../../../protocols/spdm/measurements.ts';
import { StepFailed } from '../../../sim/scenario/context.ts';
import type { Scenario } from '../../../sim/scenario/schema.ts';
import { stepAuthenticate } from '../../../sim/scenario/steps-connect.ts';
import { scenarioWith } from '../../sim/scenario/shipped.ts';
import { type Machine, machineAt } from '../machine.ts';

const test = suite('host: TSM');

const tamperedAt = (index: number): Scenario =>
  scenarioWith([
    'tdi: "01:00.1"',
    `tdi: "01:00.1"\n  tampered: [{ index: ${index}, text: other firmware }]`,
  ]);

/** What the step says against the device; undefined: nothing. */
function refusal(machine: Machine): string | undefined {
  return machine.run(function* () {
    try {
      yield* stepAuthenticate(machine.context, { slot: 0 });
      return undefined;
    } catch (error) {
      if (error instanceof StepFailed) return error.message;
      throw error;
    }
  });
}

test('measurements that are not the vendor’s: the device is turned away, by index', () => {
  for (const index of [1, 2, 5, 7]) {
    const machine = machineAt('enumerated', { scenario: tamperedAt(index) });
    assert.match(refusal(machine) ?? '', new RegExp(`measurements ${index} differ`));
    assert.is(machine.context.accepted, undefined);
  }
  assert.is(refusal(machineAt('enumerated')), undefined);
});

test('a device that changes its firmware after authentication is caught before it is accepted', () => {
  const machine = machineAt('locked');
  const items = machine.platform.measured as Measured[];
  items[1] = { ...items[1]!, content: new Uint8Array([1, 2, 3]) };
  const run = () => machine.reach('run');
  assert.throws(run, /measurements 2 differ/);
  assert.not(machine.assignment.grants(2, 0, 4));
  assert.is(machine.state, 'CONFIG_LOCKED');
});

test('summary and blocks must be of the same measurements', () => {
  const machine = machineAt('enumerated');
  const { spdm } = machine.endpoint.dsm;
  const { receive } = spdm;
  const items = machine.platform.measured as Measured[];
  spdm.receive = (packet) => {
    const outcome = receive.call(spdm, packet);
    // After CHALLENGE_AUTH, and before the measurements are asked for.
    if (packet.bytes[1] === 0x83) items[0] = { ...items[0]!, content: new Uint8Array(4) };
    return outcome;
  };
  const blocks = machine.run(() => machine.tsm.authenticate(0));
  assert.is(isPeerFault(blocks) && blocks.code, 'SUMMARY');
});

test('a session is kept only with the device that was measured', () => {
  const machine = machineAt('enumerated');
  const blocks = machine.run(() => machine.tsm.authenticate(0));
  assert.not(isPeerFault(blocks));
  const items = machine.platform.measured as Measured[];
  items[0] = { ...items[0]!, content: new Uint8Array(4) };
  const session = machine.run(() => machine.tsm.connect(0));
  assert.is(isPeerFault(session) && session.code, 'SUMMARY');
  assert.is(machine.tsm.session, undefined);
  assert.is(machine.endpoint.dsm.spdm.state.sessions.size, 0);
});

test('an empty slot, and a root that is not trusted', () => {
  const machine = machineAt('enumerated');
  const empty = machine.run(() => machine.tsm.authenticate(3));
  assert.is(isPeerFault(empty) && empty.code, 'SLOT_EMPTY');
  const early = machineAt('enumerated', {
    scenario: scenarioWith(['epoch: 1767225600', 'epoch: 1600000000']),
  });
  const young = early.run(() => early.tsm.authenticate(0));
  assert.match(isPeerFault(young) ? young.code : 'none', /^CHAIN_/);
});

test('what needs a session says so', () => {
  const machine = machineAt('enumerated');
  assert.throws(() => machine.tsm.liveSession, /session/);
  assert.throws(() => machine.tsm.liveStream, /stream/);
  assert.is(
    machine.run(() => machine.tsm.streamSecure()),
    false,
  );
});

test('each keying draws keys of its own', () => {
  const machine = machineAt('secure');
  const keyIds = () => {
    const found = machine.run(() => machine.complex.mmioRead(machine.address(2, 0), 4, true));
    assert.ok(found.ok);
    const ids = new Set(machine.of('ide-seal').map(({ keyId }) => keyId));
    machine.forget();
    return ids;
  };
  const first = keyIds();
  assert.ok(first.size >= 2);
  machine.run(() => machine.tsm.tearDownStream());
  machine.forget();
  machine.backTo('connected').reach('secure');
  for (const id of keyIds()) assert.not(first.has(id));
});

test('disconnect: neither end keeps a key, and the root port’s loss is signalled', () => {
  const machine = machineAt('run');
  const { rootPort } = machine.complex;
  machine.assignment.withdraw();
  machine.run(() => machine.tsm.disconnect());
  for (const port of [rootPort.ide, machine.endpoint.ide])
    for (const stream of port.streams) assert.not(stream.keys.any);
  assert.is(rootPort.streamLost.value, 1);
  assert.is(machine.tsm.session, undefined);
});

test('IDE_KM and TDISP outside a session are refused by the device', () => {
  const machine = machineAt('secure');
  const { ideKm, tdisp } = machine.endpoint.dsm;
  for (const engine of [ideKm, tdisp]) {
    const { reply, effects } = engine.handle(new Uint8Array(16), undefined);
    assert.not(reply instanceof Uint8Array, engine.name);
    assert.equal(effects, []);
  }
});

test.run();
