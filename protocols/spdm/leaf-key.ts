/** The public key a responder signs with, out of its certificate chain as CERTIFICATE carries it (DSP0274 10.6). */

import { decode } from '../codec/layout.ts';
import { type SignatureName, signatureAlgorithms } from '../crypto/algorithms.ts';
import type { Certificate } from '../x509/parse.ts';
import { certChain } from '../x509/spdm-chain.ts';
import { parseChain } from '../x509/split.ts';
import type { LeafKey } from './observer/observer.ts';

/** The signature algorithm a certificate's EC key is made for; undefined for any other key. */
export function keyOf(certificate: Certificate): LeafKey | undefined {
  const { curve, key } = certificate.publicKey;
  if (curve === undefined) return undefined;
  const names = Object.keys(signatureAlgorithms) as SignatureName[];
  const algorithm = names.find((name) => signatureAlgorithms[name].curve === curve);
  return algorithm === undefined ? undefined : { algorithm, publicKey: key };
}

/**
 * The leaf's key of a chain with a root hash of `hashSize` bytes: what a listener needs to check
 * signatures. Nothing is verified here; undefined if the bytes are no chain or the key is none of ours.
 */
export function leafKeyOfChain(chain: Uint8Array, hashSize: number): LeafKey | undefined {
  const blob = decode(certChain, chain, { hashSize });
  if (!blob.ok) return undefined;
  const certificates = parseChain(blob.value.Certificates);
  const leaf = certificates.ok ? certificates.value.at(-1) : undefined;
  return leaf === undefined ? undefined : keyOf(leaf);
}
