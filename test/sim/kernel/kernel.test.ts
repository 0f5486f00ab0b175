/** The kernel: order of events, run limits, failures, determinism. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  delay,
  Kernel,
  KernelError,
  NS,
  RunError,
  type Task,
  TIME_MAX_PS,
  TraceHash,
} from '../../../sim/kernel/index.ts';

const code = (expected: string) => (error: unknown) =>
  error instanceof KernelError && error.code === expected;

const events = suite('kernel events');

events('time, then priority, then order of scheduling', () => {
  const kernel = new Kernel({ seed: 1 });
  const seen: string[] = [];
  const note = (name: string) => () => {
    seen.push(`${name}@${kernel.now}`);
  };
  kernel.schedule(20, note('late'));
  kernel.schedule(10, note('a'));
  kernel.schedule(10, note('last'), 5);
  kernel.schedule(10, note('b'));
  kernel.schedule(10, note('first'), -1);
  kernel.post(10, (name: string) => note(name)(), 'posted');
  assert.is(kernel.pending, 6);
  assert.equal(kernel.run(), { reason: 'idle', events: 6, now: 20 });
  assert.equal(seen, ['first@10', 'a@10', 'b@10', 'posted@10', 'last@10', 'late@20']);
});

events('a handler may schedule for right now: it comes after what is due', () => {
  const kernel = new Kernel({ seed: 1 });
  const seen: number[] = [];
  kernel.schedule(5, () => {
    seen.push(1);
    kernel.schedule(0, () => seen.push(3));
  });
  kernel.schedule(5, () => seen.push(2));
  kernel.run();
  assert.equal(seen, [1, 2, 3]);
});

events('cancel: once, before it happens, also among equal times', () => {
  const kernel = new Kernel({ seed: 1 });
  const seen: string[] = [];
  const second = kernel.schedule(7, () => seen.push('second'));
  const first = kernel.schedule(
    7,
    () => {
      seen.push('first');
      assert.is(second.cancel(), true);
      assert.is(second.cancel(), false);
    },
    -1,
  );
  assert.is(second.timePs, 7);
  assert.is(kernel.run().events, 1);
  assert.equal(seen, ['first']);
  assert.is(first.cancel(), false);
});

events('bad delays and priorities are named and schedule nothing', () => {
  const kernel = new Kernel({ seed: 1 });
  const nothing = () => {};
  assert.throws(() => kernel.schedule(-1, nothing), code('BAD_TIME'));
  assert.throws(() => kernel.schedule(0.5, nothing), code('BAD_TIME'));
  assert.throws(() => kernel.schedule(TIME_MAX_PS + 1, nothing), code('TIME_OVERFLOW'));
  assert.throws(() => kernel.schedule(1, nothing, 256), code('BAD_ARGUMENT'));
  assert.throws(() => kernel.schedule(1, nothing, 0.5), code('BAD_ARGUMENT'));
  assert.is(kernel.pending, 0);
});

events.run();

const runs = suite('kernel run');

function ticking(limits = {}): { kernel: Kernel; ticks: number[] } {
  const kernel = new Kernel({ seed: 1, limits });
  const ticks: number[] = [];
  const tick = () => {
    ticks.push(kernel.now);
    kernel.schedule(10, tick);
  };
  kernel.schedule(10, tick);
  return { kernel, ticks };
}

runs('until a time, included, and on from there', () => {
  const { kernel, ticks } = ticking();
  assert.equal(kernel.run(30), { reason: 'until', events: 3, now: 30 });
  assert.equal(kernel.run(35), { reason: 'until', events: 3, now: 35 });
  assert.equal(kernel.run(40), { reason: 'until', events: 4, now: 40 });
  assert.equal(ticks, [10, 20, 30, 40]);
  assert.throws(() => kernel.run(39), code('BAD_ARGUMENT'));
});

runs('idle leaves the clock at the last event, or at `until` if given', () => {
  const kernel = new Kernel({ seed: 1 });
  kernel.schedule(5, () => {});
  assert.equal(kernel.run(), { reason: 'idle', events: 1, now: 5 });
  assert.equal(kernel.run(50), { reason: 'idle', events: 1, now: 50 });
});

runs('the event limit ends a run by name, and only if there is more to do', () => {
  const { kernel } = ticking({ events: 4 });
  assert.equal(kernel.run(), { reason: 'event-limit', events: 4, now: 40 });
  assert.equal(kernel.run(), { reason: 'event-limit', events: 4, now: 40 });
  const enough = new Kernel({ seed: 1, limits: { events: 1 } });
  enough.schedule(1, () => {});
  assert.is(enough.run().reason, 'idle');
});

runs('the time limit ends a run by name', () => {
  const { kernel } = ticking({ timePs: 45 });
  assert.equal(kernel.run(20), { reason: 'until', events: 2, now: 20 });
  assert.equal(kernel.run(1000), { reason: 'time-limit', events: 4, now: 45 });
});

runs('slices add up to the whole run', () => {
  const { kernel } = ticking();
  assert.equal(kernel.runSome(3, 50), { reason: 'more', events: 3, now: 30 });
  assert.equal(kernel.runSome(2, 50), { reason: 'until', events: 5, now: 50 });
  assert.throws(() => kernel.runSome(0), code('BAD_ARGUMENT'));
});

runs('stop ends the run after the event at hand; it can go on', () => {
  const { kernel } = ticking();
  kernel.schedule(25, () => kernel.stop());
  assert.equal(kernel.run(), { reason: 'stopped', events: 3, now: 25 });
  kernel.stop();
  assert.equal(kernel.run(100), { reason: 'stopped', events: 3, now: 25 });
  assert.is(kernel.run(100).reason, 'until');
});

runs('no run inside a run', () => {
  const kernel = new Kernel({ seed: 1 });
  kernel.schedule(1, () => {
    assert.throws(() => kernel.run(), code('ALREADY_RUNNING'));
  });
  kernel.run();
});

runs('bad limits are named', () => {
  assert.throws(() => new Kernel({ seed: 1, limits: { events: -1 } }), /limits\.events/);
  assert.throws(() => new Kernel({ seed: 1, limits: { timePs: 0.5 } }), /limits\.timePs/);
});

runs.run();

const failures = suite('kernel failures');

failures('an exception in a handler ends the run, with its time', () => {
  const kernel = new Kernel({ seed: 1 });
  const cause = new TypeError('broken');
  kernel.schedule(1500, () => {
    throw cause;
  });
  assert.throws(
    () => kernel.run(),
    (error: unknown) =>
      error instanceof RunError &&
      error.cause === cause &&
      error.timePs === 1500 &&
      error.process === undefined &&
      error.message === 'event handler at 1.5 ns (1500 ps): TypeError: broken',
  );
  assert.throws(() => kernel.run(), code('RUN_FAILED'));
});

failures('an exception in a process ends the run, with its name', () => {
  const kernel = new Kernel({ seed: 1 });
  kernel.spawn('dsm0', function* (): Task<void> {
    yield* delay(2 * NS);
    throw new Error('no key');
  });
  assert.throws(() => kernel.run(), /^process "dsm0" at 2 ns \(2000 ps\): Error: no key$/);
});

failures("a yield of something else is the process's mistake", () => {
  const kernel = new Kernel({ seed: 1 });
  kernel.spawn('p', function* (): Task<void> {
    yield 5 as never;
  });
  assert.throws(
    () => kernel.run(),
    (error: unknown) => error instanceof RunError && code('NOT_A_WAIT')(error.cause),
  );
});

failures('a wait that cannot be armed is named too', () => {
  const kernel = new Kernel({ seed: 1 });
  kernel.spawn('p', function* (): Task<void> {
    yield* delay(-1);
  });
  assert.throws(() => kernel.run(), /process "p" .* BAD_TIME|process "p" .*delayPs/);
});

failures.run();

const determinism = suite('kernel determinism');

interface Records {
  tick: { value: number };
}

function traceOf(seed: number, components: readonly string[]): Map<string, string> {
  const kernel = new Kernel<Records>({ seed });
  const lines = new Map<string, string>();
  const hash = new TraceHash();
  hash.listen(kernel.bus);
  kernel.bus.on('tick', ({ time, source, data }) => {
    lines.set(source, `${lines.get(source) ?? ''}${time}:${data.value} `);
  });
  for (const name of components)
    kernel.spawn(name, function* (): Task<void> {
      for (let i = 0; i < 50; i++) {
        yield* delay(kernel.random(name).below(1000));
        kernel.bus.emit('tick', name, { value: kernel.random(name).u32() });
      }
    });
  kernel.run();
  lines.set('hash', hash.digest());
  return lines;
}

determinism('same seed, same trace; another seed, another', () => {
  assert.equal(traceOf(1, ['a', 'b']), traceOf(1, ['a', 'b']));
  assert.is.not(traceOf(1, ['a', 'b']).get('hash'), traceOf(2, ['a', 'b']).get('hash'));
});

determinism('a new component does not shift the others', () => {
  const before = traceOf(1, ['a', 'b']);
  const after = traceOf(1, ['new', 'a', 'b']);
  assert.is(after.get('a'), before.get('a'));
  assert.is(after.get('b'), before.get('b'));
  assert.is.not(after.get('new'), after.get('a'));
});

determinism('the trace of this program never changes', () => {
  assert.is(
    traceOf(1, ['a', 'b']).get('hash'),
    '5df857835c65702b1d1c26ba7849150b62378528fa232d47fcbf52623325de6f',
  );
});

determinism.run();
