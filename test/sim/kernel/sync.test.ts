/** Signals, resources and mailboxes between processes. */

import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  delay,
  Kernel,
  Mailbox,
  Resource,
  Signal,
  type Task,
  timeout,
  use,
} from '../../../sim/kernel/index.ts';

/** A kernel and a log of `text@time` lines. */
function setup(): { kernel: Kernel; log: string[]; note: (text: string) => void } {
  const kernel = new Kernel({ seed: 1 });
  const log: string[] = [];
  return { kernel, log, note: (text) => log.push(`${text}@${kernel.now}`) };
}

const signals = suite('signal');

signals('repeated: wakes those who wait now, in order, with the value', () => {
  const { kernel, log, note } = setup();
  const signal = new Signal<number>();
  for (const name of ['a', 'b'])
    kernel.spawn(name, function* () {
      for (;;) {
        const value: number = yield* signal.wait();
        note(`${name}${value}`);
      }
    });
  kernel.schedule(5, () => {
    assert.is(signal.fire(1), 2);
    // Nobody is back at the signal yet: this one is lost.
    assert.is(signal.fire(2), 0);
    note('fired');
  });
  kernel.schedule(6, () => signal.fire(3));
  kernel.run();
  assert.equal(log, ['fired@5', 'a1@5', 'b1@5', 'a3@6', 'b3@6']);
  assert.is(signal.value, 3);
  assert.is(signal.waiting, 2);
});

signals('once: the first value stays', () => {
  const { kernel, log, note } = setup();
  const ready = new Signal<string>({ once: true });
  const waiter = (name: string, start: number) =>
    kernel.spawn(name, function* () {
      yield* delay(start);
      note(`${name} ${yield* ready.wait()}`);
    });
  waiter('early', 0);
  waiter('late', 50);
  kernel.schedule(10, () => {
    ready.fire('first');
    assert.is(ready.fire('second'), 0);
  });
  kernel.run();
  assert.equal(log, ['early first@10', 'late first@50']);
  assert.is(ready.hasFired, true);
});

signals('a cancelled waiter is forgotten', () => {
  const { kernel } = setup();
  const signal = new Signal();
  const process = kernel.spawn('p', function* () {
    yield* signal.wait();
  });
  kernel.schedule(1, () => process.cancel());
  kernel.run();
  assert.is(signal.waiting, 0);
});

signals.run();

const resources = suite('resource');

resources('first come, first served; a large claim is not overtaken', () => {
  const { kernel, log, note } = setup();
  const credits = new Resource(4);
  const user = (name: string, units: number, hold: number) =>
    kernel.spawn(name, function* () {
      yield* use(
        credits,
        function* () {
          note(name);
          yield* delay(hold);
        },
        units,
      );
    });
  user('a', 3, 10);
  user('large', 4, 5);
  user('small', 1, 5);
  kernel.run();
  assert.equal(log, ['a@0', 'large@10', 'small@15']);
  assert.equal([credits.inUse, credits.waiting], [0, 0]);
});

resources('use gives back on error, on cancel and with the value', () => {
  const { kernel } = setup();
  const resource = new Resource();
  const done = kernel.spawn('p', function* () {
    const value = yield* use(resource, function* () {
      yield* delay(1);
      return 5;
    });
    try {
      yield* use(resource, function* (): Task<void> {
        yield* delay(1);
        throw new Error('inside');
      });
    } catch {
      assert.is(resource.inUse, 0);
    }
    return value;
  });
  const holder = kernel.spawn('holder', function* () {
    yield* delay(5);
    yield* use(resource, () => forever());
  });
  kernel.schedule(9, () => holder.cancel());
  kernel.run();
  assert.equal(done.outcome, { status: 'done', value: 5 });
  assert.is(resource.inUse, 0);
});

function* forever(): Task<void> {
  for (;;) yield* delay(1);
}

resources('a process cancelled between grant and resume gives its unit back', () => {
  const { kernel, log, note } = setup();
  const resource = new Resource();
  resource.tryAcquire();
  const first = kernel.spawn('first', () =>
    use(resource, function* () {
      note('first');
      yield* delay(1);
    }),
  );
  kernel.spawn('second', () =>
    use(resource, function* () {
      note('second');
      yield* delay(1);
    }),
  );
  kernel.schedule(5, () => {
    resource.release();
    first.cancel();
  });
  kernel.run();
  assert.equal(log, ['second@5']);
  assert.is(resource.inUse, 0);
});

resources('a cancelled large claim lets the next one through', () => {
  const { kernel, log, note } = setup();
  const resource = new Resource(2);
  resource.tryAcquire();
  const large = kernel.spawn('large', () => use(resource, forever, 2));
  kernel.spawn('small', function* () {
    yield* resource.acquire();
    note('small');
  });
  kernel.schedule(3, () => large.cancel());
  kernel.run();
  assert.equal(log, ['small@3']);
});

resources('misuse is named', () => {
  const resource = new Resource(2);
  assert.throws(() => resource.release(), /units: 1 released, 0 in use/);
  assert.throws(() => resource.acquire(3), /units: expected at most/);
  assert.throws(() => resource.acquire(0), /units/);
  assert.throws(() => new Resource(0), /capacity/);
});

resources.run();

const mailboxes = suite('mailbox');

mailboxes('first in, first out; a full one makes putters wait', () => {
  const { kernel, log, note } = setup();
  const mailbox = new Mailbox<number>(2);
  kernel.spawn('producer', function* () {
    for (let i = 0; i < 4; i++) {
      yield* mailbox.put(i);
      note(`put${i}`);
    }
  });
  kernel.spawn('consumer', function* () {
    yield* delay(10);
    for (let i = 0; i < 4; i++) {
      const item: number = yield* mailbox.get();
      note(`got${item}`);
      yield* delay(10);
    }
  });
  kernel.run();
  assert.equal(log, [
    'put0@0',
    'put1@0',
    'got0@10',
    'put2@10',
    'got1@20',
    'put3@20',
    'got2@30',
    'got3@40',
  ]);
});

mailboxes('without waiting', () => {
  const mailbox = new Mailbox<string>(1);
  assert.is(mailbox.tryGet(), undefined);
  assert.is(mailbox.tryPut('a'), true);
  assert.is(mailbox.tryPut('b'), false);
  assert.is(mailbox.size, 1);
  assert.is(mailbox.tryGet(), 'a');
  assert.throws(() => new Mailbox(0), /capacity/);
});

mailboxes('getters are served in order; a cancelled one loses no item', () => {
  const { kernel, log, note } = setup();
  const mailbox = new Mailbox<string>();
  const getter = (name: string) =>
    kernel.spawn(name, function* () {
      note(`${name} ${yield* mailbox.get()}`);
    });
  const first = getter('first');
  getter('second');
  getter('third');
  kernel.schedule(5, () => {
    mailbox.tryPut('x');
    first.cancel();
    mailbox.tryPut('y');
  });
  kernel.run();
  assert.equal(log, ['second x@5', 'third y@5']);
  assert.is(mailbox.size, 0);
});

mailboxes('an item that comes just after the timeout stays', () => {
  const { kernel, log, note } = setup();
  const mailbox = new Mailbox<number>();
  kernel.spawn('p', function* () {
    const got = yield* timeout(mailbox.get(), 10);
    note(got.timedOut ? 'up' : 'got');
  });
  kernel.schedule(11, () => mailbox.tryPut(1));
  kernel.run();
  assert.equal(log, ['up@10']);
  assert.is(mailbox.size, 1);
});

mailboxes('thousands of items keep their order', () => {
  const mailbox = new Mailbox<number>();
  let next = 0;
  let put = 0;
  for (let i = 0; i < 20_000; i++) {
    mailbox.tryPut(put++);
    if (i % 3 !== 0) assert.is(mailbox.tryGet(), next++);
  }
  while (mailbox.size > 0) assert.is(mailbox.tryGet(), next++);
  assert.is(next, put);
});

mailboxes.run();
