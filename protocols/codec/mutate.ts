/**
 * Mutation points from the layout tables: for each field the wrong bytes that decoders get wrong.
 * Lengths and counts that a peer controls come first, since that is where bugs live.
 */

import { readLE, writeLE } from './bytes.ts';
import type { Facts, Layout } from './field.ts';
import { decode, type Span } from './layout.ts';

export interface Mutation {
  /** stable name, as `OpaqueLength:plus-one` */
  readonly name: string;
  readonly bytes: Uint8Array;
}

function withUint(bytes: Uint8Array, span: Span, value: number): Uint8Array {
  const copy = bytes.slice();
  const limit = 256 ** span.size;
  writeLE(copy, span.offset, span.size, ((value % limit) + limit) % limit);
  return copy;
}

function withXor(bytes: Uint8Array, at: number, mask: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = copy[at]! ^ mask;
  return copy;
}

function* ofSpan(bytes: Uint8Array, span: Span): Generator<Mutation> {
  const { path, offset, size, field } = span;
  if (size === 0) return;
  if (field.kind === 'uint') {
    const value = readLE(bytes, offset, size);
    yield { name: `${path}:zero`, bytes: withUint(bytes, span, 0) };
    yield { name: `${path}:plus-one`, bytes: withUint(bytes, span, value + 1) };
    yield { name: `${path}:minus-one`, bytes: withUint(bytes, span, value - 1) };
    yield { name: `${path}:all-ones`, bytes: withUint(bytes, span, 256 ** size - 1) };
    return;
  }
  const kind = field.kind === 'reserved' ? 'reserved-set' : 'flip';
  yield { name: `${path}:${kind}-first`, bytes: withXor(bytes, offset, 0x01) };
  yield { name: `${path}:${kind}-last`, bytes: withXor(bytes, offset + size - 1, 0x80) };
}

/** All single mutations of a well-formed message; none if it does not decode. */
export function* mutations(
  table: Layout,
  bytes: Uint8Array,
  facts: Facts = {},
): Generator<Mutation> {
  const spans: Span[] = [];
  if (!decode(table, bytes, facts, { spans, trailing: 'leave' }).ok) return;
  for (const span of spans) {
    yield { name: `${span.path}:cut-before`, bytes: bytes.slice(0, span.offset) };
    yield* ofSpan(bytes, span);
  }
  yield { name: 'end:one-byte-more', bytes: Uint8Array.of(...bytes, 0) };
  yield { name: 'end:one-byte-less', bytes: bytes.slice(0, -1) };
}
