/** Opaque data of the key exchange (DSP0277 5, OpaqueDataFmt1): secured message version negotiation. */

import {
  bytes,
  countOf,
  layout,
  lengthOf,
  list,
  reserved,
  struct,
  u8,
  u16,
} from '../codec/field.ts';
import { decode, encode } from '../codec/layout.ts';
import type { Decoded } from '../codec/refusal.ts';
import { registryNames } from './codes.ts';

const paddingOf = (size: number): number => (4 - (size % 4)) % 4;
const ELEMENT_HEAD_SIZE = 4;

export const opaqueElement = layout('OpaqueElement', 'DSP0274 10.22', {
  ID: u8({ names: registryNames }),
  VendorLen: lengthOf('VendorID', 1),
  VendorID: bytes((v) => v.VendorLen),
  OpaqueElementDataLen: lengthOf('OpaqueElementData', 2),
  OpaqueElementData: bytes((v) => v.OpaqueElementDataLen),
  AlignPadding: reserved((v) =>
    paddingOf(ELEMENT_HEAD_SIZE + v.VendorLen + v.OpaqueElementDataLen),
  ),
});

export const opaqueDataFmt1 = layout('OpaqueDataFmt1', 'DSP0274 10.22', {
  TotalElements: countOf('OpaqueList', 1),
  Reserved: reserved(3),
  OpaqueList: list(struct(opaqueElement), { count: (v) => v.TotalElements }),
});

const supportedVersions = layout('SecuredMessageSupportedVersions', 'DSP0277 5.1', {
  SMDataVersion: u8({ only: [1] }),
  SMDataID: u8({ only: [1] }),
  VersionNumberEntryCount: countOf('VersionNumberEntry', 1),
  VersionNumberEntry: list(u16(), { count: (v) => v.VersionNumberEntryCount }),
});

const versionSelection = layout('SecuredMessageVersionSelection', 'DSP0277 5.1', {
  SMDataVersion: u8({ only: [1] }),
  SMDataID: u8({ only: [0] }),
  SelectedVersion: u16(),
});

/** Secured message version 1.1, in the form of a VERSION entry. */
export const SECURED_MESSAGE_1_1 = 0x1100;
const SM_DATA_SELECTION = 0;
const SM_DATA_SUPPORTED = 1;

function dmtfElement(data: Uint8Array): Uint8Array {
  const VendorID = new Uint8Array(0);
  return encode(opaqueDataFmt1, { OpaqueList: [{ ID: 0, VendorID, OpaqueElementData: data }] });
}

/** What the requester puts into KEY_EXCHANGE. */
export function supportedVersionsOpaque(versions: readonly number[]): Uint8Array {
  return dmtfElement(
    encode(supportedVersions, {
      SMDataVersion: 1,
      SMDataID: SM_DATA_SUPPORTED,
      VersionNumberEntry: [...versions],
    }),
  );
}

/** What the responder answers with. */
export function versionSelectionOpaque(version: number): Uint8Array {
  return dmtfElement(
    encode(versionSelection, {
      SMDataVersion: 1,
      SMDataID: SM_DATA_SELECTION,
      SelectedVersion: version,
    }),
  );
}

/** The first DMTF element with this SMDataID; undefined if there is none. */
function findElement(opaque: Uint8Array, id: number): Decoded<Uint8Array | undefined> {
  const all = decode(opaqueDataFmt1, opaque, {}, { trailing: 'leave' });
  if (!all.ok) return all;
  const found = all.value.OpaqueList.find(
    (element) => element.ID === 0 && element.OpaqueElementData[1] === id,
  );
  return { ok: true, value: found?.OpaqueElementData, size: all.size };
}

/** Versions a requester offers; an empty list if it says nothing. */
export function readSupportedVersions(opaque: Uint8Array): Decoded<number[]> {
  const found = findElement(opaque, SM_DATA_SUPPORTED);
  if (!found.ok) return found;
  if (found.value === undefined) return { ok: true, value: [], size: found.size };
  const list = decode(supportedVersions, found.value);
  return list.ok ? { ok: true, value: list.value.VersionNumberEntry, size: found.size } : list;
}

/** Version a responder selected; undefined if it says nothing. */
export function readVersionSelection(opaque: Uint8Array): Decoded<number | undefined> {
  const found = findElement(opaque, SM_DATA_SELECTION);
  if (!found.ok) return found;
  if (found.value === undefined) return { ok: true, value: undefined, size: found.size };
  const selection = decode(versionSelection, found.value);
  return selection.ok
    ? { ok: true, value: selection.value.SelectedVersion, size: found.size }
    : selection;
}
