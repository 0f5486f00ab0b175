/**
 * The SPDM certificate chain (DSP0274, certificate chain format): Length, RootHash and the DER of the
 * certificates, root or first intermediate first. DIGESTS and the transcripts hash the whole of it.
 */

import { concat, equal, toHex } from '../codec/bytes.ts';
import { bytes, type Facts, layout, lengthOf, reserved, type ValueOf } from '../codec/field.ts';
import { decode, encode } from '../codec/layout.ts';
import { type Decoded, LocalError, refusalText } from '../codec/refusal.ts';
import { type HashName, hashSizes } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { ChainFaults, type ChainPolicy, type ChainVerdict, chainFailure } from './policy.ts';
import { parseChain } from './split.ts';
import { verifyChain } from './verify.ts';

const HEADER_SIZE = 4;
const LARGE_LENGTH_SINCE = 0x14;

const overhead = (_v: unknown, facts: Facts) => HEADER_SIZE + (facts['hashSize'] ?? 0);

/** The hash of the root certificate and what follows. Facts: hashSize. */
const body = {
  RootHash: bytes((_v, facts) => facts['hashSize'] ?? 0),
  Certificates: bytes((v, facts) => v.Length - overhead(v, facts)),
} as const;

/** SPDM 1.0 to 1.3. */
export const certChain = layout('CertChain', 'DSP0274 10.6, certificate chain format', {
  Length: lengthOf('Certificates', 2, overhead),
  Reserved: reserved(2),
  ...body,
});

/** SPDM 1.4: the same bytes, the reserved ones being the upper half of Length. */
export const certChainLarge = layout('CertChain', 'DSP0274 1.4 10.6, certificate chain format', {
  Length: lengthOf('Certificates', 4, overhead),
  ...body,
});

export type CertChain = ValueOf<typeof certChain>;

/** The layout for a negotiated version byte such as 0x12. */
export function certChainLayout(version: number) {
  return version >= LARGE_LENGTH_SINCE ? certChainLarge : certChain;
}

/**
 * The chain's bytes.
 * @param ders certificates in DER, root or first intermediate first; at least one
 * @param rootHash hash of the root certificate; default: of the first one given
 * @throws LocalError without certificates, and if Length does not fit the version's field.
 */
export function encodeCertChain(
  crypto: CryptoProvider,
  hash: HashName,
  version: number,
  ders: readonly Uint8Array[],
  rootHash?: Uint8Array,
): Uint8Array {
  const first = ders[0];
  if (first === undefined) throw new LocalError('ders: expected at least one certificate');
  const value = {
    RootHash: rootHash ?? crypto.hash(hash, first),
    Certificates: concat(...ders),
  };
  return encode(certChainLayout(version), value, { version, hashSize: hashSizes[hash] });
}

/** RootHash and certificates still encoded; Length must be the number of bytes given. */
export function decodeCertChain(
  blob: Uint8Array,
  hash: HashName,
  version: number,
): Decoded<CertChain> {
  return decode(certChainLayout(version), blob, { version, hashSize: hashSizes[hash] });
}

/** What DIGESTS says of the chain: the base hash of all its bytes. */
export function certChainDigest(
  crypto: CryptoProvider,
  hash: HashName,
  blob: Uint8Array,
): Uint8Array {
  return crypto.hash(hash, blob);
}

/**
 * Decodes an SPDM chain, verifies its certificates and holds RootHash against the anchor that was
 * trusted, be it in the chain or above it.
 */
export function verifyCertChain(
  crypto: CryptoProvider,
  blob: Uint8Array,
  hash: HashName,
  version: number,
  policy: ChainPolicy,
): ChainVerdict {
  const decoded = decodeCertChain(blob, hash, version);
  if (!decoded.ok) return chainFailure(ChainFaults.BAD_ENCODING, 0, refusalText(decoded));
  if (decoded.value.Certificates.length === 0)
    return chainFailure(ChainFaults.EMPTY_CHAIN, 0, 'no certificates');
  const chain = parseChain(decoded.value.Certificates);
  if (!chain.ok) {
    const index = Number(/^\[(\d+)\]/.exec(chain.path)?.[1] ?? 0);
    return chainFailure(ChainFaults.BAD_ENCODING, index, refusalText(chain));
  }
  const verdict = verifyChain(crypto, chain.value, policy);
  if (!verdict.ok) return verdict;
  const rootHash = decoded.value.RootHash;
  if (!equal(rootHash, crypto.hash(hash, verdict.anchor.der)))
    return chainFailure(
      ChainFaults.ROOT_HASH_MISMATCH,
      verdict.rootAbsent ? -1 : 0,
      `RootHash ${toHex(rootHash)} is not of ${verdict.anchor.subject}`,
    );
  return verdict;
}
