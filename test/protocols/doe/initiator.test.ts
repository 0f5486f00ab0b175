import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, readDwLE, toHex } from '../../../protocols/codec/bytes.ts';
import { isPeerFault, LocalError } from '../../../protocols/codec/refusal.ts';
import {
  DOE_POLL_PS,
  DOE_TIMEOUT_PS,
  DoeFaults,
  type DoeStep,
  type DoeSteps,
  discover,
  doeAbort,
  doeExchange,
  doeOpen,
  supportsSecuredSpdm,
} from '../../../protocols/doe/initiator.ts';
import { DoeMailbox } from '../../../protocols/doe/mailbox.ts';
import { encodeDiscoveryResponse, encodeObject } from '../../../protocols/doe/object.ts';

const test = suite('doe initiator');

const SPDM = { VendorID: 1, DataObjectType: 1 };
const SECURED = { VendorID: 1, DataObjectType: 2 };
const GET_VERSION = fromHex('01000100 03000000 10840000');
const VERSION = fromHex('01000100 04000000 10040000 00010010');
const FAST = { pollPs: 10, timeoutPs: 100 };

interface Registers {
  read(offset: number): number;
  write(offset: number, value: number): unknown;
}

/** Drives `steps` against `registers` in a plain loop; `onWait` is where the responder gets its time. */
function drive<T>(
  steps: DoeSteps<T>,
  registers: Registers,
  onWait: () => void = () => {},
  log: string[] = [],
) {
  let waitedPs = 0;
  let answer = 0;
  for (let taken = 0; taken < 2_000_000; taken++) {
    const step = steps.next(answer);
    if (step.done === true) return { result: step.value, log, waitedPs, taken };
    answer = 0;
    const value: DoeStep = step.value;
    if ('read' in value) {
      answer = registers.read(value.read);
      log.push(`R${value.read.toString(16)}`);
    } else if ('write' in value) {
      registers.write(value.write, value.value);
      log.push(`W${value.write.toString(16)}=${value.value.toString(16)}`);
    } else {
      waitedPs += value.waitPs;
      log.push('wait');
      onWait();
    }
  }
  throw new Error('the initiator does not end');
}

const codeOf = (result: unknown) => (isPeerFault(result) ? result.code : `value ${result}`);

/** A mailbox whose owner answers after `waits` waits with what `answer` makes of the object. */
function responder(
  answer: (ticket: number, mailbox: DoeMailbox) => void,
  waits = 0,
  mailbox = new DoeMailbox({ types: [SPDM, SECURED] }),
) {
  let pending: number | undefined;
  let left = 0;
  const tick = () => {
    if (pending === undefined || left-- > 0) return;
    const ticket = pending;
    pending = undefined;
    answer(ticket, mailbox);
  };
  const registers: Registers = {
    read: (offset) => mailbox.read(offset),
    write: (offset, value) => {
      const outcome = mailbox.write(offset, value);
      if (outcome.type !== 'object') return;
      pending = outcome.ticket;
      left = waits;
      if (waits === 0) tick();
    },
  };
  return { mailbox, registers, tick };
}

test('an exchange makes exactly these accesses', () => {
  const { registers, tick, mailbox } = responder((t, m) => m.respond(t, VERSION), 1);
  const { result, log, waitedPs } = drive(doeExchange(GET_VERSION), registers, tick);
  assert.is(toHex(result as Uint8Array), toHex(VERSION));
  assert.is(
    log.join(' '),
    'Rc W10=10001 W10=3 W10=8410 W8=80000000 Rc wait Rc wait Rc R14 W14=0 R14 W14=0 R14 W14=0 R14 Rc W14=0 Rc',
  );
  assert.is(waitedPs, 2 * DOE_POLL_PS);
  assert.is(mailbox.state, 'IDLE');
});

test('Interrupt Enable is kept with Go and Abort', () => {
  const mailbox = new DoeMailbox({ types: [SPDM], interruptMessage: 0 });
  const { registers } = responder((t, m) => m.respond(t, VERSION), 0, mailbox);
  const { log } = drive(doeExchange(GET_VERSION, { interruptEnable: true }), registers);
  assert.ok(log.includes('W8=80000002'));
  assert.is(drive(doeAbort({ interruptEnable: true }), registers).log.join(' '), 'W8=3 Rc');
  assert.is(mailbox.read(8), 2);
});

test('header-only response: Ready is checked before its last DW too', () => {
  const { registers } = responder((t, m) =>
    m.respond(t, encodeObject({ ...SPDM, payload: new Uint8Array(0) })),
  );
  const { result, log } = drive(doeExchange(GET_VERSION), registers);
  assert.is(toHex(result as Uint8Array), '0100010002000000');
  assert.is(log.slice(-6).join(' '), 'R14 W14=0 R14 Rc W14=0 Rc');
});

test('discovery lists the types; open aborts first; both request versions', () => {
  for (const version of [1, 2]) {
    const { registers } = responder(() => {});
    const { result, log } = drive(doeOpen(version), registers);
    assert.equal(result, [{ VendorID: 1, DataObjectType: 0 }, SPDM, SECURED]);
    assert.is(log[0], 'W8=1');
    assert.is(log.includes('W10=201'), version === 2);
    // the first DW of each of the three requests reads 1 as well
    assert.is(log.filter((line) => line === 'W10=1').length, version === 1 ? 4 : 3);
    assert.ok(!isPeerFault(result) && supportsSecuredSpdm(result));
    assert.not(supportsSecuredSpdm([SPDM]));
  }
});

test('a silent responder: timeout, Abort, and the mailbox works again', () => {
  const { registers, mailbox } = responder(() => {});
  const { result, log, waitedPs } = drive(doeExchange(GET_VERSION), registers);
  assert.is(codeOf(result), DoeFaults.TIMEOUT);
  assert.equal(log.slice(-2), ['W8=1', 'Rc']);
  assert.is(waitedPs, DOE_TIMEOUT_PS);
  assert.is(mailbox.state, 'IDLE');
  assert.is(codeOf(drive(discover(1), registers).result).slice(0, 5), 'value');
});

test('the driver may report that a wait took longer', () => {
  const steps = doeExchange(GET_VERSION, FAST);
  let polls = 0;
  let step = steps.next(0);
  while (step.done !== true) {
    const wait = 'waitPs' in step.value;
    if (wait) polls++;
    step = steps.next(wait ? 60 : 0);
  }
  assert.is(codeOf(step.value), DoeFaults.TIMEOUT);
  assert.is(polls, 2);
});

test('an unsupported type is silence, so a timeout', () => {
  const { registers } = responder(() => {});
  const unknown = encodeObject({ VendorID: 0x1234, DataObjectType: 9, payload: new Uint8Array(4) });
  assert.is(codeOf(drive(doeExchange(unknown, FAST), registers).result), DoeFaults.TIMEOUT);
});

test('a failing owner: Error, Abort, usable', () => {
  const { registers, mailbox } = responder((t, m) => m.fail(t));
  assert.is(codeOf(drive(doeExchange(GET_VERSION, FAST), registers).result), DoeFaults.ERROR);
  assert.is(mailbox.read(0xc), 0);
});

const lies: readonly [name: string, object: Uint8Array, code: string][] = [
  ['wrong type', encodeObject({ ...SECURED, payload: new Uint8Array(8) }), DoeFaults.WRONG_OBJECT],
  [
    'wrong vendor',
    encodeObject({ VendorID: 2, DataObjectType: 1, payload: new Uint8Array(8) }),
    DoeFaults.WRONG_OBJECT,
  ],
  [
    'Length 1',
    encodeObject({ ...SPDM, payload: new Uint8Array(8), Length: 1 }),
    DoeFaults.BAD_LENGTH,
  ],
  [
    'Length too small',
    encodeObject({ ...SPDM, payload: new Uint8Array(8), Length: 3 }),
    DoeFaults.SURPLUS,
  ],
  [
    'Length too large',
    encodeObject({ ...SPDM, payload: new Uint8Array(8), Length: 6 }),
    DoeFaults.DROPPED,
  ],
  ['one DW', VERSION.slice(0, 4), DoeFaults.DROPPED],
];
for (const [name, object, code] of lies)
  test(`a response that lies (${name}) ends in ${code} and leaves the mailbox idle`, () => {
    const { registers, mailbox } = responder((t, m) => m.respond(t, object));
    const timing = { ...FAST };
    assert.is(codeOf(drive(doeExchange(GET_VERSION, timing), registers).result), code);
    assert.is(mailbox.state, 'IDLE');
  });

test('a response above the limit is flushed, then refused', () => {
  const { registers, mailbox } = responder((t, m) =>
    m.respond(t, encodeObject({ ...SPDM, payload: new Uint8Array(400) })),
  );
  const { result, log } = drive(doeExchange(GET_VERSION, { responseDwsMax: 50 }), registers);
  assert.is(codeOf(result), DoeFaults.OVER_LIMIT);
  assert.is(log.filter((line) => line === 'R14').length, 102);
  assert.not(log.includes('W8=1'), 'no Abort needed');
  assert.is(mailbox.state, 'IDLE');
});

test('a response dropped while it is read is not returned', () => {
  for (let at = 0; at < 3; at++) {
    const { registers, mailbox } = responder((t, m) => m.respond(t, VERSION));
    let reads = 0;
    const dropping: Registers = {
      read: (offset) => {
        const value = registers.read(offset);
        if (offset === 0x14 && reads++ === at + 1) mailbox.reset();
        return value;
      },
      write: registers.write,
    };
    const { result } = drive(doeExchange(GET_VERSION, FAST), dropping);
    const expected: readonly string[] = [DoeFaults.DROPPED, DoeFaults.BAD_LENGTH, DoeFaults.ERROR];
    assert.ok(expected.includes(codeOf(result)), `${at}: ${codeOf(result)}`);
    assert.is(mailbox.read(0xc), 0);
  }
});

test('Busy before the request: reported, aborted', () => {
  const { registers, mailbox } = responder(() => {});
  for (let at = 0; at < 12; at += 4) registers.write(0x10, readDwLE(GET_VERSION, at));
  registers.write(8, 0x80000000);
  assert.is(mailbox.state, 'PROCESS');
  assert.is(codeOf(drive(doeExchange(GET_VERSION, FAST), registers).result), DoeFaults.BUSY);
  assert.is(mailbox.state, 'IDLE');
});

test('Ready or Error left over: aborted first, then the exchange works', () => {
  const { registers, mailbox } = responder((t, m) => m.respond(t, VERSION));
  mailbox.write(0x14, 0);
  assert.is(mailbox.state, 'ERROR');
  assert.is(toHex(drive(doeExchange(GET_VERSION), registers).result as Uint8Array), toHex(VERSION));
  for (let at = 0; at < 12; at += 4) registers.write(0x10, readDwLE(GET_VERSION, at));
  registers.write(8, 0x80000000);
  assert.is(mailbox.state, 'RESPOND');
  const { result, log } = drive(doeExchange(GET_VERSION), registers);
  assert.is(log.slice(0, 3).join(' '), 'Rc W8=1 Rc');
  assert.is(toHex(result as Uint8Array), toHex(VERSION));
});

test('a function that is gone reads all ones: the mailbox is dead', () => {
  const gone: Registers = { read: () => 0xffffffff, write: () => {} };
  const { result } = drive(doeExchange(GET_VERSION, FAST), gone);
  assert.is(codeOf(result), DoeFaults.ABORT_FAILED);
  assert.match(isPeerFault(result) ? result.detail : '', /DOE_BUSY/);
  assert.is(codeOf(drive(doeAbort(FAST), gone).result), DoeFaults.ABORT_FAILED);
});

/** Answers Discovery by `entry`, whatever a real mailbox would say. */
function discoverer(entry: (index: number) => Uint8Array) {
  const mailbox = new DoeMailbox({ types: [SPDM] });
  const waiting: number[] = [];
  let response = new Uint8Array(0);
  let at = 0;
  const registers: Registers = {
    read: (offset) => {
      if (offset === 0xc) return at < response.length ? 0x80000000 : 0;
      return offset === 0x14 ? readDwLE(response, at) : mailbox.read(offset);
    },
    write: (offset, value) => {
      if (offset === 0x10) waiting.push(value);
      if (offset === 0x14) at += 4;
      if (offset !== 8) return;
      response = value === 1 ? new Uint8Array(0) : new Uint8Array(entry((waiting[2] ?? 0) & 0xff));
      at = 0;
      waiting.length = 0;
    },
  };
  return registers;
}

test('discovery: loops end in a fault, vendor FFFFh ends the list', () => {
  const looping = discoverer((index) => encodeDiscoveryResponse(SPDM, index === 3 ? 1 : index + 1));
  const { result, taken } = drive(discover(1, FAST), looping);
  assert.is(codeOf(result), DoeFaults.DISCOVERY_LOOP);
  assert.ok(taken < 100);
  const all = discoverer((index) =>
    encodeDiscoveryResponse({ VendorID: 2, DataObjectType: index }, (index + 1) & 0xff),
  );
  const whole = drive(discover(1, FAST), all).result;
  assert.is(isPeerFault(whole) ? -1 : whole.length, 256);
  const qemu = discoverer((index) =>
    index < 2
      ? encodeDiscoveryResponse(SPDM, index + 1)
      : encodeDiscoveryResponse({ VendorID: 0xffff, DataObjectType: 0xff }, index + 1),
  );
  assert.equal(drive(discover(1, FAST), qemu).result, [SPDM, SPDM]);
  const short = discoverer(() => fromHex('01000000 02000000'));
  assert.is(codeOf(drive(discover(1, FAST), short).result), DoeFaults.BAD_LENGTH);
});

test('a step limit ends an exchange', () => {
  for (const stepsMax of [1, 5, 12]) {
    const { registers, mailbox } = responder((t, m) => m.respond(t, VERSION), 2);
    const { result, log } = drive(doeExchange(GET_VERSION, { ...FAST, stepsMax }), registers);
    assert.is(codeOf(result), DoeFaults.STEPS);
    assert.is(log.length, stepsMax + 2, 'and Abort takes two');
    assert.is(mailbox.state, 'IDLE');
  }
});

test('caller mistakes throw by name', () => {
  const rows: [name: string, steps: DoeSteps<unknown>][] = [
    ['object', doeExchange(new Uint8Array(6))],
    ['pollPs', doeExchange(GET_VERSION, { pollPs: 0 })],
    ['timeoutPs', doeExchange(GET_VERSION, { timeoutPs: -1 })],
    ['responseDwsMax', doeExchange(GET_VERSION, { responseDwsMax: 1 })],
    ['stepsMax', doeAbort({ stepsMax: 0 })],
  ];
  for (const [name, steps] of rows)
    assert.throws(
      () => steps.next(0),
      (e: unknown) => e instanceof LocalError && e.message.startsWith(name),
    );
});

test('any register values: the initiator ends, in bounds, with a value or a known fault', () => {
  const codes = new Set<string>(Object.values(DoeFaults));
  const timing = { ...FAST, responseDwsMax: 16, stepsMax: 300 };
  const status = fc.constantFrom(0, 0, 1, 2, 4, 0x80000000, 0x80000000, 0x80000000, 0x80000004);
  const data = fc.constantFrom(0x00010001, 0x00010001, 0, 1, 2, 3, 7, 0x8410, 0xffffffff);
  const seen = new Set<string>();
  fc.assert(
    fc.property(fc.array(fc.tuple(status, data), { minLength: 1, maxLength: 40 }), (values) => {
      let at = 0;
      const registers: Registers = {
        read: (offset) => values[at++ % values.length]![offset === 0xc ? 0 : 1],
        write: () => {},
      };
      for (const steps of [doeExchange(GET_VERSION, timing), discover(2, timing)]) {
        const { result } = drive(steps as DoeSteps<unknown>, registers);
        const code = isPeerFault(result) ? result.code : 'value';
        seen.add(code);
        assert.ok(code === 'value' || codes.has(code), code);
      }
    }),
    { seed: 1, numRuns: 1500 },
  );
  assert.ok(seen.size >= 8, `only ${[...seen].join(' ')}`);
});

test.run();
