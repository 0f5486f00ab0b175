import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { findEnd } from '../../../devices/host/ide-setup.ts';
import { isPeerFault } from '../../../protocols/codec/refusal.ts';
import { type Machine, machineAt, STREAM_ID } from '../machine.ts';

const test = suite('host: IDE registers');

const IDE = 'Integrity & Data Encryption';
const CONTROL = 4;
const STATUS = 8;

/** DWs of the selective block at both ends: capability, control, status, RID 1 and 2, addresses. */
function blocks(machine: Machine) {
  const { rootPort, endpoint } = machine.tsm.liveStream;
  const dws = ({ end }: typeof rootPort) =>
    machine.run(function* () {
      const out: number[] = [];
      for (let i = 0; i < 5 + 3 * end.addressAssociations; i++) {
        const at = end.base + end.block + 4 * i;
        out.push((yield* machine.complex.configRead(end.rid, at)) >>> 0);
      }
      return out;
    });
  return { root: dws(rootPort), device: dws(endpoint) };
}

test('a secure stream’s registers at both ports', () => {
  const machine = machineAt('secure');
  const { root, device } = blocks(machine);
  assert.equal(
    root,
    [
      3, // three address associations
      0x01000001, // Stream ID 1, Enable
      0x00000002, // Secure
      0x00010100, // RID Limit 01:00.1
      0x00010001, // RID Base 01:00.0, Valid
      0xc000_0001 | 0xc0000, // memory limit and base C00xxxxxh, Valid
      0x00000000,
      0x00000000,
      0x00100001, // prefetchable, 2 MiB from 80_0000_0000h
      0x00000080,
      0x00000080,
      0,
      0,
      0,
    ].map((dw) => dw >>> 0),
  );
  assert.equal(device, [
    3,
    0x01400001, // Default Stream too
    0x00000002,
    0x00000800, // the root port, 00:01.0
    0x00000801,
    ...new Array(9).fill(0),
  ]);
});

test('Enable stays clear until the keys are in; it is set at the device first', () => {
  const machine = machineAt('connected');
  const { endpoint, complex, context } = machine;
  const events: string[] = [];
  machine.kernel.bus.on('ide-key', ({ source, data }) => events.push(`${source} ${data.event}`));
  machine.kernel.bus.on('ide-stream', ({ source, data }) => events.push(`${source} ${data.to}`));
  const enabledBefore: boolean[] = [];
  machine.kernel.bus.on('ide-key', () => {
    enabledBefore.push(endpoint.ide.streams[0]!.enabled, complex.rootPort.ide.streams[0]!.enabled);
  });
  machine.reach('secure');
  assert.is(context.streamId, STREAM_ID);
  assert.ok(enabledBefore.every((enabled) => !enabled));
  assert.is(events.filter((each) => each.endsWith('programmed')).length, 12);
  assert.is(events.filter((each) => each.endsWith('go')).length, 12);
  assert.equal(events.slice(-2), ['endpoint.port SECURE', 'root-port SECURE']);
});

test('tear-down clears both ends and leaves no key', () => {
  const machine = machineAt('secure');
  const { rootPort, endpoint } = machine.tsm.liveStream;
  assert.is(
    machine.run(() => machine.tsm.tearDownStream()),
    true,
  );
  for (const { end } of [rootPort, endpoint]) {
    const read = (offset: number) =>
      machine.run(() => machine.complex.configRead(end.rid, end.base + end.block + offset));
    for (let i = 1; i < 5 + 3 * end.addressAssociations; i++) assert.is(read(4 * i), 0);
  }
  for (const port of [machine.endpoint.ide, machine.complex.rootPort.ide])
    assert.ok(port.streams.every((stream) => !stream.keys.any));
  assert.is(
    machine.run(() => machine.tsm.streamSecure()),
    false,
  );
});

test('status says Secure only while the stream is', () => {
  const machine = machineAt('secure');
  assert.ok(machine.run(() => machine.tsm.streamSecure()));
  const { end } = machine.tsm.liveStream.rootPort;
  const at = end.base + end.block;
  machine.run(() => machine.complex.configWrite(end.rid, at + CONTROL, 0x01000000));
  assert.is(machine.run(() => machine.complex.configRead(end.rid, at + STATUS)) & 0xf, 0);
  assert.not(machine.run(() => machine.tsm.streamSecure()));
});

test('capabilities that are none: another offset, and a device that is gone', () => {
  const machine = machineAt('enumerated');
  const base = machine.capability(0, IDE);
  const good = machine.run(() => findEnd(machine.complex, 0x0100, base));
  assert.not(isPeerFault(good));
  const wrong = machine.run(() => findEnd(machine.complex, 0x0100, 0x40));
  assert.ok(isPeerFault(wrong));
  machine.platform.link.interpose(() => () => []);
  const gone = machine.run(() => findEnd(machine.complex, 0x0100, base));
  assert.is(isPeerFault(gone) && gone.code, 'IDE_CAPABILITY');
});

test.run();
