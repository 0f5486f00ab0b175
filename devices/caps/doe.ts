/**
 * The DOE extended capability (PCIe Base 6.x clause 7.9.24) around a mailbox. Several may stand in one
 * function, each with its own mailbox. Whatever an access did goes to `onOutcome`: an object to answer,
 * an interrupt to send.
 */

import type { DoeMailbox, MailboxOutcome } from '../../protocols/doe/mailbox.ts';
import {
  CONTROL_INTERRUPT_ENABLE,
  DOE_CAPABILITY_BYTES,
  DoeRegisters,
  has,
} from '../../protocols/doe/registers.ts';
import { ExtendedCapabilityIds } from './names.ts';
import type { Capability, Changed, ResetKind } from './register-block.ts';

export class DoeCapability implements Capability {
  readonly id = ExtendedCapabilityIds.DOE;
  readonly version: 1 | 2;
  readonly size = DOE_CAPABILITY_BYTES;
  readonly mailbox: DoeMailbox;
  readonly #onOutcome: (outcome: MailboxOutcome) => void;

  /** From version 2 on, a host asks Discovery with Discovery Version 2. */
  constructor(mailbox: DoeMailbox, version: 1 | 2, onOutcome: (outcome: MailboxOutcome) => void) {
    this.mailbox = mailbox;
    this.version = version;
    this.#onOutcome = onOutcome;
  }

  read(offset: number): number {
    return this.mailbox.read(offset);
  }

  write(offset: number, value: number, byteEnable: number, changed: Changed): void {
    const before = this.#interruptEnable();
    const outcome = this.mailbox.write(offset, value, byteEnable);
    const after = this.#interruptEnable();
    if (after !== before)
      changed({ register: 'DOE Control.Interrupt_Enable', from: before, to: after });
    this.#onOutcome(outcome);
  }

  reset(_kind: ResetKind): void {
    this.#onOutcome(this.mailbox.reset());
  }

  #interruptEnable(): number {
    return has(this.mailbox.read(DoeRegisters.CONTROL), CONTROL_INTERRUPT_ENABLE) ? 1 : 0;
  }
}
