/** What a served device makes of its requesters' certificate chains and keys (mutual authentication). */

import { toHex } from '../../protocols/codec/bytes.ts';
import { type PeerFault, peerFault } from '../../protocols/codec/refusal.ts';
import type { HashName, SignatureName } from '../../protocols/crypto/algorithms.ts';
import type { CryptoProvider } from '../../protocols/crypto/provider.ts';
import type { IdentityScope } from '../../protocols/spdm/identity.ts';
import { leafKeyOfPublicKeyInfo } from '../../protocols/spdm/leaf-key.ts';
import type { LeafKey } from '../../protocols/spdm/observer/types.ts';
import type { PeerPublicKey } from '../../protocols/spdm/party.ts';
import { isSelfIssued, parseCertificate } from '../../protocols/x509/parse.ts';
import {
  decodeCertChain,
  encodeCertChain,
  verifyCertChain,
} from '../../protocols/x509/spdm-chain.ts';
import { parseChain } from '../../protocols/x509/split.ts';
import type { KnownRequester } from './engines.ts';

export interface RequesterTrustOptions {
  readonly crypto: CryptoProvider;
  readonly known: KnownRequester;
  /** seconds since 1970; undefined: nobody knows */
  readonly now: () => number | undefined;
  readonly note: (event: string, detail: string) => void;
}

const CHAIN_VERSION = 0x14;

export class RequesterTrust {
  readonly #options: RequesterTrustOptions;

  constructor(options: RequesterTrustOptions) {
    this.#options = options;
  }

  /** The leaf's key of a chain that is in order; without named roots its own one is as good as any. */
  judge(
    chain: Uint8Array,
    hash: HashName,
    version: number,
    wanted: SignatureName | undefined,
  ): LeafKey | PeerFault {
    const { crypto, known, now, note } = this.#options;
    const blob = decodeCertChain(chain, hash, version);
    const parsed = blob.ok ? parseChain(blob.value.Certificates) : blob;
    const first = parsed.ok ? parsed.value[0] : undefined;
    const own = first !== undefined && isSelfIssued(first) ? [{ der: first.der }] : [];
    const anchors = known.roots.length > 0 ? known.roots.map((der) => ({ der })) : own;
    const leaf = { role: 'requester' as const, ...(wanted && { signature: wanted }) };
    const verdict = verifyCertChain(crypto, chain, hash, version, { anchors, at: now(), leaf });
    if (!verdict.ok) return peerFault(`CHAIN_${verdict.code}`, verdict.detail);
    if (known.roots.length === 0) {
      const root = toHex(crypto.hash('SHA_256', verdict.anchor.der));
      note('REQUESTER', `root ${verdict.anchor.subject} (SHA-256 ${root}) is taken unseen`);
    }
    const { fits, key } = verdict.leaf.publicKey;
    const algorithm = wanted ?? fits[0];
    if (algorithm === undefined) return peerFault('CHAIN_LEAF_KEY', 'a key nobody here knows');
    return { algorithm, publicKey: key };
  }

  /** The chain blob of a requester that need not be asked for it; undefined: none has such a key. */
  chain({ signature, hash }: IdentityScope): Uint8Array | undefined {
    const { crypto, known } = this.#options;
    const fitting = known.chains.find((certificates) => {
      const leaf = parseCertificate(certificates.at(-1) ?? new Uint8Array(0));
      return leaf.ok && leaf.value.publicKey.fits.includes(signature);
    });
    return fitting && encodeCertChain(crypto, hash, CHAIN_VERSION, fitting);
  }

  /** The key of a requester that has no certificates. */
  publicKey(signature: SignatureName): PeerPublicKey | undefined {
    for (const subjectPublicKeyInfo of this.#options.known.publicKeys) {
      const key = leafKeyOfPublicKeyInfo(subjectPublicKeyInfo, signature);
      if (key !== undefined) return { subjectPublicKeyInfo, key };
    }
    return undefined;
  }
}
