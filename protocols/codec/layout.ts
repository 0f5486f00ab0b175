/**
 * Encode and decode by layout table. Decoding never throws on the bytes it is given and takes steps
 * bounded by their number; encoding throws `LocalError` on a value its caller got wrong.
 */

import { concat, readLE, writeLE } from './bytes.ts';
import type {
  AnyField,
  Facts,
  Layout,
  ListField,
  Scope,
  SizeRule,
  UintField,
  ValueOf,
} from './field.ts';
import { type Decoded, LocalError, type Refusal, RefusalCodes, refuse } from './refusal.ts';

/** One leaf of a decoded message: where it stands and what it says. */
export interface Span {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  readonly field: AnyField;
  readonly value: number | bigint | Uint8Array | undefined;
}

/** Object.entries once a table: it costs more than all the fields of a short message. */
const entriesOfTables = new WeakMap<Layout, readonly (readonly [string, AnyField])[]>();
function entriesOf(table: Layout): readonly (readonly [string, AnyField])[] {
  let entries = entriesOfTables.get(table);
  if (entries === undefined) {
    entries = Object.entries(table.fields);
    entriesOfTables.set(table, entries);
  }
  return entries;
}

export function present(field: AnyField, scope: Scope, facts: Facts): boolean {
  if (field.since !== undefined && (facts['version'] ?? 0) < field.since) return false;
  return field.when === undefined || field.when(scope, facts);
}

function sizeBy(rule: SizeRule, scope: Scope, facts: Facts): number {
  return typeof rule === 'number' ? rule : rule(scope, facts);
}

function widthOf(field: UintField, facts: Facts): number {
  const { narrow, width } = field;
  return narrow !== undefined && (facts['version'] ?? 0) < narrow.before ? narrow.width : width;
}

/** A length or count that a rule worked out from a peer's fields and that can be meant. */
function isExtent(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 0;
}

class Walk {
  readonly bytes: Uint8Array;
  readonly facts: Facts;
  readonly spans: Span[] | undefined;
  at: number;

  constructor(bytes: Uint8Array, facts: Facts, at: number, spans: Span[] | undefined) {
    this.bytes = bytes;
    this.facts = facts;
    this.at = at;
    this.spans = spans;
  }

  struct(table: Layout, path: string, end: number): Record<string, unknown> | Refusal {
    const start = this.at;
    const scope: Record<string, unknown> = {};
    for (const [name, field] of entriesOf(table)) {
      if (!present(field, scope, this.facts)) continue;
      const refusal = this.field(field, name, path === '' ? name : `${path}.${name}`, end, scope);
      if (refusal !== undefined) return refusal;
    }
    const contradiction = table.check?.(scope, this.facts);
    if (contradiction !== undefined)
      return refuse(RefusalCodes.BAD_LENGTH, path, start, contradiction);
    return scope;
  }

  /** Decodes one field into `scope[name]`. */
  field(
    field: AnyField,
    name: string,
    path: string,
    end: number,
    scope: Scope,
  ): Refusal | undefined {
    const start = this.at;
    switch (field.kind) {
      case 'struct': {
        const value = this.struct(field.layout, path, end);
        if (value['ok'] === false) return value as unknown as Refusal;
        scope[name] = value;
        return undefined;
      }
      case 'list':
        return this.list(field, name, path, end, scope);
      default: {
        const size = this.leafSize(field, end, scope);
        if (!isExtent(size))
          return refuse(RefusalCodes.BAD_LENGTH, path, start, `length ${size} makes no sense`);
        if (start + size > end)
          return refuse(
            RefusalCodes.TRUNCATED,
            path,
            start,
            `needs ${size} bytes, ${end - start} left`,
          );
        this.at += size;
        return this.leaf(field, name, path, start, size, scope);
      }
    }
  }

  leafSize(field: AnyField, end: number, scope: Scope): number {
    if (field.kind === 'uint') return widthOf(field, this.facts);
    if (field.kind === 'u64') return 8;
    if (field.kind === 'bytes' && field.size === undefined) return end - this.at;
    return sizeBy((field as { size: SizeRule }).size, scope, this.facts);
  }

  leaf(field: AnyField, name: string, path: string, start: number, size: number, scope: Scope) {
    let value: number | bigint | Uint8Array | undefined;
    if (field.kind === 'uint') {
      value = readLE(this.bytes, start, size);
      const refusal = checkUint(field, value, path, start);
      if (refusal !== undefined) return refusal;
    } else if (field.kind === 'u64') {
      value =
        BigInt(readLE(this.bytes, start, 4)) + (BigInt(readLE(this.bytes, start + 4, 4)) << 32n);
    } else if (field.kind === 'bytes') {
      value = this.bytes.slice(start, start + size);
    }
    if (value !== undefined) scope[name] = value;
    this.spans?.push({ path, offset: start, size, field, value });
    return undefined;
  }

  list(
    field: ListField,
    name: string,
    path: string,
    end: number,
    scope: Scope,
  ): Refusal | undefined {
    const items: unknown[] = [];
    const count = field.count === undefined ? undefined : sizeBy(field.count, scope, this.facts);
    const size = field.bytes === undefined ? undefined : sizeBy(field.bytes, scope, this.facts);
    for (const extent of [count, size])
      if (extent !== undefined && !isExtent(extent))
        return refuse(RefusalCodes.BAD_LENGTH, path, this.at, `extent ${extent} makes no sense`);
    const stop = size === undefined ? end : this.at + size;
    if (stop > end)
      return refuse(
        RefusalCodes.BAD_LENGTH,
        path,
        this.at,
        `list runs ${stop - end} bytes past the end`,
      );
    const wanted = count ?? Number.POSITIVE_INFINITY;
    while (items.length < wanted && (count !== undefined || this.at < stop)) {
      if (items.length >= field.maxItems)
        return refuse(RefusalCodes.OVER_LIMIT, path, this.at, `more than ${field.maxItems} items`);
      const before = this.at;
      const cell: Record<string, unknown> = {};
      const refusal = this.field(field.item, 'item', `${path}[${items.length}]`, stop, cell);
      if (refusal !== undefined) return refusal;
      // Items of no bytes could go on for ever, or as long as a peer's counts multiply.
      if (this.at === before)
        return refuse(RefusalCodes.BAD_LENGTH, path, before, 'item without bytes');
      items.push(cell['item']);
    }
    scope[name] = items;
    return undefined;
  }
}

function checkUint(field: UintField, value: number, path: string, at: number): Refusal | undefined {
  if (field.max !== undefined && value > field.max)
    return refuse(RefusalCodes.BAD_VALUE, path, at, `${value} is above ${field.max}`);
  if (field.only !== undefined && !field.only.includes(value))
    return refuse(RefusalCodes.BAD_VALUE, path, at, `${value} is none of ${field.only.join(', ')}`);
  return undefined;
}

export interface DecodeOptions {
  /** bytes after the last field: refuse them (default) or leave them, as for DW padding */
  readonly trailing?: 'refuse' | 'leave';
  readonly spans?: Span[];
  /** where to start; offsets in spans and refusals count from the start of `bytes` */
  readonly offset?: number;
}

/** Decodes `bytes` by `table`. `size` of the result is the number of bytes the layout covered. */
export function decode<L extends Layout>(
  table: L,
  bytes: Uint8Array,
  facts: Facts = {},
  options: DecodeOptions = {},
): Decoded<ValueOf<L>> {
  const start = options.offset ?? 0;
  const walk = new Walk(bytes, facts, start, options.spans);
  const value = walk.struct(table, '', bytes.length);
  if (value['ok'] === false) return value as unknown as Refusal;
  if (walk.at < bytes.length && options.trailing !== 'leave')
    return refuse(
      RefusalCodes.TRAILING,
      '',
      walk.at,
      `${bytes.length - walk.at} bytes after ${table.name}`,
    );
  return { ok: true, value: value as ValueOf<L>, size: walk.at - start };
}

/**
 * Encodes `value` by `table`. A derived length or count the value names itself is written as named,
 * so that tests and fault injection can lie.
 * @throws LocalError naming the field on a missing or unfitting value.
 */
export function encode<L extends Layout>(
  table: L,
  value: ValueOf<L>,
  facts: Facts = {},
): Uint8Array {
  const out: Uint8Array[] = [];
  encodeStruct(table, value, facts, table.name, out);
  return concat(...out);
}

/** Scope mark: the caller named a derived length itself, so sizes are written as they come. */
const LYING = Symbol('lying');

function encodeStruct(
  table: Layout,
  value: unknown,
  facts: Facts,
  path: string,
  out: Uint8Array[],
) {
  const given = (value ?? {}) as Record<string, unknown>;
  // Rules may look at derived lengths and counts, so these are settled first.
  const scope: Record<string | symbol, unknown> = { ...given };
  scope[LYING] = entriesOf(table).some(
    ([name, field]) =>
      field.kind === 'uint' && field.lengthOf !== undefined && given[name] !== undefined,
  );
  const bodies = new Map<string, Uint8Array[]>();
  const body = (name: string): Uint8Array[] => {
    let parts = bodies.get(name);
    if (parts === undefined) {
      parts = [];
      const target = table.fields[name];
      if (target !== undefined && present(target, scope, facts))
        encodeField(target, given[name], scope, facts, `${path}.${name}`, parts);
      bodies.set(name, parts);
    }
    return parts;
  };
  for (const [name, field] of entriesOf(table)) {
    if (field.kind !== 'uint' || scope[name] !== undefined) continue;
    if (field.countOf !== undefined)
      scope[name] = ((given[field.countOf] as unknown[] | undefined) ?? []).length;
    if (field.lengthOf !== undefined) {
      let size = sizeBy(field.extra ?? 0, scope, facts);
      for (const part of body(field.lengthOf)) size += part.length;
      scope[name] = size;
    }
  }
  for (const [name, field] of entriesOf(table)) {
    if (!present(field, scope, facts)) continue;
    if (field.kind === 'uint')
      encodeField(field, scope[name], scope, facts, `${path}.${name}`, out);
    else out.push(...body(name));
  }
}

function encodeField(
  field: AnyField,
  value: unknown,
  scope: Scope,
  facts: Facts,
  path: string,
  out: Uint8Array[],
): void {
  switch (field.kind) {
    case 'reserved': {
      const size = sizeBy(field.size, scope, facts);
      if (!isExtent(size)) throw new LocalError(`${path}: its size comes out as ${size}`);
      out.push(new Uint8Array(size));
      return;
    }
    case 'uint': {
      const width = widthOf(field, facts);
      if (
        typeof value !== 'number' ||
        !Number.isSafeInteger(value) ||
        value < 0 ||
        value >= 256 ** width
      )
        throw new LocalError(
          `${path}: expected an unsigned integer of ${width} bytes, got ${value}`,
        );
      const bytes = new Uint8Array(width);
      writeLE(bytes, 0, width, value);
      out.push(bytes);
      return;
    }
    case 'u64': {
      if (typeof value !== 'bigint' || value < 0n || value >= 1n << 64n)
        throw new LocalError(`${path}: expected an unsigned 64-bit bigint, got ${value}`);
      const bytes = new Uint8Array(8);
      writeLE(bytes, 0, 4, Number(value & 0xffffffffn));
      writeLE(bytes, 4, 4, Number(value >> 32n));
      out.push(bytes);
      return;
    }
    case 'bytes': {
      if (!(value instanceof Uint8Array))
        throw new LocalError(`${path}: expected bytes, got ${typeof value}`);
      // A rule over a length that is still to be derived gives no number yet: nothing to hold it to.
      const size = field.size === undefined ? value.length : sizeBy(field.size, scope, facts);
      if (size !== value.length && Number.isFinite(size) && !scope[LYING])
        throw new LocalError(`${path}: expected ${size} bytes, got ${value.length}`);
      out.push(value);
      return;
    }
    case 'struct':
      encodeStruct(field.layout, value, facts, path, out);
      return;
    case 'list': {
      if (!Array.isArray(value))
        throw new LocalError(`${path}: expected an array, got ${typeof value}`);
      for (const [i, item] of value.entries())
        encodeField(field.item, item, scope, facts, `${path}[${i}]`, out);
    }
  }
}
