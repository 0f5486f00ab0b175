/**
 * What a certificate chain must be before a device stores it (DSP0274 10.26, SET_CERTIFICATE): whole,
 * signed from its root down, fit for the slot's key, and a leaf the responder may authenticate with.
 */

import { concat, equal } from '../../codec/bytes.ts';
import type { HashName, SignatureName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { type Certificate, isSelfIssued, parseCertificate } from '../../x509/parse.ts';
import {
  type Anchor,
  type CertificateModel,
  type ChainFailure,
  ChainFaults,
  chainFailure,
} from '../../x509/policy.ts';
import { decodeCertChain, encodeCertChain, verifyCertChain } from '../../x509/spdm-chain.ts';
import { parseChain } from '../../x509/split.ts';
import { SpdmVersions } from '../codes.ts';
import { CertModels } from '../messages/auth.ts';
import { kindOf } from './kinds.ts';
import type { KeyPair, StoredChain } from './tables.ts';

/** How a device judges what it is to store. */
export interface InstallPolicy {
  /** roots it takes; default: whatever root the chain itself starts with */
  readonly anchors?: readonly Anchor[];
  /** seconds since 1970; undefined: the device has no clock, validity periods are not looked at */
  readonly at: number | undefined;
}

/** A chain on its way into a slot. */
export interface Candidate {
  readonly slot: number;
  readonly keyPairId: number;
  readonly pair: KeyPair;
  /** a `CertModels` code, not None */
  readonly certModel: number;
  /** the blob as CERTIFICATE would carry it, without padding */
  readonly blob: Uint8Array;
  readonly signature: SignatureName;
  readonly hash: HashName;
  readonly version: number;
}

const models: Readonly<Record<number, CertificateModel>> = {
  [CertModels.DeviceCert]: 'device',
  [CertModels.AliasCert]: 'alias',
  [CertModels.GenericCert]: 'generic',
};

const leafFault = (chain: readonly Certificate[], detail: string) =>
  chainFailure(ChainFaults.LEAF_KEY, chain.length - 1, detail);

/** The blob and certificates that would be presented: in the alias model with the device's own one. */
function presented(crypto: CryptoProvider, candidate: Candidate, chain: readonly Certificate[]) {
  const { pair, certModel, blob, signature, hash, version } = candidate;
  const ders = chain.map(({ der }) => der);
  const last = chain.at(-1)!;
  const ownKey = crypto.signingPublicKey(signature, pair.privateKey!);
  const isAlias = certModel === CertModels.AliasCert;
  const alias = isAlias ? pair.alias : undefined;
  if (isAlias && alias === undefined)
    return leafFault(chain, 'the key pair has no device certificate key');
  const expected = alias && crypto.signingPublicKey(signature, alias.devicePrivateKey);
  if (!equal(last.publicKey.key, expected ?? ownKey))
    return leafFault(chain, "the last certificate is not of the slot's key");
  if (alias === undefined) return { blob, ders };
  const issued = alias.issue(last, ownKey);
  const decoded = decodeCertChain(blob, hash, version);
  if (!decoded.ok) return leafFault(chain, 'no chain');
  const all = [...ders, issued];
  return { blob: encodeCertChain(crypto, hash, version, all, decoded.value.RootHash), ders: all };
}

/** What 1.3 asks of a leaf that RFC 5280 does not. */
function missingConstraints(version: number, ders: readonly Uint8Array[]) {
  const leaf = parseCertificate(ders.at(-1)!);
  const isMissing = leaf.ok && leaf.value.extensions.basicConstraints === undefined;
  if (version < SpdmVersions.V1_3 || !isMissing) return undefined;
  const { LEAF_CONSTRAINTS } = ChainFaults;
  return chainFailure(LEAF_CONSTRAINTS, ders.length - 1, 'the leaf has no basic constraints');
}

/**
 * The chain as the store keeps it, or what is wrong with it by name. An alias certificate is issued here,
 * and the whole chain with it is judged.
 */
export function judgeChain(
  crypto: CryptoProvider,
  candidate: Candidate,
  policy: InstallPolicy,
): StoredChain | ChainFailure {
  const { slot, keyPairId, certModel, signature, hash, version } = candidate;
  const decoded = decodeCertChain(candidate.blob, hash, version);
  const parsed = decoded.ok ? parseChain(decoded.value.Certificates) : decoded;
  if (!parsed.ok) return chainFailure(ChainFaults.BAD_ENCODING, 0, parsed.detail);
  const [first] = parsed.value;
  if (first === undefined) return chainFailure(ChainFaults.EMPTY_CHAIN, 0, 'no certificates');
  // Before the key is looked at: a root that stands alone is told as what it is.
  if (isSelfIssued(parsed.value.at(-1)!))
    return chainFailure(ChainFaults.SELF_SIGNED_LEAF, parsed.value.length - 1, first.subject);
  const shown = presented(crypto, candidate, parsed.value);
  if ('ok' in shown) return shown;
  const own: readonly Anchor[] = isSelfIssued(first) ? [{ der: first.der }] : [];
  const verdict = verifyCertChain(crypto, shown.blob, hash, version, {
    anchors: policy.anchors ?? own,
    at: policy.at,
    leaf: { role: 'responder', model: models[certModel] ?? 'device', signature },
  });
  if (!verdict.ok) return verdict;
  const missing = missingConstraints(version, shown.ders);
  if (missing !== undefined) return missing;
  return {
    slot,
    kind: kindOf(signature),
    keyPairId,
    certModel,
    certificates: shown.ders.map((der) => concat(der)),
    root: verdict.anchor.der,
  };
}
