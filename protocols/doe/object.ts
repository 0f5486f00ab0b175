/**
 * DOE data objects: the two header DWs, the object types of the PCI-SIG and the two Discovery payloads
 * (PCIe Base 6.x clause 6.30.1). Everything is little-endian; an object is a whole number of DWs.
 */

import { concat } from '../codec/bytes.ts';
import { layout, reserved, u8, u16, u32 } from '../codec/field.ts';
import { decode, encode } from '../codec/layout.ts';
import { type Decoded, LocalError, RefusalCodes, refuse } from '../codec/refusal.ts';

export const VENDOR_PCI_SIG = 0x0001;
/** What an entry beyond the end of the list answers with. */
export const VENDOR_NONE = 0xffff;
export const TYPE_NONE = 0xff;

/** Data Object Type, with the PCI-SIG as the vendor. */
export const DoeTypes = {
  DISCOVERY: 0x00,
  CMA_SPDM: 0x01,
  SECURED_CMA_SPDM: 0x02,
  CMA_SPDM_CONNECTION_ID: 0x03,
  SECURED_CMA_SPDM_CONNECTION_ID: 0x04,
  ASYNC_MESSAGE: 0x05,
} as const;

export const doeTypeNames: Readonly<Record<number, string>> = {
  0: 'DOE Discovery',
  1: 'CMA/SPDM',
  2: 'Secured CMA/SPDM',
  3: 'CMA/SPDM with Connection ID',
  4: 'Secured CMA/SPDM with Connection ID',
  5: 'Async Message',
};

export const DW_BYTES = 4;
export const HEADER_DWS = 2;
const HEADER_BYTES = HEADER_DWS * DW_BYTES;
/** 2^18 DWs, header included; the Length field says 0 for it. */
export const OBJECT_DWS_MAX = 0x40000;
export const OBJECT_BYTES_MAX = OBJECT_DWS_MAX * DW_BYTES;
const LENGTH_MASK = OBJECT_DWS_MAX - 1;

export const objectHeader = layout('DOE data object header', 'PCIe Base 6.x 6.30.1', {
  VendorID: u16({ names: { [VENDOR_PCI_SIG]: 'PCI-SIG' } }),
  DataObjectType: u8({ names: doeTypeNames }),
  Reserved: reserved(1),
  Length: u32({ bits: { Length: [0, 18] } }),
});

export const discoveryRequest = layout('DOE Discovery request', 'PCIe Base 6.x 6.30.1.1', {
  Index: u8(),
  DiscoveryVersion: u8(),
  Reserved: reserved(2),
});

export const discoveryResponse = layout('DOE Discovery response', 'PCIe Base 6.x 6.30.1.1', {
  VendorID: u16({ names: { [VENDOR_PCI_SIG]: 'PCI-SIG' } }),
  DataObjectType: u8({ names: doeTypeNames }),
  NextIndex: u8(),
});

/** One kind of data object: what a Discovery entry names. */
export interface DoeObjectType {
  readonly VendorID: number;
  readonly DataObjectType: number;
}

export interface DoeObject extends DoeObjectType {
  /** what follows the header; on the wire padded with zeros to a DW boundary */
  readonly payload: Uint8Array;
}

export interface DoeObjectToEncode extends DoeObject {
  /** the Length field's value in DWs, where a test or a fault wants it wrong */
  readonly Length?: number;
}

/** A name for listings, as `CMA/SPDM` or `1234:05`. */
export function objectTypeName(type: DoeObjectType): string {
  const known = type.VendorID === VENDOR_PCI_SIG ? doeTypeNames[type.DataObjectType] : undefined;
  const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
  return known ?? `${hex(type.VendorID, 4)}:${hex(type.DataObjectType, 2)}`;
}

export function sameType(a: DoeObjectType, b: DoeObjectType): boolean {
  return a.VendorID === b.VendorID && a.DataObjectType === b.DataObjectType;
}

/** Number of DWs, header included, that a Length DW stands for: 18 bits, 0 for 2^18. */
export function lengthDws(lengthDw: number): number {
  return lengthDw & LENGTH_MASK || OBJECT_DWS_MAX;
}

/**
 * Bytes of a whole object, payload padded with zeros to a DW boundary.
 * @throws LocalError on a payload above 2^20 - 8 bytes or a header field out of range.
 */
export function encodeObject(object: DoeObjectToEncode): Uint8Array {
  const { VendorID, DataObjectType, payload } = object;
  if (payload.length > OBJECT_BYTES_MAX - HEADER_BYTES)
    throw new LocalError(`payload: ${payload.length} bytes do not fit a data object`);
  const padding = -payload.length & (DW_BYTES - 1);
  const dws = HEADER_DWS + (payload.length + padding) / DW_BYTES;
  const Length = object.Length ?? dws & LENGTH_MASK;
  const header = encode(objectHeader, { VendorID, DataObjectType, Length });
  return concat(header, payload, new Uint8Array(padding));
}

/**
 * Decodes exactly one object. The payload keeps its padding: only the protocol inside knows where its
 * message ends. Reserved bits are ignored.
 */
export function decodeObject(bytes: Uint8Array): Decoded<DoeObject> {
  const header = decode(objectHeader, bytes, {}, { trailing: 'leave' });
  if (!header.ok) return header;
  const { VendorID, DataObjectType, Length } = header.value;
  const size = lengthDws(Length) * DW_BYTES;
  if (size < HEADER_BYTES)
    return refuse(RefusalCodes.BAD_LENGTH, 'Length', 4, `${size} bytes leave no room for a header`);
  if (size > bytes.length)
    return refuse(
      RefusalCodes.TRUNCATED,
      'payload',
      HEADER_BYTES,
      `Length says ${size} bytes, ${bytes.length} are there`,
    );
  if (size < bytes.length)
    return refuse(
      RefusalCodes.TRAILING,
      'payload',
      size,
      `Length says ${size} bytes, ${bytes.length} are there`,
    );
  return {
    ok: true,
    value: { VendorID, DataObjectType, payload: bytes.slice(HEADER_BYTES) },
    size,
  };
}

/**
 * A whole Discovery request object. `discoveryVersion` is 0 for a version 1 capability and 2 from
 * capability version 2 on.
 */
export function encodeDiscoveryRequest(Index: number, DiscoveryVersion = 0): Uint8Array {
  const payload = encode(discoveryRequest, { Index, DiscoveryVersion });
  return encodeObject({
    VendorID: VENDOR_PCI_SIG,
    DataObjectType: DoeTypes.DISCOVERY,
    payload,
  });
}

/** A whole Discovery response object naming `entry`; `NextIndex` 0 ends the list. */
export function encodeDiscoveryResponse(entry: DoeObjectType, NextIndex: number): Uint8Array {
  const { VendorID, DataObjectType } = entry;
  const payload = encode(discoveryResponse, { VendorID, DataObjectType, NextIndex });
  return encodeObject({
    VendorID: VENDOR_PCI_SIG,
    DataObjectType: DoeTypes.DISCOVERY,
    payload,
  });
}
