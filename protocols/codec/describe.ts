/** Pretty-printing from the layout tables: the same walk as decoding, turned into lines. */

import { toHex } from './bytes.ts';
import type { AnyField, Facts, Layout } from './field.ts';
import { decode, type Span } from './layout.ts';
import type { Refusal } from './refusal.ts';

export interface DescribedField {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  readonly text: string;
}

const HEX_BYTES_MAX = 64;

function uintText(field: AnyField & { kind: 'uint' }, value: number, width: number): string {
  const hex = `0x${value.toString(16).padStart(width * 2, '0')}`;
  const name = field.names?.[value];
  if (name !== undefined) return `${hex} ${name}`;
  if (field.bits === undefined) return width === 1 || value > 9 ? `${hex} (${value})` : `${value}`;
  const set: string[] = [];
  for (const [bit, [lsb, width = 1]] of Object.entries(field.bits)) {
    const part = Math.floor(value / 2 ** lsb) % 2 ** width;
    if (part !== 0) set.push(width === 1 ? bit : `${bit}=${part}`);
  }
  return set.length === 0 ? hex : `${hex} ${set.join('|')}`;
}

/** What a field's value says to a person: names of codes and bits, hex of bytes. */
export function spanText(span: Span): string {
  const { field, value } = span;
  if (field.kind === 'uint') return uintText(field, value as number, span.size);
  if (typeof value === 'bigint') return `0x${value.toString(16).padStart(16, '0')}`;
  if (value === undefined) return '';
  const bytes = value as Uint8Array;
  const shown = toHex(bytes.subarray(0, HEX_BYTES_MAX));
  return bytes.length > HEX_BYTES_MAX ? `${shown}... (${bytes.length} bytes)` : shown;
}

/** Every field of `bytes` by `table`, in wire order; what was read before a refusal is kept. */
export function describe(
  table: Layout,
  bytes: Uint8Array,
  facts: Facts = {},
): { fields: DescribedField[]; refusal?: Refusal } {
  const spans: Span[] = [];
  const result = decode(table, bytes, facts, { spans, trailing: 'leave' });
  const fields = spans
    .filter((span) => span.field.kind !== 'reserved')
    .map((span) => ({
      path: span.path,
      offset: span.offset,
      size: span.size,
      text: spanText(span),
    }));
  return result.ok ? { fields } : { fields, refusal: result };
}
