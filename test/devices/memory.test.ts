import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { HostMemory, type MemoryKind } from '../../devices/memory.ts';
import type { SimRecords } from '../../devices/records.ts';
import { LocalError } from '../../protocols/codec/refusal.ts';
import { Kernel } from '../../sim/kernel/index.ts';

const test = suite('host memory');

const BASE: Readonly<Record<MemoryKind, number>> = {
  shared: 0x10000,
  private: 0x20000,
  host: 0x1_0000_0000,
};
const SIZE = 0x3000;

function setUp() {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const regions = (['shared', 'private', 'host'] as const).map((kind) => {
    return { name: kind, kind, base: BASE[kind], size: SIZE };
  });
  const memory = new HostMemory(kernel, regions);
  const refused: SimRecords['memory-refused'][] = [];
  kernel.bus.on('memory-refused', ({ data }) => refused.push(data));
  return { kernel, memory, refused };
}

const isLocal = (error: unknown) => error instanceof LocalError;
const ones = (size: number) => new Uint8Array(size).fill(0xff);

test('the host’s own loads: private memory is all ones and on record', () => {
  for (const kind of ['shared', 'private', 'host'] as const) {
    const { memory, refused } = setUp();
    const data = Uint8Array.of(1, 2, 3, 4);
    assert.ok(memory.write('01:00.1', true, BASE[kind] + 0xffe, data));
    const seen = memory.hostRead(BASE[kind] + 0xffe, 4);
    assert.equal(seen, kind === 'private' ? ones(4) : data, kind);
    const wanted = {
      ...{ by: 'host', address: BASE[kind] + 0xffe, write: false },
      reason: 'private to the guest',
    };
    assert.equal(refused, kind === 'private' ? [wanted] : []);
  }
});

test('the host cannot look into private memory from its edge', () => {
  const { memory, refused } = setUp();
  memory.guestWrite(BASE.private, Uint8Array.of(7));
  assert.equal(memory.hostRead(BASE.private - 4, 8), ones(8));
  assert.is(refused[0]!.reason, 'no memory there');
});

test('the guest’s CPU reaches private and shared memory, and nothing of the host’s', () => {
  const { memory } = setUp();
  const data = Uint8Array.of(9, 8, 7);
  for (const kind of ['shared', 'private'] as const) {
    memory.guestWrite(BASE[kind] + 5, data);
    assert.equal(memory.guestRead(BASE[kind] + 5, 3), data);
  }
  for (const address of [BASE.host, BASE.private + SIZE, BASE.private + SIZE - 2, 0]) {
    assert.throws(() => memory.guestRead(address, 3), isLocal);
    assert.throws(() => memory.guestWrite(address, data), isLocal);
  }
  assert.equal(memory.peek(BASE.host, 3), new Uint8Array(3));
});

test('devices read and write inside one region only, and each access is on record', () => {
  const { kernel, memory } = setUp();
  const seen: string[] = [];
  kernel.bus.on('memory-write', ({ data }) => seen.push(`write ${data.by} ${data.tee}`));
  kernel.bus.on('memory-read', ({ data }) => seen.push(`read ${data.by} ${data.tee}`));
  const last = BASE.shared + SIZE - 4;
  assert.ok(memory.write('01:00.1', true, last, new Uint8Array(4)));
  assert.not(memory.write('01:00.1', true, last, new Uint8Array(5)));
  assert.is(memory.read('01:00.1', false, last, 4)?.length, 4);
  assert.is(memory.read('01:00.1', false, last, 5), undefined);
  assert.is(memory.read('01:00.1', false, BASE.shared - 1, 2), undefined);
  assert.equal(seen, ['write 01:00.1 true', 'read 01:00.1 false']);
});

test('a record keeps the bytes written, whatever the writer does to them later', () => {
  const { kernel, memory } = setUp();
  let kept: Uint8Array = new Uint8Array(0);
  kernel.bus.on('memory-write', ({ data }) => {
    kept = data.data;
  });
  const data = Uint8Array.of(1, 2);
  memory.write('x', false, BASE.shared, data);
  data.fill(0);
  assert.equal(kept, Uint8Array.of(1, 2));
  memory.hostRead(BASE.shared, 2).fill(9);
  assert.equal(memory.peek(BASE.shared, 2), Uint8Array.of(1, 2));
});

test('sparse pages behave as one array', () => {
  const { memory } = setUp();
  const model = new Uint8Array(SIZE);
  const access = fc.tuple(
    fc.nat(SIZE - 1),
    fc.uint8Array({ minLength: 0, maxLength: 5000 }),
    fc.nat(SIZE - 1),
  );
  fc.assert(
    fc.property(access, ([at, data, from]) => {
      const part = data.subarray(0, SIZE - at);
      assert.ok(memory.write('d', false, BASE.shared + at, part));
      model.set(part, at);
      const size = Math.min(4100, SIZE - from);
      assert.equal(memory.peek(BASE.shared + from, size), model.slice(from, from + size));
    }),
    { seed: 1, numRuns: 60 },
  );
});

test('regions that overlap or are not whole pages are the caller’s mistake', () => {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const page = { name: 'a', kind: 'shared', base: 0x1000, size: 0x2000 } as const;
  const bad = [
    [{ ...page, base: 0x1001 }],
    [{ ...page, size: 0x1001 }],
    [{ ...page, size: 0 }],
    [page, { ...page, name: 'b', base: 0x2000 }],
  ];
  for (const regions of bad) assert.throws(() => new HostMemory(kernel, regions), isLocal);
  new HostMemory(kernel, [{ ...page, name: 'b', base: 0x3000 }, page]);
});

test.run();
