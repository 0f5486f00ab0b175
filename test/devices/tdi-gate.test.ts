import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { completerTable, requesterTable } from '../../devices/tdi-gate.ts';
import { type TdiState, tdiStates } from '../../protocols/tdisp/index.ts';
import { memoryRead, memoryWrite, typeOf } from '../../protocols/tlp/index.ts';
import { US } from '../../sim/kernel/index.ts';
import { type Machine, machineAt, type Point, STREAM_ID } from './machine.ts';

const test = suite('TDI gate');

const TEE_BAR = 2;
/** the status page: BAR 0, page 1 */
const NON_TEE = 0x1000;
const ROOT = 0x0008;

const points: Readonly<Record<TdiState, Point>> = {
  CONFIG_UNLOCKED: 'secure',
  CONFIG_LOCKED: 'locked',
  RUN: 'run',
  ERROR: 'run',
};

function inState(state: TdiState): Machine {
  const machine = machineAt(points[state]);
  const { dsm } = machine.endpoint;
  if (state === 'ERROR') dsm.apply(dsm.tdisp.event(machine.tdi.rid, 'security-posture-changed'));
  assert.is(machine.state, state);
  machine.forget();
  return machine;
}

/** How a request came: on which stream, with which T. */
const ways = [
  { name: 'T=1 on the bound stream', tee: true, streamId: STREAM_ID },
  { name: 'T=0 on the bound stream', tee: false, streamId: STREAM_ID },
  { name: 'T=1 on another stream', tee: true, streamId: 2 },
  { name: 'T=0 on another stream', tee: false, streamId: 2 },
  { name: 'without IDE', tee: false, streamId: undefined },
] as const;

/** PCIe Base 6.x 11.2.4, written out: to TEE memory only in RUN, only T=1, only on the bound stream. */
function allowed(state: TdiState, way: (typeof ways)[number], page: 'TEE' | 'non-TEE'): boolean {
  if (page === 'non-TEE' || state === 'CONFIG_UNLOCKED') return true;
  return state === 'RUN' && way.tee && way.streamId === STREAM_ID;
}

function upstreamTypes(machine: Machine): string[] {
  const types: string[] = [];
  machine.kernel.bus.on('tlp', ({ data }) => {
    const ide = data.bytes[0] === 0x92;
    if (data.direction === 'upstream')
      types.push(typeOf(ide ? data.bytes.subarray(4) : data.bytes));
  });
  return types;
}

test('writes: every state, T, stream and page', () => {
  for (const state of tdiStates) {
    const machine = inState(state);
    for (const page of ['TEE', 'non-TEE'] as const) {
      const address =
        page === 'TEE' ? machine.address(TEE_BAR, 0x100) : machine.address(0, NON_TEE);
      const space = machine.device.spaces.get(page === 'TEE' ? TEE_BAR : 0)!;
      const offset = page === 'TEE' ? 0x100 : NON_TEE;
      for (const [i, way] of ways.entries()) {
        machine.forget();
        space.write(offset, new Uint8Array(4), () => true);
        const data = Uint8Array.of(0xa0 + i, 1, 2, 3);
        const tlp = memoryWrite({ requesterId: ROOT, address, data });
        const { tee, streamId } = way;
        machine.endpoint.port.options.onRequest({ tlp, tee, streamId });
        machine.pass(US);
        const name = `${state}, ${page} page, ${way.name}`;
        const passes = allowed(state, way, page);
        assert.equal(space.read(offset, 4), passes ? data : new Uint8Array(4), name);
        assert.is(machine.of('mmio-refused').length, passes ? 0 : 1, name);
        assert.is(machine.state, state, `${name}: a refused access is no error`);
      }
    }
  }
});

test('reads: what is refused is answered with UR and none of the data', () => {
  for (const state of tdiStates) {
    const machine = inState(state);
    machine.device.local.bytes.fill(0x5c);
    const types = upstreamTypes(machine);
    for (const page of ['TEE', 'non-TEE'] as const) {
      const address = page === 'TEE' ? machine.address(TEE_BAR, 0) : machine.address(0, NON_TEE);
      for (const way of ways) {
        // On a stream that the port does not have, no completion can go back.
        if (way.streamId === 2) continue;
        types.length = 0;
        const tlp = memoryRead({ requesterId: ROOT, tag: 200, address, length: 4 });
        const { tee, streamId } = way;
        machine.endpoint.port.options.onRequest({ tlp, tee, streamId });
        machine.pass(US);
        const passes = allowed(state, way, page);
        assert.equal(types, [passes ? 'CplD' : 'Cpl'], `${state}, ${page} page, ${way.name}`);
      }
    }
  }
});

test('through the fabric: guest and host at each state', () => {
  const rows: [state: TdiState, tee: boolean, bar: number, offset: number, ok: boolean][] = [
    ['CONFIG_UNLOCKED', true, TEE_BAR, 0, true],
    ['CONFIG_UNLOCKED', false, TEE_BAR, 0, true],
    ['CONFIG_LOCKED', true, TEE_BAR, 0, false],
    ['CONFIG_LOCKED', false, TEE_BAR, 0, false],
    ['CONFIG_LOCKED', false, 0, 0, false],
    ['CONFIG_LOCKED', false, 0, NON_TEE, true],
    ['RUN', true, TEE_BAR, 0, true],
    ['RUN', true, 0, 0x14, true],
    ['RUN', true, 0, NON_TEE, true],
    ['RUN', false, TEE_BAR, 0, false],
    ['RUN', false, 0, 0x14, false],
    ['RUN', false, 0, 0x8000, false],
    ['RUN', false, 0, NON_TEE, true],
    ['ERROR', true, TEE_BAR, 0, false],
    ['ERROR', false, TEE_BAR, 0, false],
    ['ERROR', false, 0, NON_TEE, true],
  ];
  const machines = new Map(tdiStates.map((state) => [state, inState(state)]));
  for (const [state, tee, bar, offset, ok] of rows) {
    const machine = machines.get(state)!;
    const address = machine.address(bar, offset);
    const got = machine.run(() => machine.complex.mmioRead(address, 4, tee));
    const name = `${state} T=${tee} BAR${bar}+${offset.toString(16)}`;
    assert.is(got.ok, ok, `${name}: ${got.reason}`);
    if (!ok) assert.equal(got.data, new Uint8Array(4).fill(0xff), name);
  }
});

test('a request that starts in a non-TEE page cannot end in a TEE page', () => {
  const machine = inState('RUN');
  const secret = Uint8Array.of(1, 2, 3, 4);
  machine.device.spaces.get(0)!.write(NON_TEE - 4, secret, () => true);
  // 8 bytes from the last DW of the status page on, which a builder would refuse to make
  const good = {
    requesterId: ROOT,
    tag: 9,
    address: machine.address(0, NON_TEE + 0xff0),
    length: 8,
  };
  const tlp = memoryRead(good);
  tlp[tlp.length - 1] = 0xfc;
  const write = memoryWrite({ ...good, data: new Uint8Array(8).fill(7) });
  write[11] = 0xfc;
  const types = upstreamTypes(machine);
  for (const each of [tlp, write]) machine.endpoint.port.receive(each);
  machine.pass(US);
  assert.equal(types, []);
  assert.equal(
    machine.of('tlp-dropped').map((each) => each.code),
    ['MALFORMED_TLP', 'MALFORMED_TLP'],
  );
});

test('the tables: TEE memory in RUN alone, T=1 in RUN alone, nothing while locked or in ERROR', () => {
  for (const state of tdiStates) {
    const { 'tee-bound': bound, other } = completerTable[state];
    assert.is(bound, state === 'RUN' || state === 'CONFIG_UNLOCKED' ? 'accept' : 'reject');
    assert.is(other, state === 'CONFIG_UNLOCKED' ? 'accept' : 'reject');
    const wanted = {
      CONFIG_UNLOCKED: false,
      RUN: true,
      CONFIG_LOCKED: undefined,
      ERROR: undefined,
    };
    assert.is(requesterTable[state], wanted[state]);
  }
});

test.run();
