/**
 * What the TDISP responder asks of the device around it, and what it tells it back. The DSM answers
 * these from its configuration space, IDE streams and random source; nothing here may block.
 */

import type { Effect } from '../engine.ts';
import type { TdiState } from './codes.ts';
import type { ReportFacts } from './report.ts';

/** A TDISP error code (`TdispErrors`), or undefined for consent. */
export type TdispVerdict = number | undefined;

/** LOCK_INTERFACE_REQUEST as asked. */
export interface LockRequest {
  /** `LockFlags` masks; only advertised ones get this far */
  readonly flags: number;
  readonly defaultStreamId: number;
  /** unsigned 64 bits, a multiple of 4 KiB */
  readonly mmioReportingOffset: bigint;
  readonly bindP2pAddressMask: bigint;
}

export interface TdispCapabilities {
  /** DSM_CAPS; 0 in version 1.0 */
  readonly dsmCaps?: number;
  /** LOCK_INTERFACE_FLAGS_SUPPORTED, `LockFlags` masks */
  readonly lockFlagsSupported: number;
  /** DEV_ADDR_WIDTH, bits */
  readonly deviceAddressWidth: number;
  /** requests outstanding at once for one TDI, and for all of them; 0 is read as 1 */
  readonly numReqThis: number;
  readonly numReqAll: number;
  /** bytes of report in one answer, where the carrier bounds them; default 65535 */
  readonly reportPortionMax?: number;
}

/** SET_MMIO_ATTRIBUTE in the device's own terms. */
export interface MmioAttributeUpdate {
  readonly barIndex: number;
  /** bus address, the reporting offset taken off */
  readonly address: bigint;
  /** 4 KiB pages */
  readonly pages: number;
  /** IS_NON_TEE_MEM */
  readonly nonTee: boolean;
}

/** VDM_REQUEST and VDM_RESPONSE after the header. */
export interface VendorMessage {
  readonly registryId: number;
  readonly vendorId: Uint8Array;
  readonly data: Uint8Array;
}

/** VENDOR_SPECIFIC_ERROR with its ERROR_DATA and extended data. */
export interface VendorError {
  readonly errorData: number;
  readonly extended: VendorMessage;
}

export interface TdispDevice {
  readonly capabilities: TdispCapabilities;
  /** FUNCTION_IDs of the TDIs behind this DSM, as they stand now */
  interfaces(): readonly number[];
  /**
   * May this TDI be locked? The default stream must be a Selective stream whose keys were programmed
   * over this session (else INVALID_REQUEST), on TC0, with MSE set and BARs aligned (else
   * INVALID_DEVICE_CONFIGURATION).
   */
  checkLock(functionId: number, request: LockRequest, sessionId: number): TdispVerdict;
  /** Facts for the report, asked once per lock: the report is a snapshot. */
  reportFacts(functionId: number, request: LockRequest): ReportFacts;
  /** `size` random bytes; undefined when there is no entropy. */
  random(size: number): Uint8Array | undefined;

  /**
   * Requests whose answers have not left the device yet, besides the one being handled, for one TDI or
   * for all. A device that never overlaps requests leaves this out.
   */
  outstanding?(functionId: number | 'all'): number;

  /** Optional messages: a device without the method answers UNSUPPORTED_REQUEST. */
  bindP2pStream?(functionId: number, streamId: number, sessionId: number): TdispVerdict;
  unbindP2pStream?(functionId: number, streamId: number, sessionId: number): TdispVerdict;
  /** Applies a new attribute to pages inside one updatable range. */
  setMmioAttribute?(functionId: number, update: MmioAttributeUpdate): TdispVerdict;
  vendorDefined?(
    functionId: number,
    message: VendorMessage,
    sessionId: number,
  ): VendorMessage | VendorError | number;
}

/** A TDI moved; `cause` is a request name or an event name. */
export interface TdiStateEffect extends Effect {
  readonly type: 'tdi-state';
  readonly functionId: number;
  readonly from: TdiState;
  readonly to: TdiState;
  readonly cause: string;
}
/** What a TDI was locked with; follows its `tdi-state`. */
export interface TdiLockedEffect extends Effect {
  readonly type: 'tdi-locked';
  readonly functionId: number;
  readonly sessionId: number;
  readonly request: LockRequest;
}
export interface TdiP2pEffect extends Effect {
  readonly type: 'tdi-p2p-bound' | 'tdi-p2p-unbound';
  readonly functionId: number;
  readonly streamId: number;
}
export interface TdiMmioAttributeEffect extends Effect {
  readonly type: 'tdi-mmio-attribute';
  readonly functionId: number;
  readonly update: MmioAttributeUpdate;
}
export type TdispEffect = TdiStateEffect | TdiLockedEffect | TdiP2pEffect | TdiMmioAttributeEffect;
