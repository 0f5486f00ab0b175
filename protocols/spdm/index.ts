/** SPDM (DSP0274, DSP0277): messages, key schedule, records, responder, requester, listener, evidence. */

export * from './algorithms.ts';
export * from './codes.ts';
export * from './evidence/evidence.ts';
export * from './key-schedule.ts';
export * from './measurements.ts';
export * from './messages/registry.ts';
export { handshakeInTheClear, negotiatedOf } from './negotiate.ts';
export * from './observer/observer.ts';
export * from './party.ts';
export * from './requester/auth.ts';
export * from './requester/session.ts';
export * from './requester/state.ts';
export * from './requester/vca.ts';
export * from './responder/responder.ts';
export * from './responder/rules.ts';
export * from './responder/state.ts';
export * from './secured-message.ts';
export * from './session-keys.ts';
export * from './signing.ts';
export * from './transcript.ts';
