/**
 * CSRs of a device that makes them at a reset (DSP0274 10.25, CSRTrackingTag): what was asked for under
 * which tag, and what came of it.
 */

import { equal } from '../../codec/bytes.ts';
import type { SignatureName } from '../../crypto/algorithms.ts';
import { buildCsr, type CsrPlan } from '../../x509/build-csr.ts';
import { fitsSignature, keyPairOf, type Tables } from './tables.ts';

/** What a CSR is made of, besides the key. */
export type CsrContent = Omit<CsrPlan, 'privateKey'>;

export interface CsrOrder {
  readonly keyPairId: number;
  /** a `CertModels` code: in the alias model the CSR is for the device certificate's key */
  readonly isAlias: boolean;
  readonly content: CsrContent;
}

interface Tracked {
  /** the request with its tag and Overwrite cleared: only the same may fetch the CSR */
  readonly request: Uint8Array;
  readonly order: CsrOrder;
  csr: Uint8Array | undefined;
}

export const CSR_TRACKING_TAG_MAX = 7;

/** The CSR of an order; undefined if its key pair has no such key. */
export function makeCsr(tables: Tables, { keyPairId, isAlias, content }: CsrOrder) {
  const pair = keyPairOf(tables, keyPairId);
  const signature: SignatureName = content.algorithm;
  if (pair === undefined || !fitsSignature(pair, signature)) return undefined;
  const privateKey = isAlias ? pair.alias?.devicePrivateKey : pair.privateKey;
  return privateKey === undefined ? undefined : buildCsr({ ...content, privateKey });
}

/** What becomes of a request: its CSR is there, a reset is due, or it names no request. */
export type CsrTracking =
  | { readonly state: 'ready'; readonly csr: Uint8Array }
  | { readonly state: 'reset-required'; readonly tag: number; readonly commit: () => void }
  | { readonly state: 'busy' | 'unknown' };

export class CsrRequests {
  private tracked = new Map<number, Tracked>();

  /** A new request (tag 0): given the first free tag, or tag 1 where it overwrites all others. */
  track(request: Uint8Array, order: CsrOrder, overwrite: boolean): CsrTracking {
    let tag = 1;
    while (!overwrite && this.tracked.has(tag)) tag++;
    if (tag > CSR_TRACKING_TAG_MAX) return { state: 'busy' };
    const commit = () => {
      if (overwrite) this.tracked.clear();
      this.tracked.set(tag, { request: request.slice(), order, csr: undefined });
    };
    return { state: 'reset-required', tag, commit };
  }

  /** A request that comes again under its tag. The CSR may be fetched more than once. */
  fetch(request: Uint8Array, tag: number): CsrTracking {
    const known = this.tracked.get(tag);
    if (known === undefined || !equal(known.request, request)) return { state: 'unknown' };
    const { csr } = known;
    if (csr !== undefined) return { state: 'ready', csr };
    return { state: 'reset-required', tag, commit: () => undefined };
  }

  /** 1.2 has no tags: the last request alone is remembered, under one fixed tag. */
  untagged(request: Uint8Array, order: CsrOrder): CsrTracking {
    const known = this.fetch(request, 1);
    return known.state === 'unknown' ? this.track(request, order, true) : known;
  }

  /** The device was reset: every CSR is made, and what cannot be made is forgotten. */
  deviceReset(tables: Tables): void {
    for (const [tag, tracked] of this.tracked) {
      tracked.csr ??= makeCsr(tables, tracked.order);
      if (tracked.csr === undefined) this.tracked.delete(tag);
    }
  }
}
