/** All that a responder remembers, as text: two equal texts mean that nothing changed. */

import { toHex } from '../../../protocols/codec/bytes.ts';
import type { SpdmResponder } from '../../../protocols/spdm/responder/responder.ts';
import type { ConnectionTranscript, MessageLog } from '../../../protocols/spdm/transcript.ts';

/** Maps tell their entries, but for transfers that hold nothing. */
function hex(_name: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (!(value instanceof Map)) return value;
  return [...value].filter(([, entry]) => JSON.stringify(entry) !== '{}');
}

export interface SnapshotOptions {
  /** L1/L2 of connection and sessions, which refused requests may clear */
  readonly measurements: boolean;
}

/**
 * Sequence numbers are left out, since each record moves them on, and so are the B and C of M1/M2 with
 * `measurements` false: a request that may be taken clears them before it is looked at further.
 */
export function snapshotOf(
  responder: SpdmResponder,
  options: SnapshotOptions = { measurements: true },
): string {
  const { config: _config, transcript, sessions, ...plain } = responder.state;
  const bytes = (log: MessageLog) => toHex(log.bytes());
  const { a, b, c, l, mutB, mutC }: ConnectionTranscript = transcript;
  const windows = (log: MessageLog) => (options.measurements ? bytes(log) : '');
  return JSON.stringify(
    {
      ...plain,
      measuredAtStart: options.measurements ? plain.measuredAtStart : [],
      requesterDataTransferSize: String(plain.requesterDataTransferSize),
      transcript: [bytes(a), ...[b, c, l, mutB, mutC].map(windows)],
      sessions: [...sessions.values()].map(({ keys, transcript: th, ...session }) => {
        const { handshake, exportMasterSecret } = keys;
        const { directions } = keys as unknown as {
          directions: Record<string, { keys: unknown; sequence: number }>;
        };
        return {
          ...session,
          th: toHex(th.bytes()),
          l: windows(th.l),
          handshake,
          exportMasterSecret,
          keys: Object.values(directions).map((direction) => direction.keys),
        };
      }),
    },
    hex,
  );
}
