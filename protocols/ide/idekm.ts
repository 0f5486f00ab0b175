/**
 * IDE_KM objects (PCIe Base 6.x clause 6.33.3.1): layouts, the key_sub_stream byte, key and IFV byte
 * order. Payloads start at the object id: the protocol id byte before it belongs to the carrier.
 */

import type { DescribedField } from '../codec/describe.ts';
import { describe } from '../codec/describe.ts';
import {
  bytes,
  type Layout,
  layout,
  list,
  type Names,
  reserved,
  u8,
  u32,
  type ValueOf,
} from '../codec/field.ts';
import { decode } from '../codec/layout.ts';
import { LocalError, type Refusal, RefusalCodes, refuse } from '../codec/refusal.ts';

export const IDE_KM_PROTOCOL_ID = 0;

export const IdekmObjects = {
  QUERY: 0x00,
  QUERY_RESP: 0x01,
  KEY_PROG: 0x02,
  KP_ACK: 0x03,
  K_SET_GO: 0x04,
  K_SET_STOP: 0x05,
  K_GOSTOP_ACK: 0x06,
} as const;
export type IdekmObjectName = keyof typeof IdekmObjects;
export const idekmObjectNames: Names = Object.fromEntries(
  Object.entries(IdekmObjects).map(([name, code]) => [code, name]),
);

/** Status of KP_ACK. */
export const KpAckStatuses = {
  SUCCESS: 0,
  INCORRECT_LENGTH: 1,
  UNSUPPORTED_PORT_INDEX: 2,
  UNSUPPORTED_VALUE: 3,
  UNSPECIFIED_FAILURE: 4,
} as const;
export type KpAckStatus = (typeof KpAckStatuses)[keyof typeof KpAckStatuses];
export const kpAckStatusNames: Names = Object.fromEntries(
  Object.entries(KpAckStatuses).map(([name, code]) => [code, name]),
);

export const SubStreams = { PR: 0, NPR: 1, CPL: 2 } as const;
export type SubStream = (typeof SubStreams)[keyof typeof SubStreams];
export const SUB_STREAMS: readonly SubStream[] = [0, 1, 2];
export const isSubStream = (code: number): code is SubStream => code <= 2;

export type KeySet = 0 | 1;
/** RxTxB as the port that receives the message sees it. */
export const KeyDirections = { RX: 0, TX: 1 } as const;
export type KeyDirection = 'RX' | 'TX';
export const KEY_DIRECTIONS: readonly KeyDirection[] = ['RX', 'TX'];

export const KEY_BYTES = 32;
export const IFV_BYTES = 8;

const objectId = (code: number) => u8({ only: [code], names: idekmObjectNames });
const keySubStream = u8({ bits: { KeySet: [0], RxTxB: [1], SubStream: [4, 4] } });
const CLAUSE = 'PCIe Base 6.x 6.33.3.1';

const setMessage = (name: IdekmObjectName) =>
  layout(name, CLAUSE, {
    ObjectID: objectId(IdekmObjects[name]),
    Reserved1: reserved(2),
    StreamID: u8(),
    Reserved2: reserved(1),
    KeySubStream: keySubStream,
    PortIndex: u8(),
  });

// The largest capability has 8 link blocks and 256 selective ones of 15 address associations.
const REGISTER_DWORDS_MAX = 2 + 2 * 8 + 256 * (5 + 3 * 15);

export const Query = layout('QUERY', CLAUSE, {
  ObjectID: objectId(IdekmObjects.QUERY),
  Reserved: reserved(1),
  PortIndex: u8(),
});
export const QueryResp = layout('QUERY_RESP', CLAUSE, {
  ObjectID: objectId(IdekmObjects.QUERY_RESP),
  Reserved: reserved(1),
  PortIndex: u8(),
  DevFunc: u8(),
  Bus: u8(),
  Segment: u8(),
  MaxPortIndex: u8(),
  /** from the IDE Capability register on */
  IdeRegisters: { ...list(u32(), { toEnd: true }), maxItems: REGISTER_DWORDS_MAX },
});
export const KeyProg = layout('KEY_PROG', CLAUSE, {
  ObjectID: objectId(IdekmObjects.KEY_PROG),
  Reserved1: reserved(2),
  StreamID: u8(),
  Reserved2: reserved(1),
  KeySubStream: keySubStream,
  PortIndex: u8(),
  Key: bytes(KEY_BYTES),
  IFV: bytes(IFV_BYTES),
});
export const KpAck = layout('KP_ACK', CLAUSE, {
  ObjectID: objectId(IdekmObjects.KP_ACK),
  Reserved: reserved(2),
  StreamID: u8(),
  Status: u8({ names: kpAckStatusNames }),
  KeySubStream: keySubStream,
  PortIndex: u8(),
});
export const KSetGo = setMessage('K_SET_GO');
export const KSetStop = setMessage('K_SET_STOP');
export const KGostopAck = setMessage('K_GOSTOP_ACK');

/** Layout by object id. */
export const idekmLayouts: Readonly<Record<number, Layout>> = {
  [IdekmObjects.QUERY]: Query,
  [IdekmObjects.QUERY_RESP]: QueryResp,
  [IdekmObjects.KEY_PROG]: KeyProg,
  [IdekmObjects.KP_ACK]: KpAck,
  [IdekmObjects.K_SET_GO]: KSetGo,
  [IdekmObjects.K_SET_STOP]: KSetStop,
  [IdekmObjects.K_GOSTOP_ACK]: KGostopAck,
};

/** One object by name, with its decoded fields. */
export type IdekmObject =
  | { readonly ok: true; readonly name: 'QUERY'; readonly value: ValueOf<typeof Query> }
  | { readonly ok: true; readonly name: 'QUERY_RESP'; readonly value: ValueOf<typeof QueryResp> }
  | { readonly ok: true; readonly name: 'KEY_PROG'; readonly value: ValueOf<typeof KeyProg> }
  | { readonly ok: true; readonly name: 'KP_ACK'; readonly value: ValueOf<typeof KpAck> }
  | {
      readonly ok: true;
      readonly name: 'K_SET_GO' | 'K_SET_STOP' | 'K_GOSTOP_ACK';
      readonly value: ValueOf<typeof KSetGo>;
    };

/** Decodes any IDE_KM object, told apart by its object id. */
export function decodeIdekm(payload: Uint8Array): IdekmObject | Refusal {
  if (payload.length === 0)
    return refuse(RefusalCodes.TRUNCATED, 'ObjectID', 0, 'an IDE_KM object has an object id');
  const table = idekmLayouts[payload[0]!];
  if (table === undefined)
    return refuse(RefusalCodes.UNKNOWN_CODE, 'ObjectID', 0, `no IDE_KM object ${payload[0]}`);
  const result = decode(table, payload);
  if (!result.ok) return result;
  return { ok: true, name: table.name, value: result.value } as unknown as IdekmObject;
}

/** Field lines of an IDE_KM object for a person. Keys are shown: this is a view of the bytes. */
export function describeIdekm(payload: Uint8Array): {
  name: string;
  fields: DescribedField[];
  refusal?: Refusal;
} {
  const table = idekmLayouts[payload[0] ?? -1];
  if (table === undefined) {
    const known = decodeIdekm(payload);
    return { name: 'unknown IDE_KM object', fields: [], ...(known.ok ? {} : { refusal: known }) };
  }
  return { name: table.name, ...describe(table, payload) };
}

export interface KeySubStream {
  readonly keySet: KeySet;
  readonly direction: KeyDirection;
  /** 0 PR, 1 NPR, 2 CPL; four bits on the wire, the others reserved */
  readonly subStream: number;
}

/** The key_sub_stream byte. @throws LocalError on a sub-stream of more than four bits. */
export function encodeKeySubStream(k: KeySubStream): number {
  if (!Number.isInteger(k.subStream) || k.subStream < 0 || k.subStream > 15)
    throw new LocalError(`subStream: expected 0..15, got ${k.subStream}`);
  return k.keySet | (KeyDirections[k.direction] << 1) | (k.subStream << 4);
}

/** Its fields; bits 3:2 are reserved and ignored. */
export function decodeKeySubStream(byte: number): KeySubStream {
  return {
    keySet: (byte & 1) as KeySet,
    direction: (byte & 2) === 0 ? 'RX' : 'TX',
    subStream: byte >> 4,
  };
}

/** A 64-bit invocation field as two 32-bit numbers. */
export interface InvocationField {
  readonly hi: number;
  readonly lo: number;
}
/** The only initial value in use. */
export const INITIAL_IFV: InvocationField = { hi: 0, lo: 1 };

/**
 * Converts a 32-byte AES-256 key between crypto order and wire order, which is its own inverse: the
 * eight DWs keep their order and each is little-endian on the wire.
 * @throws LocalError if `key` is not 32 bytes.
 */
export function swapKeyOrder(key: Uint8Array): Uint8Array {
  if (key.length !== KEY_BYTES)
    throw new LocalError(`key: expected ${KEY_BYTES} bytes, got ${key.length}`);
  return key.map((_, i) => key[i ^ 3]!);
}

/** Wire bytes of an IFV: high DW first, each little-endian. @throws LocalError on a misfit. */
export function encodeIfv(ifv: InvocationField): Uint8Array {
  const out = new Uint8Array(IFV_BYTES);
  for (const [i, dw] of [ifv.hi, ifv.lo].entries()) {
    if (!Number.isInteger(dw) || dw < 0 || dw > 0xffffffff)
      throw new LocalError(`ifv: expected two 32-bit numbers, got ${dw}`);
    for (let b = 0; b < 4; b++) out[4 * i + b] = (dw >>> (8 * b)) & 0xff;
  }
  return out;
}

export function decodeIfv(wire: Uint8Array): InvocationField {
  const dw = (at: number) =>
    (wire[at]! | (wire[at + 1]! << 8) | (wire[at + 2]! << 16) | (wire[at + 3]! << 24)) >>> 0;
  return { hi: dw(0), lo: dw(4) };
}
