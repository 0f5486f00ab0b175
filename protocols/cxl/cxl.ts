/**
 * The CXL vendor protocols in SPDM VENDOR_DEFINED messages, by protocol id: StandardID 0x0003
 * (PCI-SIG), VendorID 0x1E98, then one protocol id byte, then the payload these functions take
 * (CXL 3.1 11.4 and 11.5). Decoding only: nobody here plays a CXL device.
 */

import { type DescribedField, describe } from '../codec/describe.ts';
import type { Layout } from '../codec/field.ts';
import { decode } from '../codec/layout.ts';
import { type Decoded, type Refusal, RefusalCodes, refuse } from '../codec/refusal.ts';
import { ideKmHeader, ideKmLayouts } from './idekm.ts';
import { tspHeader, tspLayouts } from './tsp.ts';

export const CXL_VENDOR_ID = 0x1e98;
export const CxlProtocolIds = { CXL_IDE_KM: 0x00, CXL_TSP: 0x01 } as const;

interface Protocol {
  /** what all of its messages start with, up to the code */
  readonly header: Layout;
  readonly codeField: string;
  readonly codeOffset: number;
  readonly layouts: Readonly<Record<number, Layout>>;
}

const protocols: Readonly<Record<number, Protocol>> = {
  [CxlProtocolIds.CXL_IDE_KM]: {
    header: ideKmHeader,
    codeField: 'ObjectID',
    codeOffset: 0,
    layouts: ideKmLayouts,
  },
  [CxlProtocolIds.CXL_TSP]: {
    header: tspHeader,
    codeField: 'OpCode',
    codeOffset: 1,
    layouts: tspLayouts,
  },
};

const hex = (code: number) => `0x${code.toString(16).padStart(2, '0')}`;

export interface CxlMessage {
  /** as in the tables: `KEY_PROG`, `GET_TARGET_TSP_VERSION` ... */
  readonly name: string;
  /** object id or op code */
  readonly code: number;
  /** the fields of the layout of that name, reserved ones left out */
  readonly body: Readonly<Record<string, unknown>>;
}

/** The layout of a message, or the refusal of one that has none. */
function find(protocolId: number, payload: Uint8Array): { table: Layout; code: number } | Refusal {
  const protocol = protocols[protocolId];
  if (protocol === undefined)
    return refuse(RefusalCodes.UNKNOWN_CODE, 'ProtocolID', 0, `no protocol ${protocolId}`);
  const { codeField, codeOffset, header, layouts } = protocol;
  const code = payload[codeOffset];
  if (code === undefined)
    return refuse(RefusalCodes.TRUNCATED, codeField, payload.length, `no ${codeField}`);
  const table = layouts[code];
  if (table === undefined)
    return refuse(
      RefusalCodes.UNKNOWN_CODE,
      codeField,
      codeOffset,
      `no ${header.name} message ${hex(code)}`,
    );
  return { table, code };
}

/**
 * Decodes one message of a CXL protocol.
 * @param protocolId the byte in front of `payload`: 0 CXL_IDE_KM, 1 CXL_TSP
 * @param payload what follows the protocol id, exactly: VENDOR_DEFINED tells the length
 * @returns the message, or a refusal with offsets into `payload` (an unknown protocol id: offset 0)
 */
export function decodeCxl(protocolId: number, payload: Uint8Array): Decoded<CxlMessage> {
  const found = find(protocolId, payload);
  if ('ok' in found) return found;
  const decoded = decode(found.table, payload);
  if (!decoded.ok) return decoded;
  const { value: body, size } = decoded;
  return { ok: true, value: { name: found.table.name, code: found.code, body }, size };
}

export interface CxlDescription {
  readonly name: string;
  readonly fields: DescribedField[];
  /** where the message stops to be one; `fields` has what was read before that */
  readonly refusal?: Refusal;
}

/** The fields of one message in wire order, for people; parameters as for `decodeCxl`. */
export function describeCxl(protocolId: number, payload: Uint8Array): CxlDescription {
  const found = find(protocolId, payload);
  if ('ok' in found) {
    const header = protocols[protocolId]?.header;
    const fields = header === undefined ? [] : describe(header, payload).fields;
    return { name: header?.name ?? `CXL protocol ${hex(protocolId)}`, fields, refusal: found };
  }
  const { name } = found.table;
  const { fields } = describe(found.table, payload);
  // `describe` leaves trailing bytes alone; in a message of exact length they are wrong
  const decoded = decode(found.table, payload);
  return decoded.ok ? { name, fields } : { name, fields, refusal: decoded };
}
