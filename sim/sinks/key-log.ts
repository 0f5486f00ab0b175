/**
 * Key logs: the secrets of SPDM sessions as text, one line each, so that a capture can be decoded later:
 * `SPDM_DHE ffffffff 07c7d240...`, likewise SPDM_KEM and SPDM_PSK; the session id has eight hexadecimal
 * digits, the secret as many as it takes. Empty lines and those that start with # say nothing.
 */

import { fromHex, toHex } from '../../protocols/codec/bytes.ts';
import type { KeyLogEntry } from '../../protocols/spdm/party.ts';

const LINE = /^SPDM_(DHE|KEM|PSK)\s+([0-9a-f]{8})\s+((?:[0-9a-f]{2})+)$/i;

/** The line of one secret, its newline included. */
export const keyLogLine = ({ kind, sessionId, secret }: KeyLogEntry): string =>
  `SPDM_${kind} ${(sessionId >>> 0).toString(16).padStart(8, '0')} ${toHex(secret)}\n`;

export const keyLogText = (entries: readonly KeyLogEntry[]): string =>
  entries.map(keyLogLine).join('');

/** What is wrong with a key log: the line counts from 1. */
export interface KeyLogFault {
  readonly line: number;
  readonly detail: string;
}

/** The entries in their order, up to the first line that is none. Never throws on the text. */
export function readKeyLog(text: string): {
  readonly entries: readonly KeyLogEntry[];
  readonly fault?: KeyLogFault;
} {
  const entries: KeyLogEntry[] = [];
  for (const [index, raw] of text.split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line === '' || line.startsWith('#')) continue;
    const [, kind, id, secret] = LINE.exec(line) ?? [];
    if (kind === undefined || id === undefined || secret === undefined) {
      const detail =
        'expected SPDM_DHE, SPDM_KEM or SPDM_PSK, a session id of 8 hexadecimal digits, a secret';
      return { entries, fault: { line: index + 1, detail } };
    }
    entries.push({
      kind: kind.toUpperCase() as KeyLogEntry['kind'],
      sessionId: Number.parseInt(id, 16),
      secret: fromHex(secret),
    });
  }
  return { entries };
}
