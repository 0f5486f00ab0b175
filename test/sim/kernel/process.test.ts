/** Processes: start, end, cancel, interrupt, and waiting for several things. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  anyOf,
  delay,
  Interrupt,
  Kernel,
  type KernelError,
  Resource,
  RunError,
  Signal,
  type Task,
  timeout,
} from '../../../sim/kernel/index.ts';

/** A kernel and a log of `text@time` lines. */
function setup(): { kernel: Kernel; log: string[]; note: (text: string) => void } {
  const kernel = new Kernel({ seed: 1 });
  const log: string[] = [];
  return { kernel, log, note: (text) => log.push(`${text}@${kernel.now}`) };
}

const processes = suite('process');

processes('starts through the queue, waits, returns a value', () => {
  const { kernel, log, note } = setup();
  const child = kernel.spawn('child', function* () {
    note('start');
    yield* delay(10);
    yield delay(5);
    return 'value';
  });
  kernel.spawn('parent', function* () {
    const value: string = yield* child.join();
    note(value);
    assert.is(yield* child.join(), 'value');
    note('again');
  });
  assert.equal(log, []);
  assert.is(child.state, 'ready');
  kernel.run();
  assert.equal(log, ['start@0', 'value@15', 'again@15']);
  assert.is(child.state, 'ended');
  assert.equal(child.outcome, { status: 'done', value: 'value' });
  assert.equal(kernel.processes, []);
});

processes('equal times resume in the order they were scheduled', () => {
  const { kernel, log, note } = setup();
  for (const name of ['a', 'b', 'c'])
    kernel.spawn(name, function* () {
      for (let i = 0; i < 2; i++) {
        yield* delay(10);
        note(name);
      }
    });
  kernel.run();
  assert.equal(log, ['a@10', 'b@10', 'c@10', 'a@20', 'b@20', 'c@20']);
});

processes('those stuck in a wait are listed', () => {
  const { kernel } = setup();
  const never = new Signal();
  kernel.spawn('stuck', function* () {
    yield* never.wait();
  });
  assert.is(kernel.run().reason, 'idle');
  assert.equal(
    kernel.processes.map(({ name, state }) => [name, state]),
    [['stuck', 'waiting']],
  );
});

processes('cancel runs finally blocks, which may wait, and nothing else', () => {
  const { kernel, log, note } = setup();
  const victim = kernel.spawn('victim', function* () {
    try {
      yield* delay(100);
      note('not reached');
    } finally {
      note('finally');
      yield* delay(5);
      note('cleaned');
    }
  });
  kernel.schedule(10, () => {
    assert.is(victim.cancel(), true);
    assert.is(victim.cancel(), false);
    assert.is(victim.interrupt('late'), false);
    note('cancelled');
  });
  assert.equal(kernel.run(), { reason: 'idle', events: 4, now: 15 });
  assert.equal(log, ['cancelled@10', 'finally@10', 'cleaned@15']);
  assert.equal(victim.outcome, { status: 'cancelled' });
  assert.is(victim.cancel(), false);
});

processes('cancel before the start runs nothing', () => {
  const { kernel, log, note } = setup();
  const victim = kernel.spawn('victim', function* () {
    note('ran');
    yield* delay(1);
  });
  victim.cancel();
  kernel.run();
  assert.equal(log, []);
  assert.equal(victim.outcome, { status: 'cancelled' });
});

processes('a process that cancels itself ends at its next wait', () => {
  const { kernel, log, note } = setup();
  const self = kernel.spawn('self', function* (): Task<void> {
    try {
      self.cancel();
      note('still here');
      yield* delay(10);
      note('not reached');
    } finally {
      note('finally');
    }
  });
  kernel.run();
  assert.equal(log, ['still here@0', 'finally@0']);
});

processes('interrupt is thrown at the wait and may be caught', () => {
  const { kernel, log, note } = setup();
  const worker = kernel.spawn('worker', function* () {
    try {
      yield* delay(100);
    } catch (error) {
      assert.instance(error, Interrupt);
      note(String((error as Interrupt).reason));
    }
    yield* delay(10);
    return 7;
  });
  kernel.schedule(30, () => {
    assert.is(worker.interrupt('link down'), true);
    assert.is(worker.interrupt('twice'), false);
  });
  kernel.run();
  assert.equal(log, ['link down@30']);
  assert.equal(worker.outcome, { status: 'done', value: 7 });
  assert.is(kernel.now, 40);
});

processes('an interrupt nobody catches ends the process, even through a finally that waits', () => {
  const { kernel } = setup();
  const worker = kernel.spawn('worker', function* () {
    try {
      yield* delay(100);
    } finally {
      yield* delay(1);
    }
  });
  kernel.schedule(30, () => worker.interrupt('reset'));
  assert.is(kernel.run().reason, 'idle');
  assert.equal(worker.outcome, { status: 'interrupted', reason: 'reset' });
});

processes('cancel overrides an interrupt on its way', () => {
  const { kernel, log, note } = setup();
  const worker = kernel.spawn('worker', function* () {
    try {
      yield* delay(100);
    } catch {
      note('caught');
    }
  });
  kernel.schedule(1, () => {
    worker.interrupt('x');
    assert.is(worker.cancel(), true);
  });
  kernel.run();
  assert.equal(log, []);
  assert.equal(worker.outcome, { status: 'cancelled' });
});

processes('joining a cancelled process throws into the joiner; ended() tells', () => {
  const { kernel, log, note } = setup();
  const victim = kernel.spawn('victim', function* () {
    yield* delay(100);
  });
  kernel.spawn('joiner', function* () {
    note((yield* victim.ended()).status);
    try {
      yield* victim.join();
    } catch (error) {
      assert.is((error as KernelError).code, 'JOINED_PROCESS_ENDED');
      note((error as Error).message);
    }
  });
  kernel.schedule(5, () => victim.cancel());
  kernel.run();
  assert.equal(log, ['cancelled@5', 'process "victim" was cancelled@5']);
});

processes('an exception in a finally block during cancel still ends the run', () => {
  const { kernel } = setup();
  const victim = kernel.spawn('victim', function* (): Task<void> {
    try {
      yield* delay(100);
    } finally {
      // biome-ignore lint/correctness/noUnsafeFinally: the case under test
      throw new Error('in finally');
    }
  });
  kernel.schedule(5, () => victim.cancel());
  assert.throws(
    () => kernel.run(),
    (error: unknown) => error instanceof RunError && /"victim".*in finally/.test(error.message),
  );
});

processes.run();

const several = suite('anyOf and timeout');

several('timeout gives the value or says that time is up', () => {
  const { kernel, log, note } = setup();
  const signal = new Signal<number>();
  kernel.spawn('p', function* () {
    const early = yield* timeout(signal.wait(), 10);
    note(early.timedOut ? 'up' : `value ${early.value}`);
    const late = yield* timeout(signal.wait(), 10);
    note(late.timedOut ? 'up' : `value ${late.value}`);
  });
  kernel.schedule(15, () => signal.fire(4));
  kernel.run();
  assert.equal(log, ['up@10', 'value 4@15']);
  assert.is(kernel.now, 15, 'the unused deadline is called off');
});

several('the first to settle calls off the others', () => {
  const { kernel, log, note } = setup();
  const a = new Signal<number>();
  const b = new Signal<string>();
  kernel.spawn('p', function* () {
    const first = yield* anyOf(a.wait(), b.wait(), delay(100));
    note(`${first.index} ${first.value}`);
  });
  kernel.schedule(7, () => {
    b.fire('b');
    assert.is(a.fire(1), 0);
  });
  kernel.run();
  assert.equal(log, ['1 b@7']);
});

several('two branches on one signal settle once', () => {
  const { kernel, log, note } = setup();
  const signal = new Signal<number>();
  kernel.spawn('p', function* () {
    note(`${(yield* anyOf(signal.wait(), signal.wait())).index}`);
    yield* delay(10);
    note('end');
  });
  kernel.schedule(1, () => assert.is(signal.fire(1), 1));
  kernel.run();
  assert.equal(log, ['0@1', 'end@11']);
});

several('a branch that settles while arming leaves nothing behind', () => {
  const { kernel } = setup();
  const before = new Signal();
  const ready = new Signal<number>({ once: true });
  const after = new Signal();
  ready.fire(3);
  const process = kernel.spawn('p', function* () {
    return (yield* anyOf(before.wait(), ready.wait(), after.wait(), delay(9))).value;
  });
  kernel.run();
  assert.equal(process.outcome, { status: 'done', value: 3 });
  assert.equal([before.waiting, after.waiting, kernel.now], [0, 0, 0]);
});

several('a unit granted at the deadline is either used or given back', () => {
  const { kernel, log, note } = setup();
  const resource = new Resource();
  assert.is(resource.tryAcquire(), true);
  kernel.spawn('p', function* () {
    const got = yield* timeout(resource.acquire(), 10);
    note(got.timedOut ? 'up' : 'granted');
  });
  kernel.schedule(10, () => resource.release());
  kernel.run();
  assert.equal(log, ['granted@10'], 'the release was scheduled first');
  assert.equal([resource.inUse, resource.waiting], [1, 0]);
});

several.run();
