/**
 * Layouts of GET_ENDPOINT_INFO and ENDPOINT_INFO, and of the device class identifiers they carry
 * (DSP0274 clause "Endpoint info", from 1.3).
 */

import {
  bytes,
  countOf,
  layout,
  lengthOf,
  list,
  type Names,
  reserved,
  type Scope,
  struct,
  u8,
  when,
} from '../../codec/field.ts';
import { registryNames } from '../codes.ts';
import { header, nonce, signature } from './header.ts';

/** SubCode, in Param1. */
export const EndpointInfoSubCodes = { DeviceClassIdentifier: 1 } as const;
const subCodeNames: Names = { 1: 'DeviceClassIdentifier' };
const slotParam = () => u8({ bits: { SlotID: [0, 4] } });
const CLAUSE = 'DSP0274 GET_ENDPOINT_INFO';

export const getEndpointInfo = layout('GET_ENDPOINT_INFO', CLAUSE, {
  ...header,
  Param1: u8({ names: subCodeNames }),
  Param2: slotParam(),
  RequestAttributes: u8({ bits: { SignatureRequested: [0] } }),
  Reserved: reserved(3),
  Nonce: when((v) => (v.RequestAttributes & 1) === 1, nonce()),
});

/** Facts: signed (the request asked for a signature), signatureSize. */
const signed = (_v: Scope, facts: Readonly<Record<string, number>>) => facts['signed'] === 1;
export const endpointInfo = layout('ENDPOINT_INFO', CLAUSE, {
  ...header,
  Param2: slotParam(),
  Reserved: reserved(4),
  Nonce: when(signed, nonce()),
  EPInfoLength: lengthOf('EPInfo', 4),
  EPInfo: bytes((v) => v.EPInfoLength),
  Signature: when(signed, signature()),
});

const subordinateId = layout('SubordinateID', CLAUSE, {
  SubIDLen: lengthOf('SubIdentifier', 1),
  SubIdentifier: bytes((v) => v.SubIDLen),
});

const SVH_HEAD_SIZE = 2;
const NUM_SUB_IDS_SIZE = 1;
/** Bytes of an element besides its IDElemLength. */
function elementSize(v: Scope): number {
  const subs: readonly { SubIdentifier: Uint8Array }[] = v.SubordinateID ?? [];
  const inSubs = subs.reduce((sum, { SubIdentifier }) => sum + 1 + SubIdentifier.length, 0);
  return SVH_HEAD_SIZE + (v.VendorID?.length ?? 0) + NUM_SUB_IDS_SIZE + inSubs;
}

/** A class of one standards body. IDElemLength counts what follows it. */
export const deviceClassElement = layout(
  'DeviceClassIdentifierElement',
  CLAUSE,
  {
    IDElemLength: lengthOf(
      'SubordinateID',
      1,
      (v) => SVH_HEAD_SIZE + (v.VendorID?.length ?? 0) + NUM_SUB_IDS_SIZE,
    ),
    ID: u8({ names: registryNames }),
    VendorIDLen: lengthOf('VendorID', 1),
    VendorID: bytes((v) => v.VendorIDLen),
    NumSubIDs: countOf('SubordinateID', 1),
    SubordinateID: list(struct(subordinateId), { count: (v) => v.NumSubIDs }),
  },
  (v) =>
    v.IDElemLength !== elementSize(v)
      ? `IDElemLength ${v.IDElemLength}, but the element has ${elementSize(v)} bytes`
      : undefined,
);

/** EPInfo of SubCode DeviceClassIdentifier. */
export const deviceClassIdentifiers = layout('DeviceClassIdentifiers', CLAUSE, {
  NumIdentifiers: countOf('IdentifierElements', 1),
  Reserved: reserved(3),
  IdentifierElements: list(struct(deviceClassElement), { count: (v) => v.NumIdentifiers }),
});
