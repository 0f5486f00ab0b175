/** A TDISP device for tests: two functions, one BAR each, every answer steerable, every call recorded. */

import { isPeerFault, type PeerFault } from '../../../protocols/codec/refusal.ts';
import type { VendorExchange, VendorOutcome } from '../../../protocols/engine.ts';
import {
  InterfaceInfo,
  LOCK_FLAGS_DEFINED,
  type LockRequest,
  type MmioAttributeUpdate,
  RangeAttributes,
  type ReportFacts,
  type TdispCapabilities,
  type TdispDevice,
  TdispResponder,
  type TdispVerdict,
  type VendorError,
  type VendorMessage,
} from '../../../protocols/tdisp/index.ts';

export const F0 = 0x0100;
export const F1 = 0x0101;
export const SESSION = 0x11112222;
export const OTHER_SESSION = 0x33334444;
export const OFFSET = 0xd0000000n;

export const LOCK: LockRequest = {
  flags: 0,
  defaultStreamId: 7,
  mmioReportingOffset: OFFSET,
  bindP2pAddressMask: 0n,
};

export const FACTS: ReportFacts = {
  interfaceInfo: InterfaceInfo.DMA_WITHOUT_PASID,
  msixMessageControl: 0x800f,
  lnrControl: 0,
  tphControl: 0,
  ranges: [
    { barIndex: 0, address: 0xe0000000n, pages: 4, attributes: 0 },
    {
      barIndex: 0,
      address: 0xe0004000n,
      pages: 1,
      attributes: RangeAttributes.MSI_X_TABLE | RangeAttributes.MSI_X_PBA,
    },
    {
      barIndex: 2,
      address: 0xf0000000n,
      pages: 16,
      attributes: RangeAttributes.IS_MEM_ATTR_UPDATABLE,
    },
  ],
  deviceSpecificInfo: new TextEncoder().encode('nic-7'),
};

/** Answers the mandatory requests only. */
export class PlainDevice implements TdispDevice {
  capabilities: TdispCapabilities = {
    lockFlagsSupported: LOCK_FLAGS_DEFINED,
    deviceAddressWidth: 52,
    numReqThis: 1,
    numReqAll: 2,
  };
  functions: number[] = [F0, F1];
  facts: ReportFacts = FACTS;
  lockVerdict: TdispVerdict = undefined;
  entropy = true;
  draws = 0;
  pending: ReadonlyMap<number | 'all', number> = new Map();

  interfaces(): readonly number[] {
    return this.functions;
  }
  checkLock(_functionId: number, _request: LockRequest, _sessionId: number): TdispVerdict {
    return this.lockVerdict;
  }
  reportFacts(): ReportFacts {
    return this.facts;
  }
  random(size: number): Uint8Array | undefined {
    if (!this.entropy) return undefined;
    this.draws++;
    return new Uint8Array(size).fill(this.draws);
  }
  outstanding(functionId: number | 'all'): number {
    return this.pending.get(functionId) ?? 0;
  }
}

/** Answers everything of version 1.0. */
export class FullDevice extends PlainDevice {
  verdict: TdispVerdict = undefined;
  updates: MmioAttributeUpdate[] = [];
  vendorAnswer: VendorMessage | VendorError | number | undefined = undefined;

  bindP2pStream(): TdispVerdict {
    return this.verdict;
  }
  unbindP2pStream(): TdispVerdict {
    return this.verdict;
  }
  setMmioAttribute(_functionId: number, update: MmioAttributeUpdate): TdispVerdict {
    if (this.verdict === undefined) this.updates.push(update);
    return this.verdict;
  }
  vendorDefined(_functionId: number, message: VendorMessage): VendorMessage | VendorError | number {
    return this.vendorAnswer ?? { ...message, data: message.data.slice().reverse() };
  }
}

/** The reply as bytes; an SPDM error or silence is a failure of the test. */
export function bytesOf(outcome: VendorOutcome): Uint8Array {
  if (!(outcome.reply instanceof Uint8Array)) throw new Error('no TDISP reply');
  return outcome.reply;
}

/** Runs an exchange against a responder, in at most `stepsMax` steps. */
export function run<T>(
  exchange: VendorExchange<T>,
  responder: TdispResponder,
  session: number = SESSION,
  stepsMax = 10_000,
): T | PeerFault {
  return runWith(exchange, (asked) => bytesOf(responder.handle(asked, session)), stepsMax);
}

/** Runs an exchange against a function from request to answer. */
export function runWith<T>(
  exchange: VendorExchange<T>,
  answer: (asked: Uint8Array) => Uint8Array,
  stepsMax = 10_000,
): T | PeerFault {
  let step = exchange.next();
  for (let i = 0; !step.done; i++) {
    if (i >= stepsMax) throw new Error('exchange does not end');
    step = exchange.next(answer(step.value));
  }
  return step.value;
}

/** The value, or a thrown error naming the fault. */
export function good<T>(value: T | PeerFault): T {
  if (isPeerFault(value)) throw new Error(`${value.code}: ${value.detail}`);
  return value;
}

/** The fault's code, or a note that there was none. */
export function codeOf(value: unknown): string {
  return isPeerFault(value) ? value.code : 'no fault';
}

export function responderOf<D extends TdispDevice>(device: D): { device: D; r: TdispResponder } {
  return { device, r: new TdispResponder(device) };
}
