/** The signatures of evidence: which key and hash they are under, and what they cover (DSP0274 15). */

import { concat } from '../../codec/bytes.ts';
import { type HashName, type SignatureName, signatureAlgorithms } from '../../crypto/algorithms.ts';
import { suiteOf } from '../algorithms.ts';
import { versionText } from '../codes.ts';
import { type SigningContext, SigningContexts, verifyTranscript } from '../signing.ts';
import { type EvidenceCheck, EvidenceFaults, note, passed, refused } from './check.ts';
import type { Examination } from './examination.ts';
import { m1m2, type Vca } from './parts.ts';
import type { EvidenceSigner } from './signer.ts';
import type { SignedMessages } from './take-apart.ts';

const EMPTY = new Uint8Array(0);

export interface Scope {
  readonly algorithm: SignatureName;
  readonly publicKey: Uint8Array;
  readonly hash: HashName;
}

/** Key and hash of the signatures: by VCA, by what the caller says, or by the key's usual pairing. */
export function scopeOf(
  at: Examination,
  signer: EvidenceSigner,
  vca: Vca | undefined,
): Scope | EvidenceCheck {
  const { evidence } = at;
  const isRequester = evidence.role === 'requester';
  const negotiated = vca?.negotiated;
  const suite = negotiated && suiteOf(negotiated);
  const chosen = isRequester ? suite?.requesterSignature : suite?.signature;
  const wrong = (detail: string) => refused('signature', EvidenceFaults.ALGORITHM, detail);
  const natural = signer.key();
  if (negotiated !== undefined) {
    const name = (isRequester ? negotiated.requesterAsym : negotiated.asym) ?? 'no signature';
    const key = chosen && signer.key(chosen);
    if (suite === undefined || key === undefined)
      return wrong(
        `negotiated ${name} with ${negotiated.baseHash}, the leaf's key is ${natural?.algorithm ?? 'none of ours'}`,
      );
    const { algorithm = chosen, hash = suite.hash } = evidence;
    if (algorithm !== chosen || hash !== suite.hash)
      return wrong(`negotiated ${name} with ${suite.hash}, expected ${algorithm} with ${hash}`);
    return { ...key, hash: suite.hash };
  }
  const key = signer.key(evidence.algorithm);
  if (key === undefined)
    return wrong(`the leaf's key is no key of ${evidence.algorithm ?? 'any algorithm known here'}`);
  const { hash } = signatureAlgorithms[key.algorithm];
  const assumed = [
    ...(evidence.algorithm === undefined && key.algorithm.startsWith('RSA') ? [key.algorithm] : []),
    ...(evidence.hash === undefined ? [hash] : []),
  ];
  if (assumed.length > 0)
    at.notes.push(note('ALGORITHM_ASSUMED', `${assumed.join(' with ')} for ${key.algorithm}`));
  return { ...key, hash: evidence.hash ?? hash };
}

function checkSignature(
  at: Examination,
  scope: Scope,
  context: SigningContext,
  transcript: Uint8Array,
  { version, signature }: { version: number; signature: Uint8Array },
): void {
  const { algorithm, publicKey, hash } = scope;
  const by = { crypto: at.crypto, hash, version };
  const isChallenge = context !== SigningContexts.MEASUREMENTS;
  const name = isChallenge ? 'challenge signature' : 'signature';
  const good = verifyTranscript(by, algorithm, publicKey, context, transcript, signature);
  const what = `${algorithm} with ${hash} over ${transcript.length} bytes`;
  if (good) at.checks.push(passed(name, what));
  else at.refuse(name, EvidenceFaults.SIGNATURE, `not the leaf's ${what}`);
}

/** Both signatures, as far as the messages have them. */
export function checkSignatures(at: Examination, scope: Scope, parts: SignedMessages): void {
  const { vca, certificates, challenge, record, role, version } = parts;
  const a = vca?.bytes ?? EMPTY;
  if (challenge !== undefined) {
    const { MUTUAL_CHALLENGE_AUTH, CHALLENGE_AUTH } = SigningContexts;
    const context = role === 'requester' ? MUTUAL_CHALLENGE_AUTH : CHALLENGE_AUTH;
    const signature = challenge.response.Signature;
    const transcript = m1m2(a, certificates, challenge, role);
    checkSignature(at, scope, context, transcript, { version, signature });
  }
  if (record === undefined) return;
  const transcript = concat(version < 0x12 ? EMPTY : a, record.signed);
  const { signature } = record;
  checkSignature(at, scope, SigningContexts.MEASUREMENTS, transcript, { version, signature });
  if (version < 0x12)
    at.notes.push(note('VCA_UNSIGNED', `SPDM ${versionText(version)} signs measurements alone`));
}
