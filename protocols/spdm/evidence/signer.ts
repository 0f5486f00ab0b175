/**
 * Who signed: a certificate chain as certificates or as the SPDM chain CERTIFICATE carries (DSP0274 10.6),
 * or a public key the relying party was given beforehand (slot 0xFF).
 */

import { equal, toHex } from '../../codec/bytes.ts';
import { decode } from '../../codec/layout.ts';
import {
  type Decoded,
  type Refusal,
  RefusalCodes,
  refusalText,
  refuse,
} from '../../codec/refusal.ts';
import { type HashName, hashSizes, type SignatureName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { type Certificate, isSelfIssued } from '../../x509/parse.ts';
import type { Anchor, CertificateModel } from '../../x509/policy.ts';
import {
  type CertChain,
  certChain,
  certChainLarge,
  encodeCertChain,
} from '../../x509/spdm-chain.ts';
import { parseSubjectPublicKeyInfo, type VerifyingKey } from '../../x509/spki.ts';
import { parseCertificates, parseChain } from '../../x509/split.ts';
import { verifyChain } from '../../x509/verify.ts';
import { keyOf } from '../leaf-key.ts';
import { type EvidenceCheck, EvidenceFaults, passed, refused } from './check.ts';
import type { EvidenceRole } from './parts.ts';
import { type EvidencePolicy, pinsRoots } from './policy.ts';

/** A chain has at least one certificate; a bare key has none. */
export interface EvidenceSigner {
  readonly chain: readonly Certificate[];
  /** RootHash of the SPDM chain they came in, and the hash it was made with */
  readonly root?: { readonly hash: HashName; readonly digest: Uint8Array };
  /** the SPDM chain, else SubjectPublicKeyInfo: what CertChainHash is of */
  readonly bytes?: Uint8Array;
  /** the key under a name it fits; without one under its natural name */
  readonly key: (wanted?: SignatureName) => VerifyingKey | undefined;
}

const SMALL_CHAIN_BYTES_MAX = 0xffff;
const hashNames = Object.keys(hashSizes) as HashName[];

/** The SPDM chain's fields under `hash`. */
function decodeBlob(blob: Uint8Array, hash: HashName): Decoded<CertChain> {
  // A longer chain is one of 1.4, whose Length takes the reserved bytes; shorter ones look the same.
  const form = blob.length > SMALL_CHAIN_BYTES_MAX ? certChainLarge : certChain;
  return decode(form, blob, { hashSize: hashSizes[hash] }) as Decoded<CertChain>;
}

function signerOfBlob(blob: Uint8Array, hash: HashName): EvidenceSigner | Refusal {
  const fields = decodeBlob(blob, hash);
  if (!fields.ok) return fields;
  const chain = parseChain(fields.value.Certificates);
  if (!chain.ok) return chain;
  const { RootHash: digest } = fields.value;
  return { ...signerOfChain(chain.value), bytes: blob, root: { hash, digest } };
}

const signerOfChain = (chain: readonly Certificate[]): EvidenceSigner => ({
  chain,
  key: (wanted) => keyOf(chain.at(-1)!, wanted),
});

/**
 * The certificates of an SPDM chain. Without `hash` it shows in RootHash, if the chain holds its root.
 */
export function readSpdmChain(
  crypto: CryptoProvider,
  blob: Uint8Array,
  hash?: HashName,
): EvidenceSigner | Refusal {
  if (hash !== undefined) return signerOfBlob(blob, hash);
  for (const name of hashNames) {
    const signer = signerOfBlob(blob, name);
    if ('ok' in signer) continue;
    if (equal(crypto.hash(name, signer.chain[0]!.der), signer.root!.digest)) return signer;
  }
  const detail = 'no SPDM chain that starts with the hash of its root';
  return refuse(RefusalCodes.BAD_VALUE, 'RootHash', 4, detail);
}

export interface SignerSource {
  readonly certificates?: readonly Uint8Array[];
  readonly chain?: Uint8Array;
  readonly publicKey?: Uint8Array;
}

/** The signer, or why there is none; undefined: the source names none. */
export function readSigner(
  crypto: CryptoProvider,
  source: SignerSource,
  hash: HashName | undefined,
): EvidenceSigner | EvidenceCheck | undefined {
  const { certificates, chain, publicKey } = source;
  if (publicKey !== undefined) {
    const read = parseSubjectPublicKeyInfo(publicKey);
    if (!read.ok) return refused('public key', EvidenceFaults.PUBLIC_KEY, refusalText(read));
    const key = (wanted?: SignatureName) => {
      const under = parseSubjectPublicKeyInfo(publicKey, wanted);
      return under.ok ? under.value : undefined;
    };
    return { chain: [], bytes: publicKey, key };
  }
  if (chain !== undefined) {
    const signer = readSpdmChain(crypto, chain, hash);
    if (!('ok' in signer)) return signer;
    const code =
      signer.path === 'RootHash' ? EvidenceFaults.CHAIN_ROOT_HASH_MISMATCH : 'CHAIN_BAD_ENCODING';
    return refused('chain', code, refusalText(signer));
  }
  if (certificates === undefined) return undefined;
  const parsed = parseCertificates(certificates);
  if (!parsed.ok) return refused('chain', 'CHAIN_BAD_ENCODING', refusalText(parsed));
  if (parsed.value.length === 0) return refused('chain', 'CHAIN_EMPTY_CHAIN', 'empty');
  return signerOfChain(parsed.value);
}

/** What CertChainHash must be: of the SPDM chain as it was, or as its certificates make it. */
export function signerHash(
  crypto: CryptoProvider,
  signer: EvidenceSigner,
  hash: HashName,
  version: number,
): Uint8Array {
  const ders = signer.chain.map(({ der }) => der);
  return crypto.hash(hash, signer.bytes ?? encodeCertChain(crypto, hash, version, ders));
}

/** Without pins the root stands for itself: its signature is checked, whose it is the caller decides. */
function anchorsOf(root: Certificate, policy: EvidencePolicy): readonly Anchor[] {
  if (!pinsRoots(policy)) return [{ der: root.der }];
  const digests = (policy.rootSha256 ?? []).map((digest) => ({ hash: 'SHA_256', digest }) as const);
  return [...digests, ...(policy.rootCertificates ?? []).map((der) => ({ der }))];
}

export interface TrustedRoot {
  readonly check: EvidenceCheck;
  /** SHA-256 of the certificate the chain hangs on, or of its first one if it hangs on none */
  readonly rootSha256: Uint8Array;
}

/**
 * A public key hangs on no root and has no extended key usage: a policy that asks for one refuses it. Whose
 * key it is, who gave it to the relying party must know.
 */
export function checkPublicKey(policy: EvidencePolicy): EvidenceCheck {
  if (pinsRoots(policy))
    return refused('public key', EvidenceFaults.ROOT_NOT_PINNED, 'a public key hangs on no root');
  if (policy.requireEku === true)
    return refused('public key', 'CHAIN_EKU_MISSING', 'a public key has no extended key usage');
  return passed('public key', 'trusted only as far as you trust where it came from');
}

/** The certificate path up to its root, and what the policy wants of the leaf. */
export function checkChain(
  crypto: CryptoProvider,
  signer: EvidenceSigner,
  policy: EvidencePolicy,
  leaf: { readonly role: EvidenceRole; readonly model: CertificateModel | undefined },
): TrustedRoot {
  const { chain } = signer;
  const root = chain[0]!;
  const isPinned = pinsRoots(policy);
  const fingerprint = (c: Certificate) => crypto.hash('SHA_256', c.der);
  const no = (code: string, detail: string): TrustedRoot => ({
    check: refused('chain', code, detail),
    rootSha256: fingerprint(root),
  });
  if (!isSelfIssued(root) && (policy.rootCertificates ?? []).length === 0)
    return no(EvidenceFaults.CHAIN_NO_ROOT, `${root.subject} is not self-signed`);
  const verdict = verifyChain(crypto, chain, {
    anchors: anchorsOf(root, policy),
    at: policy.at,
    leaf: {
      role: leaf.role,
      requireEku: policy.requireEku ?? false,
      requireHardwareIdentity: policy.device?.hardwareIdentity ?? false,
      ...(leaf.model === undefined ? {} : { model: leaf.model }),
    },
  });
  if (!verdict.ok) {
    const { code, detail, index } = verdict;
    if (isPinned && code === 'UNKNOWN_ROOT')
      return no(EvidenceFaults.ROOT_NOT_PINNED, 'the policy pins other roots');
    return no(`CHAIN_${code}`, `certificate ${index}: ${detail}`);
  }
  const rootSha256 = fingerprint(verdict.anchor);
  const told = signer.root;
  if (told !== undefined && !equal(told.digest, crypto.hash(told.hash, verdict.anchor.der))) {
    const detail = `RootHash ${toHex(told.digest)} is not of ${verdict.anchor.subject}`;
    return { check: refused('chain', EvidenceFaults.CHAIN_ROOT_HASH_MISMATCH, detail), rootSha256 };
  }
  const trust = isPinned ? 'its root is pinned' : 'its root is trusted only as far as you trust it';
  const detail = `${chain.length} certificates up to a self-signed root; ${trust}`;
  return { check: passed('chain', detail), rootSha256 };
}
