/**
 * Between the payload of a frame and what an SPDM engine takes: a DOE data object with its header
 * (PCIe Base 6.x 6.30.1), an MCTP message with its type byte (DSP0275, DSP0276) or the bare message.
 * The emulators pad DOE objects to DWs and MCTP messages not at all.
 */

import { concat } from '../../protocols/codec/bytes.ts';
import { decode } from '../../protocols/codec/layout.ts';
import {
  type Decoded,
  LocalError,
  type Refusal,
  RefusalCodes,
  refuse,
} from '../../protocols/codec/refusal.ts';
import {
  type DoeObjectType,
  DoeTypes,
  decodeObject,
  discoveryRequest,
  encodeDiscoveryResponse,
  encodeObject,
  objectTypeName,
  TYPE_NONE,
  VENDOR_NONE,
  VENDOR_PCI_SIG,
} from '../../protocols/doe/object.ts';
import { MctpMessageTypes } from '../../protocols/mctp/packet.ts';
import {
  doeBinding,
  mctpBinding,
  type RecordBinding,
} from '../../protocols/spdm/secured-message.ts';
import { TransportTypes } from './frame.ts';

/** What an engine takes and gives: an SPDM message, or a secured record. */
export interface EnginePacket {
  readonly secured: boolean;
  readonly bytes: Uint8Array;
}

/** What a payload is to the side that answers. */
export type Unwrapped =
  | { readonly kind: 'packet'; readonly packet: EnginePacket }
  /** the transport answers by itself */
  | { readonly kind: 'answer'; readonly name: string; readonly payload: Uint8Array }
  /** well formed, but of a protocol nobody here speaks: real hardware is silent */
  | { readonly kind: 'foreign'; readonly name: string }
  | { readonly kind: 'refused'; readonly refusal: Refusal };

export type SocketTransportName = 'NONE' | 'MCTP' | 'PCI_DOE';

export interface SocketTransport {
  readonly name: SocketTransportName;
  /** transport type word of the frame */
  readonly type: number;
  /** how records travel in it */
  readonly binding: RecordBinding;
  /** reads what a requester sent */
  readonly unwrap: (payload: Uint8Array) => Unwrapped;
  /** @throws LocalError on a record where the transport has no secured messages */
  readonly wrap: (packet: EnginePacket) => Uint8Array;
}

const DISCOVERY: DoeObjectType = { VendorID: VENDOR_PCI_SIG, DataObjectType: DoeTypes.DISCOVERY };
/** What Discovery lists, in order. */
export const doeObjectTypes: readonly DoeObjectType[] = [
  DISCOVERY,
  { VendorID: VENDOR_PCI_SIG, DataObjectType: DoeTypes.CMA_SPDM },
  { VendorID: VENDOR_PCI_SIG, DataObjectType: DoeTypes.SECURED_CMA_SPDM },
];

function discovery(payload: Uint8Array): Unwrapped {
  const request = decode(discoveryRequest, payload, {}, { trailing: 'leave' });
  if (!request.ok) return { kind: 'refused', refusal: request };
  const index = request.value.Index;
  const entry = doeObjectTypes[index];
  const answer =
    entry === undefined
      ? encodeDiscoveryResponse({ VendorID: VENDOR_NONE, DataObjectType: TYPE_NONE }, 0)
      : encodeDiscoveryResponse(entry, (index + 1) % doeObjectTypes.length);
  return { kind: 'answer', name: `DOE Discovery index ${index}`, payload: answer };
}

function unwrapDoe(payload: Uint8Array): Unwrapped {
  const object = decodeObject(payload);
  if (!object.ok) return { kind: 'refused', refusal: object };
  const { VendorID, DataObjectType, payload: bytes } = object.value;
  if (VendorID === VENDOR_PCI_SIG) {
    if (DataObjectType === DoeTypes.DISCOVERY) return discovery(bytes);
    if (DataObjectType === DoeTypes.CMA_SPDM)
      return { kind: 'packet', packet: { secured: false, bytes } };
    if (DataObjectType === DoeTypes.SECURED_CMA_SPDM)
      return { kind: 'packet', packet: { secured: true, bytes } };
  }
  return { kind: 'foreign', name: `DOE ${objectTypeName(object.value)}` };
}

function wrapDoe({ secured, bytes }: EnginePacket): Uint8Array {
  const DataObjectType = secured ? DoeTypes.SECURED_CMA_SPDM : DoeTypes.CMA_SPDM;
  return encodeObject({ VendorID: VENDOR_PCI_SIG, DataObjectType, payload: bytes });
}

const INTEGRITY_CHECK = 0x80;

function unwrapMctp(payload: Uint8Array): Unwrapped {
  const [type] = payload;
  if (type === undefined)
    return {
      kind: 'refused',
      refusal: refuse(RefusalCodes.TRUNCATED, 'MessageType', 0, 'a message without its type'),
    };
  // SPDM over MCTP has no integrity check of its own (DSP0275).
  if ((type & INTEGRITY_CHECK) !== 0)
    return {
      kind: 'refused',
      refusal: refuse(RefusalCodes.BAD_VALUE, 'MessageType.IC', 0, 'integrity check bit set'),
    };
  const bytes = payload.slice(1);
  if (type === MctpMessageTypes.SPDM) return { kind: 'packet', packet: { secured: false, bytes } };
  if (type === MctpMessageTypes.SECURED)
    return { kind: 'packet', packet: { secured: true, bytes } };
  return { kind: 'foreign', name: `MCTP message type 0x${type.toString(16)}` };
}

function wrapMctp({ secured, bytes }: EnginePacket): Uint8Array {
  return concat(Uint8Array.of(secured ? MctpMessageTypes.SECURED : MctpMessageTypes.SPDM), bytes);
}

function unwrapNone(payload: Uint8Array): Unwrapped {
  if (payload.length > 0)
    return { kind: 'packet', packet: { secured: false, bytes: payload.slice() } };
  return {
    kind: 'refused',
    refusal: refuse(RefusalCodes.TRUNCATED, 'SPDMVersion', 0, 'an empty message'),
  };
}

function wrapNone({ secured, bytes }: EnginePacket): Uint8Array {
  if (secured) throw new LocalError('packet: transport NONE carries no secured messages');
  return bytes;
}

export const socketTransports: Readonly<Record<SocketTransportName, SocketTransport>> = {
  NONE: {
    name: 'NONE',
    type: TransportTypes.NONE,
    binding: doeBinding,
    unwrap: unwrapNone,
    wrap: wrapNone,
  },
  MCTP: {
    name: 'MCTP',
    type: TransportTypes.MCTP,
    binding: mctpBinding,
    unwrap: unwrapMctp,
    wrap: wrapMctp,
  },
  PCI_DOE: {
    name: 'PCI_DOE',
    type: TransportTypes.PCI_DOE,
    binding: doeBinding,
    unwrap: unwrapDoe,
    wrap: wrapDoe,
  },
};

/** Reads what a responder answered: only a packet will do. */
export function unwrapAnswer(
  transport: SocketTransport,
  payload: Uint8Array,
): Decoded<EnginePacket> {
  const read = transport.unwrap(payload);
  if (read.kind === 'packet') return { ok: true, value: read.packet, size: payload.length };
  if (read.kind === 'refused') return read.refusal;
  return refuse(RefusalCodes.UNKNOWN_CODE, 'type', 0, `${read.name} is no SPDM answer`);
}
