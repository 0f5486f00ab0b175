/**
 * A trace record as one line of canonical JSON, and the SHA-256 over such lines: two runs are the
 * same run if and only if their hashes are equal. The hash is that of a file holding the lines.
 */

import { sha256 } from '@noble/hashes/sha2.js';
import { KernelError, KernelErrorCodes } from './errors.ts';
import type { RecordMap, TraceBus, TraceRecord } from './trace.ts';

const HEX = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'));
const DEPTH_MAX = 16;
const BATCH_CHARS = 1 << 16;
const HEADER_KEYS: readonly string[] = ['t', 'n', 'src', 'kind'];

function hex(bytes: Uint8Array): string {
  let out = '"';
  for (const byte of bytes) out += HEX[byte];
  return `${out}"`;
}

function untraceable(path: string, what: string): KernelError {
  return new KernelError(KernelErrorCodes.UNTRACEABLE, `${path}: ${what} has no canonical text`);
}

/** Members of a plain object, `"key":value` joined by commas; undefined ones are left out. */
function members(object: object, path: string, depth: number): string {
  let out = '';
  for (const [key, value] of Object.entries(object)) {
    if (value === undefined) continue;
    const text = valueText(value, `${path}.${key}`, depth + 1);
    out += `${out === '' ? '' : ','}${JSON.stringify(key)}:${text}`;
  }
  return out;
}

function valueText(value: unknown, path: string, depth: number): string {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw untraceable(path, String(value));
      return JSON.stringify(value);
    case 'bigint':
      return `"${value}"`;
    case 'object':
      break;
    default:
      throw untraceable(path, typeof value);
  }
  if (value === null) return 'null';
  if (value instanceof Uint8Array) return hex(value);
  if (depth > DEPTH_MAX) throw untraceable(path, `nesting deeper than ${DEPTH_MAX}`);
  if (Array.isArray(value)) {
    const items = value.map((item, i) =>
      item === undefined ? 'null' : valueText(item, `${path}[${i}]`, depth + 1),
    );
    return `[${items.join(',')}]`;
  }
  if (value instanceof Map || value instanceof Set || ArrayBuffer.isView(value))
    throw untraceable(path, value.constructor.name);
  return `{${members(value, path, depth)}}`;
}

/**
 * One line, without line break: `{"t":ps,"n":sequence,"src":...,"kind":...,` and the data's members in
 * insertion order. Uint8Array is lower-case hex, bigint a decimal string, undefined is left out.
 * @throws KernelError UNTRACEABLE naming the member on NaN, infinities, functions, symbols, Map, Set,
 *   other binary views, nesting beyond 16, and data members named t, n, src or kind.
 */
export function canonicalLine(record: TraceRecord): string {
  for (const key of HEADER_KEYS)
    if (Object.hasOwn(record.data, key)) throw untraceable(`${record.kind}.${key}`, 'this name');
  const data = members(record.data, record.kind, 0);
  const source = JSON.stringify(record.source);
  const kind = JSON.stringify(record.kind);
  const head = `{"t":${record.time},"n":${record.sequence},"src":${source},"kind":${kind}`;
  return data === '' ? `${head}}` : `${head},${data}}`;
}

/** Streaming SHA-256 over canonical lines, each followed by a line feed. */
export class TraceHash {
  private readonly state = sha256.create();
  private readonly encoder = new TextEncoder();
  private pending = '';

  /** Adds one record. */
  add(record: TraceRecord): void {
    this.addLine(canonicalLine(record));
  }

  /** Adds a line that `canonicalLine` made, for a sink that has it already. */
  addLine(line: string): void {
    this.pending += `${line}\n`;
    if (this.pending.length >= BATCH_CHARS) this.flush();
  }

  /** Adds every record of the bus from now on; call the result to stop. */
  listen<R extends RecordMap<R>>(bus: TraceBus<R>): () => void {
    return bus.on('*', (record) => this.add(record as unknown as TraceRecord));
  }

  /** Lower-case hex digest of what was added so far; more may follow. */
  digest(): string {
    this.flush();
    return hex(this.state.clone().digest()).slice(1, -1);
  }

  private flush(): void {
    this.state.update(this.encoder.encode(this.pending));
    this.pending = '';
  }
}
