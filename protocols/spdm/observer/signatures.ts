/** The signatures a listener checks, and what it says where it cannot (DSP0274 15). */

import type { SignatureName } from '../../crypto/algorithms.ts';
import type { Negotiated, Suite } from '../algorithms.ts';
import { type SigningContext, verifyTranscript } from '../signing.ts';
import type { ObservedIdentity } from './identity.ts';
import type { Check, ObserverOptions } from './types.ts';

/** One signature: whose it is, and what it covers. */
export interface Signed {
  readonly what: string;
  readonly signer: ObservedIdentity;
  readonly slot: number;
  readonly context: SigningContext;
  readonly transcript: Uint8Array;
  readonly signature: Uint8Array;
  /** why the transcript is not known to the listener */
  readonly gap?: string | undefined;
}

/** Takes down the outcome of a check. */
export type Note = (what: string, result: Check['result'], detail: string) => void;

const algorithmOf = (signed: Signed, suite: Suite): SignatureName | undefined =>
  signed.signer.party === 'responder' ? suite.signature : suite.requesterSignature;

function nameOf(signed: Signed, negotiated: Negotiated): string {
  const { asym, requesterAsym } = negotiated;
  return (signed.signer.party === 'responder' ? asym : requesterAsym) ?? 'no algorithm';
}

/** Checks a signature and notes what came of it. */
export function checkSignature(
  options: ObserverOptions,
  negotiated: Negotiated | undefined,
  suite: Suite | undefined,
  signed: Signed,
  note: Note,
): void {
  const { what, signer, slot, context, transcript, signature, gap } = signed;
  const unverifiable = (why: string) => note(what, 'unverifiable', why);
  if (negotiated === undefined || suite === undefined)
    return unverifiable(
      negotiated === undefined
        ? 'no ALGORITHMS was heard'
        : `nobody here computes ${negotiated.baseHash}`,
    );
  const algorithm = algorithmOf(signed, suite);
  if (algorithm === undefined)
    return unverifiable(`nobody here computes ${nameOf(signed, negotiated)}`);
  if (gap !== undefined) return unverifiable(gap);
  const key = signer.key(slot, suite.hash, algorithm);
  if (typeof key === 'string') return unverifiable(key);
  const scope = { crypto: options.crypto, hash: suite.hash, version: negotiated.version };
  const { publicKey } = key;
  const good = verifyTranscript(scope, algorithm, publicKey, context, transcript, signature);
  note(what, good ? 'verified' : 'failed', algorithm);
}
