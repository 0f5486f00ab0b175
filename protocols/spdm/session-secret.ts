/**
 * Where a session's shared secret comes from (DSP0274 10.12): Diffie-Hellman, whose ExchangeData are two
 * public values, or a KEM (1.4), whose are an encapsulation key and a ciphertext.
 */

import { type PeerFault, peerFault } from '../codec/refusal.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { drawPrivateKey } from '../crypto/provider.ts';
import type { Suite } from './algorithms.ts';

type Draw = (size: number) => Uint8Array;
const KEM_SEED_SIZE = 64;
const KEM_MESSAGE_SIZE = 32;

/** A requester's half: what to send, and what to make of the answer. */
export interface OwnExchange {
  readonly exchangeData: Uint8Array;
  /** undefined: the responder's ExchangeData is none */
  readonly secretOf: (exchangeData: Uint8Array) => Uint8Array | undefined;
}

/** Undefined if the suite has no exchange that is computed here. */
export function startExchange(
  crypto: CryptoProvider,
  suite: Suite,
  random: Draw,
): OwnExchange | undefined {
  const { group, kem } = suite;
  if (group !== undefined) {
    const privateKey = drawPrivateKey(crypto, group, random);
    return {
      exchangeData: crypto.publicKey(group, privateKey),
      secretOf: (peer) => crypto.sharedSecret(group, privateKey, peer),
    };
  }
  if (kem === undefined) return undefined;
  const pair = crypto.kemKeyPair(kem, random(KEM_SEED_SIZE));
  return {
    exchangeData: pair.encapsulationKey,
    secretOf: (ciphertext) => crypto.kemDecapsulate(kem, pair.decapsulationKey, ciphertext),
  };
}

/** A responder's half: its ExchangeData and the secret; a fault if the requester's ExchangeData is none. */
export function answerExchange(
  crypto: CryptoProvider,
  suite: Suite,
  random: Draw,
  peer: Uint8Array,
): { exchangeData: Uint8Array; secret: Uint8Array } | PeerFault | undefined {
  const { group, kem } = suite;
  if (group !== undefined) {
    const privateKey = drawPrivateKey(crypto, group, random);
    const secret = crypto.sharedSecret(group, privateKey, peer);
    return secret === undefined
      ? peerFault('KEY_EXCHANGE_DATA', `ExchangeData is no public value of ${group}`)
      : { exchangeData: crypto.publicKey(group, privateKey), secret };
  }
  if (kem === undefined) return undefined;
  const made = crypto.kemEncapsulate(kem, peer, random(KEM_MESSAGE_SIZE));
  return made === undefined
    ? peerFault('KEY_EXCHANGE_DATA', `ExchangeData is no encapsulation key of ${kem}`)
    : { exchangeData: made.ciphertext, secret: made.sharedSecret };
}
