/**
 * Headers by the bit-field tables of `fields.ts`: encode, decode, one line per field for people, and
 * mutation points for fuzzing. The readable twin of the getters of `view.ts` and the writers of
 * `build.ts`; tests hold the two equal.
 */

import { toHex } from '../codec/bytes.ts';
import type { Mutation } from '../codec/mutate.ts';
import { type Decoded, LocalError } from '../codec/refusal.ts';
import {
  bdf,
  byte0Of,
  MessageRoutings,
  PREFIX_BYTES,
  prefixByByte0,
  type TlpTypeName,
  tlpType,
} from './codes.ts';
import {
  type BitField,
  HEADER_FORMATS,
  type HeaderFormat,
  readField,
  writeField,
} from './fields.ts';
import {
  checkTlp,
  headerOffset,
  headerSize,
  isMessage,
  messageRouting,
  payload,
  payloadOffset,
  tlpSize,
  typeOf,
} from './view.ts';

/** Field values by name; fields left out are 0, Fmt and Type those of the type. */
export type HeaderFields = Readonly<Record<string, number>>;

function formatOf(type: TlpTypeName, routing: number): HeaderFormat {
  const row = tlpType(type);
  if (row === undefined) throw new LocalError(`type: no TLP type is called ${type}`);
  if (row.header !== 'message') return HEADER_FORMATS[row.header];
  if (routing === MessageRoutings.BY_ID) return HEADER_FORMATS.messageById;
  if (routing === MessageRoutings.BY_ADDRESS) return HEADER_FORMATS.messageByAddress;
  return HEADER_FORMATS.message;
}

/** The bit-field table that a checked TLP's header follows. */
export function headerFormat(tlp: Uint8Array): HeaderFormat {
  return formatOf(typeOf(tlp), messageRouting(tlp));
}

/**
 * A whole TLP: a header of `type` (messages: with `routing` r[2:0]) from `fields` and the payload as
 * given. Length follows from the payload unless named; values are otherwise taken as they are, legal
 * or not, so that tests and fault injection can lie.
 * @throws LocalError on an unknown type or field, or a value wider than its field.
 */
export function encodeTlp(
  type: TlpTypeName,
  fields: HeaderFields = {},
  data: Uint8Array = new Uint8Array(0),
  routing = 0,
): Uint8Array {
  const format = formatOf(type, routing);
  const row = tlpType(type)!;
  const header = (row.fmt & 1) === 0 ? 12 : 16;
  const out = new Uint8Array(header + data.length);
  out[0] = byte0Of(row, routing);
  writeField(out, 0, format['Length']!, data.length >> 2);
  for (const [name, value] of Object.entries(fields)) {
    const field = format[name];
    if (field === undefined) throw new LocalError(`fields: ${type} has no field ${name}`);
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** field.width)
      throw new LocalError(`fields.${name}: expected ${field.width} bits, got ${value}`);
    writeField(out, 0, field, value);
  }
  out.set(data, header);
  return out;
}

export interface DecodedTlp {
  readonly type: TlpTypeName;
  /** r[2:0] of a message, undefined for other types */
  readonly routing: number | undefined;
  /** end-end prefixes, 4 bytes each, in order */
  readonly prefixes: readonly Uint8Array[];
  readonly fields: HeaderFields;
  readonly payload: Uint8Array;
}

/** One TLP as values; refused by the rules of `checkTlp`. */
export function decodeTlp(tlp: Uint8Array, trailer = 0): Decoded<DecodedTlp> {
  const refusal = checkTlp(tlp, trailer);
  if (refusal !== undefined) return refusal;
  const at = headerOffset(tlp);
  const fields: Record<string, number> = {};
  for (const [name, field] of Object.entries(headerFormat(tlp)))
    fields[name] = readField(tlp, at, field);
  const prefixes: Uint8Array[] = [];
  for (let i = 0; i < at; i += PREFIX_BYTES) prefixes.push(tlp.slice(i, i + PREFIX_BYTES));
  const routing = isMessage(tlp) ? messageRouting(tlp) : undefined;
  const value = { type: typeOf(tlp), routing, prefixes, fields, payload: payload(tlp).slice() };
  return { ok: true, value, size: tlpSize(tlp) };
}

export interface DescribedBits {
  readonly name: string;
  /** byte offset of the DW the field's first piece stands in, from the start of the array */
  readonly offset: number;
  readonly value: number;
  readonly text: string;
  readonly meaning: string;
}

function valueText(field: BitField, value: number): string {
  if (field.shown === 'bdf') return bdf(value);
  const digits = Math.ceil(field.width / 4);
  const text = field.shown === 'hex' ? `0x${value.toString(16).padStart(digits, '0')}` : `${value}`;
  const name = field.names?.[value];
  return name === undefined ? text : `${text} ${name}`;
}

/** Every header field of a TLP for a person, prefixes first; empty for bytes that are no TLP. */
export function describeHeader(tlp: Uint8Array, trailer = 0): DescribedBits[] {
  if (checkTlp(tlp, trailer) !== undefined) return [];
  const at = headerOffset(tlp);
  const out: DescribedBits[] = [];
  for (let i = 0; i < at; i += PREFIX_BYTES) {
    const name = prefixByByte0(tlp[i]!)?.name ?? 'unknown';
    const value = (tlp[i + 1]! << 16) | (tlp[i + 2]! << 8) | tlp[i + 3]!;
    const text = `0x${toHex(tlp.subarray(i, i + PREFIX_BYTES))}`;
    out.push({ name: `Prefix[${i / PREFIX_BYTES}]`, offset: i, value, text, meaning: name });
  }
  for (const [name, field] of Object.entries(headerFormat(tlp))) {
    const value = readField(tlp, at, field);
    const offset = at + 4 * field.pieces[0]!.dw;
    out.push({ name, offset, value, text: valueText(field, value), meaning: field.meaning });
  }
  return out;
}

/** Bits of the header that no field of `format` names. */
function* reservedBits(format: HeaderFormat, header: number): Generator<[dw: number, bit: number]> {
  const used = new Set<number>();
  for (const { pieces } of Object.values(format))
    for (const { dw, lsb, width } of pieces)
      for (let bit = lsb; bit < lsb + width; bit++) used.add(32 * dw + bit);
  for (let i = 0; i < 8 * header; i++) if (!used.has(i)) yield [i >> 5, i & 31];
}

function withField(tlp: Uint8Array, at: number, field: BitField, value: number): Uint8Array {
  const copy = tlp.slice();
  writeField(copy, at, field, value);
  return copy;
}

/** All single mutations of a well-formed TLP; none if `checkTlp` refuses it. */
export function* tlpMutations(tlp: Uint8Array): Generator<Mutation> {
  if (checkTlp(tlp) !== undefined) return;
  const at = headerOffset(tlp);
  const format = headerFormat(tlp);
  for (const [name, field] of Object.entries(format)) {
    const limit = 2 ** field.width;
    const value = readField(tlp, at, field);
    yield { name: `${name}:zero`, bytes: withField(tlp, at, field, 0) };
    yield { name: `${name}:plus-one`, bytes: withField(tlp, at, field, (value + 1) % limit) };
    yield {
      name: `${name}:minus-one`,
      bytes: withField(tlp, at, field, (value + limit - 1) % limit),
    };
    yield { name: `${name}:all-ones`, bytes: withField(tlp, at, field, limit - 1) };
  }
  for (const [dw, bit] of reservedBits(format, headerSize(tlp))) {
    const copy = tlp.slice();
    const byte = at + 4 * dw + 3 - (bit >> 3);
    copy[byte] = copy[byte]! ^ (1 << (bit & 7));
    yield { name: `reserved:dw${dw}-bit${bit}`, bytes: copy };
  }
  for (let cut = 0; cut < payloadOffset(tlp); cut += 4)
    yield { name: `dw${cut / 4}:cut-before`, bytes: tlp.slice(0, cut) };
  for (const [name, byte0] of [
    ['local', 0x8e],
    ['end-end', 0x9e],
    ['IDE', 0x92],
  ] as const)
    yield { name: `Prefix:${name}-before`, bytes: Uint8Array.of(byte0, 0, 0, 0, ...tlp) };
  yield { name: 'end:one-byte-more', bytes: Uint8Array.of(...tlp, 0) };
  yield { name: 'end:one-byte-less', bytes: tlp.slice(0, -1) };
}
