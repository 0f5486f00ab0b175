import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Iommu, type IommuTable } from '../../devices/iommu.ts';
import { HostMemory } from '../../devices/memory.ts';
import type { SimRecords } from '../../devices/records.ts';
import { LocalError } from '../../protocols/codec/refusal.ts';
import { Kernel } from '../../sim/kernel/index.ts';

const test = suite('iommu');

const RID = 0x0101;
const SHARED = 0x10000;
const PRIVATE = 0x20000;
const HOST = 0x30000;
const PAGE = 0x1000;

function setUp() {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const memory = new HostMemory(kernel, [
    { name: 'shared', kind: 'shared', base: SHARED, size: 0x10000 },
    { name: 'private', kind: 'private', base: PRIVATE, size: 0x10000 },
    { name: 'host', kind: 'host', base: HOST, size: 0x10000 },
  ]);
  const iommu = new Iommu(kernel, memory);
  const faults: SimRecords['iommu-fault'][] = [];
  kernel.bus.on('iommu-fault', ({ data }) => faults.push(data));
  return { kernel, memory, iommu, faults };
}

/** Both tables map everything, one to one, except where told otherwise. */
function open(iommu: Iommu, tables: readonly IommuTable[] = ['legacy', 'trusted']) {
  for (const table of tables) {
    iommu.map(table, RID, { iova: SHARED, address: SHARED, size: 0x30000, writable: true });
    iommu.enable(table, RID, true);
  }
}

test('which memory a request reaches, by T, table and kind of region', () => {
  const rows: [tables: IommuTable[], tee: boolean, address: number, reason: string][] = [
    [['legacy', 'trusted'], false, SHARED, ''],
    [['legacy', 'trusted'], false, HOST, ''],
    [['legacy', 'trusted'], false, PRIVATE, 'T=0 to private memory'],
    [['legacy', 'trusted'], false, PRIVATE + 0xfff0, 'T=0 to private memory'],
    [['legacy', 'trusted'], true, SHARED, ''],
    [['legacy', 'trusted'], true, PRIVATE, ''],
    [['legacy', 'trusted'], true, HOST, ''],
    [['legacy'], true, PRIVATE, 'trusted context of 01:00.1 is closed'],
    [['legacy'], true, SHARED, 'trusted context of 01:00.1 is closed'],
    [['trusted'], false, SHARED, 'legacy context of 01:00.1 is closed'],
    [['trusted'], true, PRIVATE, ''],
    [[], false, SHARED, 'legacy context of 01:00.1 is closed'],
    [[], true, PRIVATE, 'trusted context of 01:00.1 is closed'],
  ];
  for (const [tables, tee, iova, reason] of rows)
    for (const write of [false, true]) {
      const { iommu, faults } = setUp();
      open(iommu, tables);
      const got = iommu.translate(RID, tee, iova, 16, write);
      const name = `${tables.join('+')} T=${tee} ${iova.toString(16)} ${write ? 'write' : 'read'}`;
      assert.is(got.ok ? '' : got.reason, reason, name);
      if (got.ok) assert.is(got.address, iova, name);
      assert.equal(faults, reason === '' ? [] : [{ rid: RID, tee, iova, write, reason }], name);
    }
});

test('a context that is mapped and not enabled is closed, and closes again', () => {
  const { iommu } = setUp();
  iommu.map('trusted', RID, { iova: PRIVATE, address: PRIVATE, size: PAGE, writable: true });
  assert.not(iommu.translate(RID, true, PRIVATE, 4, true).ok);
  iommu.enable('trusted', RID, true);
  assert.ok(iommu.translate(RID, true, PRIVATE, 4, true).ok);
  iommu.enable('trusted', RID, false);
  assert.not(iommu.translate(RID, true, PRIVATE, 4, true).ok);
});

test('a context is of one Requester ID', () => {
  const { iommu } = setUp();
  open(iommu);
  for (const rid of [0x0100, 0x0102, 0x0201])
    assert.not(iommu.translate(rid, true, PRIVATE, 4, false).ok);
});

test('clear forgets the mappings too', () => {
  const { iommu } = setUp();
  open(iommu);
  iommu.clear('trusted', RID);
  assert.is(iommu.isEnabled('trusted', RID), false);
  iommu.enable('trusted', RID, true);
  const got = iommu.translate(RID, true, PRIVATE, 4, false);
  assert.is(got.ok ? '' : got.reason, 'iova is not mapped (trusted)');
  assert.ok(iommu.translate(RID, false, SHARED, 4, false).ok, 'the other table stays');
});

test('read-only mappings, offsets, and the ends of a mapping', () => {
  const { iommu } = setUp();
  iommu.map('trusted', RID, { iova: 0x7000, address: PRIVATE, size: PAGE, writable: false });
  iommu.map('trusted', RID, { iova: 0x8000, address: SHARED, size: PAGE, writable: true });
  iommu.enable('trusted', RID, true);
  const at = (iova: number, length: number, write: boolean) => {
    const got = iommu.translate(RID, true, iova, length, write);
    return got.ok ? got.address : got.reason;
  };
  assert.is(at(0x7ffc, 4, false), PRIVATE + 0xffc);
  assert.is(at(0x7000, 4096, false), PRIVATE);
  assert.is(at(0x7000, 4, true), 'mapping is read-only (trusted)');
  assert.is(at(0x8010, 4, true), SHARED + 0x10);
  assert.is(at(0x6fff, 2, false), 'iova is not mapped (trusted)');
  assert.is(at(0x6fff, 1, false), 'iova is not mapped (trusted)');
  assert.is(at(0x9000, 1, false), 'iova is not mapped (trusted)');
  // Two mappings side by side lead to different places: one request may not span them.
  assert.is(at(0x7ffc, 8, false), 'iova is not mapped (trusted)');
  assert.is(
    at(0x7fff, 0, false),
    PRIVATE + 0xfff,
    'a zero-length read is translated like one byte',
  );
});

test('a T=0 request over the edge into private memory gets nothing of it', () => {
  const { iommu, memory } = setUp();
  open(iommu);
  memory.guestWrite(PRIVATE, Uint8Array.of(1, 2, 3, 4));
  const got = iommu.translate(RID, false, PRIVATE - 4, 8, false);
  if (got.ok) {
    assert.is(memory.read('01:00.1', false, got.address, 8), undefined);
    assert.is(memory.write('01:00.1', false, got.address, new Uint8Array(8)), false);
  }
  assert.equal(memory.peek(PRIVATE, 4), Uint8Array.of(1, 2, 3, 4));
});

test('records: mapping, opening and closing, once each', () => {
  const { kernel, iommu } = setUp();
  const seen: string[] = [];
  kernel.bus.on('iommu-map', ({ data }) => seen.push(`map ${data.table}`));
  kernel.bus.on('iommu-context', ({ data }) => seen.push(`${data.table} ${data.enabled}`));
  open(iommu, ['trusted']);
  iommu.enable('trusted', RID, true);
  iommu.clear('trusted', RID);
  iommu.clear('trusted', RID);
  assert.equal(seen, ['map trusted', 'trusted true', 'trusted false']);
});

test('a mapping that is not whole pages is the caller’s mistake', () => {
  const { iommu } = setUp();
  const good = { iova: SHARED, address: SHARED, size: PAGE, writable: true };
  for (const bad of [{ iova: 1 }, { address: 0x800 }, { size: 100 }])
    assert.throws(
      () => iommu.map('legacy', RID, { ...good, ...bad }),
      (error: unknown) => error instanceof LocalError,
    );
});

test.run();
