/** The event queue against its plain reference, in order, under ties, bursts, skew and cancelling. */

import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { EventQueue, PRIORITY_MAX, PRIORITY_MIN } from '../../../sim/kernel/queue.ts';
import { Random } from '../../../sim/kernel/random.ts';
import { ReferenceQueue } from './queue-reference.ts';

const SHAPES: Readonly<Record<string, (random: Random) => number>> = {
  uniform: (random) => random.below(1_000_000),
  'all equal': () => 0,
  'clock-aligned': (random) => 1000 * random.below(4),
  'same delay': () => 4000,
  bimodal: (random) => (random.chance(9, 10) ? random.below(100) : 1e11 + random.below(1e6)),
  'ten decades': (random) => random.below(10 ** (1 + random.below(10))),
  'every second far': (random) => (random.u32() % 2) * 1e11 + random.below(50),
};

/** Drives queue and reference side by side; every answer must be the same. */
class Pair {
  readonly queue = new EventQueue();
  readonly reference = new ReferenceQueue();
  private readonly slots = new Map<number, [slot: number, tie: number]>();
  private readonly ids: number[] = [];
  private count = 0;
  now = 0;

  push(delay: number, priority: number): void {
    const id = this.count++;
    const slot = this.queue.push(this.now + delay, priority);
    this.ids[slot] = id;
    this.slots.set(id, [slot, this.queue.tieOf(slot)]);
    this.reference.push(id, this.now + delay, priority);
  }

  pop(until?: number): boolean {
    const expected = this.reference.pop(until);
    const slot = this.queue.pop(until);
    if (expected === undefined) {
      assert.is(slot, -1);
      return false;
    }
    assert.is(this.ids[slot], expected.id);
    assert.is(this.queue.timeOf(slot), expected.time);
    this.now = Math.max(this.now, expected.time);
    return true;
  }

  cancel(choice: number): void {
    const id = choice % Math.max(1, this.count);
    const handle = this.slots.get(id);
    if (handle === undefined) return;
    assert.is(this.queue.cancel(...handle), this.reference.cancel(id));
  }

  check(): void {
    assert.is(this.queue.size, this.reference.size);
    assert.is(this.queue.peekTime(), this.reference.peekTime());
  }
}

const exact = suite('queue equals reference');

for (const [name, shape] of Object.entries(SHAPES))
  exact(`interleaved push, pop, cancel: ${name}`, () => {
    const scenario = fc.record({
      seed: fc.nat(),
      bursts: fc.array(
        fc.record({
          pushes: fc.oneof(fc.nat(6), fc.nat(60), fc.nat(600)),
          pops: fc.oneof(fc.nat(6), fc.nat(60), fc.nat(600)),
          cancels: fc.oneof(fc.constant(0), fc.nat(40)),
        }),
        { minLength: 1, maxLength: 12 },
      ),
    });
    fc.assert(
      fc.property(scenario, ({ seed, bursts }) => {
        const random = Random.fromSeed(seed);
        const pair = new Pair();
        for (const { pushes, pops, cancels } of bursts) {
          for (let i = 0; i < pushes; i++)
            pair.push(shape(random), random.chance(1, 8) ? random.between(-256, 255) : 0);
          for (let i = 0; i < cancels; i++) pair.cancel(random.u32());
          pair.check();
          for (let i = 0; i < pops; i++) {
            pair.pop(random.chance(1, 8) ? pair.now + random.below(1000) : undefined);
            if (random.chance(1, 3)) pair.push(shape(random), 0);
          }
        }
        while (pair.pop());
        pair.check();
      }),
      { seed: 1, numRuns: 25 },
    );
  });

exact('an event before those already popped still comes first', () => {
  const pair = new Pair();
  for (let i = 0; i < 300; i++) pair.push(i * 1000, 0);
  for (let i = 0; i < 150; i++) pair.pop();
  pair.now = 5;
  for (let i = 0; i < 50; i++) pair.push(i, 0);
  while (pair.pop());
});

exact.run();

const order = suite('queue order');

for (const [name, shape] of Object.entries(SHAPES))
  order(`100,000 events come out sorted: ${name}`, () => {
    const random = Random.fromSeed(name);
    const queue = new EventQueue();
    const expected: [time: number, tie: number][] = [];
    for (let i = 0; i < 100_000; i++) {
      const slot = queue.push(shape(random), random.below(3));
      expected.push([queue.timeOf(slot), queue.tieOf(slot)]);
    }
    expected.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
    for (const [time, tie] of expected) {
      const slot = queue.pop();
      if (queue.timeOf(slot) !== time || queue.tieOf(slot) !== tie)
        assert.unreachable(`expected ${time}/${tie}, got ${queue.timeOf(slot)}`);
    }
    assert.is(queue.pop(), -1);
  });

order('priority first, then sequence, among equal times', () => {
  const queue = new EventQueue();
  const slots = [0, PRIORITY_MAX, PRIORITY_MIN, 0, -1, 1].map((p) => queue.push(7, p));
  const popped = slots.map(() => queue.pop());
  assert.equal(
    popped,
    [2, 4, 0, 3, 5, 1].map((i) => slots[i]),
  );
});

order('pop keeps what is after `until`', () => {
  const queue = new EventQueue();
  queue.push(10, 0);
  assert.is(queue.pop(9), -1);
  assert.is(queue.peekTime(), 10);
  assert.is.not(queue.pop(10), -1);
});

order('times up to the last safe integer', () => {
  const queue = new EventQueue();
  const last = Number.MAX_SAFE_INTEGER;
  for (let i = 0; i < 200; i++) queue.push(last - i * 2 ** 40, 0);
  let before = -1;
  for (let i = 0; i < 200; i++) {
    const time = queue.timeOf(queue.pop());
    assert.ok(time > before);
    before = time;
  }
  assert.is(before, last);
});

order.run();

const cancelling = suite('queue cancel');

cancelling('once only, and not after the event, even if its slot is used again', () => {
  const queue = new EventQueue();
  const slot = queue.push(1, 0);
  const tie = queue.tieOf(slot);
  assert.is(queue.cancel(slot, tie), true);
  assert.is(queue.cancel(slot, tie), false);
  assert.is(queue.pop(), -1);
  const again = queue.push(2, 0);
  assert.is(again, slot);
  assert.is(queue.cancel(slot, tie), false);
  assert.is(queue.size, 1);
});

cancelling('a timeout set and cancelled 200,000 times does not pile up', () => {
  const queue = new EventQueue();
  let highest = 0;
  for (let i = 0; i < 200_000; i++) {
    const slot = queue.push(i + 1e12, 0);
    highest = Math.max(highest, slot);
    queue.cancel(slot, queue.tieOf(slot));
  }
  assert.is(queue.size, 0);
  assert.ok(highest < 1000, `slot ${highest} was used`);
});

cancelling.run();

const pace = suite('queue pace');

for (const [name, shape] of Object.entries(SHAPES))
  pace(`300,000 holds over 20,000 pending do not collapse: ${name}`, () => {
    const random = Random.fromSeed(1);
    const delays = Float64Array.from({ length: 4096 }, () => shape(random));
    const queue = new EventQueue();
    for (let i = 0; i < 20_000; i++) queue.push(delays[i % 4096]!, 0);
    const start = process.cpuUsage();
    for (let i = 0; i < 300_000; i++) {
      const time = queue.timeOf(queue.pop());
      queue.push((time + delays[i % 4096]!) % 2 ** 52, 0);
    }
    // A collapse costs minutes; the bound (us of CPU time) is far above any machine's noise.
    assert.ok(process.cpuUsage(start).user < 5_000_000);
  });

pace.run();
