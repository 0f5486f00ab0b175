/** PCIe IDE: registers, key management, streams and TLPs of one port. Public names. */

export {
  blockCounts,
  type IdeRegisters,
  ideDwordsNeeded,
  type LinkBlock,
  parseIdeCapability,
  type SelectiveBlock,
} from './capability-walk.ts';
export {
  InvocationCounter,
  PR_RECEIVED_COUNTER_MAX,
  PR_SENT_COUNTER_MAX,
  PrReceivedCounters,
  PrSentCounters,
} from './counters.ts';
export * from './effects.ts';
export * from './idekm.ts';
export * from './idekm-requester.ts';
export { IdekmResponder, type IdekmResponderOptions } from './idekm-responder.ts';
export {
  type IdeMessage,
  IdeMessageCodes,
  ideFail,
  ideMessage,
  ideSync,
} from './messages.ts';
export {
  IdePort,
  type IdePortOptions,
  type KeyAddress,
  type KeyOutcome,
  type KeyRefusal,
  type StreamInfo,
} from './port.ts';
export type { CheckCode, ReceiveCode, Received, ReceivePolicy } from './receive.ts';
export type { IdeRole } from './register-file.ts';
export * from './registers.ts';
export {
  IV_BYTES,
  IV_FIXED_FIELDS,
  ivOf,
  type KeyedSealer,
  MAC_BYTES,
  referenceSealers,
  type SealerFactory,
} from './seal.ts';
export { allowedOnStream } from './select.ts';
export {
  ENABLED_STATES,
  STREAM_TABLE,
  type Step,
  type StreamEvent,
  StreamEvents,
  type StreamRefusal,
  type StreamState,
  StreamStates,
  streamStateDiagram,
} from './stream-state.ts';
export type {
  BlockCode,
  ReplyTo,
  SealRecord,
  TransmitOptions,
  Transmitted,
} from './transmit.ts';
