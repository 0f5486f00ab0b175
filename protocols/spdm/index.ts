/** SPDM (DSP0274, DSP0277): messages, key schedule, records, responder, requester, listener, evidence. */

export * from './algorithms.ts';
export * from './codes.ts';
export {
  answerEndpointInfo,
  type DeviceClass,
  decodeDeviceClasses,
  encodeDeviceClasses,
  il1il2,
} from './endpoint-info.ts';
export {
  certificateChanged,
  dmtfEvents,
  type EventGroup,
  type EventOccurrence,
  type EventSource,
  measurementChanged,
  measurementPreUpdate,
  type NumberedEvent,
  numberedEvents,
  type Subscription,
} from './events.ts';
export {
  type EvidenceCheck,
  EvidenceFaults,
  type EvidenceNote,
  EvidenceNotes,
} from './evidence/check.ts';
export * from './evidence/evidence.ts';
export type { Difference } from './evidence/measurement-rules.ts';
export type * from './evidence/policy.ts';
export * from './evidence/report.ts';
export { type DeviceMode, meaningOf, typeText, valueText } from './evidence/values.ts';
export {
  decodeLog,
  type ExtensionLogEntry,
  encodeLog,
  entriesOf,
  extendedMeasurement,
  logFault,
  replay,
} from './extension-log.ts';
export * from './identity.ts';
export * from './key-schedule.ts';
export * from './key-update.ts';
export * from './measurements.ts';
export { CertModels, keyUsageBits } from './messages/auth.ts';
export { deviceClassIdentifiers, EndpointInfoSubCodes } from './messages/endpoint-info.ts';
export { DmtfEventTypes, dmtfEventDetails, eventGroup } from './messages/events.ts';
export {
  KeyPairOperations,
  keyPairAsymBits,
  keyPairCapabilityBits,
  pqcMaskOf,
} from './messages/key-pairs.ts';
export { melBlob, melEntry } from './messages/measurement-extension-log.ts';
export * from './messages/registry.ts';
export { KeyUpdateOps } from './messages/session.ts';
export { handshakeInTheClear, negotiatedOf } from './negotiate.ts';
export * from './observer/observer.ts';
export * from './opaque.ts';
export * from './party.ts';
export * from './provisioning/kinds.ts';
export * from './provisioning/store.ts';
export type { AliasKey, KeyPair, StoredChain, Tables } from './provisioning/tables.ts';
export * from './requester/application.ts';
export * from './requester/auth.ts';
export * from './requester/certificates.ts';
export * from './requester/encapsulated.ts';
export * from './requester/endpoint-info.ts';
export * from './requester/events.ts';
export * from './requester/extension-log.ts';
export { updateKeys } from './requester/key-update.ts';
export * from './requester/mutual.ts';
export * from './requester/provisioned.ts';
export * from './requester/provisioning.ts';
export * from './requester/psk.ts';
export * from './requester/session.ts';
export * from './requester/session-life.ts';
export * from './requester/state.ts';
export * from './requester/transact.ts';
export * from './requester/vca.ts';
export * from './requester/vendor.ts';
export {
  type EncapsulatedFlow,
  type EncapsulatedStep,
  queueEncapsulated,
} from './responder/encapsulated.ts';
export * from './responder/encapsulated-requests.ts';
export { type EventsReceived, raiseEvent } from './responder/events.ts';
export type {
  MutualAuthentication,
  RequesterAuthenticated,
  RequesterRefused,
} from './responder/mutual.ts';
export type {
  CertificateErased,
  CertificateRefused,
  CertificateStored,
  KeyPairChanged,
  Provisioning,
  ProvisioningRefused,
} from './responder/provisioning.ts';
export * from './responder/responder.ts';
export * from './responder/rules.ts';
export * from './responder/state.ts';
export * from './secured-message.ts';
export * from './session-keys.ts';
export * from './signing.ts';
export * from './transcript.ts';
