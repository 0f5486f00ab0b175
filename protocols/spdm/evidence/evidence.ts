/**
 * A relying party's look at what a device signed of itself: measurements (L1/L2, DSP0274 10.11.1), a
 * CHALLENGE (M1/M2, 10.8), or both, with the certificate chain up to its root, the nonce, and what the
 * policy asks for. It does no I/O and knows no clock. Every check is made that can be, so that a refusal
 * names all its reasons. `reportOf` turns the outcome into what a person or program decides on.
 */

import { equal } from '../../codec/bytes.ts';
import type { HashName, SignatureName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { deviceInfoOf } from '../../x509/extensions.ts';
import type { Certificate } from '../../x509/parse.ts';
import type { CertificateModel } from '../../x509/policy.ts';
import type { Negotiated } from '../algorithms.ts';
import { capability } from '../codes.ts';
import type { MeasurementBlockValue } from '../measurements.ts';
import { checkChainHash, checkSummary } from './challenge.ts';
import {
  type EvidenceCheck,
  EvidenceFaults,
  type EvidenceNote,
  note,
  passed,
  refused,
} from './check.ts';
import { type Evidence, Examination } from './examination.ts';
import { checkExchanges, noncesOf } from './exchange.ts';
import { firmwareIds } from './fwid.ts';
import { checkReferences, type Difference } from './measurement-rules.ts';
import { FWID_TYPE, type OpaqueElement, opaqueVendorOf, readOpaque } from './opaque.ts';
import type { EvidenceRole } from './parts.ts';
import { type EvidencePolicy, pinsRoots } from './policy.ts';
import { gatherBlocks, isComplete } from './record.ts';
import { checkRules, modelOf, revokedOf } from './rules.ts';
import { checkSignatures, scopeOf } from './signatures.ts';
import { checkChain, checkPublicKey } from './signer.ts';
import { type SignedMessages, takeApart } from './take-apart.ts';

export type { Evidence } from './examination.ts';

export interface VerifiedEvidence {
  readonly ok: boolean;
  readonly checks: readonly EvidenceCheck[];
  /** what was not covered */
  readonly notes: readonly EvidenceNote[];
  readonly signed: readonly ('measurements' | 'challenge')[];
  readonly version: number | undefined;
  readonly algorithm: SignatureName | undefined;
  readonly hash: HashName | undefined;
  /** slot the signature is of; 15: the provisioned public key */
  readonly slot: number | undefined;
  /** parsed chain, root first; empty if it does not parse, and for a bare public key */
  readonly chain: readonly Certificate[];
  readonly rootSha256: Uint8Array | undefined;
  readonly rootPinned: boolean;
  readonly model: CertificateModel | undefined;
  readonly blocks: readonly MeasurementBlockValue[];
  readonly opaque: readonly OpaqueElement[];
  /** what differs from the policy's reference values, and the indices it has some for */
  readonly differences: readonly Difference[];
  readonly referenced: ReadonlySet<number>;
  /** the reference manifest that fits */
  readonly manifest: string | undefined;
}

const RAW_REQUESTED = 2;
const EMPTY = new Uint8Array(0);

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

/** Opaque data of the measurements, else of CHALLENGE_AUTH. */
function openOpaque(
  at: Examination,
  parts: SignedMessages,
  leaf: Certificate | undefined,
): readonly OpaqueElement[] {
  const { record, challenge, vca } = parts;
  const holder = record?.last.response ?? challenge?.response;
  const vendor = leaf && opaqueVendorOf(deviceInfoOf(leaf.extensions));
  const format1 = vca?.negotiated.opaqueFormat1 === true;
  const opaque = readOpaque(holder?.OpaqueData ?? EMPTY, format1, vendor);
  if (!opaque.ok) {
    at.unread('opaque', EvidenceFaults.OPAQUE_LAYOUT, opaque);
    return [];
  }
  at.checks.push(passed('opaque', `${opaque.value.length} opaque elements`));
  if (leaf !== undefined) at.checks.push(...checkFirmware(leaf, opaque.value));
  return opaque.value;
}

/** Blocks with what is wrong about them as a set. */
function openBlocks(at: Examination, { record }: SignedMessages) {
  if (record === undefined) return { blocks: [], complete: false, raw: false };
  const { blocks, conflict } = gatherBlocks(record);
  at.checks.push(passed('layout', `${blocks.length} measurement blocks`));
  if (conflict !== undefined)
    at.refuse('blocks', EvidenceFaults.DUPLICATE_INDEX, `index ${conflict}`);
  const complete = isComplete(record, blocks.length);
  const raw = record.pairs.some(({ request }) => (request.Param1 & RAW_REQUESTED) !== 0);
  return { blocks, complete, raw };
}

const ALIAS_CERT_CAP = 'ALIAS_CERT_CAP';
/** By the leaf's marks, else by what the responder says it can do. */
function certificateModel(
  leaf: Certificate | undefined,
  negotiated: Negotiated | undefined,
  role: EvidenceRole,
): CertificateModel | undefined {
  if (leaf === undefined) return undefined;
  const flags = role === 'responder' ? (negotiated?.responderFlags ?? 0) : 0;
  return modelOf(leaf) ?? (capability(flags, ALIAS_CERT_CAP) === 1 ? 'alias' : undefined);
}

/** What the policy leaves open, and the evidence does not show. */
function notCovered(
  at: Examination,
  parts: SignedMessages,
  found: { readonly blocks: readonly MeasurementBlockValue[]; readonly complete: boolean },
  referenced: ReadonlySet<number>,
): void {
  const { policy, notes } = at;
  const hasChain = parts.signer.chain.length > 0;
  if (!pinsRoots(policy)) {
    const what = hasChain ? 'no root is pinned: whose root it is' : 'whose public key it is';
    notes.push(note('ROOT_UNPINNED', `${what}, is yours to say`));
  }
  if (hasChain && policy.at === undefined)
    notes.push(note('VALIDITY_UNCHECKED', 'no time is given to hold validity periods to'));
  if (hasChain && revokedOf(policy).length === 0)
    notes.push(note('REVOCATION_UNCHECKED', 'the policy lists no revoked certificates'));
  if (parts.record === undefined)
    return void notes.push(note('MEASUREMENTS_ABSENT', 'no measurements are given'));
  const { blocks } = found;
  if (!found.complete) notes.push(note('MEASUREMENTS_PARTIAL', 'not every block was asked for'));
  const open = blocks.map(({ Index }) => Index).filter((index) => !referenced.has(index));
  if (open.length > 0) {
    const which = open.length === blocks.length ? `any of ${open.length} blocks` : open.join(', ');
    notes.push(note('UNREFERENCED', `no reference value for ${which}`));
  }
  if (policy.tcb === undefined)
    notes.push(note('TCB_UNKNOWN', 'the policy does not say which blocks are the TCB'));
}

const nothing = {
  ok: false,
  signed: [],
  version: undefined,
  algorithm: undefined,
  hash: undefined,
  slot: undefined,
  chain: [],
  rootSha256: undefined,
  rootPinned: false,
  model: undefined,
  blocks: [],
  opaque: [],
  differences: [],
  referenced: new Set<number>(),
  manifest: undefined,
} as const;

/** The checks that need signer and messages both. */
function examine(at: Examination, parts: SignedMessages): VerifiedEvidence {
  const { crypto, policy, checks, notes } = at;
  const { signer, vca, challenge, role, version, signed, vcaRefused } = parts;
  const leaf = signer.chain.at(-1);
  const model = certificateModel(leaf, vca?.negotiated, role);
  const root = leaf && checkChain(crypto, signer, policy, { role, model });
  checks.push(root?.check ?? checkPublicKey(policy));
  const found = openBlocks(at, parts);
  if (vcaRefused !== undefined) checks.push(vcaRefused);
  const scope = vcaRefused === undefined ? scopeOf(at, signer, vca) : undefined;
  const named = scope !== undefined && 'algorithm' in scope ? scope : undefined;
  if (named !== undefined) checkSignatures(at, named, parts);
  else if (scope !== undefined) checks.push(scope as EvidenceCheck);
  checkExchanges(at, parts);
  if (challenge !== undefined && named !== undefined) {
    checks.push(checkChainHash(crypto, signer, named.hash, challenge));
    const source = { ...found, tcb: policy.tcb };
    const summary = checkSummary(crypto, named.hash, challenge, source);
    if (summary !== undefined && 'ok' in summary) checks.push(summary);
    else if (summary !== undefined) notes.push(summary);
  }
  const opaque = openOpaque(at, parts, leaf);
  const algorithm = named?.algorithm ?? signer.key()?.algorithm;
  const facts = { chain: signer.chain, model, version, algorithm, hash: named?.hash };
  const { blocks } = found;
  const { checks: references, ...held } = checkReferences(policy, blocks);
  const nonceExpected = noncesOf(at.evidence).length > 0;
  const ruled = { ...facts, blocks, opaque, signed, nonceExpected };
  checks.push(...checkRules(crypto, policy, ruled), ...references);
  notCovered(at, parts, found, held.referenced);
  return {
    ...facts,
    ...held,
    ok: checks.every((check) => check.ok),
    checks,
    notes,
    signed,
    slot: parts.slot,
    rootSha256: root?.rootSha256,
    rootPinned: root?.check.ok === true && pinsRoots(policy),
    blocks,
    opaque,
  };
}

/**
 * Verifies `evidence`. The bytes never make it throw; the verdict is `ok`, the reasons are in `checks`,
 * whose `code` is stable, and what nobody could look at is in `notes`.
 * @throws LocalError only if a root certificate of the policy is none
 */
export function verifyEvidence(
  crypto: CryptoProvider,
  evidence: Evidence,
  policy: EvidencePolicy = {},
): VerifiedEvidence {
  const at = new Examination(crypto, evidence, policy);
  const { checks, notes } = at;
  const { containerFault } = evidence;
  if (containerFault !== undefined)
    at.refuse('container', containerFault.code, containerFault.detail);
  const parts = takeApart(crypto, evidence);
  if (!('refusals' in parts)) return examine(at, parts);
  // A container that holds no certificates has said so already.
  const known = containerFault === undefined ? [] : ['CHAIN_EMPTY_CHAIN'];
  checks.push(...parts.refusals.filter(({ code }) => !known.includes(code ?? '')));
  const { signer, version } = parts;
  const leaf = signer?.chain.at(-1);
  if (signer === undefined || leaf === undefined) return { ...nothing, version, checks, notes };
  const role = evidence.role ?? 'responder';
  const root = checkChain(crypto, signer, policy, { role, model: modelOf(leaf) });
  checks.unshift(root.check);
  const algorithm = signer.key()?.algorithm;
  return {
    ...nothing,
    version,
    algorithm,
    chain: signer.chain,
    rootSha256: root.rootSha256,
    checks,
    notes,
  };
}
