/** Requests by name and answers in one word, for the responder's tests. */

import * as assert from 'uvu/assert';
import {
  decodeTdisp,
  encodeTdisp,
  LockFlags,
  lockInterface,
  TdispRequests as Q,
  startInterface,
  type TdiState,
  type TdispCode,
  TdispErrors,
  type TdispRequestName,
  type TdispResponder,
} from '../../../protocols/tdisp/index.ts';
import { bytesOf, F0, good, LOCK, run, SESSION } from './device.ts';

/** Brings F0 into `state` by messages and events; returns the nonce of its lock. */
export function reach(r: TdispResponder, state: TdiState, flags = 0): Uint8Array {
  if (state === 'CONFIG_UNLOCKED') return new Uint8Array(32);
  const nonce = good(run(lockInterface(F0, { ...LOCK, flags }), r));
  if (state === 'RUN') good(run(startInterface(F0, nonce), r));
  if (state === 'ERROR') r.event(F0, 'function-reset');
  assert.is(r.state(F0), state);
  return nonce;
}

const NAMES = new Map<number, string>(
  Object.entries(TdispErrors).map(([name, code]) => [code, name]),
);
/** `ok`, or the error's name and data of the reply, which must be a whole TDISP message. */
export function said(r: TdispResponder, payload: Uint8Array, session = SESSION): string {
  const reply = bytesOf(r.handle(payload, session));
  const back = decodeTdisp(reply);
  if (!back.ok) return `undecodable ${back.code}`;
  if (back.value.name !== 'TDISP_ERROR') {
    assert.is(back.value.header.MessageType, payload[1]! & 0x7f);
    return 'ok';
  }
  const { ERROR_CODE, ERROR_DATA } = back.value.body as { ERROR_CODE: number; ERROR_DATA: number };
  return `${NAMES.get(ERROR_CODE)}${ERROR_DATA === 0 ? '' : ` ${ERROR_DATA.toString(16)}`}`;
}

export const UPDATABLE = {
  FIRST_PAGE: 0x1c0002n,
  NUMBER_OF_PAGES: 2,
  RANGE_ATTRIBUTES: 4,
  RANGE_ID: 2,
};
/** A good request of each kind; START with the given nonce. */
export function request(name: TdispRequestName, nonce: Uint8Array): Uint8Array {
  const bodies: Record<TdispRequestName, object> = {
    GET_TDISP_VERSION: {},
    GET_TDISP_CAPABILITIES: { TSM_CAPS: 0 },
    LOCK_INTERFACE_REQUEST: {
      FLAGS: LockFlags.BIND_P2P,
      DEFAULT_STREAM_ID: 7,
      MMIO_REPORTING_OFFSET: LOCK.mmioReportingOffset,
      BIND_P2P_ADDRESS_MASK: 0n,
    },
    GET_DEVICE_INTERFACE_REPORT: { OFFSET: 0, LENGTH: 0xffff },
    GET_DEVICE_INTERFACE_STATE: {},
    START_INTERFACE_REQUEST: { START_INTERFACE_NONCE: nonce },
    STOP_INTERFACE_REQUEST: {},
    BIND_P2P_STREAM_REQUEST: { P2P_STREAM_ID: 9 },
    UNBIND_P2P_STREAM_REQUEST: { P2P_STREAM_ID: 9 },
    SET_MMIO_ATTRIBUTE_REQUEST: { MMIO_RANGE: UPDATABLE },
    VDM_REQUEST: { REGISTRY_ID: 0, VENDOR_ID: new Uint8Array(2), VENDOR_DATA: new Uint8Array(1) },
    SET_TDISP_CONFIG_REQUEST: { TDISP_CONFIG: 1 },
  };
  return encodeTdisp(Q[name] as TdispCode, F0, bodies[name] as never);
}
