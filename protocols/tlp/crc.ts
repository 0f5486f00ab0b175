/**
 * The data link layer's checks (PCIe Base 6.x clause 3.6): CRC-16 of a DLLP, polynomial 100Bh, and the
 * 32-bit LCRC of a TLP, polynomial 04C11DB7h; both seeded with ones, computed from bit 0 of byte 0 on
 * and complemented. Bit 0 first makes the reflected table forms the natural ones.
 */

import { LocalError } from '../codec/refusal.ts';

function table(polynomial: number): Uint32Array {
  const out = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let rest = byte;
    for (let bit = 0; bit < 8; bit++)
      rest = (rest & 1) === 0 ? rest >>> 1 : (rest >>> 1) ^ polynomial;
    out[byte] = rest;
  }
  return out;
}

/** 100Bh and 04C11DB7h with their bits reversed */
const CRC16 = table(0xd008);
const CRC32 = table(0xedb88320);

const SEED16 = 0xffff;
const SEED32 = 0xffffffff;
/** what `crc16Raw` leaves over a DLLP followed by its own CRC, low byte first */
export const DLLP_RESIDUE = 0x556f;

/** CRC-16 register after `bytes`, before the complement. */
export function crc16Raw(bytes: Uint8Array): number {
  let crc = SEED16;
  for (const byte of bytes) crc = (crc >>> 8) ^ CRC16[(crc ^ byte) & 0xff]!;
  return crc;
}

/** DLLP CRC of `bytes`; sent low byte first. */
export function dllpCrc(bytes: Uint8Array): number {
  return crc16Raw(bytes) ^ SEED16;
}

/** CRC-32 register after bytes `start` to `end`, continuing from `register`, not yet complemented. */
export function crc32Raw(
  bytes: Uint8Array,
  start = 0,
  end = bytes.length,
  register = SEED32,
): number {
  let crc = register;
  for (let i = start; i < end; i++) crc = (crc >>> 8) ^ CRC32[(crc ^ bytes[i]!) & 0xff]!;
  return crc >>> 0;
}

/** CRC-32 as LCRC, ECRC and PCRC compute it. */
export function crc32(bytes: Uint8Array): number {
  return ~crc32Raw(bytes) >>> 0;
}

export const SEQUENCE_MODULUS = 4096;

function sequenceBytes(sequence: number): Uint8Array {
  if (!Number.isInteger(sequence) || sequence < 0 || sequence >= SEQUENCE_MODULUS)
    throw new LocalError(`sequence: expected an integer 0..4095, got ${sequence}`);
  return Uint8Array.of(sequence >> 8, sequence);
}

/**
 * LCRC over the two sequence number bytes and the TLP, prefixes included.
 * @throws LocalError if `sequence` is no 12-bit integer.
 */
export function lcrc(sequence: number, tlp: Uint8Array): number {
  const seed = crc32Raw(sequenceBytes(sequence));
  return ~crc32Raw(tlp, 0, tlp.length, seed) >>> 0;
}
