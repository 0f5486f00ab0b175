/**
 * Names and decodes what travels in SPDM VENDOR_DEFINED messages (DSP0274 10.10): IDE_KM and TDISP of
 * the PCI-SIG (PCIe Base 6.x 6.33.3 and 11.3), CXL_IDE_KM and CXL_TSP (CXL 3.1 11.4, 11.5). The payload
 * here starts with the protocol id byte that all of them have in front.
 */

import { readLE } from '../codec/bytes.ts';
import type { DescribedField } from '../codec/describe.ts';
import { type Refusal, RefusalCodes, refuse } from '../codec/refusal.ts';
import { CXL_VENDOR_ID, CxlProtocolIds, describeCxl } from '../cxl/cxl.ts';
import { secondarySessionPsks } from '../cxl/tsp.ts';
import { describeIdekm } from '../ide/idekm.ts';
import { MctpMessageTypes } from '../mctp/packet.ts';
import { describePldm } from '../mctp/pldm.ts';
import { PCI_SIG_VENDOR_ID, PciSigProtocols, RegistryIds } from '../spdm/codes.ts';
import type {
  OtherDescriber,
  VendorDescriber,
  VendorDescription,
} from '../spdm/observer/observer.ts';
import { describeTdisp } from '../tdisp/describe.ts';

interface Described {
  readonly name: string;
  readonly fields: readonly DescribedField[];
  readonly refusal?: Refusal;
}

interface VendorProtocol {
  readonly protocol: string;
  readonly vendorId: number;
  readonly protocolId: number;
  readonly describe: (payload: Uint8Array) => Described;
  readonly psks?: (payload: Uint8Array) => readonly { hint: Uint8Array; psk: Uint8Array }[];
}

/** All four are registered with the PCI-SIG; CXL has a vendor id of its own there. */
const vendorProtocols: readonly VendorProtocol[] = [
  {
    protocol: 'IDE_KM',
    vendorId: PCI_SIG_VENDOR_ID,
    protocolId: PciSigProtocols.IDE_KM,
    describe: describeIdekm,
  },
  {
    protocol: 'TDISP',
    vendorId: PCI_SIG_VENDOR_ID,
    protocolId: PciSigProtocols.TDISP,
    describe: describeTdisp,
  },
  {
    protocol: 'CXL_IDE_KM',
    vendorId: CXL_VENDOR_ID,
    protocolId: CxlProtocolIds.CXL_IDE_KM,
    describe: (payload) => describeCxl(CxlProtocolIds.CXL_IDE_KM, payload),
  },
  {
    protocol: 'CXL_TSP',
    vendorId: CXL_VENDOR_ID,
    protocolId: CxlProtocolIds.CXL_TSP,
    describe: (payload) => describeCxl(CxlProtocolIds.CXL_TSP, payload),
    psks: secondarySessionPsks,
  },
];

const PROTOCOL_ID_BYTES = 1;
const VENDOR_ID_BYTES = 2;

/** Offsets counted from the protocol id byte, as the payload is handed in. */
function shifted(field: DescribedField): DescribedField {
  return { ...field, offset: field.offset + PROTOCOL_ID_BYTES };
}

/**
 * Describes a VENDOR_DEFINED payload, its protocol id byte included; offsets count from that byte.
 * Undefined for a standards body, vendor or protocol that nobody here knows. Never throws on the bytes.
 */
export const describeVendor: VendorDescriber = (standardId, vendorId, payload) => {
  if (standardId !== RegistryIds.PCI_SIG || vendorId.length !== VENDOR_ID_BYTES) return undefined;
  const vendor = readLE(vendorId, 0, VENDOR_ID_BYTES);
  const ofVendor = vendorProtocols.filter((known) => known.vendorId === vendor);
  if (ofVendor.length === 0) return undefined;
  const id = payload[0];
  if (id === undefined) {
    const refusal = refuse(RefusalCodes.TRUNCATED, 'ProtocolID', 0, 'no protocol id');
    return { protocol: 'vendor', name: 'empty', fields: [], refusal };
  }
  const known = ofVendor.find(({ protocolId }) => protocolId === id);
  if (known === undefined) return undefined;
  const body = payload.subarray(PROTOCOL_ID_BYTES);
  const { name, fields, refusal } = known.describe(body);
  const psks = known.psks?.(body) ?? [];
  const description: VendorDescription = {
    protocol: known.protocol,
    name,
    fields: fields.map(shifted),
    ...(psks.length === 0 ? {} : { psks }),
  };
  if (refusal === undefined) return description;
  return {
    ...description,
    refusal: { ...refusal, offset: refusal.offset + PROTOCOL_ID_BYTES },
  };
};

/** Describes a message that an MCTP session carries besides SPDM: PLDM. */
export const describeOther: OtherDescriber = (messageType, bytes) =>
  messageType === MctpMessageTypes.PLDM ? describePldm(bytes) : undefined;
