/**
 * What the responder does for each request once size, version, interface and state are in order: the
 * content checks and the answer (PCIe Base 6.x 11.3). The state move itself is the table's.
 */

import { equal } from '../codec/bytes.ts';
import type { ValueOf } from '../codec/field.ts';
import { encode } from '../codec/layout.ts';
import { LocalError } from '../codec/refusal.ts';
import type { Work } from '../engine.ts';
import {
  LOCK_FLAGS_DEFINED,
  LockFlags,
  mandatoryRequests,
  RANGE_ATTRIBUTES_DEFINED,
  RangeAttributes,
  START_INTERFACE_NONCE_SIZE,
  TDISP_PAGE_SIZE,
  TDISP_VERSION_1_0,
  TdiStates,
  TdispErrors,
  type TdispRequestName,
  TdispRequests,
  TdispResponses,
} from './codes.ts';
import type {
  LockRequest,
  MmioAttributeUpdate,
  TdispDevice,
  TdispEffect,
  TdispVerdict,
} from './device.ts';
import {
  encodeTdisp,
  type MmioRange,
  type TdispBody,
  type TdispCode,
  type TdispValue,
  vendorData,
} from './messages.ts';
import { buildReport, factsProblem, REPORT_BYTES_MAX, reportRanges } from './report.ts';
import type { Tdi } from './tdi.ts';

/** One request for one TDI inside one session. */
export interface Call {
  readonly device: TdispDevice;
  readonly tdi: Tdi;
  readonly sessionId: number;
  /** FUNCTION_ID as it stands in the request, for the echo */
  readonly functionWord: number;
}

export type Answer =
  | {
      readonly ok: true;
      readonly payload: Uint8Array;
      readonly work: readonly Work[];
      readonly effects: readonly TdispEffect[];
    }
  | {
      readonly ok: false;
      readonly error: number;
      readonly data?: number;
      readonly extended?: Uint8Array;
    };

const refused = (error: number): Answer => ({ ok: false, error });
const INVALID_REQUEST = refused(TdispErrors.INVALID_REQUEST);

function answer<C extends TdispCode>(
  call: Call,
  code: C,
  body: TdispBody<C>,
  work: readonly Work[] = [],
  effects: readonly TdispEffect[] = [],
): Answer {
  return { ok: true, payload: encodeTdisp(code, call.functionWord, body), work, effects };
}

/** SET_TDISP_CONFIG belongs to a later revision and has no handler. */
export type HandledRequest = Exclude<TdispRequestName, 'SET_TDISP_CONFIG_REQUEST'>;
type RequestValue<N extends TdispRequestName> = TdispValue<(typeof TdispRequests)[N]>;

/** True if the device answers this request at all. */
export function isSupported(device: TdispDevice, name: TdispRequestName): name is HandledRequest {
  switch (name) {
    case 'BIND_P2P_STREAM_REQUEST':
      return device.bindP2pStream !== undefined;
    case 'UNBIND_P2P_STREAM_REQUEST':
      return device.unbindP2pStream !== undefined;
    case 'SET_MMIO_ATTRIBUTE_REQUEST':
      return device.setMmioAttribute !== undefined;
    case 'VDM_REQUEST':
      return device.vendorDefined !== undefined;
    default:
      return (mandatoryRequests as readonly TdispRequestName[]).includes(name);
  }
}

/** REQ_MSGS_SUPPORTED: bit n stands for message code 80h + n, so bit 0 stays clear. */
export function requestBitmap(names: readonly TdispRequestName[]): Uint8Array {
  const bitmap = new Uint8Array(16);
  for (const name of names) {
    const bit = TdispRequests[name] & 0x7f;
    bitmap[bit >> 3] = bitmap[bit >> 3]! | (1 << (bit & 7));
  }
  return bitmap;
}

function capabilities(call: Call): Answer {
  const { capabilities: own } = call.device;
  const names = Object.keys(TdispRequests) as TdispRequestName[];
  return answer(call, TdispResponses.TDISP_CAPABILITIES, {
    DSM_CAPS: own.dsmCaps ?? 0,
    REQ_MSGS_SUPPORTED: requestBitmap(names.filter((name) => isSupported(call.device, name))),
    LOCK_INTERFACE_FLAGS_SUPPORTED: own.lockFlagsSupported & LOCK_FLAGS_DEFINED,
    DEV_ADDR_WIDTH: own.deviceAddressWidth,
    NUM_REQ_THIS: own.numReqThis,
    NUM_REQ_ALL: own.numReqAll,
  });
}

/**
 * Is the lock request's content in order, before the device is asked? That the reporting offset must
 * be 4 KiB aligned and the P2P mask fit DEV_ADDR_WIDTH is a choice: public texts do not settle it.
 */
function lockContentValid(call: Call, request: LockRequest): boolean {
  const { lockFlagsSupported, deviceAddressWidth } = call.device.capabilities;
  if ((request.flags & ~(lockFlagsSupported & LOCK_FLAGS_DEFINED)) !== 0) return false;
  if (request.mmioReportingOffset % TDISP_PAGE_SIZE !== 0n) return false;
  const p2p = (request.flags & LockFlags.BIND_P2P) !== 0;
  return !p2p || request.bindP2pAddressMask >> BigInt(deviceAddressWidth) === 0n;
}

function lock(call: Call, body: RequestValue<'LOCK_INTERFACE_REQUEST'>): Answer {
  const { device, tdi, sessionId } = call;
  const request: LockRequest = {
    flags: body.FLAGS,
    defaultStreamId: body.DEFAULT_STREAM_ID,
    mmioReportingOffset: body.MMIO_REPORTING_OFFSET,
    bindP2pAddressMask: body.BIND_P2P_ADDRESS_MASK,
  };
  if (!lockContentValid(call, request)) return INVALID_REQUEST;
  const verdict = device.checkLock(tdi.functionId, request, sessionId);
  if (verdict !== undefined) return refused(verdict);
  const facts = device.reportFacts(tdi.functionId, request);
  // BARs are the host's to program: bad ones are a refusal, not a fault of the device.
  if (factsProblem(facts) !== undefined) return refused(TdispErrors.INVALID_DEVICE_CONFIGURATION);
  const nonce = device.random(START_INTERFACE_NONCE_SIZE);
  if (nonce === undefined) return refused(TdispErrors.INSUFFICIENT_ENTROPY);
  if (nonce.length !== START_INTERFACE_NONCE_SIZE)
    throw new LocalError(`random: expected ${START_INTERFACE_NONCE_SIZE} bytes`);
  tdi.nonce = nonce.slice();
  tdi.lock = {
    request,
    sessionId,
    report: buildReport(facts, request),
    ranges: reportRanges(facts, request),
  };
  return answer(
    call,
    TdispResponses.LOCK_INTERFACE_RESPONSE,
    { START_INTERFACE_NONCE: nonce },
    [{ op: 'random', bytes: START_INTERFACE_NONCE_SIZE }, { op: 'lock' }],
    [{ type: 'tdi-locked', functionId: tdi.functionId, sessionId, request }],
  );
}

function report(call: Call, body: RequestValue<'GET_DEVICE_INTERFACE_REPORT'>): Answer {
  const whole = call.tdi.lock?.report ?? new Uint8Array(0);
  if (body.LENGTH === 0 || body.OFFSET >= whole.length) return INVALID_REQUEST;
  const room = Math.max(1, call.device.capabilities.reportPortionMax ?? REPORT_BYTES_MAX);
  const end = Math.min(whole.length, body.OFFSET + Math.min(body.LENGTH, room));
  return answer(call, TdispResponses.DEVICE_INTERFACE_REPORT, {
    REMAINDER_LENGTH: whole.length - end,
    REPORT_BYTES: whole.slice(body.OFFSET, end),
  });
}

function start(call: Call, body: RequestValue<'START_INTERFACE_REQUEST'>): Answer {
  const { nonce } = call.tdi;
  // A wrong guess does not use the nonce up; the move to RUN does.
  if (nonce === undefined || !equal(nonce, body.START_INTERFACE_NONCE))
    return refused(TdispErrors.INVALID_NONCE);
  return answer(call, TdispResponses.START_INTERFACE_RESPONSE, {});
}

function stop(call: Call): Answer {
  const work: Work[] = call.tdi.state === 'CONFIG_UNLOCKED' ? [] : [{ op: 'scrub' }];
  return answer(call, TdispResponses.STOP_INTERFACE_RESPONSE, {}, work);
}

function bindP2p(call: Call, body: RequestValue<'BIND_P2P_STREAM_REQUEST'>): Answer {
  const { device, tdi, sessionId } = call;
  const streamId = body.P2P_STREAM_ID;
  const allowed = ((tdi.lock?.request.flags ?? 0) & LockFlags.BIND_P2P) !== 0;
  // Binding a stream twice is refused like unbinding one that is not bound (choice).
  if (!allowed || tdi.p2p.has(streamId)) return INVALID_REQUEST;
  const verdict = device.bindP2pStream?.(tdi.functionId, streamId, sessionId);
  if (verdict !== undefined) return refused(verdict);
  tdi.p2p.add(streamId);
  const { functionId } = tdi;
  return answer(
    call,
    TdispResponses.BIND_P2P_STREAM_RESPONSE,
    {},
    [],
    [{ type: 'tdi-p2p-bound', functionId, streamId }],
  );
}

function unbindP2p(call: Call, body: RequestValue<'UNBIND_P2P_STREAM_REQUEST'>): Answer {
  const { device, tdi, sessionId } = call;
  const streamId = body.P2P_STREAM_ID;
  if (!tdi.p2p.has(streamId)) return INVALID_REQUEST;
  const verdict = device.unbindP2pStream?.(tdi.functionId, streamId, sessionId);
  if (verdict !== undefined) return refused(verdict);
  tdi.p2p.delete(streamId);
  const { functionId } = tdi;
  return answer(
    call,
    TdispResponses.UNBIND_P2P_STREAM_RESPONSE,
    {},
    [],
    [{ type: 'tdi-p2p-unbound', functionId, streamId }],
  );
}

/**
 * The pages a SET_MMIO_ATTRIBUTE names, if they lie inside one reported updatable range (choice: part
 * of a range will do). Only IS_NON_TEE_MEM is read; the other defined attributes do not change.
 */
function updateOf(tdi: Tdi, asked: MmioRange): MmioAttributeUpdate | undefined {
  if ((asked.RANGE_ATTRIBUTES & ~RANGE_ATTRIBUTES_DEFINED) !== 0) return undefined;
  if (asked.NUMBER_OF_PAGES === 0) return undefined;
  const end = asked.FIRST_PAGE + BigInt(asked.NUMBER_OF_PAGES);
  const home = tdi.lock?.ranges.find(
    ({ range }) =>
      range.RANGE_ID === asked.RANGE_ID &&
      (range.RANGE_ATTRIBUTES & RangeAttributes.IS_MEM_ATTR_UPDATABLE) !== 0 &&
      asked.FIRST_PAGE >= range.FIRST_PAGE &&
      end <= range.FIRST_PAGE + BigInt(range.NUMBER_OF_PAGES),
  );
  if (home === undefined) return undefined;
  return {
    barIndex: home.fact.barIndex,
    address: home.fact.address + (asked.FIRST_PAGE - home.range.FIRST_PAGE) * TDISP_PAGE_SIZE,
    pages: asked.NUMBER_OF_PAGES,
    nonTee: (asked.RANGE_ATTRIBUTES & RangeAttributes.IS_NON_TEE_MEM) !== 0,
  };
}

function setMmioAttribute(call: Call, body: RequestValue<'SET_MMIO_ATTRIBUTE_REQUEST'>): Answer {
  const { functionId } = call.tdi;
  const update = updateOf(call.tdi, body.MMIO_RANGE);
  if (update === undefined) return INVALID_REQUEST;
  const verdict: TdispVerdict = call.device.setMmioAttribute?.(functionId, update);
  if (verdict !== undefined) return refused(verdict);
  return answer(
    call,
    TdispResponses.SET_MMIO_ATTRIBUTE_RESPONSE,
    {},
    [],
    [{ type: 'tdi-mmio-attribute', functionId, update }],
  );
}

function vendorDefined(call: Call, body: RequestValue<'VDM_REQUEST'>): Answer {
  const message = {
    registryId: body.REGISTRY_ID,
    vendorId: body.VENDOR_ID,
    data: body.VENDOR_DATA,
  };
  const said = call.device.vendorDefined?.(call.tdi.functionId, message, call.sessionId);
  if (said === undefined) return refused(TdispErrors.UNSPECIFIED);
  if (typeof said === 'number') return refused(said);
  const told = 'extended' in said ? said.extended : said;
  const value: ValueOf<typeof vendorData> = {
    REGISTRY_ID: told.registryId,
    VENDOR_ID: told.vendorId,
    VENDOR_DATA: told.data,
  };
  if (!('extended' in said)) return answer(call, TdispResponses.VDM_RESPONSE, value);
  return {
    ok: false,
    error: TdispErrors.VENDOR_SPECIFIC_ERROR,
    data: said.errorData,
    extended: encode(vendorData, value),
  };
}

type Handlers = { readonly [N in HandledRequest]: (call: Call, body: RequestValue<N>) => Answer };

const handlers: Handlers = {
  GET_TDISP_VERSION: (call) =>
    answer(call, TdispResponses.TDISP_VERSION, { VERSION_NUM_ENTRY: [TDISP_VERSION_1_0] }),
  GET_TDISP_CAPABILITIES: capabilities,
  LOCK_INTERFACE_REQUEST: lock,
  GET_DEVICE_INTERFACE_REPORT: report,
  GET_DEVICE_INTERFACE_STATE: (call) =>
    answer(call, TdispResponses.DEVICE_INTERFACE_STATE, {
      TDI_STATE: TdiStates[call.tdi.state],
    }),
  START_INTERFACE_REQUEST: start,
  STOP_INTERFACE_REQUEST: stop,
  BIND_P2P_STREAM_REQUEST: bindP2p,
  UNBIND_P2P_STREAM_REQUEST: unbindP2p,
  SET_MMIO_ATTRIBUTE_REQUEST: setMmioAttribute,
  VDM_REQUEST: vendorDefined,
};

/** Content checks and answer of a request whose size, version, interface and state are in order. */
export function perform(call: Call, name: HandledRequest, value: unknown): Answer {
  return (handlers[name] as (call: Call, body: unknown) => Answer)(call, value);
}
