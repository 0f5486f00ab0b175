/**
 * The two error families. A peer's bytes end in a `Refusal` value and never throw; our own caller's
 * mistake throws `LocalError`. Both carry a stable code that tests and reports may name.
 */

/** Why bytes were refused by a decoder. */
export const RefusalCodes = {
  /** fewer bytes than the field needs */
  TRUNCATED: 'TRUNCATED',
  /** bytes left over after the last field */
  TRAILING: 'TRAILING',
  /** a value outside the set the format allows */
  BAD_VALUE: 'BAD_VALUE',
  /** a length or count that contradicts the bytes present */
  BAD_LENGTH: 'BAD_LENGTH',
  /** more items or bytes than the format's limit */
  OVER_LIMIT: 'OVER_LIMIT',
  /** a message, object or element code nobody here knows */
  UNKNOWN_CODE: 'UNKNOWN_CODE',
} as const;
export type RefusalCode = (typeof RefusalCodes)[keyof typeof RefusalCodes];

export interface Refusal {
  readonly ok: false;
  readonly code: RefusalCode;
  /** the field, as `Record[2].ValueSize` */
  readonly path: string;
  /** byte offset from the start of the decoded buffer */
  readonly offset: number;
  readonly detail: string;
}

export type Decoded<T> = { readonly ok: true; readonly value: T; readonly size: number } | Refusal;

export function refuse(code: RefusalCode, path: string, offset: number, detail: string): Refusal {
  return { ok: false, code, path, offset, detail };
}

/** One line for a person. */
export function refusalText(r: Refusal): string {
  return `${r.code} at ${r.path || 'start'} (byte ${r.offset}): ${r.detail}`;
}

/** A mistake of our own caller: the message names the argument and what was expected. */
export class LocalError extends Error {
  override readonly name = 'LocalError';
}

/** A fault of the other side, met by an engine; `code` is stable. */
export interface PeerFault {
  readonly fault: true;
  readonly code: string;
  readonly detail: string;
}

export function peerFault(code: string, detail: string): PeerFault {
  return { fault: true, code, detail };
}

export function isPeerFault(x: unknown): x is PeerFault {
  return typeof x === 'object' && x !== null && (x as { fault?: unknown }).fault === true;
}
