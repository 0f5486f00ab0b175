/** A pair that shares one pre-shared key, of which the responder has a context or not (PSK_CAP 2 or 1). */

import { ascii, toHex } from '../../../protocols/codec/bytes.ts';
import type { PskSessionRequest } from '../../../protocols/spdm/requester/psk.ts';
import { negotiate } from '../../../protocols/spdm/requester/vca.ts';
import { Pair, type PairOptions } from './pair.ts';

export const HINT = ascii('hint');
export const PSK = new Uint8Array(24).fill(0x5a);
export const psk = (hint: Uint8Array) => (toHex(hint) === toHex(HINT) ? PSK : undefined);
export const ASKED: PskSessionRequest = { hint: HINT, summaryType: 0, terminationPolicy: 0 };
export const WITHOUT = 1;
export const WITH = 2;

export const optionsOf = (cap: number, options: PairOptions = {}): PairOptions => ({
  ...options,
  flags: { PSK_CAP: 1, ...options.flags },
  responderFlags: { PSK_CAP: cap, ...options.responderFlags },
  requester: { psk, ...options.requester },
  responder: { psk, ...options.responder },
});

export function negotiated(cap: number, options: PairOptions = {}): Pair {
  const pair = new Pair(optionsOf(cap, options));
  pair.good(negotiate(pair.requester));
  return pair;
}
