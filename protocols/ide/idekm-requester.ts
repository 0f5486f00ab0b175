/**
 * IDE_KM exchanges as the host's TSM drives them (PCIe Base 6.x clause 6.33.3): generators that yield
 * a payload without the protocol id byte and receive the answer. Answers are a peer's: each is checked
 * for form, echo and status, and what is wrong ends the exchange in a `PeerFault`.
 */

import { encode } from '../codec/layout.ts';
import { LocalError, type PeerFault, peerFault, refusalText } from '../codec/refusal.ts';
import type { VendorExchange } from '../engine.ts';
import { type IdeRegisters, ideDwordsNeeded, parseIdeCapability } from './capability-walk.ts';
import {
  decodeIdekm,
  encodeIfv,
  encodeKeySubStream,
  IdekmObjects,
  INITIAL_IFV,
  type InvocationField,
  KEY_DIRECTIONS,
  type KeyDirection,
  KeyProg,
  type KeySet,
  KpAckStatuses,
  KSetGo,
  KSetStop,
  kpAckStatusNames,
  Query,
  SUB_STREAMS,
  type SubStream,
  swapKeyOrder,
} from './idekm.ts';

/** Codes of the faults these exchanges end in; a KP_ACK status gives `IDEKM_` and its name. */
export const IdekmFaults = {
  MALFORMED: 'IDEKM_MALFORMED_ANSWER',
  UNEXPECTED: 'IDEKM_UNEXPECTED_ANSWER',
  ECHO: 'IDEKM_ECHO_MISMATCH',
  UNKNOWN_STATUS: 'IDEKM_UNKNOWN_STATUS',
} as const;

export interface PortAnswer {
  readonly portIndex: number;
  readonly maxPortIndex: number;
  readonly segment: number;
  /** bus 15:8, device 7:3, function 2:0 */
  readonly rid: number;
  readonly registers: IdeRegisters;
}

/** One key slot of a responder's port; `direction` as that port sees it. */
export interface KeyTarget {
  readonly portIndex: number;
  readonly streamId: number;
  readonly keySet: KeySet;
  readonly direction: KeyDirection;
  readonly subStream: SubStream;
}

const fault = (code: string, detail: string): PeerFault => peerFault(code, detail);

/**
 * A responder may send the whole of its register buffer, zero behind the last block, as the DMTF sample
 * does; that is taken as padding, a choice. Anything else behind the last block is refused.
 */
function withoutPadding(dwords: readonly number[]): readonly number[] {
  const used = ideDwordsNeeded(dwords);
  const padded = dwords.length > used && dwords.slice(used).every((dword) => dword === 0);
  return padded ? dwords.slice(0, used) : dwords;
}

/** QUERY: a port's place and IDE registers. */
export function* query(portIndex: number): VendorExchange<PortAnswer> {
  const answer = decodeIdekm(
    yield encode(Query, { ObjectID: IdekmObjects.QUERY, PortIndex: portIndex }),
  );
  if (!answer.ok) return fault(IdekmFaults.MALFORMED, refusalText(answer));
  if (answer.name !== 'QUERY_RESP') return fault(IdekmFaults.UNEXPECTED, `${answer.name} to QUERY`);
  const { PortIndex, DevFunc, Bus, Segment, MaxPortIndex, IdeRegisters } = answer.value;
  if (PortIndex !== portIndex)
    return fault(IdekmFaults.ECHO, `PortIndex ${PortIndex}, asked for ${portIndex}`);
  if (MaxPortIndex < portIndex)
    return fault(IdekmFaults.MALFORMED, `MaxPortIndex ${MaxPortIndex} below port ${portIndex}`);
  const registers = parseIdeCapability(withoutPadding(IdeRegisters));
  if (!registers.ok) return fault(IdekmFaults.MALFORMED, refusalText(registers));
  return {
    portIndex,
    maxPortIndex: MaxPortIndex,
    segment: Segment,
    rid: Bus * 256 + DevFunc,
    registers: registers.value,
  };
}

function addressed(target: KeyTarget) {
  return {
    StreamID: target.streamId,
    KeySubStream: encodeKeySubStream(target),
    PortIndex: target.portIndex,
  };
}
type Addressed = ReturnType<typeof addressed>;

/** Compares the echoed fields; undefined if they are what was sent. */
function echoFault(sent: Addressed, got: Addressed): PeerFault | undefined {
  for (const name of ['StreamID', 'KeySubStream', 'PortIndex'] as const)
    if (got[name] !== sent[name])
      return fault(IdekmFaults.ECHO, `${name} ${got[name]}, sent ${sent[name]}`);
  return undefined;
}

/**
 * KEY_PROG for one slot. `key` is 32 bytes as a crypto API takes them.
 * @throws LocalError on a key of another length or a field that does not fit.
 */
export function* keyProg(
  target: KeyTarget,
  key: Uint8Array,
  ifv: InvocationField = INITIAL_IFV,
): VendorExchange<true> {
  const sent = addressed(target);
  const request = encode(KeyProg, {
    ObjectID: IdekmObjects.KEY_PROG,
    ...sent,
    Key: swapKeyOrder(key),
    IFV: encodeIfv(ifv),
  });
  const answer = decodeIdekm(yield request);
  if (!answer.ok) return fault(IdekmFaults.MALFORMED, refusalText(answer));
  if (answer.name !== 'KP_ACK') return fault(IdekmFaults.UNEXPECTED, `${answer.name} to KEY_PROG`);
  const wrong = echoFault(sent, answer.value);
  if (wrong !== undefined) return wrong;
  const { Status } = answer.value;
  if (Status === KpAckStatuses.SUCCESS) return true;
  const name = kpAckStatusNames[Status];
  const code = name === undefined ? IdekmFaults.UNKNOWN_STATUS : `IDEKM_${name}`;
  return fault(code, `KP_ACK status ${Status} for stream ${target.streamId}`);
}

function* goStop(
  target: KeyTarget,
  objectId: typeof IdekmObjects.K_SET_GO | typeof IdekmObjects.K_SET_STOP,
): VendorExchange<true> {
  const sent = addressed(target);
  const go = objectId === IdekmObjects.K_SET_GO;
  const answer = decodeIdekm(yield encode(go ? KSetGo : KSetStop, { ObjectID: objectId, ...sent }));
  if (!answer.ok) return fault(IdekmFaults.MALFORMED, refusalText(answer));
  if (answer.name !== 'K_GOSTOP_ACK')
    return fault(IdekmFaults.UNEXPECTED, `${answer.name} to ${go ? 'K_SET_GO' : 'K_SET_STOP'}`);
  return echoFault(sent, answer.value) ?? true;
}

/** K_SET_GO for one key. */
export function setGo(target: KeyTarget): VendorExchange<true> {
  return goStop(target, IdekmObjects.K_SET_GO);
}

/** K_SET_STOP for one key. */
export function setStop(target: KeyTarget): VendorExchange<true> {
  return goStop(target, IdekmObjects.K_SET_STOP);
}

/** A port's six keys of one set, each list in the order PR, NPR, CPL. */
export interface PortKeys {
  readonly RX: readonly Uint8Array[];
  readonly TX: readonly Uint8Array[];
}

/** The partner's keys: what one port sends with, the other receives with. */
export function partnerKeys(keys: PortKeys): PortKeys {
  return { RX: keys.TX, TX: keys.RX };
}

/** One key set of one stream of a responder's port. */
export type SetTarget = Omit<KeyTarget, 'direction' | 'subStream'>;

/** KEY_PROG for all six keys of a set; stops at the first fault. @throws LocalError on missing keys. */
export function* keyStream(target: SetTarget, keys: PortKeys): VendorExchange<true> {
  for (const direction of KEY_DIRECTIONS)
    for (const subStream of SUB_STREAMS) {
      const key = keys[direction][subStream];
      if (key === undefined) throw new LocalError(`keys.${direction}: expected three keys`);
      const result = yield* keyProg({ ...target, direction, subStream }, key);
      if (result !== true) return result;
    }
  return true;
}

/**
 * K_SET_GO for the three sub-streams of one direction. Both ports must have started RX before either
 * starts TX.
 */
export function* goStream(target: SetTarget, direction: KeyDirection): VendorExchange<true> {
  for (const subStream of SUB_STREAMS) {
    const result = yield* setGo({ ...target, direction, subStream });
    if (result !== true) return result;
  }
  return true;
}

/** K_SET_STOP for all six keys of a set. */
export function* stopStream(target: SetTarget): VendorExchange<true> {
  for (const direction of KEY_DIRECTIONS)
    for (const subStream of SUB_STREAMS) {
      const result = yield* setStop({ ...target, direction, subStream });
      if (result !== true) return result;
    }
  return true;
}
