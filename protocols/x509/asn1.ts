/** The few ASN.1 values certificates are made of, as asn1js blocks that encode to DER. */

import {
  Boolean as Asn1Boolean,
  BitString,
  Constructed,
  Integer,
  Null,
  ObjectIdentifier,
  OctetString,
  Primitive,
  Sequence,
  Utf8String,
} from 'asn1js';
import { concat } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';

export type Block = Sequence['valueBlock']['value'][number];

const UNIVERSAL = 1;
const CONTEXT_SPECIFIC = 3;

export const derBytes = (block: Block): Uint8Array => new Uint8Array(block.toBER());

export const sequence = (...value: Block[]): Sequence => new Sequence({ value });

export const TRUE = (): Block => new Asn1Boolean({ value: true });

export const NULL = (): Block => new Null();

export const octets = (bytes: Uint8Array): Block => new OctetString({ valueHex: bytes.slice() });

export const bits = (bytes: Uint8Array, unusedBits = 0): Block =>
  new BitString({ valueHex: bytes.slice(), unusedBits });

export const utf8 = (value: string): Block => new Utf8String({ value });

/** A primitive of a universal type, its content given as bytes. */
export const universal = (tagNumber: number, content: Uint8Array): Block =>
  new Primitive({ idBlock: { tagClass: UNIVERSAL, tagNumber }, valueHex: content.slice() });

/** [n] IMPLICIT over a primitive. */
export const implicit = (tagNumber: number, content: Uint8Array): Block =>
  new Primitive({ idBlock: { tagClass: CONTEXT_SPECIFIC, tagNumber }, valueHex: content.slice() });

/** [n] EXPLICIT, or [n] IMPLICIT over a constructed type when given its parts. */
export const tagged = (tagNumber: number, ...value: Block[]): Block =>
  new Constructed({ idBlock: { tagClass: CONTEXT_SPECIFIC, tagNumber }, value });

/** @throws LocalError unless `value` is dotted decimal with a root of 0, 1 or 2. */
export function oid(value: string): Block {
  if (!/^([01]\.[1-3]?\d|2\.(0|[1-9]\d*))(\.(0|[1-9]\d*))*$/.test(value))
    throw new LocalError(`oid: expected dotted decimal, got ${value}`);
  return new ObjectIdentifier({ value });
}

export const smallInteger = (value: number): Block => new Integer({ value });

/**
 * INTEGER of a magnitude, most significant byte first; a zero byte goes in front where its top bit is set.
 * @throws LocalError naming `what` if it is zero.
 */
export function positiveInteger(magnitude: Uint8Array, what: string): Block {
  const first = magnitude.findIndex((byte) => byte !== 0);
  if (first < 0) throw new LocalError(`${what}: expected a positive number`);
  const digits = magnitude.subarray(first);
  return new Integer({ valueHex: concat(new Uint8Array(digits[0]! < 0x80 ? 0 : 1), digits) });
}

/** Tag and length in front of parts already encoded: what peers wrote goes on byte by byte. */
export function wrap(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts);
  const digits: number[] = [];
  for (let rest = content.length; rest > 0; rest >>>= 8) digits.unshift(rest & 0xff);
  const length = content.length < 0x80 ? [content.length] : [0x80 | digits.length, ...digits];
  return concat(Uint8Array.of(tag, ...length), content);
}
