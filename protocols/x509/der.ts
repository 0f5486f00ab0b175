/**
 * Distinguished encoding rules, read strictly (X.690 10 and 11): definite minimal lengths, one-byte
 * tags, minimal integers. It stands in front of the X.509 library, which reads the laxer BER, so that a
 * certificate has one encoding only and hostile nesting never reaches a recursive parser.
 *
 * Inside this folder a fault in the bytes travels as `DerFault`; `attempt` turns it into a refusal at
 * the public edge.
 */

import {
  type Decoded,
  type Refusal,
  type RefusalCode,
  RefusalCodes,
  refuse,
} from '../codec/refusal.ts';

export const Tags = {
  BOOLEAN: 0x01,
  INTEGER: 0x02,
  BIT_STRING: 0x03,
  OCTET_STRING: 0x04,
  NULL: 0x05,
  OBJECT_IDENTIFIER: 0x06,
  UTF8_STRING: 0x0c,
  UTC_TIME: 0x17,
  GENERALIZED_TIME: 0x18,
  SEQUENCE: 0x30,
  SET: 0x31,
} as const;

const CONSTRUCTED = 0x20;
const CLASS_MASK = 0xc0;
const NUMBER_MASK = 0x1f;
const DEPTH_MAX = 32;
const LENGTH_BYTES_MAX = 3;
const OID_BYTES_MAX = 128;

/** Carries a refusal up to `attempt`. */
export class DerFault extends Error {
  override readonly name = 'DerFault';
  readonly refusal: Refusal;
  constructor(refusal: Refusal) {
    super(refusal.detail);
    this.refusal = refusal;
  }
}

export function fault(code: RefusalCode, path: string, offset: number, detail: string): DerFault {
  return new DerFault(refuse(code, path, offset, detail));
}

/** Runs `read` over peer bytes; a `DerFault` becomes the refusal it carries, anything else is a bug. */
export function attempt<T>(size: number, read: () => T): Decoded<T> {
  try {
    return { ok: true, value: read(), size };
  } catch (error) {
    if (error instanceof DerFault) return error.refusal;
    throw error;
  }
}

/** Runs a parser of the X.509 library, whose only way to refuse bytes is to throw. */
export function library<T>(path: string, offset: number, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof DerFault) throw error;
    throw fault(RefusalCodes.BAD_VALUE, path, offset, `not parsed: ${(error as Error).message}`);
  }
}

/** One tag-length-value; offsets count from the start of `bytes`. */
export interface Element {
  readonly bytes: Uint8Array;
  readonly tag: number;
  readonly start: number;
  readonly content: number;
  readonly end: number;
}

export const contentOf = (e: Element): Uint8Array => e.bytes.slice(e.content, e.end);
export const derOf = (e: Element): Uint8Array => e.bytes.slice(e.start, e.end);

function readLength(bytes: Uint8Array, at: number, end: number, path: string) {
  const first = bytes[at]!;
  if (first < 0x80) return { length: first, content: at + 1 };
  const width = first & 0x7f;
  if (width === 0) throw fault(RefusalCodes.BAD_LENGTH, path, at, 'indefinite length');
  if (width > LENGTH_BYTES_MAX)
    throw fault(RefusalCodes.OVER_LIMIT, path, at, `length of ${width} bytes`);
  if (at + 1 + width > end) throw fault(RefusalCodes.TRUNCATED, path, at, 'length cut off');
  let length = 0;
  for (let i = 1; i <= width; i++) length = length * 256 + bytes[at + i]!;
  if (length < 0x80 || length < 256 ** (width - 1))
    throw fault(RefusalCodes.BAD_LENGTH, path, at, `length ${length} in more bytes than it needs`);
  return { length, content: at + 1 + width };
}

/**
 * The element at `at`, which must end at or before `end`.
 * @throws DerFault
 */
export function readElement(bytes: Uint8Array, at: number, end: number, path: string): Element {
  if (at + 2 > end)
    throw fault(RefusalCodes.TRUNCATED, path, at, `needs 2 bytes, ${Math.max(0, end - at)} left`);
  const tag = bytes[at]!;
  if (tag === 0 || (tag & NUMBER_MASK) === NUMBER_MASK)
    throw fault(RefusalCodes.BAD_VALUE, path, at, `tag 0x${tag.toString(16).padStart(2, '0')}`);
  const { length, content } = readLength(bytes, at + 1, end, path);
  if (content + length > end)
    throw fault(RefusalCodes.TRUNCATED, path, at, `needs ${length} bytes, ${end - content} left`);
  return { bytes, tag, start: at, content, end: content + length };
}

/** The elements inside a constructed one. @throws DerFault */
export function children(parent: Element, path: string): Element[] {
  const out: Element[] = [];
  for (let at = parent.content; at < parent.end; at = out[out.length - 1]!.end)
    out.push(readElement(parent.bytes, at, parent.end, path));
  return out;
}

/** `element`, held to be there and to carry `tag`. @throws DerFault */
export function expectTag(
  element: Element | undefined,
  tag: number,
  path: string,
  parent: Element,
): Element {
  if (element === undefined)
    throw fault(RefusalCodes.TRUNCATED, path, parent.end, `not in its ${parent.tag.toString(16)}`);
  if (element.tag !== tag)
    throw fault(
      RefusalCodes.BAD_VALUE,
      path,
      element.start,
      `tag 0x${element.tag.toString(16)} where 0x${tag.toString(16)} belongs`,
    );
  return element;
}

function badPrimitive(e: Element): string | undefined {
  const size = e.end - e.content;
  const [first = 0, second = 0] = e.bytes.subarray(e.content, e.end);
  switch (e.tag) {
    case Tags.BOOLEAN:
      return size === 1 && (first === 0 || first === 0xff) ? undefined : 'BOOLEAN not 00 or ff';
    case Tags.INTEGER:
      if (size === 0) return 'INTEGER without bytes';
      return size > 1 && (first === 0 || first === 0xff) && (first ^ second) < 0x80
        ? 'INTEGER in more bytes than it needs'
        : undefined;
    case Tags.BIT_STRING:
      if (size === 0 || first > 7 || (size === 1 && first > 0)) return 'BIT STRING unused bits';
      return (e.bytes[e.end - 1]! & (2 ** first - 1)) === 0 || size === 1
        ? undefined
        : 'BIT STRING unused bits set';
    case Tags.NULL:
      return size === 0 ? undefined : 'NULL with bytes';
    case Tags.OBJECT_IDENTIFIER:
      return oidText(e.bytes, e.content, e.end) === undefined ? 'OBJECT IDENTIFIER' : undefined;
    default:
      return undefined;
  }
}

function checkElement(e: Element, path: string, depth: number): void {
  if (depth > DEPTH_MAX)
    throw fault(RefusalCodes.OVER_LIMIT, path, e.start, `nested deeper than ${DEPTH_MAX}`);
  const constructed = (e.tag & CONSTRUCTED) !== 0;
  if ((e.tag & CLASS_MASK) === 0) {
    const form = e.tag | CONSTRUCTED;
    if (constructed !== (form === Tags.SEQUENCE || form === Tags.SET))
      throw fault(RefusalCodes.BAD_VALUE, path, e.start, `form of tag 0x${e.tag.toString(16)}`);
    const reason = badPrimitive(e);
    if (reason !== undefined) throw fault(RefusalCodes.BAD_VALUE, path, e.start, reason);
  }
  if (constructed) for (const child of children(e, path)) checkElement(child, path, depth + 1);
}

/**
 * The single element that fills `bytes` from `at` to `end`, well formed in all its depth. What stands
 * inside octet and bit strings is not looked at.
 * @throws DerFault
 */
export function readStrict(
  bytes: Uint8Array,
  path: string,
  at = 0,
  end: number = bytes.length,
): Element {
  const element = readElement(bytes, at, end, path);
  if (element.end !== end)
    throw fault(RefusalCodes.TRAILING, path, element.end, `${end - element.end} bytes left over`);
  checkElement(element, path, 0);
  return element;
}

/** Dotted text of an identifier's content bytes, or undefined if they are none (X.690 8.19). */
export function oidText(
  bytes: Uint8Array,
  from = 0,
  to: number = bytes.length,
): string | undefined {
  if (to <= from || to - from > OID_BYTES_MAX || bytes[to - 1]! >= 0x80) return undefined;
  const arcs: bigint[] = [];
  let arc = 0n;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (arc === 0n && byte === 0x80) return undefined;
    arc = arc * 128n + BigInt(byte & 0x7f);
    if (byte >= 0x80) continue;
    if (arcs.length > 0) arcs.push(arc);
    // The first two arcs share a number: 40 * root + second, the root being 0, 1 or 2.
    else if (arc < 80n) arcs.push(arc / 40n, arc % 40n);
    else arcs.push(2n, arc - 80n);
    arc = 0n;
  }
  return arcs.join('.');
}

/** Dotted text of an OBJECT IDENTIFIER element. @throws DerFault */
export function oidOf(element: Element | undefined, path: string, parent: Element): string {
  const e = expectTag(element, Tags.OBJECT_IDENTIFIER, path, parent);
  const text = oidText(e.bytes, e.content, e.end);
  if (text === undefined) throw fault(RefusalCodes.BAD_VALUE, path, e.start, 'no identifier');
  return text;
}

/** Magnitude of a positive INTEGER without leading zeros. @throws DerFault */
export function positiveInteger(element: Element | undefined, path: string, parent: Element) {
  const content = contentOf(expectTag(element, Tags.INTEGER, path, parent));
  const magnitude = content[0] === 0 ? content.subarray(1) : content;
  if (content[0]! >= 0x80 || magnitude.length === 0)
    throw fault(RefusalCodes.BAD_VALUE, path, element!.start, 'INTEGER not positive');
  return magnitude;
}
