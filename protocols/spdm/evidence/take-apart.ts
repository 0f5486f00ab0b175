/**
 * From the bytes of evidence to messages with their signer: which part ends where, whose key it is, and why
 * there is nothing to verify if there is not.
 */

import { type Refusal, refusalText } from '../../codec/refusal.ts';
import { type HashName, type SignatureName, signatureAlgorithms } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { suiteOf } from '../algorithms.ts';
import { RequestCodes } from '../codes.ts';
import { type EvidenceCheck, EvidenceFaults, refused } from './check.ts';
import {
  type CertificateMessages,
  type ChallengePair,
  type EvidenceRole,
  isChallengeAt,
  readCertificateMessages,
  readChallenge,
  takeVca,
  type Vca,
} from './parts.ts';
import { type MeasurementRecord, readMeasurementRecord } from './record.ts';
import { type EvidenceSigner, readSigner, type SignerSource } from './signer.ts';

export interface SignedMessages {
  readonly signer: EvidenceSigner;
  readonly vca: Vca | undefined;
  /** why there is no VCA, where a signature covers it */
  readonly vcaRefused: EvidenceCheck | undefined;
  /** B */
  readonly certificates: Uint8Array;
  readonly challenge: ChallengePair | undefined;
  readonly record: MeasurementRecord | undefined;
  readonly role: EvidenceRole;
  readonly version: number;
  readonly slot: number;
  readonly signed: readonly ('measurements' | 'challenge')[];
}

/** Nothing to verify, with the reasons; the signer if that much is known. */
export interface NothingSigned {
  readonly refusals: readonly EvidenceCheck[];
  readonly signer: EvidenceSigner | undefined;
  readonly version: number | undefined;
}

export interface EvidenceBytes extends SignerSource {
  readonly messages: Uint8Array;
  readonly vca?: Uint8Array;
  readonly role?: EvidenceRole;
  readonly algorithm?: SignatureName;
  readonly hash?: HashName;
}

const { LAYOUT, VCA } = EvidenceFaults;
const VCA_SIGNED_SINCE = 0x12;
const SLOT_MASK = 0x0f;

const unread = (name: string, code: string, refusal: Refusal) =>
  refused(name, code, refusalText(refusal));

/** Requests that only make sense with VCA: sizes in them, or in their answers, were negotiated. */
const needsVca = (code: number | undefined) =>
  code === RequestCodes.GET_DIGESTS ||
  code === RequestCodes.GET_CERTIFICATE ||
  code === RequestCodes.CHALLENGE;

interface Signed {
  readonly challenge: ChallengePair | undefined;
  readonly record: MeasurementRecord | undefined;
}

/** C and L from `offset` to the end. */
function readSigned(
  { messages, role = 'responder' }: EvidenceBytes,
  offset: number,
  vca: Vca | undefined,
  signatureSize: number,
): Signed | EvidenceCheck {
  let challenge: ChallengePair | undefined;
  let at = offset;
  if (vca !== undefined && isChallengeAt(messages, at)) {
    const read = readChallenge(messages, at, vca.negotiated, role, signatureSize);
    if (!read.ok) return unread('layout', LAYOUT, read);
    challenge = read.value;
    at += read.size;
  }
  if (challenge !== undefined && at === messages.length) return { challenge, record: undefined };
  const record = readMeasurementRecord(messages.subarray(at), signatureSize);
  if (!record.ok) return unread('layout', LAYOUT, record);
  if (challenge !== undefined && challenge.request.SPDMVersion !== record.value.version)
    return refused('layout', LAYOUT, 'CHALLENGE and GET_MEASUREMENTS are of several versions');
  return { challenge, record: record.value };
}

/** The chain of `slot` out of CERTIFICATE answers. */
function fetchedSource(fetched: CertificateMessages, slot: number): SignerSource {
  const chain = fetched.chains.get(slot);
  return chain === undefined ? {} : { chain };
}

/** Why the signature's own VCA is not there; undefined: it is, or is not signed. */
function vcaGap(version: number, vca: Vca | undefined): EvidenceCheck | undefined {
  if (vca === undefined) {
    if (version < VCA_SIGNED_SINCE) return undefined;
    return refused('vca', VCA, 'the signature covers VCA, which is not given');
  }
  if (vca.negotiated.version === version) return undefined;
  return refused('vca', VCA, 'VCA negotiated another version');
}

function slotOf({ challenge, record }: Signed): number {
  const asked = challenge?.request.Param1 ?? record?.last.request.SlotIDParam ?? 0;
  return asked & SLOT_MASK;
}

/** Messages, signer and VCA of `evidence`, or why they are not to be had. */
export function takeApart(
  crypto: CryptoProvider,
  evidence: EvidenceBytes,
): SignedMessages | NothingSigned {
  const { messages, role = 'responder' } = evidence;
  const taken = takeVca(messages, evidence.vca);
  const vca = taken !== undefined && 'ok' in taken ? undefined : taken;
  const vcaRefusal = taken !== undefined && 'ok' in taken ? unread('vca', VCA, taken) : undefined;
  const negotiated = vca?.negotiated;
  const hash = (negotiated && suiteOf(negotiated)?.hash) ?? evidence.hash;
  const given = readSigner(crypto, evidence, hash);
  const no = (refusal: EvidenceCheck, signer?: EvidenceSigner): NothingSigned => {
    const version = negotiated?.version;
    const refusals = vcaRefusal === undefined ? [refusal] : [vcaRefusal, refusal];
    return { refusals: [...new Set(refusals)], signer, version };
  };
  if (given !== undefined && 'code' in given) return no(given);
  const offset = vca?.size ?? 0;
  const first = messages[offset + 1];
  if (vca === undefined && (needsVca(first) || first === RequestCodes.GET_VERSION)) {
    const missing = refused('vca', VCA, 'the messages cannot be read without VCA');
    return no(vcaRefusal ?? missing, given);
  }
  const fetched = readCertificateMessages(crypto, messages, offset, negotiated, role);
  if (!fetched.ok) return no(unread('layout', LAYOUT, fetched), given);
  // The key's own size first: a key that was not negotiated is then told as such.
  const natural = given?.key()?.algorithm;
  const bySuite =
    role === 'requester' ? negotiated?.requesterSignatureSize : negotiated?.signatureSize;
  const size = natural === undefined ? bySuite : signatureAlgorithms[natural].signatureSize;
  if (size === undefined) {
    if (given === undefined) return no(refused('chain', 'CHAIN_EMPTY_CHAIN', 'no chain is given'));
    const detail = `the leaf's key is ${given.chain.at(-1)?.publicKey.algorithm ?? 'unknown'}`;
    return no(refused('signature', EvidenceFaults.ALGORITHM, detail), given);
  }
  const signed = readSigned(evidence, offset + fetched.size, vca, size);
  if ('code' in signed) return no(signed, given);
  const slot = slotOf(signed);
  const signer = given ?? readSigner(crypto, fetchedSource(fetched.value, slot), hash);
  if (signer === undefined) {
    const detail = `no chain is given, and none of slot ${slot} is in the messages`;
    return no(refused('chain', 'CHAIN_EMPTY_CHAIN', detail));
  }
  if ('code' in signer) return no(signer);
  const { challenge, record } = signed;
  const version = (challenge?.request ?? record?.last.request)?.SPDMVersion ?? 0;
  return {
    ...signed,
    signer,
    vca,
    vcaRefused: vcaRefusal ?? vcaGap(version, vca),
    certificates: fetched.value.bytes,
    role,
    version,
    slot,
    signed: [
      ...(challenge === undefined ? [] : (['challenge'] as const)),
      ...(record === undefined ? [] : (['measurements'] as const)),
    ],
  };
}
