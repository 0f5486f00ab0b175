/** What SPDM signs (DSP0274 15): the transcript's hash, prefixed from 1.2 on by a context naming its use. */

import { ascii, concat } from '../codec/bytes.ts';
import { LocalError } from '../codec/refusal.ts';
import { type HashName, type SignatureName, signatureFacts } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';

export const SigningContexts = {
  CHALLENGE_AUTH: 'responder-challenge_auth signing',
  MUTUAL_CHALLENGE_AUTH: 'requester-challenge_auth signing',
  MEASUREMENTS: 'responder-measurements signing',
  KEY_EXCHANGE_RSP: 'responder-key_exchange_rsp signing',
  FINISH: 'requester-finish signing',
  ENDPOINT_INFO: 'responder-endpoint_info signing',
  REQUESTER_ENDPOINT_INFO: 'requester-endpoint_info signing',
} as const;
export type SigningContext = (typeof SigningContexts)[keyof typeof SigningContexts];

const PREFIX_REPEATS = 4;
const CONTEXT_SIZE = 36;

/** combined_spdm_prefix || zero padding || context: 100 bytes. */
export function signingPrefix(version: number, context: SigningContext): Uint8Array {
  const prefix = ascii(`dmtf-spdm-v${version >> 4}.${version & 15}.*`.repeat(PREFIX_REPEATS));
  const text = ascii(context);
  return concat(prefix, new Uint8Array(CONTEXT_SIZE - text.length), text);
}

/**
 * The message handed to the signature algorithm, which hashes it once more. Up to 1.1 that is the
 * transcript itself, since there its hash is what is signed.
 */
export function signedMessage(
  crypto: CryptoProvider,
  hash: HashName,
  version: number,
  context: SigningContext,
  transcript: Uint8Array,
): Uint8Array {
  if (version < 0x12) return transcript;
  return concat(signingPrefix(version, context), crypto.hash(hash, transcript));
}

export interface Signer {
  readonly algorithm: SignatureName;
  readonly privateKey: Uint8Array;
}

export interface SignatureScope {
  readonly crypto: CryptoProvider;
  readonly hash: HashName;
  readonly version: number;
}

/**
 * The scheme's own context parameter: Ed448, ML-DSA and SLH-DSA take the bare context string besides
 * what stands in the message; the others have none.
 */
function schemeContext(algorithm: SignatureName, context: SigningContext): Uint8Array | undefined {
  const { family } = signatureFacts(algorithm);
  const takes = family === 'ML_DSA' || family === 'SLH_DSA' || algorithm === 'EDDSA_448';
  return takes ? ascii(context) : undefined;
}

export function signTranscript(
  scope: SignatureScope,
  signer: Signer,
  context: SigningContext,
  transcript: Uint8Array,
): Uint8Array {
  const { crypto, hash } = scope;
  const { algorithm, privateKey } = signer;
  if (privateKey.length === 0) throw new LocalError('signer: empty private key');
  const message = signedMessage(crypto, hash, scope.version, context, transcript);
  return crypto.sign(algorithm, hash, privateKey, message, schemeContext(algorithm, context));
}

export function verifyTranscript(
  scope: SignatureScope,
  algorithm: SignatureName,
  publicKey: Uint8Array,
  context: SigningContext,
  transcript: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { crypto, hash } = scope;
  const message = signedMessage(crypto, hash, scope.version, context, transcript);
  const own = schemeContext(algorithm, context);
  return crypto.verify(algorithm, hash, publicKey, message, signature, own);
}
