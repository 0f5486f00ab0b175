/** What an IDE port tells its owner, as typed facts. Bits of the AER Uncorrectable registers included. */

import type { Effect } from '../engine.ts';
import type { KeyDirection, KeySet, SubStream } from './idekm.ts';
import type { StreamEvent, StreamState } from './stream-state.ts';

/** AER Uncorrectable Error Status bits (PCIe Base 6.x clause 7.8.4.2). */
export const IdeAerBits = {
  IDE_CHECK_FAILED: 28,
  MISROUTED_IDE_TLP: 29,
  PCRC_CHECK_FAILED: 30,
} as const;

interface OfStream extends Effect {
  readonly portIndex: number;
  readonly streamId: number;
}

/** A stream changed its state, or lost keys without changing it. */
export interface StreamStateEffect extends OfStream {
  readonly type: 'ide-stream-state';
  readonly from: StreamState;
  readonly to: StreamState;
  readonly event: StreamEvent;
  readonly reason: string;
  /** all keys of the stream were destroyed */
  readonly keysInvalidated: boolean;
}
/** IDE Check Failed: AER bit 28, fatal by default; the stream is Insecure. */
export interface CheckFailedEffect extends OfStream {
  readonly type: 'ide-check-failed';
  readonly code: string;
  readonly reason: string;
}
/** Misrouted IDE TLP: AER bit 29; no stream is touched. */
export interface MisroutedEffect extends OfStream {
  readonly type: 'ide-misrouted';
  readonly reason: string;
}
/** A TLP without IDE was dropped where the stream's protection was due. */
export interface PlaintextDroppedEffect extends OfStream {
  readonly type: 'ide-plaintext-dropped';
  readonly reason: string;
}
/** The partner reports a failed check: Received Integrity Check Fail Message is set. */
export interface FailReceivedEffect extends OfStream {
  readonly type: 'ide-fail-received';
}
interface OfKey extends OfStream {
  readonly keySet: KeySet;
  readonly direction: KeyDirection;
  readonly subStream: SubStream;
}
export interface KeyProgrammedEffect extends OfKey {
  readonly type: 'ide-key-programmed';
  readonly keyId: string;
  readonly sessionId: number | undefined;
}
export interface KeySetEffect extends OfKey {
  readonly type: 'ide-key-set-go' | 'ide-key-set-stop';
}
/** The first TLP of a key set was sent or verified in this direction and sub-stream. */
export interface KeySwitchedEffect extends OfKey {
  readonly type: 'ide-key-switched';
  readonly keyId: string;
}

export type IdeEffect =
  | StreamStateEffect
  | CheckFailedEffect
  | MisroutedEffect
  | PlaintextDroppedEffect
  | FailReceivedEffect
  | KeyProgrammedEffect
  | KeySetEffect
  | KeySwitchedEffect;
