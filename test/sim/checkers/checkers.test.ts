import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HostMemory } from '../../../devices/memory.ts';
import type { SimRecords } from '../../../devices/records.ts';
import { toHex } from '../../../protocols/codec/bytes.ts';
import { encodeIdePrefix, memoryWrite } from '../../../protocols/tlp/index.ts';
import { attachCheckers, type Checker } from '../../../sim/checkers/index.ts';
import { Kernel } from '../../../sim/kernel/index.ts';

/** A bus without a machine: records are put on it by hand, each at its own time. */
function bench() {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const memory = new HostMemory(kernel, [{ name: 'all', kind: 'private', base: 0, size: 1 << 20 }]);
  const names = { endpointPort: 'ep', rootPort: 'rp' };
  const checkers = attachCheckers({ kernel, memory, ...names });
  const emit = <K extends keyof SimRecords & string>(
    kind: K,
    source: string,
    data: SimRecords[K],
  ) => {
    kernel.schedule(1, () => kernel.bus.emit(kind, source, data));
    kernel.run();
  };
  const named = (name: string): Checker => checkers.find((checker) => checker.name === name)!;
  const finish = () => {
    for (const checker of checkers) checker.finish();
  };
  return { kernel, memory, emit, named, finish };
}

const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const RID = 0x0101;
const seal = { streamId: 1, subStream: 0, keyId: 'aabbccdd' };

/** What an IDE port would put on the wire; `body` in place of the ciphertext. */
function wireOf(body: Uint8Array): Uint8Array {
  const tlp = memoryWrite({ requesterId: RID, address: 0x1000, data: body });
  const prefix = encodeIdePrefix({
    prSentCounter: 0,
    streamId: 1,
    subStream: 0,
    pcrc: false,
    mac: true,
    keySet: 0,
    tee: true,
  });
  return Uint8Array.of(...prefix, ...tlp, ...new Uint8Array(12));
}

const plaintext = suite('no-plaintext');
plaintext('sees a sealed payload that went out as it was', () => {
  const { emit, named } = bench();
  const wire = wireOf(SECRET);
  emit('ide-seal', 'ep', { ...seal, iv: '00', payload: SECRET, wire });
  emit('tlp', 'link', { direction: 'upstream', bytes: wire });
  assert.is(named('no-plaintext').violations.length, 1);
});
plaintext('sees a secret that leaves again in a TLP without IDE', () => {
  const { emit, named } = bench();
  const hidden = SECRET.map((byte) => byte ^ 0x55);
  emit('ide-seal', 'ep', { ...seal, iv: '00', payload: SECRET, wire: wireOf(hidden) });
  const bytes = memoryWrite({ requesterId: RID, address: 0x2000, data: SECRET });
  emit('tlp', 'link', { direction: 'upstream', bytes });
  assert.match(named('no-plaintext').violations[0]!.detail, /plain MWr32 shows a sealed payload/);
});
plaintext('is content with ciphertext, and looked', () => {
  const { emit, named } = bench();
  const wire = wireOf(SECRET.map((byte) => byte ^ 0x55));
  emit('ide-seal', 'ep', { ...seal, iv: '00', payload: SECRET, wire });
  emit('tlp', 'link', { direction: 'upstream', bytes: wire });
  const { looked, violations } = named('no-plaintext');
  assert.equal([looked, violations.length], [1, 0]);
});
plaintext.run();

const iv = suite('unique-iv');
iv('sees an IV again under one key, of a stream or of a session', () => {
  const { emit, named } = bench();
  const payload = new Uint8Array(0);
  for (const value of ['01', '02', '01'])
    emit('ide-seal', 'ep', { ...seal, iv: value, payload, wire: payload });
  for (const value of ['01', '01'])
    emit('record-seal', 'tsm', { sessionId: 1, keyId: 'aabbccdd', iv: value });
  const { looked, violations } = named('unique-iv');
  assert.is(looked, 5);
  assert.equal(
    violations.map((each) => each.detail),
    ['key IDE aabbccdd meets IV 01 again', 'key SPDM aabbccdd meets IV 01 again'],
  );
});
iv.run();

const dma = suite('tee-dma-in-run');
const tdi = (to: 'RUN' | 'ERROR' | 'CONFIG_LOCKED') =>
  ({ functionId: RID, from: 'CONFIG_UNLOCKED', to, cause: 'test' }) as const;
dma('sees T=1 landing outside RUN', () => {
  const { emit, named } = bench();
  const write = { by: '01:00.1', tee: true, address: 0, data: SECRET };
  emit('memory-write', 'memory', write);
  emit('tdi', 'dsm', tdi('RUN'));
  emit('memory-write', 'memory', write);
  emit('tdi', 'dsm', tdi('ERROR'));
  emit('memory-read', 'memory', { by: '01:00.1', tee: true, address: 0, length: 4 });
  emit('memory-write', 'memory', { ...write, tee: false });
  emit('memory-write', 'memory', { ...write, by: 'guest' });
  const { looked, violations } = named('tee-dma-in-run');
  assert.is(looked, 3);
  assert.equal(
    violations.map((each) => each.detail),
    [
      'memory written with T=1 by 01:00.1 in CONFIG_UNLOCKED',
      'memory read with T=1 by 01:00.1 in ERROR',
    ],
  );
});
dma.run();

const secure = suite('run-implies-secure');
/** The records of a good start; each test leaves one out or adds one. */
function start(emit: ReturnType<typeof bench>['emit'], skip = '') {
  if (skip !== 'session')
    emit('session', 'dsm', { sessionId: 7, state: 'established', reason: '' });
  const key = {
    event: 'programmed',
    streamId: 1,
    direction: 'TX',
    subStream: 0,
    keySet: 0,
  } as const;
  if (skip !== 'key') emit('ide-key', 'ep', { ...key, sessionId: skip === 'own key' ? 8 : 7 });
  const stream = { streamId: 1, from: 'INSECURE_GO', to: 'SECURE', reason: '' };
  if (skip !== 'stream') emit('ide-stream', 'ep', stream);
  if (skip !== 'lock') emit('tdi-locked', 'dsm', { functionId: RID, sessionId: 7, streamId: 1 });
  emit('tdi', 'dsm', tdi('RUN'));
}
const gaps: [skip: string, wrong: RegExp][] = [
  ['session', /its session has ended/],
  ['key', /was keyed over sessions/],
  ['own key', /was keyed over sessions 8/],
  ['stream', /runs while stream 1 is undefined/],
  ['lock', /without ever having been locked/],
];
secure('is content with a TDI that runs as it should', () => {
  const { emit, named, finish } = bench();
  start(emit);
  finish();
  const { looked, violations } = named('run-implies-secure');
  assert.equal([looked, violations.length], [1, 0]);
});
for (const [skip, wrong] of gaps)
  secure(`sees what is missing: ${skip}`, () => {
    const { emit, named, finish } = bench();
    start(emit, skip);
    finish();
    assert.match(named('run-implies-secure').violations[0]!.detail, wrong);
  });
secure('sees a stream that falls while the TDI goes on', () => {
  const { emit, named, finish } = bench();
  start(emit);
  emit('ide-stream', 'ep', { streamId: 1, from: 'SECURE', to: 'INSECURE_FAILED', reason: '' });
  finish();
  assert.is(named('run-implies-secure').violations.length, 1);
});
secure('does not mind a cascade within one instant', () => {
  const { kernel, emit, named, finish } = bench();
  start(emit);
  kernel.schedule(1, () => {
    const fall = { streamId: 1, from: 'SECURE', to: 'INSECURE_FAILED', reason: '' };
    kernel.bus.emit('ide-stream', 'ep', fall);
    kernel.bus.emit('tdi', 'dsm', tdi('ERROR'));
  });
  kernel.run();
  finish();
  assert.equal(named('run-implies-secure').violations, []);
});
secure.run();

const complete = suite('dma-complete');
const posted = { functionId: RID, iova: 0, data: SECRET, tee: true };
complete('sees a write that vanished', () => {
  const { emit, named, finish } = bench();
  emit('dma-write', 'dma', posted);
  finish();
  assert.match(named('dma-complete').violations[0]!.detail, /1 DMA writes vanished/);
});
complete('counts a write refused by name as accounted for', () => {
  const { emit, named, finish } = bench();
  emit('dma-write', 'dma', posted);
  const bytes = memoryWrite({ requesterId: RID, address: 0, data: SECRET });
  emit('tlp-dropped', 'rp', { code: 'IOMMU_FAULT', reason: 'closed', bytes });
  finish();
  assert.equal(named('dma-complete').violations, []);
});
complete('sees other bytes in memory, and bytes nobody posted', () => {
  const { emit, memory, named } = bench();
  emit('dma-write', 'dma', posted);
  emit('memory-write', 'memory', { by: '01:00.1', tee: true, address: 64, data: SECRET });
  assert.match(named('dma-complete').violations[0]!.detail, /holds other bytes/);
  memory.write('01:00.1', true, 128, SECRET);
  assert.match(named('dma-complete').violations[1]!.detail, /wrote what no DMA posted/);
  assert.is(toHex(memory.peek(128, 2)), '0102');
});
complete.run();
