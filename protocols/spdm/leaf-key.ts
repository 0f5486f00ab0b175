/**
 * The public key a party signs with, out of its certificate chain as CERTIFICATE carries it (DSP0274
 * 10.6), or out of the bare key it was provisioned with.
 */

import { decode } from '../codec/layout.ts';
import type { SignatureName } from '../crypto/algorithms.ts';
import type { Certificate } from '../x509/parse.ts';
import { certChain, certChainLarge } from '../x509/spdm-chain.ts';
import { keyUnder, parseSubjectPublicKeyInfo } from '../x509/spki.ts';
import { parseChain } from '../x509/split.ts';
import type { LeafKey } from './observer/types.ts';

const SMALL_CHAIN_BYTES_MAX = 0xffff;

/**
 * A certificate's key under the negotiated name `wanted`; without one under its natural name, which is
 * RSASSA for an RSA key that RSAPSS may use as well. Undefined if the key does not fit.
 */
export function keyOf(certificate: Certificate, wanted?: SignatureName): LeafKey | undefined {
  return keyUnder(certificate.publicKey, wanted);
}

/**
 * The leaf's key of a chain with a root hash of `hashSize` bytes: what a listener needs to check
 * signatures. Nothing is verified here; undefined if the bytes are no chain or the key does not fit.
 */
export function leafKeyOfChain(
  chain: Uint8Array,
  hashSize: number,
  wanted?: SignatureName,
): LeafKey | undefined {
  // A chain that long is one of 1.4, whose Length takes the reserved bytes; shorter ones look the same.
  const form = chain.length > SMALL_CHAIN_BYTES_MAX ? certChainLarge : certChain;
  const blob = decode(form, chain, { hashSize });
  if (!blob.ok) return undefined;
  const certificates = parseChain(blob.value.Certificates);
  const leaf = certificates.ok ? certificates.value.at(-1) : undefined;
  return leaf === undefined ? undefined : keyOf(leaf, wanted);
}

/** The key of a SubjectPublicKeyInfo, as slot 0xFF has one instead of a chain; undefined if it does not fit. */
export function leafKeyOfPublicKeyInfo(
  der: Uint8Array,
  wanted?: SignatureName,
): LeafKey | undefined {
  const key = parseSubjectPublicKeyInfo(der, wanted);
  return key.ok ? key.value : undefined;
}
