import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import type { DoeMailbox } from '../../../protocols/doe/mailbox.ts';
import {
  MailboxEvents,
  type MailboxState,
  MailboxStates,
  mailboxTable,
  statusOf,
} from '../../../protocols/doe/mailbox-state.ts';
import { DoeRegisters } from '../../../protocols/doe/registers.ts';
import { ABORT, BUSY, drain, ERROR, GO, READY, reach, VERSION } from './mailbox-drive.ts';

const { CONTROL, STATUS, WRITE_MAILBOX, READ_MAILBOX } = DoeRegisters;

const table = suite('doe mailbox table');

/** The whole table once more, as a person reads it: next state, or ! and the refusal. */
const expected: Readonly<Record<MailboxState, string>> = {
  IDLE: 'COLLECT ERROR PROCESS IDLE IDLE !NOT_READY ERROR ERROR ERROR !NOT_PENDING !NOT_PENDING !NOT_PENDING IDLE',
  COLLECT:
    'COLLECT ERROR PROCESS IDLE IDLE !NOT_READY ERROR ERROR ERROR !NOT_PENDING !NOT_PENDING !NOT_PENDING IDLE',
  PROCESS: '!BUSY !BUSY !BUSY !BUSY IDLE !NOT_READY ERROR ERROR ERROR RESPOND IDLE ERROR IDLE',
  RESPOND:
    'RESPOND ERROR ERROR ERROR IDLE RESPOND RESPOND IDLE COLLECT !NOT_PENDING !NOT_PENDING !NOT_PENDING IDLE',
  ERROR:
    'ERROR !IN_ERROR !IN_ERROR !IN_ERROR IDLE !IN_ERROR !IN_ERROR !IN_ERROR !IN_ERROR !NOT_PENDING !NOT_PENDING !NOT_PENDING IDLE',
};
for (const state of MailboxStates)
  table(`row ${state}`, () => {
    const cells = MailboxEvents.map((event) => {
      const row = mailboxTable[state][event];
      return 'refusal' in row ? `!${row.refusal}` : row.next;
    });
    assert.is(cells.join(' '), expected[state]);
  });

/** Every register access and owner's call in every state, against the state the table ends in. */
const pokes: readonly [
  name: string,
  poke: (mailbox: DoeMailbox, ticket: number) => unknown,
  ends: Readonly<Record<MailboxState, MailboxState>>,
][] = [
  [
    'write',
    (m) => m.write(WRITE_MAILBOX, 1),
    ends('COLLECT', 'COLLECT', 'PROCESS', 'RESPOND', 'ERROR'),
  ],
  ['go', (m) => m.write(CONTROL, GO), ends('IDLE', 'PROCESS', 'PROCESS', 'ERROR', 'ERROR')],
  ['abort', (m) => m.write(CONTROL, ABORT), ends('IDLE', 'IDLE', 'IDLE', 'IDLE', 'IDLE')],
  [
    'abort and go',
    (m) => m.write(CONTROL, ABORT + GO),
    ends('IDLE', 'IDLE', 'IDLE', 'IDLE', 'IDLE'),
  ],
  ['read', (m) => m.read(READ_MAILBOX), ends('IDLE', 'COLLECT', 'PROCESS', 'RESPOND', 'ERROR')],
  ['advance', (m) => m.write(READ_MAILBOX, 0), ends('ERROR', 'ERROR', 'ERROR', 'RESPOND', 'ERROR')],
  ['drain', (m) => drain(m), ends('IDLE', 'COLLECT', 'PROCESS', 'IDLE', 'ERROR')],
  [
    'respond',
    (m, t) => m.respond(t, VERSION),
    ends('IDLE', 'COLLECT', 'RESPOND', 'RESPOND', 'ERROR'),
  ],
  ['drop', (m, t) => m.drop(t), ends('IDLE', 'COLLECT', 'IDLE', 'RESPOND', 'ERROR')],
  ['fail', (m, t) => m.fail(t), ends('IDLE', 'COLLECT', 'ERROR', 'RESPOND', 'ERROR')],
  ['reset', (m) => m.reset(), ends('IDLE', 'IDLE', 'IDLE', 'IDLE', 'IDLE')],
  [
    'status write',
    (m) => m.write(STATUS, 0xffffffff),
    ends('IDLE', 'COLLECT', 'PROCESS', 'RESPOND', 'ERROR'),
  ],
];
function ends(...states: MailboxState[]): Record<MailboxState, MailboxState> {
  const pairs = MailboxStates.map((state, i) => [state, states[i]]);
  return Object.fromEntries(pairs) as Record<MailboxState, MailboxState>;
}
for (const [name, poke, after] of pokes)
  for (const state of MailboxStates)
    table(`${name} in ${state}`, () => {
      const { mailbox, ticket } = reach[state]();
      assert.is(mailbox.state, state);
      poke(mailbox, ticket);
      assert.is(mailbox.state, after[state]);
      const { busy, ready, error } = statusOf[after[state]];
      const bits = mailbox.read(STATUS);
      assert.equal(
        [(bits & BUSY) !== 0, (bits & READY) !== 0, (bits & ERROR) !== 0],
        [busy, ready, error],
      );
    });
table.run();
