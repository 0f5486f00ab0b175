/**
 * Opaque data of the key exchange: the general format of DSP0274 (OpaqueDataFmt1 from 1.2 on, and the
 * older one with a specification id, called format 0 here) and the secured message elements of DSP0277:
 * supported versions, version selection, and the AEAD limit of DSP0277 1.3.
 */

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
  u32,
  type ValueOf,
} from '../codec/field.ts';
import { decode, encode } from '../codec/layout.ts';
import { type Decoded, LocalError, RefusalCodes, refuse } from '../codec/refusal.ts';
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

const elements = () => list(struct(opaqueElement), { count: (v) => v.TotalElements });

export const opaqueDataFmt1 = layout('OpaqueDataFmt1', 'DSP0274 10.22', {
  TotalElements: countOf('OpaqueList', 1),
  Reserved: reserved(3),
  OpaqueList: elements(),
});

/** SpecID of format 0: the letters DMTF, the last one first on the wire. */
export const OPAQUE_SPEC_ID = 0x444d5446;
export const OPAQUE_VERSION = 1;
export const opaqueDataFmt0 = layout('OpaqueDataFmt0', 'DSP0277 5', {
  SpecID: u32({ only: [OPAQUE_SPEC_ID] }),
  OpaqueVersion: u8({ only: [OPAQUE_VERSION] }),
  TotalElements: countOf('OpaqueList', 1),
  Reserved: reserved(2),
  OpaqueList: elements(),
});
/** 1: OpaqueDataFmt1 was negotiated (1.2 on); 0: the format of 1.1. */
export type OpaqueFormat = 0 | 1;

/** SMDataID: what a DMTF element holds. */
export const SmDataIds = { VersionSelection: 0, SupportedVersions: 1, AeadLimit: 2 } as const;
type SmDataId = (typeof SmDataIds)[keyof typeof SmDataIds];
const SM_DATA_VERSION = 1;
export const AEAD_LIMIT_EXPONENT_MAX = 64;
const smData = (id: SmDataId) =>
  ({ SMDataVersion: u8({ only: [SM_DATA_VERSION] }), SMDataID: u8({ only: [id] }) }) as const;

const supportedVersions = layout('SecuredMessageSupportedVersions', 'DSP0277 5.1', {
  ...smData(SmDataIds.SupportedVersions),
  VersionNumberEntryCount: countOf('VersionNumberEntry', 1),
  VersionNumberEntry: list(u16(), { count: (v) => v.VersionNumberEntryCount }),
});
const versionSelection = layout('SecuredMessageVersionSelection', 'DSP0277 5.1', {
  ...smData(SmDataIds.VersionSelection),
  SelectedVersion: u16(),
});
const aeadLimit = layout('SecuredMessageAeadLimit', 'DSP0277 1.3, AEAD limit', {
  ...smData(SmDataIds.AeadLimit),
  AeadLimitExponent: u8({ max: AEAD_LIMIT_EXPONENT_MAX }),
});

/** Secured message versions, in the form of a VERSION entry. */
export const SECURED_MESSAGE_1_0 = 0x1000;
export const SECURED_MESSAGE_1_1 = 0x1100;
export const SECURED_MESSAGE_1_2 = 0x1200;
export const SECURED_MESSAGE_1_3 = 0x1300;

export interface OpaqueOptions {
  /** default 1 */
  readonly format?: OpaqueFormat;
  /** 0 to 64: adds the AEAD limit element; only where DSP0277 1.3 is offered or selected */
  readonly aeadLimitExponent?: number | undefined;
}

function opaqueOf(data: Uint8Array, { format = 1, aeadLimitExponent }: OpaqueOptions): Uint8Array {
  const all = [data];
  if (aeadLimitExponent !== undefined) {
    const inRange = aeadLimitExponent >= 0 && aeadLimitExponent <= AEAD_LIMIT_EXPONENT_MAX;
    if (!Number.isInteger(aeadLimitExponent) || !inRange)
      throw new LocalError(`aeadLimitExponent: expected 0 to 64, got ${aeadLimitExponent}`);
    all.push(
      encode(aeadLimit, {
        SMDataVersion: SM_DATA_VERSION,
        SMDataID: SmDataIds.AeadLimit,
        AeadLimitExponent: aeadLimitExponent,
      }),
    );
  }
  const VendorID = new Uint8Array(0);
  const OpaqueList = all.map((OpaqueElementData) => ({ ID: 0, VendorID, OpaqueElementData }));
  return format === 1
    ? encode(opaqueDataFmt1, { OpaqueList })
    : encode(opaqueDataFmt0, {
        SpecID: OPAQUE_SPEC_ID,
        OpaqueVersion: OPAQUE_VERSION,
        OpaqueList,
      });
}

/**
 * What the requester puts into KEY_EXCHANGE and PSK_EXCHANGE (DSP0277 5.1).
 * @throws LocalError on an AEAD limit exponent outside 0 to 64
 */
export function supportedVersionsOpaque(
  versions: readonly number[],
  options: OpaqueOptions = {},
): Uint8Array {
  const data = encode(supportedVersions, {
    SMDataVersion: SM_DATA_VERSION,
    SMDataID: SmDataIds.SupportedVersions,
    VersionNumberEntry: [...versions],
  });
  return opaqueOf(data, options);
}

/** What the responder answers with; throws as `supportedVersionsOpaque`. */
export function versionSelectionOpaque(version: number, options: OpaqueOptions = {}): Uint8Array {
  const data = encode(versionSelection, {
    SMDataVersion: SM_DATA_VERSION,
    SMDataID: SmDataIds.VersionSelection,
    SelectedVersion: version,
  });
  return opaqueOf(data, options);
}

type Element = ValueOf<typeof opaqueElement>;
const isOf = (element: Element, id: SmDataId): boolean =>
  element.ID === 0 && element.OpaqueElementData.length > 1 && element.OpaqueElementData[1] === id;

/** The only DMTF element with this SMDataID; undefined if there is none, refused if there are several. */
function only(list: readonly Element[], id: SmDataId): Decoded<Uint8Array | undefined> {
  const at = list.findIndex((element) => isOf(element, id));
  const again = list.findIndex((element, i) => i > at && isOf(element, id));
  if (at >= 0 && again >= 0)
    return refuse(RefusalCodes.BAD_VALUE, `OpaqueList[${again}]`, 0, `SMDataID ${id} comes twice`);
  return { ok: true, value: list[at]?.OpaqueElementData, size: 0 };
}

function elementsOf(opaque: Uint8Array, format: OpaqueFormat): Decoded<Element[]> {
  const all = decode(format === 1 ? opaqueDataFmt1 : opaqueDataFmt0, opaque);
  return all.ok ? { ok: true, value: all.value.OpaqueList, size: all.size } : all;
}

/** The limit, where DSP0277 1.3 is in play: an older peer does not know the element and ignores it. */
function exponentOf(list: readonly Element[], inPlay: boolean): Decoded<number | undefined> {
  if (!inPlay) return { ok: true, value: undefined, size: 0 };
  const found = only(list, SmDataIds.AeadLimit);
  if (!found.ok || found.value === undefined) return found as Decoded<undefined>;
  const limit = decode(aeadLimit, found.value);
  return limit.ok ? { ok: true, value: limit.value.AeadLimitExponent, size: limit.size } : limit;
}

export interface SupportedSecuredVersions {
  /** empty if the requester says nothing */
  readonly versions: readonly number[];
  /** undefined: none told, which means 64 */
  readonly aeadLimitExponent: number | undefined;
}

/**
 * What a requester offers. Elements may stand in any order; those of other bodies or with another
 * SMDataID are ignored, and so is an AEAD limit unless 1.3 or newer is offered. Elements that occur
 * twice, lengths that do not fit and an exponent above 64 are refused.
 */
export function readSupportedVersions(
  opaque: Uint8Array,
  format: OpaqueFormat,
): Decoded<SupportedSecuredVersions> {
  const all = elementsOf(opaque, format);
  if (!all.ok) return all;
  const found = only(all.value, SmDataIds.SupportedVersions);
  if (!found.ok) return found;
  let versions: readonly number[] = [];
  if (found.value !== undefined) {
    const list = decode(supportedVersions, found.value);
    if (!list.ok) return list;
    versions = list.value.VersionNumberEntry;
  }
  const inPlay = versions.some((version) => version >= SECURED_MESSAGE_1_3);
  const limit = exponentOf(all.value, inPlay);
  if (!limit.ok) return limit;
  return { ok: true, value: { versions, aeadLimitExponent: limit.value }, size: all.size };
}

export interface SelectedSecuredVersion {
  /** undefined if the responder says nothing */
  readonly version: number | undefined;
  /** undefined: none told, which means 64 */
  readonly aeadLimitExponent: number | undefined;
}

/** What a responder selected; ignores and refuses what `readSupportedVersions` does. */
export function readVersionSelection(
  opaque: Uint8Array,
  format: OpaqueFormat,
): Decoded<SelectedSecuredVersion> {
  const all = elementsOf(opaque, format);
  if (!all.ok) return all;
  const found = only(all.value, SmDataIds.VersionSelection);
  if (!found.ok) return found;
  let version: number | undefined;
  if (found.value !== undefined) {
    const selection = decode(versionSelection, found.value);
    if (!selection.ok) return selection;
    version = selection.value.SelectedVersion;
  }
  const limit = exponentOf(all.value, version !== undefined && version >= SECURED_MESSAGE_1_3);
  if (!limit.ok) return limit;
  return { ok: true, value: { version, aeadLimitExponent: limit.value }, size: all.size };
}
