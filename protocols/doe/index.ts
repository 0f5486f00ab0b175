/** DOE (PCIe Base 6.x 6.30): data objects, the responder's mailbox, the initiator's steps. */

export * from './initiator.ts';
export * from './mailbox.ts';
export * from './mailbox-state.ts';
export * from './object.ts';
export * from './registers.ts';
