/** Byte-array helpers shared by every codec. Imports nothing. */

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));

/** Lower-case hex of `bytes`, without separators. */
export function toHex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += HEX[byte];
  return out;
}

/**
 * Bytes of a hex string; spaces, `_`, `|`, `:` and line breaks are ignored.
 * @throws TypeError on an odd number of digits or a character that is no hex digit.
 */
export function fromHex(text: string): Uint8Array {
  const digits = text.replace(/[\s_|:]/g, '');
  if (digits.length % 2 !== 0) throw new TypeError('text: odd number of hex digits');
  if (!/^[0-9a-fA-F]*$/.test(digits)) throw new TypeError('text: not hexadecimal');
  const out = new Uint8Array(digits.length / 2);
  for (let i = 0; i < out.length; i++) out[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return out;
}

/** One array holding all `parts` in order. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const out = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** Equality without an early exit, so that it also serves for tags and nonces. */
export function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/** ASCII text as bytes. */
export function ascii(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < out.length; i++) out[i] = text.charCodeAt(i) & 0x7f;
  return out;
}

/** Little-endian unsigned integer of `width` bytes (at most 6, so that it stays a safe integer). */
export function readLE(bytes: Uint8Array, offset: number, width: number): number {
  let value = 0;
  for (let i = width - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}

/** Writes `value` little-endian into `width` bytes at `offset`. */
export function writeLE(bytes: Uint8Array, offset: number, width: number, value: number): void {
  let rest = value;
  for (let i = 0; i < width; i++) {
    bytes[offset + i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
}

/** `value` as `width` little-endian bytes. */
export function le(value: number, width: number): Uint8Array {
  const out = new Uint8Array(width);
  writeLE(out, 0, width, value);
  return out;
}

/** 32-bit word, most significant byte first: the order of TLP and DLLP DWs on the wire. */
export function readDwBE(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8)) >>> 0) +
    bytes[offset + 3]!
  );
}

export function writeDwBE(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

/** 32-bit word, least significant byte first: config registers and DOE DWs. */
export function readDwLE(bytes: Uint8Array, offset: number): number {
  return (
    (((bytes[offset + 3]! << 24) | (bytes[offset + 2]! << 16) | (bytes[offset + 1]! << 8)) >>> 0) +
    bytes[offset]!
  );
}

export function writeDwLE(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

/** Number of one bits in a 32-bit word. */
export function popcount(word: number): number {
  let count = 0;
  for (let rest = word >>> 0; rest !== 0; rest &= rest - 1) count++;
  return count;
}
