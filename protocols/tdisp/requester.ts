/**
 * TDISP requester (PCIe Base 6.x 11.3): the TSM's side, one exchange per request. Every answer must
 * echo version and INTERFACE_ID and be the answer to what was asked; anything else ends in a PeerFault,
 * and TDISP_ERROR in one whose code is `TDISP_` and the error's name.
 */

import { concat } from '../codec/bytes.ts';
import { decode } from '../codec/layout.ts';
import {
  isPeerFault,
  LocalError,
  type PeerFault,
  peerFault,
  refusalText,
} from '../codec/refusal.ts';
import type { VendorExchange } from '../engine.ts';
import {
  mandatoryRequests,
  TDISP_VERSION_1_0,
  type TdiState,
  TdispErrors,
  type TdispRequestName,
  TdispRequests,
  TdispResponses,
  tdiStateNames,
  tdispErrorNames,
  tdispMessageNames,
} from './codes.ts';
import type { LockRequest, VendorMessage } from './device.ts';
import {
  encodeTdisp,
  type MmioRange,
  type TdispBody,
  type TdispCode,
  type TdispValue,
  tdispError,
  tdispHeader,
  tdispLayouts,
} from './messages.ts';
import { REPORT_BYTES_MAX } from './report.ts';

/** What a peer may do wrong, besides its TDISP_ERRORs. */
export const TdispFaults = {
  TDISP_MALFORMED: 'TDISP_MALFORMED',
  TDISP_UNEXPECTED_MESSAGE: 'TDISP_UNEXPECTED_MESSAGE',
  TDISP_VERSION_NOT_ECHOED: 'TDISP_VERSION_NOT_ECHOED',
  TDISP_INTERFACE_NOT_ECHOED: 'TDISP_INTERFACE_NOT_ECHOED',
  TDISP_UNKNOWN_ERROR: 'TDISP_UNKNOWN_ERROR',
  TDISP_NO_COMMON_VERSION: 'TDISP_NO_COMMON_VERSION',
  TDISP_MANDATORY_REQUEST_MISSING: 'TDISP_MANDATORY_REQUEST_MISSING',
  TDISP_UNKNOWN_STATE: 'TDISP_UNKNOWN_STATE',
  TDISP_PORTION_LENGTH: 'TDISP_PORTION_LENGTH',
  TDISP_REPORT_CHANGED: 'TDISP_REPORT_CHANGED',
  TDISP_REPORT_TOO_LONG: 'TDISP_REPORT_TOO_LONG',
  TDISP_TOO_MANY_PORTIONS: 'TDISP_TOO_MANY_PORTIONS',
} as const;

function errorFault(payload: Uint8Array): PeerFault {
  const error = decode(tdispError, payload);
  if (!error.ok) return peerFault(TdispFaults.TDISP_MALFORMED, refusalText(error));
  const { ERROR_CODE: code, ERROR_DATA: data } = error.value;
  const name = tdispErrorNames[code];
  const detail = `ERROR_CODE 0x${code.toString(16)}, ERROR_DATA 0x${data.toString(16)}`;
  return peerFault(name === undefined ? TdispFaults.TDISP_UNKNOWN_ERROR : `TDISP_${name}`, detail);
}

/** True if this is a TDISP_ERROR that says our version is not its version: it cannot echo ours. */
function isVersionMismatch(payload: Uint8Array): boolean {
  const error = decode(tdispError, payload);
  return error.ok && error.value.ERROR_CODE === TdispErrors.VERSION_MISMATCH;
}

/** Judges an answer: the decoded message, or what is wrong with it. */
function judge<C extends TdispCode>(
  payload: Uint8Array,
  expected: C,
  functionId: number,
): TdispValue<C> | PeerFault {
  const head = decode(tdispHeader, payload, {}, { trailing: 'leave' });
  if (!head.ok) return peerFault(TdispFaults.TDISP_MALFORMED, refusalText(head));
  const { TDISPVersion: version, MessageType: code, INTERFACE_ID: id } = head.value;
  const isError = code === TdispResponses.TDISP_ERROR;
  if (version !== TDISP_VERSION_1_0 && !(isError && isVersionMismatch(payload)))
    return peerFault(TdispFaults.TDISP_VERSION_NOT_ECHOED, `TDISPVersion ${version}`);
  if (id.FUNCTION_ID !== functionId)
    return peerFault(TdispFaults.TDISP_INTERFACE_NOT_ECHOED, `FUNCTION_ID ${id.FUNCTION_ID}`);
  if (isError) return errorFault(payload);
  if (code !== expected)
    return peerFault(
      TdispFaults.TDISP_UNEXPECTED_MESSAGE,
      `${tdispMessageNames[code] ?? code} instead of ${tdispMessageNames[expected]}`,
    );
  const whole = decode(tdispLayouts[expected], payload);
  if (!whole.ok) return peerFault(TdispFaults.TDISP_MALFORMED, refusalText(whole));
  return whole.value as TdispValue<C>;
}

function* exchange<Q extends TdispCode, R extends TdispCode>(
  functionId: number,
  request: Q,
  body: TdispBody<Q>,
  response: R,
): VendorExchange<TdispValue<R>> {
  return judge(yield encodeTdisp(request, functionId, body), response, functionId);
}

/** GET_TDISP_VERSION: the versions of the device, 1.0 among them. */
export function* getTdispVersion(functionId: number): VendorExchange<readonly number[]> {
  const { GET_TDISP_VERSION } = TdispRequests;
  const said = yield* exchange(functionId, GET_TDISP_VERSION, {}, TdispResponses.TDISP_VERSION);
  if (isPeerFault(said)) return said;
  const versions = said.VERSION_NUM_ENTRY;
  if (!versions.includes(TDISP_VERSION_1_0))
    return peerFault(TdispFaults.TDISP_NO_COMMON_VERSION, `versions ${versions.join(', ')}`);
  return versions;
}

export interface DsmCapabilities {
  readonly dsmCaps: number;
  readonly requests: ReadonlySet<TdispRequestName>;
  readonly lockFlagsSupported: number;
  readonly deviceAddressWidth: number;
  readonly numReqThis: number;
  readonly numReqAll: number;
}

/**
 * Requests named by REQ_MSGS_SUPPORTED. Bit n stands for code 80h + n; devices that count from
 * GET_TDISP_VERSION = bit 0 are known, and recognised by bit 0, which is nobody's otherwise.
 */
export function requestsOf(bitmap: Uint8Array): ReadonlySet<TdispRequestName> {
  const first = ((bitmap[0] ?? 0) & 1) === 0 ? 0x80 : TdispRequests.GET_TDISP_VERSION;
  const names = new Set<TdispRequestName>();
  for (const [name, code] of Object.entries(TdispRequests)) {
    const bit = code - first;
    if (((bitmap[bit >> 3] ?? 0) >> (bit & 7)) & 1) names.add(name as TdispRequestName);
  }
  return names;
}

/** GET_TDISP_CAPABILITIES. */
export function* getTdispCapabilities(
  functionId: number,
  tsmCaps = 0,
): VendorExchange<DsmCapabilities> {
  const { GET_TDISP_CAPABILITIES } = TdispRequests;
  const { TDISP_CAPABILITIES } = TdispResponses;
  const body = { TSM_CAPS: tsmCaps };
  const said = yield* exchange(functionId, GET_TDISP_CAPABILITIES, body, TDISP_CAPABILITIES);
  if (isPeerFault(said)) return said;
  const requests = requestsOf(said.REQ_MSGS_SUPPORTED);
  const missing = mandatoryRequests.filter((name) => !requests.has(name));
  if (missing.length > 0)
    return peerFault(TdispFaults.TDISP_MANDATORY_REQUEST_MISSING, missing.join(', '));
  return {
    dsmCaps: said.DSM_CAPS,
    requests,
    lockFlagsSupported: said.LOCK_INTERFACE_FLAGS_SUPPORTED,
    deviceAddressWidth: said.DEV_ADDR_WIDTH,
    numReqThis: said.NUM_REQ_THIS,
    numReqAll: said.NUM_REQ_ALL,
  };
}

/** LOCK_INTERFACE_REQUEST: the 32-byte nonce that START_INTERFACE_REQUEST must bring back. */
export function* lockInterface(
  functionId: number,
  request: LockRequest,
): VendorExchange<Uint8Array> {
  const said = yield* exchange(
    functionId,
    TdispRequests.LOCK_INTERFACE_REQUEST,
    {
      FLAGS: request.flags,
      DEFAULT_STREAM_ID: request.defaultStreamId,
      MMIO_REPORTING_OFFSET: request.mmioReportingOffset,
      BIND_P2P_ADDRESS_MASK: request.bindP2pAddressMask,
    },
    TdispResponses.LOCK_INTERFACE_RESPONSE,
  );
  return isPeerFault(said) ? said : said.START_INTERFACE_NONCE;
}

export interface ReportOptions {
  /** LENGTH of each request, 1 to 65535 bytes; default 65535 */
  readonly portionBytes?: number;
  /** answers taken before giving up on a device that hands out crumbs; default 4096 */
  readonly portionsMax?: number;
}
const PORTIONS_MAX = 4096;

/**
 * GET_DEVICE_INTERFACE_REPORT until nothing remains. The length the first answer promises must hold to
 * the end, every portion must bring at least one byte and none may bring more than was asked.
 * @throws LocalError on a portion size outside 1 to 65535
 */
export function* getInterfaceReport(
  functionId: number,
  options: ReportOptions = {},
): VendorExchange<Uint8Array> {
  const length = options.portionBytes ?? REPORT_BYTES_MAX;
  if (!Number.isInteger(length) || length < 1 || length > REPORT_BYTES_MAX)
    throw new LocalError(`portionBytes: expected 1 to ${REPORT_BYTES_MAX}, got ${length}`);
  const { GET_DEVICE_INTERFACE_REPORT } = TdispRequests;
  const { DEVICE_INTERFACE_REPORT } = TdispResponses;
  const portions: Uint8Array[] = [];
  let [offset, promised] = [0, 0];
  const portionsMax = options.portionsMax ?? PORTIONS_MAX;
  while (portions.length < portionsMax) {
    const body = { OFFSET: offset, LENGTH: length };
    const said = yield* exchange(
      functionId,
      GET_DEVICE_INTERFACE_REPORT,
      body,
      DEVICE_INTERFACE_REPORT,
    );
    if (isPeerFault(said)) return said;
    const { REPORT_BYTES: portion, REMAINDER_LENGTH: remainder } = said;
    if (portion.length === 0 || portion.length > length)
      return peerFault(
        TdispFaults.TDISP_PORTION_LENGTH,
        `${portion.length} bytes where ${length} were asked`,
      );
    const total = offset + portion.length + remainder;
    if (total > REPORT_BYTES_MAX)
      return peerFault(TdispFaults.TDISP_REPORT_TOO_LONG, `${total} bytes`);
    if (offset > 0 && total !== promised)
      return peerFault(TdispFaults.TDISP_REPORT_CHANGED, `${total} bytes after ${promised}`);
    promised = total;
    offset += portion.length;
    portions.push(portion);
    if (remainder === 0) return concat(...portions);
  }
  return peerFault(
    TdispFaults.TDISP_TOO_MANY_PORTIONS,
    `${offset} of ${promised} bytes after ${portionsMax} portions`,
  );
}

/** GET_DEVICE_INTERFACE_STATE. */
export function* getInterfaceState(functionId: number): VendorExchange<TdiState> {
  const { GET_DEVICE_INTERFACE_STATE } = TdispRequests;
  const { DEVICE_INTERFACE_STATE } = TdispResponses;
  const said = yield* exchange(functionId, GET_DEVICE_INTERFACE_STATE, {}, DEVICE_INTERFACE_STATE);
  if (isPeerFault(said)) return said;
  return (
    tdiStateNames[said.TDI_STATE] ??
    peerFault(TdispFaults.TDISP_UNKNOWN_STATE, `TDI_STATE ${said.TDI_STATE}`)
  );
}

/** An exchange whose answer is the header alone. */
function* command<Q extends TdispCode, R extends TdispCode>(
  functionId: number,
  request: Q,
  body: TdispBody<Q>,
  response: R,
): VendorExchange<true> {
  const said = yield* exchange(functionId, request, body, response);
  return isPeerFault(said) ? said : true;
}

/** START_INTERFACE_REQUEST with the nonce of the lock (32 bytes). */
export function startInterface(functionId: number, nonce: Uint8Array): VendorExchange<true> {
  const { START_INTERFACE_REQUEST } = TdispRequests;
  const { START_INTERFACE_RESPONSE } = TdispResponses;
  const body = { START_INTERFACE_NONCE: nonce };
  return command(functionId, START_INTERFACE_REQUEST, body, START_INTERFACE_RESPONSE);
}

/** STOP_INTERFACE_REQUEST: back to CONFIG_UNLOCKED from any state. */
export function stopInterface(functionId: number): VendorExchange<true> {
  const { STOP_INTERFACE_REQUEST } = TdispRequests;
  return command(functionId, STOP_INTERFACE_REQUEST, {}, TdispResponses.STOP_INTERFACE_RESPONSE);
}

/** BIND_P2P_STREAM_REQUEST. */
export function bindP2pStream(functionId: number, streamId: number): VendorExchange<true> {
  const { BIND_P2P_STREAM_REQUEST } = TdispRequests;
  const { BIND_P2P_STREAM_RESPONSE } = TdispResponses;
  const body = { P2P_STREAM_ID: streamId };
  return command(functionId, BIND_P2P_STREAM_REQUEST, body, BIND_P2P_STREAM_RESPONSE);
}

/** UNBIND_P2P_STREAM_REQUEST. */
export function unbindP2pStream(functionId: number, streamId: number): VendorExchange<true> {
  const { UNBIND_P2P_STREAM_REQUEST } = TdispRequests;
  const { UNBIND_P2P_STREAM_RESPONSE } = TdispResponses;
  const body = { P2P_STREAM_ID: streamId };
  return command(functionId, UNBIND_P2P_STREAM_REQUEST, body, UNBIND_P2P_STREAM_RESPONSE);
}

/** SET_MMIO_ATTRIBUTE_REQUEST; the range in reported pages. */
export function setMmioAttribute(functionId: number, range: MmioRange): VendorExchange<true> {
  const { SET_MMIO_ATTRIBUTE_REQUEST } = TdispRequests;
  const { SET_MMIO_ATTRIBUTE_RESPONSE } = TdispResponses;
  const body = { MMIO_RANGE: range };
  return command(functionId, SET_MMIO_ATTRIBUTE_REQUEST, body, SET_MMIO_ATTRIBUTE_RESPONSE);
}

/** VDM_REQUEST: what the device's vendor answered. */
export function* vendorDefined(
  functionId: number,
  message: VendorMessage,
): VendorExchange<VendorMessage> {
  const body = {
    REGISTRY_ID: message.registryId,
    VENDOR_ID: message.vendorId,
    VENDOR_DATA: message.data,
  };
  const { VDM_REQUEST } = TdispRequests;
  const said = yield* exchange(functionId, VDM_REQUEST, body, TdispResponses.VDM_RESPONSE);
  if (isPeerFault(said)) return said;
  return { registryId: said.REGISTRY_ID, vendorId: said.VENDOR_ID, data: said.VENDOR_DATA };
}
