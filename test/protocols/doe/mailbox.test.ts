import fc from 'fast-check';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { fromHex, toHex } from '../../../protocols/codec/bytes.ts';
import { LocalError } from '../../../protocols/codec/refusal.ts';
import { DoeMailbox, type MailboxOutcome } from '../../../protocols/doe/mailbox.ts';
import {
  type MailboxState,
  MailboxStates,
  statusOf,
} from '../../../protocols/doe/mailbox-state.ts';
import { encodeDiscoveryRequest, encodeObject } from '../../../protocols/doe/object.ts';
import { DoeRegisters, statusText } from '../../../protocols/doe/registers.ts';
import {
  ABORT,
  BUSY,
  collect,
  drain,
  ENABLE,
  ERROR,
  GET_VERSION,
  GO,
  make,
  READY,
  reach,
  SECURED,
  SPDM,
  send,
  ticketOf,
  VERSION,
} from './mailbox-drive.ts';

const { CAPABILITIES, CONTROL, STATUS, WRITE_MAILBOX, READ_MAILBOX } = DoeRegisters;

const test = suite('doe mailbox');

test('discovery answers by itself, list in order, FFFFh beyond it', () => {
  const mailbox = make();
  const rows: [index: number, version: number, response: string][] = [
    [0, 0, '00000001 00000003 01000001'],
    [1, 0, '00000001 00000003 02010001'],
    [2, 2, '00000001 00000003 00020001'],
    [3, 2, '00000001 00000003 00ffffff'],
    [255, 0, '00000001 00000003 00ffffff'],
  ];
  for (const [index, version, response] of rows) {
    assert.is(send(mailbox, encodeDiscoveryRequest(index, version)).type, 'ready');
    assert.is(drain(mailbox), response);
    assert.is(mailbox.read(STATUS), 0);
  }
});

test('hands an object over and shows the response DW by DW', () => {
  const mailbox = make();
  const outcome = send(mailbox, GET_VERSION);
  assert.is(outcome.type, 'object');
  if (outcome.type !== 'object') return;
  assert.equal(outcome.object, { ...SPDM, payload: fromHex('10840000') });
  assert.is(mailbox.read(STATUS), BUSY);
  assert.is(mailbox.read(READ_MAILBOX), 0);
  assert.is(mailbox.respond(outcome.ticket, VERSION).type, 'ready');
  assert.is(mailbox.read(READ_MAILBOX), 0x00010001);
  assert.is(mailbox.read(READ_MAILBOX), 0x00010001, 'a read does not advance');
  mailbox.write(READ_MAILBOX, 0xffffffff, 0x3);
  assert.is(mailbox.read(READ_MAILBOX), 0x00010001, 'half a DW does not advance');
  assert.is(mailbox.write(READ_MAILBOX, 0xffffffff).type, 'advanced');
  assert.is(drain(mailbox), '00000004 00000410 10000100');
  assert.is(mailbox.read(STATUS), 0);
});

const silent: readonly [name: string, hex: string, reason: string][] = [
  ['nothing', '', 'LENGTH_MISMATCH'],
  ['one DW', '01000100', 'LENGTH_MISMATCH'],
  ['a DW too few', '01000100 04000000 10840000', 'LENGTH_MISMATCH'],
  ['a DW too many', '01000100 02000000 10840000', 'LENGTH_MISMATCH'],
  ['Length 0', '01000100 00000000 10840000', 'LENGTH_MISMATCH'],
  ['an unknown type', '01000300 03000000 10840000', 'UNSUPPORTED_TYPE'],
  ['an unknown vendor', '86800100 03000000 10840000', 'UNSUPPORTED_TYPE'],
  ['a Discovery without a payload', '01000000 02000000', 'TOO_SHORT'],
];
for (const [name, hex, reason] of silent)
  test(`discards ${name} in silence, and takes the next object`, () => {
    const mailbox = make();
    const outcome = send(mailbox, fromHex(hex));
    assert.is(outcome.type === 'discarded' && outcome.reason, reason);
    assert.is(mailbox.read(STATUS), 0);
    assert.is(send(mailbox, GET_VERSION).type, 'object');
  });

test('byte enables: whole DWs for the mailboxes, single bytes for Control and Status', () => {
  const mailbox = make(3);
  for (const enable of [1, 3, 7, 0xe, 0xc, 0])
    assert.is(mailbox.write(WRITE_MAILBOX, 0x00010001, enable).type, 'none');
  assert.is(mailbox.state, 'IDLE');
  collect(mailbox, GET_VERSION);
  assert.is(mailbox.write(CONTROL, 0xffffffff, 0x6).type, 'none');
  mailbox.write(CONTROL, ENABLE, 0x1);
  assert.is(mailbox.read(CONTROL), ENABLE);
  assert.is(mailbox.write(CONTROL, GO, 0x8).type, 'object');
  assert.is(mailbox.read(CONTROL), ENABLE, 'the upper byte leaves Interrupt Enable alone');
});

test('registers without effect', () => {
  const mailbox = make(0x7ff);
  assert.is(mailbox.read(CAPABILITIES), 0xfff);
  for (const offset of [0, CAPABILITIES, 0x18, 0x100]) {
    mailbox.write(offset, 0xffffffff);
    assert.is(mailbox.read(offset), offset === CAPABILITIES ? 0xfff : 0);
  }
  assert.is(mailbox.read(WRITE_MAILBOX), 0);
  assert.is(make().read(CAPABILITIES), 0);
  const plain = make();
  plain.write(CONTROL, ENABLE);
  assert.is(plain.read(CONTROL), 0, 'no Interrupt Enable without Interrupt Support');
});

test('overflow sets Error, and only Abort helps', () => {
  const mailbox = new DoeMailbox({ types: [SPDM], requestBytesMax: 16 });
  for (let i = 0; i < 4; i++) assert.is(mailbox.write(WRITE_MAILBOX, i).type, 'collected');
  const over = mailbox.write(WRITE_MAILBOX, 4);
  assert.is(over.type === 'error' && over.cause, 'OVERFLOW');
  for (let i = 0; i < 9; i++) mailbox.write(WRITE_MAILBOX, i);
  assert.is(mailbox.write(CONTROL, GO).type, 'refused');
  assert.is(mailbox.read(STATUS), ERROR);
  mailbox.write(CONTROL, ABORT);
  assert.is(mailbox.read(STATUS), 0);
  assert.is(send(mailbox, GET_VERSION).type, 'object');
});

test('a full-size object of 2^18 DWs passes', () => {
  const mailbox = make();
  const payload = new Uint8Array((1 << 20) - 8).fill(7);
  const outcome = send(mailbox, encodeObject({ ...SECURED, payload }));
  assert.is(outcome.type === 'object' && outcome.object.payload.length, payload.length);
});

test('Go on an unread response is an error, not a mix-up', () => {
  const { mailbox } = reach.RESPOND();
  const outcome = send(mailbox, GET_VERSION);
  assert.is(outcome.type === 'error' && outcome.cause, 'RESPONSE_UNREAD');
  assert.is(mailbox.read(READ_MAILBOX), 0);
});

test('the next object may be collected while the response is read', () => {
  const { mailbox } = reach.RESPOND();
  collect(mailbox, GET_VERSION);
  assert.is(drain(mailbox), '00010001 00000004 00000410 10000100');
  assert.is(mailbox.state, 'COLLECT');
  assert.is(mailbox.write(CONTROL, GO).type, 'object');
});

test('a late result does not answer the next object', () => {
  const { mailbox, ticket } = reach.PROCESS();
  assert.is(mailbox.write(CONTROL, ABORT).cancelled, ticket);
  const next = ticketOf(send(mailbox, GET_VERSION));
  assert.is.not(next, ticket);
  for (const late of [mailbox.respond(ticket, VERSION), mailbox.drop(ticket), mailbox.fail(ticket)])
    assert.is(late.type === 'refused' && late.code, 'NOT_PENDING');
  assert.is(mailbox.read(STATUS), BUSY);
  assert.is(mailbox.respond(next, VERSION).type, 'ready');
});

test('interrupts: Ready, Error, and Busy falling; one until cleared', () => {
  const mailbox = make(5);
  const ticket = ticketOf(send(mailbox, GET_VERSION));
  assert.not(mailbox.respond(ticket, VERSION).interrupt, 'not enabled');
  assert.is(mailbox.read(STATUS), READY);
  drain(mailbox);
  mailbox.write(CONTROL, ENABLE);
  collect(mailbox, GET_VERSION);
  const second = ticketOf(mailbox.write(CONTROL, GO + ENABLE));
  assert.ok(mailbox.respond(second, VERSION).interrupt);
  assert.is(mailbox.read(STATUS) >>> 0, READY + 2);
  for (let i = 0; i < 4; i++) mailbox.write(READ_MAILBOX, 0);
  assert.not(mailbox.write(READ_MAILBOX, 0).interrupt, 'Interrupt Status stands already');
  assert.is(mailbox.read(STATUS), ERROR + 2);
  mailbox.write(STATUS, 2);
  assert.is(mailbox.read(STATUS), ERROR);
  assert.not(mailbox.write(CONTROL, ABORT + ENABLE).interrupt, 'Error falling is no reason');
  assert.ok(mailbox.write(READ_MAILBOX, 0).interrupt, 'Error rising is');
  mailbox.write(STATUS, 2);
  mailbox.write(CONTROL, ABORT + ENABLE);
  collect(mailbox, GET_VERSION);
  mailbox.write(CONTROL, GO + ENABLE);
  assert.ok(mailbox.write(CONTROL, ABORT + ENABLE).interrupt, 'Busy falling');
});

test('reset clears Interrupt Enable and Status, silently', () => {
  const mailbox = make(0);
  mailbox.write(CONTROL, ENABLE);
  mailbox.write(READ_MAILBOX, 0);
  assert.is(mailbox.read(STATUS), ERROR + 2);
  assert.not(mailbox.reset().interrupt);
  assert.equal([mailbox.read(STATUS), mailbox.read(CONTROL)], [0, 0]);
});

test('caller mistakes throw by name', () => {
  const local = (name: string) => (e: unknown) =>
    e instanceof LocalError && e.message.startsWith(name);
  const { mailbox, ticket } = reach.PROCESS();
  assert.throws(() => mailbox.respond(ticket, new Uint8Array(0)), local('object'));
  assert.throws(() => mailbox.respond(ticket, new Uint8Array(6)), local('object'));
  assert.throws(
    () => new DoeMailbox({ types: [], interruptMessage: 0x800 }),
    local('interruptMessage'),
  );
  assert.throws(() => new DoeMailbox({ types: [], requestBytesMax: 10 }), local('requestBytesMax'));
  const many = Array.from({ length: 256 }, (_, i) => ({ VendorID: 2, DataObjectType: i }));
  assert.throws(() => new DoeMailbox({ types: many }), local('types'));
  assert.is(mailbox.read(STATUS), BUSY);
});

test('status text', () => {
  assert.is(statusText(0x80000005), 'Busy+ IntSta- Error+ ObjectReady+');
});

test('any order of accesses: never throws, status is the state, Abort brings it back', () => {
  const dw = fc.oneof(
    fc.constantFrom(0x00010001, 0x00020001, 0x00000001, 3, 2, 0, 0x8410),
    fc.integer({ min: 0, max: 0xffffffff }),
  );
  const access = fc.record({
    kind: fc.constantFrom('read', 'write', 'write', 'write', 'respond', 'drop', 'fail', 'reset'),
    offset: fc.constantFrom(
      0,
      CAPABILITIES,
      CONTROL,
      CONTROL,
      STATUS,
      WRITE_MAILBOX,
      READ_MAILBOX,
      0x18,
    ),
    value: fc.oneof(dw, fc.constantFrom(GO, ABORT, ENABLE, GO + ENABLE, ABORT + GO)),
    byteEnable: fc.oneof(
      { weight: 4, arbitrary: fc.constant(0xf) },
      fc.integer({ min: 0, max: 15 }),
    ),
    old: fc.boolean(),
  });
  const visited = new Set<MailboxState>();
  fc.assert(
    fc.property(fc.array(access, { maxLength: 80 }), fc.boolean(), (accesses, starts) => {
      const mailbox = new DoeMailbox({ types: [SPDM], interruptMessage: 1, requestBytesMax: 32 });
      if (starts) collect(mailbox, GET_VERSION);
      let ticket = 0;
      for (const { kind, offset, value, byteEnable, old } of accesses) {
        const before = mailbox.read(STATUS);
        const state = mailbox.state;
        let outcome: MailboxOutcome | undefined;
        if (kind === 'read') mailbox.read(offset);
        else if (kind === 'write') outcome = mailbox.write(offset, value, byteEnable);
        else if (kind === 'respond') outcome = mailbox.respond(old ? 0 : ticket, VERSION);
        else if (kind === 'drop') outcome = mailbox.drop(ticket);
        else if (kind === 'fail') outcome = mailbox.fail(ticket);
        else outcome = mailbox.reset();
        if (outcome?.type === 'object') ticket = outcome.ticket;
        if (outcome?.type === 'refused')
          assert.equal([mailbox.read(STATUS), mailbox.state], [before, state]);
        visited.add(mailbox.state);
        const { busy, ready, error } = statusOf[mailbox.state];
        const want = (busy ? BUSY : 0) + (error ? ERROR : 0) + (ready ? READY : 0);
        assert.is((mailbox.read(STATUS) & ~2) >>> 0, want);
      }
      mailbox.write(CONTROL, ABORT);
      assert.is(mailbox.read(STATUS) & ~2, 0);
      assert.is(send(mailbox, GET_VERSION).type, 'object');
    }),
    { seed: 1, numRuns: 2000 },
  );
  assert.is(visited.size, MailboxStates.length, `visited ${[...visited].join(' ')}`);
});

test('the response is a copy', () => {
  const { mailbox, ticket } = reach.PROCESS();
  const mine = VERSION.slice();
  mailbox.respond(ticket, mine);
  mine.fill(0xa5);
  assert.is(drain(mailbox), '00010001 00000004 00000410 10000100');
  assert.is(toHex(VERSION.subarray(0, 2)), '0100');
});

test.run();
