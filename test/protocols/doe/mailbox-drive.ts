/** A mailbox driven by hand through its registers, for the tests of this folder. */

import { fromHex, readDwLE } from '../../../protocols/codec/bytes.ts';
import { DoeMailbox, type MailboxOutcome } from '../../../protocols/doe/mailbox.ts';
import type { MailboxState } from '../../../protocols/doe/mailbox-state.ts';
import { DoeRegisters } from '../../../protocols/doe/registers.ts';

const { CONTROL, STATUS, WRITE_MAILBOX, READ_MAILBOX } = DoeRegisters;
export const ABORT = 1;
export const ENABLE = 2;
export const GO = 0x80000000;
export const READY = 0x80000000;
export const ERROR = 4;
export const BUSY = 1;

export const SPDM = { VendorID: 1, DataObjectType: 1 };
export const SECURED = { VendorID: 1, DataObjectType: 2 };
export const GET_VERSION = fromHex('01000100 03000000 10840000');
export const VERSION = fromHex('01000100 04000000 10040000 00010010');

export const make = (interruptMessage?: number) =>
  new DoeMailbox({
    types: [SPDM, SECURED],
    ...(interruptMessage === undefined ? {} : { interruptMessage }),
  });

export function collect(mailbox: DoeMailbox, object: Uint8Array): void {
  for (let at = 0; at < object.length; at += 4) mailbox.write(WRITE_MAILBOX, readDwLE(object, at));
}

export function send(mailbox: DoeMailbox, object: Uint8Array): MailboxOutcome {
  collect(mailbox, object);
  return mailbox.write(CONTROL, GO);
}

export function ticketOf(outcome: MailboxOutcome): number {
  if (outcome.type !== 'object') throw new Error(`expected an object, got ${outcome.type}`);
  return outcome.ticket;
}

export function drain(mailbox: DoeMailbox): string {
  const out: string[] = [];
  while ((mailbox.read(STATUS) & READY) !== 0 && out.length < 1000) {
    out.push(mailbox.read(READ_MAILBOX).toString(16).padStart(8, '0'));
    mailbox.write(READ_MAILBOX, 0);
  }
  return out.join(' ');
}

/** Brings a mailbox into each state through its registers. */
export const reach: Readonly<Record<MailboxState, () => { mailbox: DoeMailbox; ticket: number }>> =
  {
    IDLE: () => ({ mailbox: make(), ticket: 0 }),
    COLLECT: () => {
      const mailbox = make();
      collect(mailbox, GET_VERSION);
      return { mailbox, ticket: 0 };
    },
    PROCESS: () => {
      const mailbox = make();
      return { mailbox, ticket: ticketOf(send(mailbox, GET_VERSION)) };
    },
    RESPOND: () => {
      const { mailbox, ticket } = reach.PROCESS();
      mailbox.respond(ticket, VERSION);
      return { mailbox, ticket };
    },
    ERROR: () => {
      const { mailbox, ticket } = reach.PROCESS();
      mailbox.fail(ticket);
      return { mailbox, ticket };
    },
  };
