/** Judges the certificate chains of a responder, and keeps what a report says of them. */

import { toHex } from '../../protocols/codec/bytes.ts';
import { type PeerFault, peerFault } from '../../protocols/codec/refusal.ts';
import type { HashName, SignatureName } from '../../protocols/crypto/algorithms.ts';
import type { LeafKey } from '../../protocols/spdm/observer/types.ts';
import { deviceInfoOf } from '../../protocols/x509/extensions.ts';
import { type Certificate, isSelfIssued } from '../../protocols/x509/parse.ts';
import type { Anchor, CertificateModel } from '../../protocols/x509/policy.ts';
import { decodeCertChain, verifyCertChain } from '../../protocols/x509/spdm-chain.ts';
import { parseChain } from '../../protocols/x509/split.ts';
import { rootsOf } from './attach-identity.ts';
import type { AttachSlot } from './attach-report.ts';
import type { AttachOptions } from './engines.ts';

/** Longest chain of a report; a verifier has its own limit. */
const CERTIFICATES_SHOWN = 16;

export class ChainJudge {
  readonly #options: AttachOptions;
  /** what the slot's leaf is, as DIGESTS or ALIAS_CERT_CAP say */
  model: CertificateModel = 'device';
  /** of the chain judged last, root first */
  #certificates: readonly Certificate[] = [];

  constructor(options: AttachOptions) {
    this.#options = options;
  }

  /** Roots that were named or are in the directory, else the chain's own where it is self-signed. */
  #anchors(signature: SignatureName): readonly Anchor[] {
    const { roots, files } = this.#options;
    const named = roots.length > 0 ? roots : rootsOf(files, signature);
    if (named.length > 0 || files !== undefined) return named.map((der) => ({ der }));
    const [first] = this.#certificates;
    return first !== undefined && isSelfIssued(first) ? [{ der: first.der }] : [];
  }

  trust(
    chain: Uint8Array,
    hash: HashName,
    signature: SignatureName,
    version: number,
  ): LeafKey | PeerFault {
    const { crypto, now } = this.#options;
    const blob = decodeCertChain(chain, hash, version);
    const parsed = blob.ok ? parseChain(blob.value.Certificates) : blob;
    this.#certificates = parsed.ok ? parsed.value : [];
    const leaf = { signature, model: this.model };
    const policy = { anchors: this.#anchors(signature), at: now, leaf };
    const verdict = verifyCertChain(crypto, chain, hash, version, policy);
    if (!verdict.ok) return peerFault(`CHAIN_${verdict.code}`, verdict.detail);
    return { algorithm: signature, publicKey: verdict.leaf.publicKey.key };
  }

  /** The chain judged before is none of the next slot's. */
  forget(): void {
    this.#certificates = [];
  }

  /** What the report says of the chain judged last. */
  describe(
    slot: number,
    digest: Uint8Array,
    trusted: boolean,
    keyPairId: number | undefined,
  ): AttachSlot {
    const certificates = this.#certificates.slice(0, CERTIFICATES_SHOWN);
    const root = certificates[0];
    const leaf = this.#certificates.at(-1);
    const { crypto } = this.#options;
    return {
      slot,
      digest: toHex(digest),
      certificates: certificates.map(({ subject, issuer, serialNumber }) => ({
        subject,
        issuer,
        serial: toHex(serialNumber),
      })),
      device: (leaf && deviceInfoOf(leaf.extensions)) ?? null,
      rootSha256: root === undefined ? null : toHex(crypto.hash('SHA_256', root.der)),
      keyPairId: keyPairId ?? null,
      trusted,
    };
  }
}
