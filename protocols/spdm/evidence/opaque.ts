/**
 * The opaque data of MEASUREMENTS as a list of elements. DSP0274 10.22 has the general formats (from 1.2
 * on by negotiation); before, a vendor puts in what it likes. NVIDIA's devices answer in SPDM 1.1 with
 * DataType (2), DataSize (2), Data, little-endian: names and value forms here are those that NVIDIA's
 * published verifier gives them.
 */

import { readLE, toHex } from '../../codec/bytes.ts';
import { bytes, layout, lengthOf, list, struct, u16 } from '../../codec/field.ts';
import { decode } from '../../codec/layout.ts';
import type { Decoded } from '../../codec/refusal.ts';
import { registryNames } from '../codes.ts';
import { OPAQUE_SPEC_ID, opaqueDataFmt0, opaqueDataFmt1 } from '../opaque.ts';

export interface OpaqueElement {
  /** the vendor's type code, or the registry id of a general element */
  readonly type: number;
  readonly name: string;
  readonly value: Uint8Array;
  /** the value for people */
  readonly text: string;
}

/** Who signs decides whose type codes these are. */
export type OpaqueVendor = 'NVIDIA GPU' | 'NVIDIA switch' | undefined;

/** From the device information in the leaf certificate, `NVIDIA:GH100:...`; `LS_` products are switches. */
export function opaqueVendorOf(deviceInfo: string | undefined): OpaqueVendor {
  const [manufacturer, product = ''] = deviceInfo?.split(':') ?? [];
  if (manufacturer !== 'NVIDIA') return undefined;
  return product.startsWith('LS_') ? 'NVIDIA switch' : 'NVIDIA GPU';
}

type Form = (value: Uint8Array) => string;

const hex: Form = (value) => toHex(value);
const PRINTABLE = /^[\x20-\x7e]*$/;

/** ASCII up to its zero padding; hexadecimal if it is none. */
const text: Form = (value) => {
  const ascii = String.fromCharCode(...value).replace(/\0+$/, '');
  return PRINTABLE.test(ascii) ? ascii : hex(value);
};
const number: Form = (value) =>
  value.length >= 1 && value.length <= 6 ? String(readLE(value, 0, value.length)) : hex(value);

const items =
  (size: number, form: Form): Form =>
  (value) => {
    if (value.length % size !== 0) return hex(value);
    const parts: string[] = [];
    for (let at = 0; at < value.length; at += size) parts.push(form(value.subarray(at, at + size)));
    return parts.join(' ');
  };

const BIOS_NUMBER_BYTES = 8;
/** Either ASCII, or a number of which the bytes 3, 2, 1, 0 and 4 make the five groups. */
const vbiosVersion: Form = (value) => {
  if (value.length !== BIOS_NUMBER_BYTES) return text(value);
  return [3, 2, 1, 0, 4].map((i) => toHex(value.subarray(i, i + 1)).toUpperCase()).join('.');
};

const switchState: Form = (value) => {
  const states: Readonly<Record<string, string>> = { aa: 'enabled', '55': 'disabled' };
  return states[hex(value)] ?? hex(value);
};

const featureModes = ['SPT', 'MPT', 'PPCIE'];
const featureFlag: Form = (value) => featureModes[Number(number(value))] ?? hex(value);

const PDI_BYTES = 8;
const SWITCH_GPU_PDIS = 8;
const NO_GPU = 'ff';
/** The identifiers of the GPUs on the switch, then for each port which of them it leads to. */
const switchGpuPdis: Form = (value) => {
  const size = SWITCH_GPU_PDIS * PDI_BYTES;
  if (value.length < size) return hex(value);
  const gpus = items(PDI_BYTES, hex)(value.subarray(0, size));
  const ports = items(1, (port) => (hex(port) === NO_GPU ? '-' : number(port)))(
    value.subarray(size),
  );
  return `GPUs ${gpus}; by port ${ports}`;
};

type Meaning = readonly [name: string, form: Form];
const common: Readonly<Record<number, Meaning>> = {
  1: ['CERT_ISSUER_NAME', text],
  2: ['CERT_AUTHORITY_KEY_IDENTIFIER', hex],
  3: ['DRIVER_VERSION', text],
  4: ['GPU_INFO', hex],
  5: ['SKU', text],
  6: ['VBIOS_VERSION', vbiosVersion],
  7: ['MANUFACTURER_ID', hex],
  8: ['TAMPER_DETECTION', hex],
  9: ['SMC', hex],
  10: ['VPR', hex],
  11: ['NVDEC0_STATUS', switchState],
  12: ['MSRSCNT', items(4, number)],
  13: ['CPRINFO', hex],
  14: ['BOARD_ID', hex],
  15: ['CHIP_SKU', text],
  16: ['CHIP_SKU_MOD', text],
  17: ['PROJECT', text],
  18: ['PROJECT_SKU', text],
  19: ['PROJECT_SKU_MOD', text],
  20: ['FWID', hex],
  21: ['PROTECTED_PCIE_STATUS', hex],
};
const gpu: Readonly<Record<number, Meaning>> = {
  ...common,
  22: ['SWITCH_PDI', items(PDI_BYTES, hex)],
  23: ['FLOORSWEPT_PORTS', hex],
  24: ['POSITION_ID', number],
  25: ['LOCK_SWITCH_STATUS', number],
  32: ['GPU_LINK_CONN', hex],
  33: ['SYS_ENABLE_STATUS', hex],
  34: ['OPAQUE_DATA_VERSION', number],
  35: ['CHIP_INFO', text],
  36: ['FEATURE_FLAG', featureFlag],
};
const nvSwitch: Readonly<Record<number, Meaning>> = {
  ...common,
  22: ['DEVICE_PDI', hex],
  23: ['DISABLED_PORTS', hex],
  24: ['SWITCH_POSITION_ID', number],
  25: ['SWITCH_LOCK_STATUS', number],
  26: ['SWITCH_GPU_PDIS', switchGpuPdis],
  27: ['SWITCH_PORTS', hex],
};
const meanings = { 'NVIDIA GPU': gpu, 'NVIDIA switch': nvSwitch } as const;
/** The digest of the firmware that holds the signing key; the leaf certificate names it too. */
export const FWID_TYPE = 20;

export const vendorElement = layout('OpaqueField', 'NVIDIA measurement report, SPDM 1.1', {
  DataType: u16(),
  DataSize: lengthOf('Data', 2),
  Data: bytes((v) => v.DataSize),
});
const vendorOpaque = layout('OpaqueData', 'NVIDIA measurement report, SPDM 1.1', {
  OpaqueField: list(struct(vendorElement), { toEnd: true }),
});

function general(
  elements: readonly { ID: number; VendorID: Uint8Array; OpaqueElementData: Uint8Array }[],
): OpaqueElement[] {
  return elements.map(({ ID, VendorID, OpaqueElementData: value }) => {
    const registry = registryNames[ID] ?? `registry ${ID}`;
    const name = VendorID.length === 0 ? registry : `${registry} ${toHex(VendorID)}`;
    return { type: ID, name, value, text: hex(value) };
  });
}

/**
 * Every element of `opaque`; all of its bytes belong to one, or it is refused.
 * @param format1 OpaqueDataFmt1 was negotiated
 * @param vendor whose type codes they are where the format is the vendor's own
 */
export function readOpaque(
  opaque: Uint8Array,
  format1: boolean,
  vendor: OpaqueVendor,
): Decoded<OpaqueElement[]> {
  const size = opaque.length;
  if (size === 0) return { ok: true, value: [], size };
  if (format1) {
    const all = decode(opaqueDataFmt1, opaque);
    return all.ok ? { ok: true, value: general(all.value.OpaqueList), size } : all;
  }
  if (size >= 4 && readLE(opaque, 0, 4) === OPAQUE_SPEC_ID) {
    const all = decode(opaqueDataFmt0, opaque);
    return all.ok ? { ok: true, value: general(all.value.OpaqueList), size } : all;
  }
  if (vendor === undefined) {
    const name = 'opaque data of an unknown format';
    return { ok: true, value: [{ type: 0, name, value: opaque, text: hex(opaque) }], size };
  }
  const all = decode(vendorOpaque, opaque);
  if (!all.ok) return all;
  const value = all.value.OpaqueField.map(({ DataType: type, Data }): OpaqueElement => {
    const [name, form] = meanings[vendor][type] ?? [`type ${type}`, hex];
    return { type, name, value: Data, text: form(Data) };
  });
  return { ok: true, value, size };
}
