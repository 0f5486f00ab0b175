/**
 * TDISP responder (PCIe Base 6.x 11.3): the DSM's side. Sans-IO and synchronous. Checks run in the order
 * size, version, interface, state, content, and a refused request changes nothing.
 */

import { decode } from '../codec/layout.ts';
import { LocalError } from '../codec/refusal.ts';
import type { VendorOutcome, VendorResponder } from '../engine.ts';
import { ErrorCodes, PciSigProtocols } from '../spdm/codes.ts';
import {
  LockFlags,
  TDISP_VERSION_1_0,
  type TdiState,
  TdispErrors,
  type TdispRequestName,
  TdispResponses,
  tdispRequestNames,
} from './codes.ts';
import type { TdispDevice, TdispEffect } from './device.ts';
import { functionKey } from './function-id.ts';
import { encodeTdisp, tdispHeader, tdispLayout } from './messages.ts';
import { type Answer, isSupported, perform } from './responder-requests.ts';
import {
  afterEvent,
  afterRequest,
  eventTable,
  type FirmwareUpdateVerdict,
  firmwareUpdateVerdict,
  ownerOnly,
  type TdiEventName,
} from './state-table.ts';
import { Tdi, type TdiView } from './tdi.ts';

/** Which TDIs an event meets: one, those a session locked, those on a stream, or all. */
export type EventTarget =
  | number
  | 'all'
  | { readonly sessionId: number }
  | { readonly streamId: number };

/** FUNCTION_ID of answers to messages too short to name one. */
const NO_FUNCTION = 0;

export class TdispResponder implements VendorResponder {
  readonly protocolId = PciSigProtocols.TDISP;
  readonly name = 'TDISP';
  private readonly device: TdispDevice;
  private readonly tdis = new Map<number, Tdi>();

  constructor(device: TdispDevice) {
    this.device = device;
  }

  /**
   * One request. Outside a secured session the answer is SPDM ERROR UnexpectedRequest.
   * @param payload from TDISPVersion on, without the protocol id byte
   */
  handle(payload: Uint8Array, sessionId: number | undefined): VendorOutcome {
    if (sessionId === undefined)
      return { reply: { spdmError: ErrorCodes.UnexpectedRequest }, work: [], effects: [] };
    const message = { op: 'message', bytes: payload.length } as const;
    const head = decode(tdispHeader, payload, {}, { trailing: 'leave' });
    const word = head.ok ? head.value.INTERFACE_ID.FUNCTION_ID : NO_FUNCTION;
    const effects: TdispEffect[] = [];
    const answer: Answer = head.ok
      ? this.request(payload, head.value.MessageType, word, sessionId, effects)
      : { ok: false, error: TdispErrors.INVALID_REQUEST };
    if (answer.ok)
      return {
        reply: answer.payload,
        work: [message, ...answer.work],
        effects: [...effects, ...answer.effects],
      };
    const reply = encodeTdisp(TdispResponses.TDISP_ERROR, word, {
      ERROR_CODE: answer.error,
      ERROR_DATA: answer.data ?? 0,
      EXTENDED_ERROR_DATA: answer.extended ?? new Uint8Array(0),
    });
    return { reply, work: [message], effects: [] };
  }

  private request(
    payload: Uint8Array,
    code: number,
    word: number,
    sessionId: number,
    effects: TdispEffect[],
  ): Answer {
    const name: TdispRequestName | undefined = tdispRequestNames[code];
    const table = tdispLayout(code);
    // The size of an unknown message cannot be judged, so the code comes before the size.
    if (name === undefined || table === undefined || !isSupported(this.device, name))
      return { ok: false, error: TdispErrors.UNSUPPORTED_REQUEST, data: code };
    const body = decode(table, payload);
    if (!body.ok) return { ok: false, error: TdispErrors.INVALID_REQUEST };
    if (payload[0] !== TDISP_VERSION_1_0) return { ok: false, error: TdispErrors.VERSION_MISMATCH };
    const tdi = this.find(word);
    if (tdi === undefined) return { ok: false, error: TdispErrors.INVALID_INTERFACE };
    if (this.isBusy(tdi)) return { ok: false, error: TdispErrors.BUSY };
    const next = afterRequest(tdi.state, name);
    if (next === undefined || (ownerOnly.has(name) && !tdi.ownedBy(sessionId)))
      return { ok: false, error: TdispErrors.INVALID_INTERFACE_STATE };
    const call = { device: this.device, tdi, sessionId, functionWord: word };
    const answer = perform(call, name, body.value);
    if (answer.ok) effects.push(...tdi.move(next, name));
    return answer;
  }

  /** The TDI a FUNCTION_ID names, if the device has it. */
  private find(word: number): Tdi | undefined {
    const key = functionKey(word);
    if (key === undefined) return undefined;
    const listed = this.device.interfaces();
    const known = this.tdis.get(key);
    if (known !== undefined && listed.includes(known.functionId)) return known;
    const own = listed.find((id) => functionKey(id) === key);
    if (own === undefined) return undefined;
    const tdi = known ?? new Tdi(own);
    tdi.functionId = own;
    this.tdis.set(key, tdi);
    return tdi;
  }

  /** True if one more request would be above NUM_REQ_THIS or NUM_REQ_ALL. */
  private isBusy(tdi: Tdi): boolean {
    const { device } = this;
    if (device.outstanding === undefined) return false;
    const { numReqThis, numReqAll } = device.capabilities;
    return (
      device.outstanding(tdi.functionId) >= Math.max(1, numReqThis) ||
      device.outstanding('all') >= Math.max(1, numReqAll)
    );
  }

  private targets(target: EventTarget): Tdi[] {
    const all = [...this.tdis.values()];
    if (target === 'all') return all;
    if (typeof target === 'number') {
      const key = functionKey(target);
      const one = key === undefined ? undefined : this.tdis.get(key);
      return one === undefined ? [] : [one];
    }
    if ('sessionId' in target) return all.filter((tdi) => tdi.lock?.sessionId === target.sessionId);
    const { streamId } = target;
    return all.filter(
      (tdi) => tdi.lock?.request.defaultStreamId === streamId || tdi.p2p.has(streamId),
    );
  }

  /**
   * Something happened to TDIs from outside TDISP: moves them by the event table.
   * A session that ends stops owning its TDIs: the next session may STOP them.
   * @throws LocalError on an event the table does not have
   */
  event(target: EventTarget, event: TdiEventName): TdispEffect[] {
    if (!Object.hasOwn(eventTable, event)) throw new LocalError(`event: unknown name ${event}`);
    const effects: TdispEffect[] = [];
    for (const tdi of this.targets(target)) {
      const to = afterEvent(tdi.state, event, tdi.lock?.request.flags ?? 0);
      effects.push(...tdi.move(to, event));
      if (event === 'session-ended') tdi.orphan();
    }
    return effects;
  }

  /**
   * Requester IDs changed, all at once: `requester-id-changed` for each, and every TDI keeps its state
   * under its new FUNCTION_ID, so that a renumbering cannot be used to shake off ERROR.
   * @param moves pairs of old and new FUNCTION_ID
   * @throws LocalError if a new id is no FUNCTION_ID
   */
  renumber(moves: readonly (readonly [from: number, to: number])[]): TdispEffect[] {
    const effects: TdispEffect[] = [];
    const moving: { key: number; tdi: Tdi }[] = [];
    const keys = moves.map(([, to]) => {
      const key = functionKey(to);
      if (key === undefined) throw new LocalError(`moves: no FUNCTION_ID: 0x${to.toString(16)}`);
      return key;
    });
    for (const [i, [from, to]] of moves.entries()) {
      effects.push(...this.event(from, 'requester-id-changed'));
      const old = functionKey(from);
      const tdi = old === undefined ? undefined : this.tdis.get(old);
      if (old === undefined || tdi === undefined) continue;
      this.tdis.delete(old);
      tdi.functionId = to;
      moving.push({ key: keys[i]!, tdi });
    }
    for (const { key, tdi } of moving) this.tdis.set(key, tdi);
    return effects;
  }

  /** State of one TDI; one that nobody locked yet is CONFIG_UNLOCKED. */
  state(functionId: number): TdiState {
    return this.view(functionId)?.state ?? 'CONFIG_UNLOCKED';
  }

  /** What is known of one TDI, or undefined if it was never addressed. */
  view(functionId: number): TdiView | undefined {
    const key = functionKey(functionId);
    return key === undefined ? undefined : this.tdis.get(key);
  }

  /** May firmware be updated now, and does it end the session? `terminationPolicy` is the session's. */
  firmwareUpdate(terminationPolicy: 0 | 1): FirmwareUpdateVerdict {
    const forbidden = [...this.tdis.values()].some(
      ({ state, lock }) =>
        (state === 'CONFIG_LOCKED' || state === 'RUN') &&
        ((lock?.request.flags ?? 0) & LockFlags.NO_FW_UPDATE) !== 0,
    );
    return firmwareUpdateVerdict(terminationPolicy, forbidden);
  }
}
