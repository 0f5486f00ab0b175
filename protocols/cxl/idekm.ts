/**
 * CXL_IDE_KM: object ids and layouts of QUERY .. GET_KEY_ACK (CXL 3.1 11.4, key management of
 * CXL.cachemem IDE). Byte 0 of a payload is the object id; the protocol id before it is not part of it.
 *
 * Close to PCIe IDE_KM and not the same: QUERY_RESP has a capability byte, an IV has three DWs, and
 * a requester may fetch key and IV from the device (GET_KEY).
 */

import { type Bits, bytes, type Layout, layout, list, reserved, u8, u32 } from '../codec/field.ts';

export const IdeKmObjectIds = {
  QUERY: 0x00,
  QUERY_RESP: 0x01,
  KEY_PROG: 0x02,
  KP_ACK: 0x03,
  K_SET_GO: 0x04,
  K_SET_STOP: 0x05,
  K_SET_GOSTOP_ACK: 0x06,
  GET_KEY: 0x07,
  GET_KEY_ACK: 0x08,
} as const;
export type IdeKmObjectId = (typeof IdeKmObjectIds)[keyof typeof IdeKmObjectIds];

const objectIdNames: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(IdeKmObjectIds).map(([name, code]) => [code, name]),
);

/** QUERY_RESP: what the port's IDE can do; CAP_VERSION is 1 in CXL 3.1. */
const capsBits = {
  CAP_VERSION: [0, 4],
  IV_GEN_CAP: [4],
  KEY_GEN_CAP: [5],
  K_SET_STOP_CAP: [6],
} as const satisfies Bits;

/** Value of the sub-stream nibble that stands for CXL.cachemem. */
export const KEY_SUB_STREAM_CXL = 0x8;

const directionBits = { TX: [1], SUB_STREAM: [4, 4] } as const satisfies Bits;
const keyProgBits = { ...directionBits, IV_DEFAULT: [3] } as const satisfies Bits;
const setGoBits = { ...directionBits, MODE_CONTAINMENT: [3] } as const satisfies Bits;

const KEY_SIZE = 8 * 4;
const IV_SIZE = 3 * 4;
const CLAUSE = 'CXL 3.1 11.4';

const header = { ObjectID: u8({ names: objectIdNames }) } as const;

/** Objects about one stream of one port: the same seven bytes for most of them. */
const stream = (keySubStreamBits: Bits) =>
  ({
    ...header,
    Reserved: reserved(2),
    StreamID: u8(),
    Reserved2: reserved(1),
    KeySubStream: u8({ bits: keySubStreamBits }),
    PortIndex: u8(),
  }) as const;

export const ideKmHeader = layout('CXL_IDE_KM', CLAUSE, header);

export const query = layout('QUERY', CLAUSE, {
  ...header,
  Reserved: reserved(1),
  PortIndex: u8(),
});

export const queryResp = layout('QUERY_RESP', CLAUSE, {
  ...header,
  Reserved: reserved(1),
  PortIndex: u8(),
  DevFuncNum: u8(),
  BusNum: u8(),
  Segment: u8(),
  MaxPortIndex: u8(),
  Caps: u8({ bits: capsBits }),
  // registers of the CXL IDE Capability Structure (CXL 3.1 8.2.4); how many is left to its version
  CXLIDECapabilityStructure: list(u32(), { toEnd: true }),
});

/** Key and IV travel also where the receiver ignores them (IV_DEFAULT set). */
export const keyProg = layout('KEY_PROG', CLAUSE, {
  ...stream(keyProgBits),
  Key: bytes(KEY_SIZE),
  PendingInitialIV: bytes(IV_SIZE),
});

export const kpAck = layout('KP_ACK', CLAUSE, {
  ...header,
  Reserved: reserved(2),
  StreamID: u8(),
  Status: u8({ names: { 0: 'SUCCESS', 1: 'INVALID' } }),
  // the request's byte, given back
  KeySubStream: u8({ bits: keyProgBits }),
  PortIndex: u8(),
});

export const kSetGo = layout('K_SET_GO', CLAUSE, stream(setGoBits));
export const kSetStop = layout('K_SET_STOP', CLAUSE, stream(directionBits));
export const kSetGoStopAck = layout('K_SET_GOSTOP_ACK', CLAUSE, stream(directionBits));
export const getKey = layout('GET_KEY', CLAUSE, stream(directionBits));

/** Key means nothing without KEY_GEN_CAP, IV nothing without IV_GEN_CAP. */
export const getKeyAck = layout('GET_KEY_ACK', CLAUSE, {
  ...stream(directionBits),
  Key: bytes(KEY_SIZE),
  IV: bytes(IV_SIZE),
});

/** object id -> layout; a layout's name is the object's name */
export const ideKmLayouts: Readonly<Record<number, Layout>> = {
  [IdeKmObjectIds.QUERY]: query,
  [IdeKmObjectIds.QUERY_RESP]: queryResp,
  [IdeKmObjectIds.KEY_PROG]: keyProg,
  [IdeKmObjectIds.KP_ACK]: kpAck,
  [IdeKmObjectIds.K_SET_GO]: kSetGo,
  [IdeKmObjectIds.K_SET_STOP]: kSetStop,
  [IdeKmObjectIds.K_SET_GOSTOP_ACK]: kSetGoStopAck,
  [IdeKmObjectIds.GET_KEY]: getKey,
  [IdeKmObjectIds.GET_KEY_ACK]: getKeyAck,
} satisfies Record<IdeKmObjectId, Layout>;
