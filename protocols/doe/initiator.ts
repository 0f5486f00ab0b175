/**
 * The host side of a DOE instance as generators over register steps (PCIe Base 6.x clause 6.30.2; the
 * order of accesses is that of Linux drivers/pci/doe.c, with the additions noted below). Who drives them
 * decides whether a step is a config TLP in simulated time, a call on a mailbox in a plain loop or an
 * access to a real function's config space.
 *
 * Beyond Linux: a Ready or Error left over from someone else is cleared by Abort before the exchange;
 * Ready after the last DW is a fault; a response above the caller's limit is flushed and refused.
 */

import { readDwLE, writeDwLE } from '../codec/bytes.ts';
import { decode } from '../codec/layout.ts';
import { isPeerFault, LocalError, type PeerFault, peerFault } from '../codec/refusal.ts';
import {
  type DoeObjectType,
  DoeTypes,
  DW_BYTES,
  decodeObject,
  discoveryResponse,
  encodeDiscoveryRequest,
  HEADER_DWS,
  lengthDws,
  OBJECT_DWS_MAX,
  objectTypeName,
  sameType,
  VENDOR_NONE,
  VENDOR_PCI_SIG,
} from './object.ts';
import {
  CONTROL_ABORT,
  CONTROL_GO,
  CONTROL_INTERRUPT_ENABLE,
  DoeRegisters,
  has,
  STATUS_BUSY,
  STATUS_ERROR,
  STATUS_READY,
  statusText,
} from './registers.ts';

/**
 * What the initiator wants done; offsets count from the capability. The driver answers `read` with the
 * DW, `waitPs` with the time that really passed since the wait before (less counts as `waitPs`), and
 * `write` with anything.
 */
export type DoeStep =
  | { readonly read: number }
  | { readonly write: number; readonly value: number }
  | { readonly waitPs: number };

export type DoeSteps<T> = Generator<DoeStep, T | PeerFault, number>;

/** Linux polls every 1/128 s and gives a response, and an abort, one second each. */
export const DOE_POLL_PS = 7_812_500_000;
export const DOE_TIMEOUT_PS = 1_000_000_000_000;
const DISCOVERY_STEPS_MAX = 256;

export interface DoeTiming {
  /** pause between two looks at Status; default 1/128 s */
  readonly pollPs?: number;
  /** limit from Go to Ready, and from Abort to idle; default 1 s */
  readonly timeoutPs?: number;
  /** the longest response taken, in DWs with the header; a longer one is flushed. Default 2^18 */
  readonly responseDwsMax?: number;
  /** Interrupt Enable as the caller wants it kept; default off */
  readonly interruptEnable?: boolean;
  /** register steps and waits of one exchange before it is given up; default: what the limits allow */
  readonly stepsMax?: number;
}

/** Codes of the faults an exchange, a discovery or an abort may end in. */
export const DoeFaults = {
  /** Busy before the request: somebody else uses the mailbox, or it is stuck */
  BUSY: 'DOE_BUSY',
  /** Error was set during the exchange */
  ERROR: 'DOE_ERROR',
  /** neither Ready nor Error within the limit */
  TIMEOUT: 'DOE_TIMEOUT',
  /** vendor or type of the response is not that of the request */
  WRONG_OBJECT: 'DOE_WRONG_OBJECT',
  /** the response's Length is below the header's, or below what its type needs */
  BAD_LENGTH: 'DOE_BAD_LENGTH',
  /** the response is longer than the caller takes */
  OVER_LIMIT: 'DOE_OVER_LIMIT',
  /** Ready fell before the last DW was acknowledged: the data is not to be trusted */
  DROPPED: 'DOE_DROPPED',
  /** Ready after the last DW: the responder has more than its Length said */
  SURPLUS: 'DOE_SURPLUS',
  /** Abort did not bring the mailbox back: it is dead */
  ABORT_FAILED: 'DOE_ABORT_FAILED',
  /** Discovery led back to an index already seen */
  DISCOVERY_LOOP: 'DOE_DISCOVERY_LOOP',
  /** more register steps than allowed */
  STEPS: 'DOE_STEPS',
} as const;

interface Settled {
  readonly pollPs: number;
  readonly timeoutPs: number;
  readonly responseDwsMax: number;
  readonly control: number;
  readonly stepsMax: number | undefined;
}

function settle(timing: DoeTiming): Settled {
  const { pollPs = DOE_POLL_PS, timeoutPs = DOE_TIMEOUT_PS } = timing;
  const { responseDwsMax = OBJECT_DWS_MAX, stepsMax } = timing;
  if (!Number.isSafeInteger(pollPs) || pollPs < 1)
    throw new LocalError(`pollPs: expected a positive integer, got ${pollPs}`);
  if (!Number.isSafeInteger(timeoutPs) || timeoutPs < 0)
    throw new LocalError(`timeoutPs: expected an unsigned integer, got ${timeoutPs}`);
  if (!(responseDwsMax >= HEADER_DWS && responseDwsMax <= OBJECT_DWS_MAX))
    throw new LocalError(`responseDwsMax: expected ${HEADER_DWS}..${OBJECT_DWS_MAX}`);
  if (stepsMax !== undefined && !(stepsMax >= 1))
    throw new LocalError(`stepsMax: expected at least 1, got ${stepsMax}`);
  const control = timing.interruptEnable === true ? CONTROL_INTERRUPT_ENABLE : 0;
  return { pollPs, timeoutPs, responseDwsMax, control, stepsMax };
}

const readStatus: DoeStep = { read: DoeRegisters.STATUS };
const readMailbox: DoeStep = { read: DoeRegisters.READ_MAILBOX };
const advance: DoeStep = { write: DoeRegisters.READ_MAILBOX, value: 0 };

/** Looks at Status at once and then every `pollPs`, until `done` says so or the limit has passed. */
function* pollStatus(
  settled: Settled,
  done: (status: number) => boolean,
): Generator<DoeStep, { readonly status: number; readonly inTime: boolean }, number> {
  let passedPs = 0;
  for (;;) {
    const status = yield readStatus;
    if (done(status)) return { status, inTime: true };
    if (passedPs >= settled.timeoutPs) return { status, inTime: false };
    const tookPs = yield { waitPs: settled.pollPs };
    passedPs += settled.pollPs;
    if (tookPs > settled.pollPs) passedPs += tookPs - settled.pollPs;
  }
}

/** Runs `inner` for at most `stepsMax` steps. */
function* bounded<T>(inner: DoeSteps<T>, stepsMax: number | undefined): DoeSteps<T> {
  if (stepsMax === undefined) return yield* inner;
  let taken = 0;
  for (let step = inner.next(); ; taken++) {
    if (step.done === true) return step.value;
    if (taken >= stepsMax)
      return peerFault(DoeFaults.STEPS, `not finished after ${stepsMax} register steps`);
    step = inner.next(yield step.value);
  }
}

/**
 * Writes Abort and waits until Error and Busy are clear. A host does so once before the first use, and
 * after every failure.
 */
export function* doeAbort(timing: DoeTiming = {}): DoeSteps<undefined> {
  const settled = settle(timing);
  yield { write: DoeRegisters.CONTROL, value: settled.control | CONTROL_ABORT };
  const idle = (status: number) => !has(status, STATUS_ERROR) && !has(status, STATUS_BUSY);
  const { status, inTime } = yield* pollStatus(settled, idle);
  if (inTime) return undefined;
  return peerFault(DoeFaults.ABORT_FAILED, `mailbox dead after Abort: ${statusText(status)}`);
}

/**
 * Sends the whole object `object` and receives the response object, header included. Every failure but a
 * dead mailbox leaves the mailbox aborted and usable.
 * @throws LocalError on an `object` that is none, or a timing out of range.
 */
export function* doeExchange(object: Uint8Array, timing: DoeTiming = {}): DoeSteps<Uint8Array> {
  const settled = settle(timing);
  const request = decodeObject(object);
  if (!request.ok) throw new LocalError(`object: ${request.code} at ${request.path}`);
  const result = yield* bounded(attempt(object, request.value, settled, timing), settled.stepsMax);
  if (!isPeerFault(result) || result.code === DoeFaults.ABORT_FAILED) return result;
  // A flushed response has left the mailbox idle already.
  if (result.code === DoeFaults.OVER_LIMIT) return result;
  const aborted = yield* doeAbort(timing);
  if (!isPeerFault(aborted)) return result;
  return peerFault(aborted.code, `${aborted.detail}, after ${result.code} (${result.detail})`);
}

function* attempt(
  object: Uint8Array,
  type: DoeObjectType,
  settled: Settled,
  timing: DoeTiming,
): DoeSteps<Uint8Array> {
  const before = yield readStatus;
  if (has(before, STATUS_BUSY)) return peerFault(DoeFaults.BUSY, statusText(before));
  if (has(before, STATUS_ERROR) || has(before, STATUS_READY)) {
    const aborted = yield* doeAbort(timing);
    if (isPeerFault(aborted)) return aborted;
  }
  for (let at = 0; at < object.length; at += DW_BYTES)
    yield { write: DoeRegisters.WRITE_MAILBOX, value: readDwLE(object, at) };
  yield { write: DoeRegisters.CONTROL, value: (settled.control | CONTROL_GO) >>> 0 };
  const { status, inTime } = yield* pollStatus(
    settled,
    (now) => has(now, STATUS_ERROR) || has(now, STATUS_READY),
  );
  if (has(status, STATUS_ERROR))
    return peerFault(DoeFaults.ERROR, `after Go: ${statusText(status)}`);
  if (!inTime)
    return peerFault(
      DoeFaults.TIMEOUT,
      `no response after ${settled.timeoutPs} ps: ${statusText(status)}`,
    );
  return yield* receive(type, settled);
}

/** Reads the response; the last DW is acknowledged only if Ready still stands. */
function* receive(type: DoeObjectType, settled: Settled): DoeSteps<Uint8Array> {
  const first = yield readMailbox;
  const got = { VendorID: first & 0xffff, DataObjectType: (first >>> 16) & 0xff };
  if (!sameType(got, type))
    return peerFault(
      DoeFaults.WRONG_OBJECT,
      `${objectTypeName(got)} in answer to ${objectTypeName(type)}`,
    );
  yield advance;
  let dw = yield readMailbox;
  const dws = lengthDws(dw);
  if (dws < HEADER_DWS) return peerFault(DoeFaults.BAD_LENGTH, `Length ${dws}`);
  const kept = dws <= settled.responseDwsMax;
  const response = new Uint8Array(kept ? dws * DW_BYTES : 0);
  if (kept) writeDwLE(response, 0, first);
  for (let index = 1; index < dws; index++) {
    if (index > 1) dw = yield readMailbox;
    if (kept) writeDwLE(response, index * DW_BYTES, dw);
    if (index === dws - 1) {
      const status = yield readStatus;
      if (!has(status, STATUS_READY))
        return peerFault(DoeFaults.DROPPED, `before the last DW: ${statusText(status)}`);
    }
    yield advance;
  }
  const after = yield readStatus;
  if (has(after, STATUS_ERROR))
    return peerFault(DoeFaults.ERROR, `at the end: ${statusText(after)}`);
  if (has(after, STATUS_READY)) return peerFault(DoeFaults.SURPLUS, `more than ${dws} DWs`);
  if (!kept)
    return peerFault(DoeFaults.OVER_LIMIT, `${dws} DWs, at most ${settled.responseDwsMax} wanted`);
  return response;
}

/**
 * Lists the object types of an instance with Discovery. `capabilityVersion` is that of the extended
 * capability: from 2 on the request carries Discovery Version 2. Ends at Next Index 0, at vendor FFFFh
 * (which QEMU answers beyond the end), or at an index already seen, which is a fault.
 */
export function* discover(
  capabilityVersion: number,
  timing: DoeTiming = {},
): DoeSteps<DoeObjectType[]> {
  const discoveryVersion = capabilityVersion >= 2 ? 2 : 0;
  const found: DoeObjectType[] = [];
  const seen = new Set<number>();
  let index = 0;
  do {
    if (seen.has(index) || seen.size >= DISCOVERY_STEPS_MAX)
      return peerFault(DoeFaults.DISCOVERY_LOOP, `index ${index} came again`);
    seen.add(index);
    const response = yield* doeExchange(encodeDiscoveryRequest(index, discoveryVersion), timing);
    if (isPeerFault(response)) return response;
    const payload = response.subarray(HEADER_DWS * DW_BYTES);
    const entry = decode(discoveryResponse, payload, {}, { trailing: 'leave' });
    if (!entry.ok) return peerFault(DoeFaults.BAD_LENGTH, `Discovery response: ${entry.detail}`);
    const { VendorID, DataObjectType, NextIndex } = entry.value;
    if (VendorID === VENDOR_NONE) break;
    found.push({ VendorID, DataObjectType });
    index = NextIndex;
  } while (index !== 0);
  return found;
}

/** What a host does with an instance it has found: Abort, then Discovery. */
export function* doeOpen(
  capabilityVersion: number,
  timing: DoeTiming = {},
): DoeSteps<DoeObjectType[]> {
  const aborted = yield* doeAbort(timing);
  if (isPeerFault(aborted)) return aborted;
  return yield* discover(capabilityVersion, timing);
}

/** Whether a found list has what secured sessions need: CMA/SPDM and Secured CMA/SPDM. */
export function supportsSecuredSpdm(types: readonly DoeObjectType[]): boolean {
  const wanted = [DoeTypes.CMA_SPDM, DoeTypes.SECURED_CMA_SPDM];
  return wanted.every((DataObjectType) =>
    types.some((type) => sameType(type, { VendorID: VENDOR_PCI_SIG, DataObjectType })),
  );
}
