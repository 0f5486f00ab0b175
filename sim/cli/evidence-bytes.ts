/** Bytes of a file as people keep them: as they are, in hexadecimal with what separators they like, in base64. */

import { fromHex } from '../../protocols/codec/bytes.ts';

function textOf(bytes: Uint8Array): string | undefined {
  for (const byte of bytes) if (byte >= 0x7f || (byte < 0x20 && !isSpace(byte))) return undefined;
  return new TextDecoder('latin1').decode(bytes);
}

const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/** What `bytes` stands for; bytes that are no hexadecimal or base64 text stand for themselves. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  const text = textOf(bytes);
  if (text === undefined || text.trim() === '') return bytes;
  const digits = text.replace(/0x|[\s:_,]/g, '');
  if (/^(?:[0-9a-fA-F]{2})+$/.test(digits)) return fromHex(digits);
  const packed = text.replace(/\s/g, '');
  const decoded = Buffer.from(packed, 'base64');
  return decoded.toString('base64') === packed ? new Uint8Array(decoded) : bytes;
}
