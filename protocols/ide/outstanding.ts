/**
 * Which stream and T bit each outstanding non-posted request of a port went out with: its completions
 * must come back the same way (PCIe Base 6.x clause 6.33.4).
 */

import { byteCount, hasData, lowerAddress, payloadSize, requesterId, tag } from '../tlp/view.ts';

export interface SentAs {
  /** undefined: without IDE */
  readonly streamId: number | undefined;
  readonly tee: boolean;
}

const key = (tlp: Uint8Array): number => requesterId(tlp) * 1024 + tag(tlp);

/** A split completion is the last one if it carries all bytes that were left. */
function isLast(completion: Uint8Array): boolean {
  if (!hasData(completion)) return true;
  return byteCount(completion) <= payloadSize(completion) - (lowerAddress(completion) & 3);
}

export class OutstandingRequests {
  readonly #sent = new Map<number, SentAs>();

  /** A request left; one that reuses the tag of an unanswered one takes its place. */
  sent(request: Uint8Array, as: SentAs): void {
    this.#sent.set(key(request), as);
  }
  /** How the request of a completion was sent; undefined if none is known. */
  of(completion: Uint8Array): SentAs | undefined {
    return this.#sent.get(key(completion));
  }
  /** A completion was accepted. */
  completed(completion: Uint8Array): void {
    if (isLast(completion)) this.#sent.delete(key(completion));
  }
  clear(): void {
    this.#sent.clear();
  }
}
