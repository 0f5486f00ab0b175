import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { registerEvent } from '../../devices/register-tracking.ts';
import type { TdiState } from '../../protocols/tdisp/index.ts';
import { type Machine, machineAt } from './machine.ts';

const test = suite('register tracking');

/** One configuration write to the guest's function: the bits to turn over, or the whole new DW. */
interface Write {
  readonly name: string;
  /** capability it stands in; none: the header */
  readonly capability?: string;
  readonly offset: number;
  readonly flip?: number;
  readonly set?: number;
  readonly byteEnable?: number;
  readonly to: 'ERROR' | 'same';
}

const express = (name: string, flip: number, to: Write['to']): Write => ({
  ...{ name, capability: 'Express', offset: 8, flip, byteEnable: 0x3, to },
});

const writes: readonly Write[] = [
  { name: 'MSE cleared', offset: 0x04, flip: 0x2, byteEnable: 0x3, to: 'ERROR' },
  { name: 'BME cleared', offset: 0x04, flip: 0x4, byteEnable: 0x3, to: 'ERROR' },
  { name: 'INTx disabled', offset: 0x04, flip: 0x400, byteEnable: 0x3, to: 'same' },
  { name: 'SERR# enabled', offset: 0x04, flip: 0x100, byteEnable: 0x3, to: 'same' },
  { name: 'Command as it was', offset: 0x04, flip: 0, byteEnable: 0x3, to: 'same' },
  { name: 'Command, no byte enabled', offset: 0x04, set: 0, byteEnable: 0, to: 'same' },
  { name: 'Cache Line Size', offset: 0x0c, flip: 0x10, byteEnable: 0x1, to: 'same' },
  { name: 'BAR0', offset: 0x10, flip: 0x10000, to: 'ERROR' },
  { name: 'BAR0 sized', offset: 0x10, set: 0xffffffff, to: 'ERROR' },
  { name: 'BAR0 low bits, which are read-only', offset: 0x10, flip: 0x0f0f, to: 'same' },
  { name: 'BAR0 as it was', offset: 0x10, flip: 0, to: 'same' },
  { name: 'BAR1, upper half of BAR0', offset: 0x14, flip: 1, to: 'ERROR' },
  { name: 'BAR2', offset: 0x18, flip: 0x100000, to: 'ERROR' },
  { name: 'BAR3, upper half of BAR2', offset: 0x1c, flip: 2, to: 'ERROR' },
  { name: 'BAR4, which is not there', offset: 0x20, set: 0xffffffff, to: 'same' },
  { name: 'Expansion ROM, which is not there', offset: 0x30, set: 0xffffffff, to: 'same' },
  { name: 'Interrupt Line', offset: 0x3c, flip: 0x5, byteEnable: 0x1, to: 'same' },
  { name: 'MSI-X Enable', capability: 'MSI-X', offset: 0, flip: 0x8000_0000, to: 'ERROR' },
  { name: 'MSI-X Function Mask', capability: 'MSI-X', offset: 0, flip: 0x4000_0000, to: 'ERROR' },
  { name: 'MSI-X Table, read-only', capability: 'MSI-X', offset: 4, flip: 0x1000, to: 'same' },
  express('Max_Payload_Size', 0x0060, 'ERROR'),
  express('Extended_Tag_Field_Enable', 0x0100, 'ERROR'),
  express('Max_Read_Request_Size', 0x1000, 'same'),
  express('Enable_Relaxed_Ordering', 0x0010, 'same'),
  express('Enable_No_Snoop', 0x0800, 'same'),
  express('Correctable_Error_Reporting_Enable', 0x0001, 'same'),
  { name: 'Device Status', capability: 'Express', offset: 8, flip: 0xf0000, to: 'same' },
  { name: 'D3hot', capability: 'Power Management', offset: 4, flip: 0x3, to: 'ERROR' },
  { name: 'D1, which it has not', capability: 'Power Management', offset: 4, flip: 1, to: 'same' },
];

function apply(machine: Machine, write: Write): void {
  const { capability, offset, flip, set, byteEnable = 0xf } = write;
  const at = (capability === undefined ? 0 : machine.capability(1, capability)) + offset;
  const { rid } = machine.tdi;
  machine.run(function* () {
    const before = yield* machine.complex.configRead(rid, at);
    const value = set ?? (before ^ (flip ?? 0)) >>> 0;
    yield* machine.complex.configWrite(rid, at, value, byteEnable);
  });
}

for (const from of ['locked', 'run'] as const)
  test(`each register, with the TDI ${from === 'run' ? 'in RUN' : 'locked'}`, () => {
    const state: TdiState = from === 'run' ? 'RUN' : 'CONFIG_LOCKED';
    let machine = machineAt(from);
    for (const write of writes) {
      assert.is(machine.state, state);
      machine.forget();
      apply(machine, write);
      assert.is(machine.state, write.to === 'ERROR' ? 'ERROR' : state, write.name);
      if (write.to === 'same') continue;
      assert.is(machine.of('tdi').length, 1, write.name);
      assert.is(machine.of('register-change').length > 0, true, write.name);
      // A TDI in ERROR has no way back but STOP.
      machine = machineAt(from);
    }
  });

test('a TDI that is not locked may be reprogrammed', () => {
  const machine = machineAt('secure');
  for (const write of writes) apply(machine, write);
  assert.is(machine.state, 'CONFIG_UNLOCKED');
  assert.equal(machine.of('tdi'), []);
  assert.equal(machine.of('register-change'), []);
});

test('the other function’s registers are its own', () => {
  const machine = machineAt('run');
  machine.run(function* () {
    yield* machine.complex.configWrite(0x0100, 0x04, 0, 0x3);
    yield* machine.complex.configWrite(0x0100, 0x10, 0xffffffff);
  });
  assert.is(machine.state, 'RUN');
});

test('setting an enable is no event, clearing it is', () => {
  const rows: [register: string, from: number, to: number, event: string | undefined][] = [
    ['Command.MSE', 1, 0, 'memory-space-disabled'],
    ['Command.MSE', 0, 1, 'memory-space-enabled'],
    ['Command.BME', 1, 0, 'bus-master-disabled'],
    ['Command.BME', 0, 1, 'bus-master-enabled'],
    ['BAR5', 0, 1, 'bar-changed'],
    ['Expansion ROM', 0, 1, 'expansion-rom-changed'],
    ['Expansion ROM.Enable', 0, 1, 'expansion-rom-changed'],
    ['PMCSR.PowerState', 0, 3, 'power-state-lost'],
    ['PMCSR.PowerState', 3, 0, undefined],
    ['PMCSR.PME_En', 0, 1, undefined],
    ['Link Control 2.Target_Link_Speed', 5, 1, undefined],
    ['Status.Detected_Parity_Error', 1, 0, undefined],
  ];
  for (const [register, from, to, event] of rows)
    assert.is(registerEvent(register, from, to), event, register);
});

const ideRows: [name: string, offset: number, value: number][] = [
  ['Enable cleared', 4, 0x01400000],
  ['Stream ID changed', 4, 0x02400001],
  ['RID association changed', 12, 0x0000ff00],
];
for (const [name, offset, value] of ideRows)
  test(`IDE registers of the bound stream at the device: ${name}`, () => {
    const machine = machineAt('run');
    const block = machine.tsm.liveStream.endpoint.end;
    const at = block.base + block.block + offset;
    machine.run(() => machine.complex.configWrite(0x0100, at, value));
    assert.is(machine.endpoint.ide.streams[0]!.secure, false);
    assert.is(machine.state, 'ERROR');
  });

test.run();
