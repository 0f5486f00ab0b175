import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Link, type Transit } from '../../devices/link.ts';
import type { LinkDirection, SimRecords } from '../../devices/records.ts';
import { Kernel } from '../../sim/kernel/index.ts';

const test = suite('link');

interface Arrival {
  readonly time: number;
  readonly direction: LinkDirection;
  readonly bytes: Uint8Array;
}

function wire(generation: number, width: number, propagationPs: number) {
  const kernel = new Kernel<SimRecords>({ seed: 1 });
  const link = new Link(kernel, { name: 'link', generation, width, propagationPs });
  const arrivals: Arrival[] = [];
  for (const direction of ['downstream', 'upstream'] as const)
    link.connect(direction, (bytes) => arrivals.push({ time: kernel.now, direction, bytes }));
  return { kernel, link, arrivals };
}

const tlp = (size: number, fill = 0) => new Uint8Array(size).fill(fill);

// Bytes on the wire: the TLP and 8 of framing (none in flits); ps by hand from the rate of a lane.
const times: [generation: number, width: number, bytes: number, ps: number][] = [
  [1, 1, 12, 80_000], // 20 B at 4 ns
  [1, 16, 12, 5_000],
  [2, 4, 16, 12_000], // 24 B at 2 ns / 4
  [3, 1, 12, 20_313], // 20 B x 8 x 130/128 / 8 GT/s = 20312.5, rounded up
  [4, 8, 272, 17_774], // 280 B x 65/128 ns / 8 = 17773.4375
  [5, 16, 272, 4_444], // 280 B x 65/256 ns / 16 = 4443.36
  [5, 16, 292, 4_761], // the same with IDE prefix, MAC and 4 more: 300 B
  [6, 16, 236, 2_000], // one flit of 256 B at 128 GB/s
];

test('a TLP takes the time of its bytes and framing, then the propagation delay', () => {
  for (const [generation, width, bytes, ps] of times) {
    const { kernel, link, arrivals } = wire(generation, width, 5_000);
    link.send('downstream', tlp(bytes));
    kernel.run();
    assert.is(arrivals[0]!.time, ps + 5_000, `generation ${generation} x${width}, ${bytes} B`);
    assert.equal(link.sent.downstream, { tlps: 1, bytes });
    assert.equal(link.sent.upstream, { tlps: 0, bytes: 0 });
  }
});

test('TLPs sent at once leave back to back and in order', () => {
  const { kernel, link, arrivals } = wire(1, 1, 7);
  for (const [i, size] of [12, 16, 32].entries()) link.send('upstream', tlp(size, i));
  kernel.run();
  assert.equal(
    arrivals.map(({ time, bytes }) => [time, bytes[0]]),
    [
      [80_007, 0],
      [80_000 + 96_007, 1],
      [80_000 + 96_000 + 160_007, 2],
    ],
  );
});

test('a wire that was idle starts at once, one that is busy when it is free', () => {
  const { kernel, link, arrivals } = wire(1, 1, 0);
  link.send('downstream', tlp(12));
  kernel.schedule(30_000, () => link.send('downstream', tlp(12, 1)));
  kernel.schedule(500_000, () => link.send('downstream', tlp(12, 2)));
  kernel.run();
  assert.equal(
    arrivals.map((each) => each.time),
    [80_000, 160_000, 580_000],
  );
});

test('the two directions do not wait for each other', () => {
  const { kernel, link, arrivals } = wire(1, 1, 0);
  for (let i = 0; i < 3; i++) link.send('downstream', tlp(12));
  link.send('upstream', tlp(12));
  kernel.run();
  const up = arrivals.filter((each) => each.direction === 'upstream');
  assert.equal(
    up.map((each) => each.time),
    [80_000],
  );
});

test('the record is of the TLP as it left, when its last byte has', () => {
  const { kernel, link } = wire(1, 1, 9_000);
  const seen: [number, string, string][] = [];
  kernel.bus.on('tlp', ({ time, source, data }) => seen.push([time, source, data.direction]));
  link.interpose(() => () => []);
  link.send('upstream', tlp(12));
  kernel.run();
  assert.equal(seen, [[80_000, 'link', 'upstream']]);
});

test('an interposer drops, duplicates and changes', () => {
  const cases: [name: string, wrap: (next: Transit) => Transit, firsts: number[]][] = [
    ['drop', (next) => (bytes, way) => (bytes[0] === 1 ? [] : next(bytes, way)), [0, 2]],
    [
      'duplicate',
      (next) => (bytes, way) => (bytes[0] === 1 ? [bytes, bytes] : next(bytes, way)),
      [0, 1, 1, 2],
    ],
    [
      'change',
      (next) => (bytes, way) => next(bytes, way).map((each) => each.map((b) => b ^ 0x80)),
      [0x80, 0x81, 0x82],
    ],
  ];
  for (const [name, wrap, firsts] of cases) {
    const { kernel, link, arrivals } = wire(5, 16, 100);
    link.interpose(wrap);
    for (let i = 0; i < 3; i++) link.send('upstream', tlp(16, i));
    kernel.run();
    assert.equal(
      arrivals.map((each) => each.bytes[0]),
      firsts,
      name,
    );
  }
});

test('interposers nest: the one put first sees a TLP first, and each its direction', () => {
  const { kernel, link, arrivals } = wire(5, 16, 0);
  const log: string[] = [];
  const noting =
    (name: string) =>
    (next: Transit): Transit =>
    (bytes, direction) =>
      next(bytes, direction).map((each) => {
        log.push(`${name} ${direction} ${each[0]}`);
        return each.map((b) => b + 1);
      });
  link.interpose(noting('first'));
  link.interpose(noting('second'));
  link.send('downstream', tlp(12, 5));
  kernel.run();
  assert.equal(log, ['first downstream 5', 'second downstream 6']);
  assert.is(arrivals[0]!.bytes[0], 7);
});

test('what leaves under an interposer is what would leave without, for the next TLP', () => {
  const { kernel, link, arrivals } = wire(1, 1, 0);
  link.interpose((next) => (bytes, way) => (bytes[0] === 0 ? [] : next(bytes, way)));
  link.send('upstream', tlp(12, 0));
  link.send('upstream', tlp(12, 1));
  kernel.run();
  assert.equal(
    arrivals.map((each) => each.time),
    [160_000],
  );
});

test('a speed or width that does not exist is the caller’s mistake, told at once', () => {
  for (const [generation, width] of [
    [0, 16],
    [7, 16],
    [5, 3],
  ] as const)
    assert.throws(() => wire(generation, width, 0), /generation|width/);
});

test.run();
