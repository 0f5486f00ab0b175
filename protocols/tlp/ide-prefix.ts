/**
 * The IDE prefix (PCIe Base 6.x clause 6.33.5, non-flit) and the PASID prefix (6.20.2), one DW each.
 *
 * Choices, made here and nowhere else, where no public text settles the bits of the IDE prefix:
 * byte 0 is 0x92 (Fmt 100b, Type 1_0010b); PR_Sent_Counter, Stream ID, Sub-Stream, K and T stand
 * where the flit-mode OHC-C has them; P and M take the two bits between Sub-Stream and K, in the
 * order the specification lists the fields. For PASID: bits 21 and 22 are Execute Requested and
 * Privileged Mode Requested.
 */

import { readDwBE, writeDwBE } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import { prefixOffset } from './view.ts';

export const IDE_PREFIX = 0x92;
export const PASID_PREFIX = 0x91;
export const PASID_MAX = 0xfffff;

const P_BIT = 0x08;
const M_BIT = 0x04;
const K_BIT = 0x02;
const T_BIT = 0x01;

export interface IdePrefix {
  /** PR_Sent_Counter, 0..255; 0 in posted requests */
  readonly prSentCounter: number;
  /** Stream ID, 0..255 */
  readonly streamId: number;
  /** 0 PR, 1 NPR, 2 CPL; four bits on the wire */
  readonly subStream: number;
  /** P: a PCRC follows the payload */
  readonly pcrc: boolean;
  /** M: a MAC follows this TLP */
  readonly mac: boolean;
  /** K: key set in use */
  readonly keySet: 0 | 1;
  /** T: originated in a TEE */
  readonly tee: boolean;
}

function within(name: string, value: number, max: number): number {
  if (!Number.isInteger(value) || value < 0 || value > max)
    throw new LocalError(`${name}: expected an integer 0..${max}, got ${value}`);
  return value;
}

/**
 * Writes the four bytes of an IDE prefix at `offset`.
 * @throws LocalError naming a field out of its range.
 */
export function writeIdePrefix(bytes: Uint8Array, offset: number, prefix: IdePrefix): void {
  bytes[offset] = IDE_PREFIX;
  bytes[offset + 1] = within('prSentCounter', prefix.prSentCounter, 0xff);
  bytes[offset + 2] = within('streamId', prefix.streamId, 0xff);
  bytes[offset + 3] =
    (within('subStream', prefix.subStream, 0xf) << 4) |
    (prefix.pcrc ? P_BIT : 0) |
    (prefix.mac ? M_BIT : 0) |
    (within('keySet', prefix.keySet, 1) === 1 ? K_BIT : 0) |
    (prefix.tee ? T_BIT : 0);
}

/** The four bytes of an IDE prefix. @throws LocalError naming a field out of its range. */
export function encodeIdePrefix(prefix: IdePrefix): Uint8Array {
  const bytes = new Uint8Array(4);
  writeIdePrefix(bytes, 0, prefix);
  return bytes;
}

/** The IDE prefix at `offset`; the caller has seen byte 0 (`idePrefixOffset`). */
export function readIdePrefix(bytes: Uint8Array, offset = 0): IdePrefix {
  const flags = bytes[offset + 3]!;
  return {
    prSentCounter: bytes[offset + 1]!,
    streamId: bytes[offset + 2]!,
    subStream: flags >> 4,
    pcrc: (flags & P_BIT) !== 0,
    mac: (flags & M_BIT) !== 0,
    keySet: (flags & K_BIT) === 0 ? 0 : 1,
    tee: (flags & T_BIT) !== 0,
  };
}

/** Single fields of the IDE prefix at `offset`, for the path that must not allocate. */
export const idePrSentCounter = (bytes: Uint8Array, offset = 0): number => bytes[offset + 1]!;
export const ideStreamId = (bytes: Uint8Array, offset = 0): number => bytes[offset + 2]!;
export const ideSubStream = (bytes: Uint8Array, offset = 0): number => bytes[offset + 3]! >> 4;
export const idePcrc = (bytes: Uint8Array, offset = 0): boolean =>
  (bytes[offset + 3]! & P_BIT) !== 0;
export const ideMac = (bytes: Uint8Array, offset = 0): boolean =>
  (bytes[offset + 3]! & M_BIT) !== 0;
export const ideKeySet = (bytes: Uint8Array, offset = 0): 0 | 1 =>
  (bytes[offset + 3]! & K_BIT) === 0 ? 0 : 1;
export const ideTee = (bytes: Uint8Array, offset = 0): boolean =>
  (bytes[offset + 3]! & T_BIT) !== 0;

export interface PasidPrefix {
  /** 20 bits */
  readonly pasid: number;
  readonly executeRequested: boolean;
  readonly privilegedModeRequested: boolean;
}

const EXECUTE = 2 ** 21;
const PRIVILEGED = 2 ** 22;

/** The four bytes of a PASID prefix. @throws LocalError if `pasid` is no 20-bit integer. */
export function encodePasidPrefix(prefix: PasidPrefix): Uint8Array {
  const bytes = new Uint8Array(4);
  const flags =
    (prefix.executeRequested ? EXECUTE : 0) | (prefix.privilegedModeRequested ? PRIVILEGED : 0);
  writeDwBE(bytes, 0, (PASID_PREFIX << 24) | flags | within('pasid', prefix.pasid, PASID_MAX));
  return bytes;
}

/** The PASID prefix of a checked TLP, wherever it stands among the end-end prefixes. */
export function pasidPrefix(tlp: Uint8Array): PasidPrefix | undefined {
  const at = prefixOffset(tlp, PASID_PREFIX);
  if (at < 0) return undefined;
  const dw = readDwBE(tlp, at);
  return {
    pasid: dw & PASID_MAX,
    executeRequested: (dw & EXECUTE) !== 0,
    privilegedModeRequested: (dw & PRIVILEGED) !== 0,
  };
}
