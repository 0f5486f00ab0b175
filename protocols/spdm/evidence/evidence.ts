/**
 * A relying party's look at SPDM measurements: the certificate chain up to its root, the signature over
 * L1/L2 (DSP0274 10.11.1, 15), the nonce, and what the policy asks for. It does no I/O and knows no
 * clock. Every check is made that can be, so that a refusal names all its reasons.
 */

import { concat, equal, toHex } from '../../codec/bytes.ts';
import { type Refusal, refusalText } from '../../codec/refusal.ts';
import { type HashName, type SignatureName, signatureAlgorithms } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { deviceInfoOf } from '../../x509/extensions.ts';
import { type Certificate, isSelfIssued } from '../../x509/parse.ts';
import type { Anchor } from '../../x509/policy.ts';
import { parseCertificates } from '../../x509/split.ts';
import { verifyChain } from '../../x509/verify.ts';
import { type Negotiated, suiteOf } from '../algorithms.ts';
import { keyOf } from '../leaf-key.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import type { LeafKey } from '../observer/observer.ts';
import { SigningContexts, verifyTranscript } from '../signing.ts';
import { type EvidenceCheck, EvidenceFaults, passed, refused } from './check.ts';
import { firmwareIds } from './fwid.ts';
import { FWID_TYPE, type OpaqueElement, opaqueVendorOf, readOpaque } from './opaque.ts';
import { checkPolicy, type EvidencePolicy } from './policy.ts';
import { type MeasurementRecord, readMeasurementRecord, readVca } from './record.ts';

export interface Evidence {
  /** GET_MEASUREMENTS and MEASUREMENTS, one after the other, as often as the signature covers them */
  readonly messages: Uint8Array;
  /** VCA, needed from SPDM 1.2 on */
  readonly vca?: Uint8Array;
  /** certificates in DER, root first, leaf last */
  readonly certificates: readonly Uint8Array[];
  /** what the relying party put into the (last, signed) request: 32 bytes */
  readonly nonce: Uint8Array;
  /** what does not show in the bytes: a fault of the container they came in; refused */
  readonly containerFault?: { readonly code: string; readonly detail: string };
}

export interface VerifiedEvidence {
  readonly ok: boolean;
  readonly checks: readonly EvidenceCheck[];
  readonly version: number | undefined;
  readonly algorithm: SignatureName | undefined;
  readonly hash: HashName | undefined;
  /** parsed chain, root first; empty if it does not parse */
  readonly chain: readonly Certificate[];
  readonly rootSha256: Uint8Array | undefined;
  readonly blocks: readonly MeasurementBlockValue[];
  readonly opaque: readonly OpaqueElement[];
}

const unread = (name: string, code: string, refusal: Refusal) =>
  refused(name, code, refusalText(refusal));

/** Without pins the root stands for itself: its signature is checked, whose it is the caller decides. */
function anchorsOf(root: Certificate, policy: EvidencePolicy): readonly Anchor[] {
  const pins = policy.rootSha256 ?? [];
  if (pins.length === 0) return [{ der: root.der }];
  return pins.map((digest) => ({ hash: 'SHA_256', digest }));
}

function checkChain(
  crypto: CryptoProvider,
  chain: readonly Certificate[],
  policy: EvidencePolicy,
): EvidenceCheck {
  const root = chain[0]!;
  const pinned = (policy.rootSha256 ?? []).length > 0;
  if (!isSelfIssued(root))
    return refused('chain', EvidenceFaults.CHAIN_NO_ROOT, `${root.subject} is not self-signed`);
  const verdict = verifyChain(crypto, chain, { anchors: anchorsOf(root, policy), at: policy.at });
  if (verdict.ok) {
    const trust = pinned ? 'its root is pinned' : 'its root is trusted only as far as you trust it';
    return passed('chain', `${chain.length} certificates up to a self-signed root; ${trust}`);
  }
  const { code, detail, index } = verdict;
  if (pinned && code === 'UNKNOWN_ROOT')
    return refused('chain', EvidenceFaults.ROOT_NOT_PINNED, 'the policy pins other roots');
  return refused('chain', `CHAIN_${code}`, `certificate ${index}: ${detail}`);
}

/** Hash and transcript prefix of the signature: by VCA from 1.2 on, by the key's pairing before. */
function signatureScope(
  evidence: Evidence,
  version: number,
  leaf: LeafKey,
): { hash: HashName; vca: Uint8Array; negotiated?: Negotiated } | EvidenceCheck {
  if (version < 0x12)
    return { hash: signatureAlgorithms[leaf.algorithm].hash, vca: new Uint8Array(0) };
  if (evidence.vca === undefined)
    return refused('vca', EvidenceFaults.VCA, 'the signature covers VCA, which is not given');
  const vca = readVca(evidence.vca);
  if (!vca.ok) return unread('vca', EvidenceFaults.VCA, vca);
  const negotiated = vca.value;
  if (negotiated.version !== version)
    return refused('vca', EvidenceFaults.VCA, 'VCA negotiated another version');
  const suite = suiteOf(negotiated);
  if (suite === undefined || suite.signature !== leaf.algorithm)
    return refused(
      'signature',
      EvidenceFaults.ALGORITHM,
      `negotiated ${negotiated.baseAsym ?? 'no signature'} with ${negotiated.baseHash}, the leaf's key is ${leaf.algorithm}`,
    );
  return { hash: suite.hash, vca: evidence.vca, negotiated };
}

const SLOT_MASK = 0x0f;

/** What request and answer say of each other. */
function checkExchange(record: MeasurementRecord, nonce: Uint8Array): EvidenceCheck[] {
  const { request, response } = record.last;
  const sent = request.Nonce ?? new Uint8Array(0);
  const checks = [
    equal(sent, nonce)
      ? passed('nonce', toHex(nonce))
      : refused('nonce', EvidenceFaults.NONCE, `asked with ${toHex(sent)}, not ${toHex(nonce)}`),
  ];
  const [asked, answered] = [(request.SlotIDParam ?? 0) & SLOT_MASK, response.Param2 & SLOT_MASK];
  if (asked !== answered)
    checks.push(refused('slot', EvidenceFaults.SLOT, `asked ${asked}, answered ${answered}`));
  const context = request.RequesterContext;
  if (context !== undefined && !equal(context, response.RequesterContext ?? new Uint8Array(0)))
    checks.push(refused('context', EvidenceFaults.CONTEXT, 'RequesterContext came back changed'));
  return checks;
}

/** All blocks by first appearance; one index may come twice only with the same contents. */
function gatherBlocks(record: MeasurementRecord): {
  blocks: MeasurementBlockValue[];
  conflict: number | undefined;
} {
  const byIndex = new Map<number, MeasurementBlockValue>();
  let conflict: number | undefined;
  for (const { response } of record.pairs)
    for (const block of response.MeasurementRecord) {
      const known = byIndex.get(block.Index);
      const same =
        known?.ValueType === block.ValueType && equal(known?.Value ?? block.Value, block.Value);
      if (known === undefined) byIndex.set(block.Index, block);
      else if (!same) conflict ??= block.Index;
    }
  return { blocks: [...byIndex.values()], conflict };
}

function checkFirmware(leaf: Certificate, opaque: readonly OpaqueElement[]): EvidenceCheck[] {
  const measured = opaque.find(({ type, name }) => type === FWID_TYPE && name === 'FWID');
  if (measured === undefined) return [];
  const certified = firmwareIds(leaf);
  return [
    certified.some((digest) => equal(digest, measured.value))
      ? passed('firmware', "the firmware id is the one in the signer's certificate")
      : refused('firmware', EvidenceFaults.FWID, `${measured.text} is not in the certificate`),
  ];
}

const nothing = {
  ok: false,
  version: undefined,
  algorithm: undefined,
  hash: undefined,
  chain: [],
  rootSha256: undefined,
  blocks: [],
  opaque: [],
} as const;

/**
 * Verifies `evidence`. The bytes never make it throw; the verdict is `ok` and the reasons are in
 * `checks`, whose `code` is stable.
 */
export function verifyEvidence(
  crypto: CryptoProvider,
  evidence: Evidence,
  policy: EvidencePolicy = {},
): VerifiedEvidence {
  const checks: EvidenceCheck[] = [];
  const { containerFault } = evidence;
  if (containerFault !== undefined)
    checks.push(refused('container', containerFault.code, containerFault.detail));
  const parsed = parseCertificates(evidence.certificates);
  if (!parsed.ok)
    return { ...nothing, checks: [...checks, unread('chain', 'CHAIN_BAD_ENCODING', parsed)] };
  const chain = parsed.value;
  const leaf = chain.at(-1);
  if (leaf === undefined) {
    if (containerFault === undefined) checks.push(refused('chain', 'CHAIN_EMPTY_CHAIN', 'empty'));
    return { ...nothing, checks };
  }
  checks.push(checkChain(crypto, chain, policy));
  const rootSha256 = crypto.hash('SHA_256', chain[0]!.der);
  const key = keyOf(leaf);
  if (key === undefined) {
    const what = `the leaf's key is ${leaf.publicKey.algorithm}`;
    checks.push(refused('signature', EvidenceFaults.ALGORITHM, what));
    return { ...nothing, chain, rootSha256, checks };
  }
  const messages = verifyMessages(crypto, evidence, leaf, key, checks);
  const { blocks, opaque } = messages;
  checks.push(...checkPolicy(policy, chain, blocks, opaque));
  const ok = checks.every((check) => check.ok);
  return { ok, checks, algorithm: key.algorithm, chain, rootSha256, ...messages };
}

type Messages = Pick<VerifiedEvidence, 'version' | 'hash' | 'blocks' | 'opaque'>;

/** Layout, signature, nonce and contents; adds to `checks`. */
function verifyMessages(
  crypto: CryptoProvider,
  evidence: Evidence,
  leaf: Certificate,
  key: LeafKey,
  checks: EvidenceCheck[],
): Messages {
  const { signatureSize } = signatureAlgorithms[key.algorithm];
  const record = readMeasurementRecord(evidence.messages, signatureSize);
  if (!record.ok) {
    checks.push(unread('layout', EvidenceFaults.LAYOUT, record));
    return { version: undefined, hash: undefined, blocks: [], opaque: [] };
  }
  const { version, signed, signature, last } = record.value;
  const { blocks, conflict } = gatherBlocks(record.value);
  checks.push(passed('layout', `${blocks.length} measurement blocks`));
  if (conflict !== undefined)
    checks.push(refused('blocks', EvidenceFaults.DUPLICATE_INDEX, `index ${conflict}`));
  const scope = signatureScope(evidence, version, key);
  const hash = 'code' in scope ? undefined : scope.hash;
  if ('code' in scope) checks.push(scope);
  else {
    const { MEASUREMENTS } = SigningContexts;
    const transcript = concat(scope.vca, signed);
    const by = { crypto, hash: scope.hash, version };
    const { algorithm, publicKey } = key;
    const good = verifyTranscript(by, algorithm, publicKey, MEASUREMENTS, transcript, signature);
    const what = `${algorithm} with ${scope.hash} over ${transcript.length} bytes`;
    checks.push(
      good
        ? passed('signature', what)
        : refused('signature', EvidenceFaults.SIGNATURE, `not the leaf's ${what}`),
    );
  }
  checks.push(...checkExchange(record.value, evidence.nonce));
  const format1 = !('code' in scope) && scope.negotiated?.opaqueFormat1 === true;
  const vendor = opaqueVendorOf(deviceInfoOf(leaf.extensions));
  const opaque = readOpaque(last.response.OpaqueData, format1, vendor);
  if (!opaque.ok) {
    checks.push(unread('opaque', EvidenceFaults.OPAQUE_LAYOUT, opaque));
    return { version, hash, blocks, opaque: [] };
  }
  checks.push(passed('opaque', `${opaque.value.length} opaque elements`));
  checks.push(...checkFirmware(leaf, opaque.value));
  return { version, hash, blocks, opaque: opaque.value };
}
