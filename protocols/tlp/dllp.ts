/**
 * Data Link Layer Packets and the link layer's wrapping of a TLP (PCIe Base 6.x clauses 3.5 and 3.6,
 * non-flit). A DLLP is a DW, most significant byte first, and a CRC-16, low byte first.
 *
 * Choice where no public vector settles it: the LCRC goes out low byte first as the DLLP CRC does, both
 * being one construction in the specification.
 */

import { readDwBE, readLE, writeDwBE, writeLE } from '../codec/bytes.ts';
import { type Decoded, LocalError, RefusalCodes, refuse } from '../codec/refusal.ts';
import { crc32Raw, dllpCrc, lcrc, SEQUENCE_MODULUS } from './crc.ts';

export const DLLP_BYTES = 6;

/** DLLP types that one byte 0 names. */
const SIMPLE_TYPES = {
  Ack: 0x00,
  Nak: 0x10,
  Data_Link_Feature: 0x02,
  PM_Enter_L1: 0x20,
  PM_Enter_L23: 0x21,
  PM_Active_State_Request_L1: 0x23,
  PM_Request_Ack: 0x24,
  Vendor_Specific: 0x30,
  NOP: 0x31,
} as const;
type SimpleType = keyof typeof SIMPLE_TYPES;
/** Flow control types: bits 7:4 of byte 0 for P; NP and Cpl follow; bits 2:0 are the VC. */
const FC_TYPES = { InitFC1: 0x40, InitFC2: 0xc0, UpdateFC: 0x80 } as const;
type FcType = keyof typeof FC_TYPES;
export const FC_CLASSES = ['P', 'NP', 'Cpl'] as const;
export type FcClass = (typeof FC_CLASSES)[number];

export interface AckNakDllp {
  readonly type: 'Ack' | 'Nak';
  /** AckNak_Seq_Num, 12 bits */
  readonly sequence: number;
}
export interface FcDllp {
  readonly type: FcType;
  readonly fc: FcClass;
  readonly vc: number;
  /** 0 scaling off, 1 x1, 2 x4, 3 x16 */
  readonly hdrScale: number;
  /** 8 bits */
  readonly hdrFC: number;
  readonly dataScale: number;
  /** 12 bits */
  readonly dataFC: number;
}
export interface FeatureDllp {
  readonly type: 'Data_Link_Feature';
  readonly ack: boolean;
  /** Feature Supported, 23 bits; bit 0 is scaled flow control */
  readonly features: number;
}
export interface PlainDllp {
  readonly type: Exclude<SimpleType, 'Ack' | 'Nak' | 'Data_Link_Feature'>;
  /** the 24 bits after byte 0: the vendor's, else 0 */
  readonly data: number;
}
export type Dllp = AckNakDllp | FcDllp | FeatureDllp | PlainDllp;

type Place = readonly [lsb: number, width: number];
const FC_BITS: Readonly<Record<'hdrScale' | 'hdrFC' | 'dataScale' | 'dataFC', Place>> = {
  hdrScale: [22, 2],
  hdrFC: [14, 8],
  dataScale: [12, 2],
  dataFC: [0, 12],
};
const SEQUENCE: Place = [0, 12];
const FEATURE_ACK: Place = [23, 1];
const FEATURES: Place = [0, 23];
const DATA: Place = [0, 24];
const VC: Place = [0, 3];

const get = (dw: number, [lsb, width]: Place): number => (dw >>> lsb) & (2 ** width - 1);
function put(name: string, value: number, [lsb, width]: Place): number {
  if (!Number.isInteger(value) || value < 0 || value >= 2 ** width)
    throw new LocalError(`${name}: expected ${width} bits, got ${value}`);
  return value * 2 ** lsb;
}

function isFc(dllp: Dllp): dllp is FcDllp {
  return Object.hasOwn(FC_TYPES, dllp.type);
}

function dwOf(dllp: Dllp): number {
  if (isFc(dllp)) {
    const index = FC_CLASSES.indexOf(dllp.fc);
    if (index < 0) throw new LocalError(`fc: expected P, NP or Cpl, got ${dllp.fc}`);
    const byte0 = FC_TYPES[dllp.type] + 0x10 * index + put('vc', dllp.vc, VC);
    let dw = byte0 * 2 ** 24;
    for (const name of ['hdrScale', 'hdrFC', 'dataScale', 'dataFC'] as const)
      dw += put(name, dllp[name], FC_BITS[name]);
    return dw;
  }
  const code = SIMPLE_TYPES[dllp.type];
  if (code === undefined) throw new LocalError(`type: no DLLP is called ${dllp.type}`);
  const dw = code * 2 ** 24;
  if ('sequence' in dllp) return dw + put('sequence', dllp.sequence, SEQUENCE);
  if (dllp.type === 'Data_Link_Feature')
    return (
      dw + put('ack', dllp.ack ? 1 : 0, FEATURE_ACK) + put('features', dllp.features, FEATURES)
    );
  return dw + put('data', dllp.data, DATA);
}

/** The six bytes of a DLLP. @throws LocalError naming a field out of its range. */
export function encodeDllp(dllp: Dllp): Uint8Array {
  const out = new Uint8Array(DLLP_BYTES);
  writeDwBE(out, 0, dwOf(dllp));
  writeLE(out, 4, 2, dllpCrc(out.subarray(0, 4)));
  return out;
}

function fcOf(byte0: number, dw: number): FcDllp | undefined {
  for (const [type, base] of Object.entries(FC_TYPES) as [FcType, number][]) {
    const fc = FC_CLASSES[((byte0 & 0xf0) - base) / 0x10];
    if (fc === undefined || (byte0 & 0x08) !== 0) continue;
    const value = (name: keyof typeof FC_BITS) => get(dw, FC_BITS[name]);
    return {
      type,
      fc,
      vc: get(byte0, VC),
      hdrScale: value('hdrScale'),
      hdrFC: value('hdrFC'),
      dataScale: value('dataScale'),
      dataFC: value('dataFC'),
    };
  }
  return undefined;
}

function dllpOf(dw: number): Dllp | undefined {
  const byte0 = dw >>> 24;
  for (const [type, code] of Object.entries(SIMPLE_TYPES) as [SimpleType, number][]) {
    if (code !== byte0) continue;
    if (type === 'Ack' || type === 'Nak') return { type, sequence: get(dw, SEQUENCE) };
    if (type === 'Data_Link_Feature')
      return { type, ack: get(dw, FEATURE_ACK) === 1, features: get(dw, FEATURES) };
    return { type, data: get(dw, DATA) };
  }
  return fcOf(byte0, dw);
}

/**
 * The DLLP in six bytes: refused TRUNCATED or TRAILING by size, BAD_VALUE at `CRC`, UNKNOWN_CODE for a
 * type nobody defined (which the specification has dropped without an error). Reserved bits are ignored.
 */
export function decodeDllp(bytes: Uint8Array): Decoded<Dllp> {
  if (bytes.length < DLLP_BYTES)
    return refuse(RefusalCodes.TRUNCATED, 'DLLP', bytes.length, `${bytes.length} bytes of 6`);
  if (bytes.length > DLLP_BYTES)
    return refuse(RefusalCodes.TRAILING, 'DLLP', DLLP_BYTES, `${bytes.length} bytes, expected 6`);
  const expected = dllpCrc(bytes.subarray(0, 4));
  if (readLE(bytes, 4, 2) !== expected)
    return refuse(RefusalCodes.BAD_VALUE, 'CRC', 4, `expected 0x${expected.toString(16)}`);
  const value = dllpOf(readDwBE(bytes, 0));
  if (value === undefined)
    return refuse(RefusalCodes.UNKNOWN_CODE, 'Type', 0, `DLLP type 0x${bytes[0]!.toString(16)}`);
  return { ok: true, value, size: DLLP_BYTES };
}

const SEQUENCE_BYTES = 2;
const LCRC_BYTES = 4;

/** A TLP as the link layer sends it: sequence number, TLP, LCRC. @throws LocalError on `sequence`. */
export function encodeLinkTlp(sequence: number, tlp: Uint8Array): Uint8Array {
  const check = lcrc(sequence, tlp);
  const out = new Uint8Array(SEQUENCE_BYTES + tlp.length + LCRC_BYTES);
  out[0] = sequence >> 8;
  out[1] = sequence;
  out.set(tlp, SEQUENCE_BYTES);
  writeLE(out, out.length - LCRC_BYTES, LCRC_BYTES, check);
  return out;
}

/** Sequence number and TLP of the same bytes; refused TRUNCATED or, at `LCRC`, BAD_VALUE. */
export function decodeLinkTlp(bytes: Uint8Array): Decoded<{ sequence: number; tlp: Uint8Array }> {
  const end = bytes.length - LCRC_BYTES;
  if (end < SEQUENCE_BYTES)
    return refuse(RefusalCodes.TRUNCATED, 'LCRC', bytes.length, `${bytes.length} bytes`);
  // The four bits above the sequence number are reserved, and covered by the LCRC as received.
  const sequence = ((bytes[0]! << 8) | bytes[1]!) % SEQUENCE_MODULUS;
  const tlp = bytes.slice(SEQUENCE_BYTES, end);
  const expected = ~crc32Raw(bytes, 0, end) >>> 0;
  if (readLE(bytes, end, LCRC_BYTES) !== expected)
    return refuse(RefusalCodes.BAD_VALUE, 'LCRC', end, `expected 0x${expected.toString(16)}`);
  return { ok: true, value: { sequence, tlp }, size: bytes.length };
}
