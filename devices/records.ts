/**
 * The records a simulated platform puts on the trace bus: what sinks write, checkers look at and the
 * narrator reads. Plain data; byte arrays are the bytes themselves.
 */

import type { TdiState } from '../protocols/tdisp/index.ts';

export type LinkDirection = 'downstream' | 'upstream';

export interface SimRecords {
  /** a TLP leaves a port onto a link, IDE prefix and MAC included */
  tlp: { direction: LinkDirection; bytes: Uint8Array };
  /** a TLP that came in and went nowhere, with its reason */
  'tlp-dropped': { code: string; reason: string; bytes: Uint8Array };
  /** a TLP that was not sent because its stream cannot protect it */
  'tlp-blocked': { reason: string; bytes: Uint8Array };
  /** an interposer changed what is on the wire */
  interposed: { direction: LinkDirection; what: string; before: Uint8Array; after: Uint8Array };
  'ide-seal': {
    streamId: number;
    subStream: number;
    keyId: string;
    iv: string;
    payload: Uint8Array;
    wire: Uint8Array;
  };
  'ide-key': {
    event: 'programmed' | 'go' | 'stop' | 'switched';
    streamId: number;
    direction: string;
    subStream: number;
    keySet: number;
    sessionId?: number;
  };
  'ide-stream': { streamId: number; from: string; to: string; reason: string };
  /** data objects through a DOE mailbox, header included */
  doe: { direction: 'request' | 'response'; object: Uint8Array };
  /** an SPDM message in the clear, as the device saw or sent it */
  spdm: {
    direction: 'request' | 'response';
    secured: boolean;
    sessionId?: number;
    bytes: Uint8Array;
  };
  /** an SPDM record is sealed */
  'record-seal': { sessionId: number; keyId: string; iv: string };
  session: { sessionId: number; state: 'established' | 'ended'; reason: string };
  tdi: { functionId: number; from: TdiState; to: TdiState; cause: string };
  'tdi-locked': { functionId: number; sessionId: number; streamId: number };
  /** a tracked register of a locked TDI changed */
  'register-change': { functionId: number; register: string; from: number; to: number };
  'mmio-refused': { functionId: number; tee: boolean; reason: string };
  'dma-start': { functionId: number; write: boolean; tee: boolean; iova: number; length: number };
  'dma-write': { functionId: number; iova: number; data: Uint8Array; tee: boolean };
  'dma-end': { functionId: number; ok: boolean; reason: string };
  scrub: { functionId: number; bytes: number };
  'iommu-map': { rid: number; table: string; iova: number; address: number; size: number };
  'iommu-context': { rid: number; table: string; enabled: boolean };
  'iommu-fault': { rid: number; tee: boolean; iova: number; write: boolean; reason: string };
  /** data landing in, or read from, host memory; `by` is a requester id or a CPU agent */
  'memory-write': { by: string; tee: boolean; address: number; data: Uint8Array };
  'memory-read': { by: string; tee: boolean; address: number; length: number };
  'memory-refused': { by: string; address: number; write: boolean; reason: string };
  interrupt: { rid: number; tee: boolean; vector: number };
  /** what a person is told: a step of the scenario and what came of it */
  chapter: { title: string };
  say: { actor: string; text: string };
  /** an expectation of the scenario that did not hold */
  finding: { step: string; detail: string };
}

export type SimRecordKind = keyof SimRecords & string;
