/** Requester side of GET_DIGESTS, GET_CERTIFICATE, CHALLENGE and GET_MEASUREMENTS. */

import { concat, equal } from '../../codec/bytes.ts';
import { isPeerFault, LocalError, type PeerFault, peerFault } from '../../codec/refusal.ts';
import type { HashName } from '../../crypto/algorithms.ts';
import { type Negotiated, suiteOf } from '../algorithms.ts';
import { RequestCodes, ResponseCodes } from '../codes.ts';
import { type MeasurementBlockValue, summaryOfBlocks } from '../measurements.ts';
import type { MessageValue } from '../messages/registry.ts';
import { summaryPresent } from '../negotiate.ts';
import type { LeafKey } from '../observer/observer.ts';
import { SigningContexts, verifyTranscript } from '../signing.ts';
import { l1l2 } from '../transcript.ts';
import { type Exchange, type RequesterSession, type RequesterState, transact } from './state.ts';

export function negotiatedOrThrow(state: RequesterState): Negotiated {
  if (state.negotiated === undefined)
    throw new LocalError('state: run negotiate() to its end before this exchange');
  return state.negotiated;
}

export function hashName(state: RequesterState): HashName {
  const suite = suiteOf(negotiatedOrThrow(state));
  if (suite === undefined) throw new LocalError('state: the negotiated hash is not computed here');
  return suite.hash;
}

/** Digest of each provisioned slot's certificate chain. */
export function* getDigests(
  state: RequesterState,
  session?: RequesterSession,
): Exchange<ReadonlyMap<number, Uint8Array>> {
  const { GET_DIGESTS } = RequestCodes;
  const fields = { Param1: 0, Param2: 0 };
  const answer = yield* transact(state, session, GET_DIGESTS, ResponseCodes.DIGESTS, fields);
  if (isPeerFault(answer)) return answer;
  if (session === undefined) state.transcript.b.add(answer.request, answer.response);
  const digests = new Map<number, Uint8Array>();
  for (let slot = 0, at = 0; slot < 8; slot++)
    if (((answer.value.Param2 >> slot) & 1) === 1) digests.set(slot, answer.value.Digest[at++]!);
  return digests;
}

const CERTIFICATE_CHAIN_MAX = 0x10000;

/**
 * The certificate chain blob of a slot, in portions, held against the digest if one is given.
 * Faults: CERTIFICATE_PORTION (lengths that lie or never end), CERTIFICATE_DIGEST.
 */
export function* getCertificate(
  state: RequesterState,
  slot: number,
  digest?: Uint8Array,
): Exchange<Uint8Array> {
  const { GET_CERTIFICATE } = RequestCodes;
  const parts: Uint8Array[] = [];
  let size = 0;
  let total: number | undefined;
  for (;;) {
    const Length = Math.min(
      state.config.certificatePortion,
      (total ?? CERTIFICATE_CHAIN_MAX) - size,
    );
    const fields = { Param1: slot, Param2: 0, Offset: size, Length };
    const answer = yield* transact(
      state,
      undefined,
      GET_CERTIFICATE,
      ResponseCodes.CERTIFICATE,
      fields,
    );
    if (isPeerFault(answer)) return answer;
    const { CertChain, RemainderLength, Param1 } = answer.value;
    const end = size + CertChain.length + RemainderLength;
    if (CertChain.length === 0 || CertChain.length > Length || (Param1 & 15) !== slot)
      return peerFault('CERTIFICATE_PORTION', `${CertChain.length} bytes of slot ${Param1 & 15}`);
    if (total !== undefined && end !== total)
      return peerFault('CERTIFICATE_PORTION', `total changed from ${total} to ${end} bytes`);
    total = end;
    if (total > CERTIFICATE_CHAIN_MAX)
      return peerFault('CERTIFICATE_PORTION', `${total} bytes are more than a chain may have`);
    state.transcript.b.add(answer.request, answer.response);
    parts.push(CertChain);
    size += CertChain.length;
    if (RemainderLength === 0) break;
  }
  const chain = concat(...parts);
  state.work.push({ op: 'hash', bytes: chain.length }, { op: 'certificate-parse' });
  if (digest !== undefined && !equal(state.config.crypto.hash(hashName(state), chain), digest))
    return peerFault('CERTIFICATE_DIGEST', `the chain of slot ${slot} is not the one in DIGESTS`);
  state.chains.set(slot, chain);
  state.leaves.delete(slot);
  return chain;
}

/** @throws LocalError if no chain of the slot has been fetched */
export function chainOf(state: RequesterState, slot: number): Uint8Array {
  const chain = state.chains.get(slot);
  if (chain === undefined) throw new LocalError(`slot: no chain of slot ${slot} has been fetched`);
  return chain;
}

/** Judges the chain of a slot by the requester's trust; keeps the leaf's key. */
export function trustChain(state: RequesterState, slot: number): LeafKey | PeerFault {
  const chain = chainOf(state, slot);
  state.work.push({ op: 'verify' }, { op: 'verify' }, { op: 'verify' });
  const leaf = state.config.trust(chain, negotiatedOrThrow(state).hashSize);
  if (isPeerFault(leaf)) return leaf;
  if (leaf.algorithm !== suiteOf(negotiatedOrThrow(state))?.signature)
    return peerFault(
      'LEAF_KEY',
      `leaf key ${leaf.algorithm} does not fit the negotiated algorithm`,
    );
  state.leaves.set(slot, leaf);
  return leaf;
}

function leafOf(state: RequesterState, slot: number): LeafKey {
  const leaf = state.leaves.get(slot);
  if (leaf === undefined)
    throw new LocalError(`slot: the chain of slot ${slot} is not trusted yet`);
  return leaf;
}

/** True if `signature` of the responder's leaf in `slot` covers `transcript`. */
export function signatureFits(
  state: RequesterState,
  slot: number,
  context: (typeof SigningContexts)[keyof typeof SigningContexts],
  transcript: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { crypto } = state.config;
  state.work.push({ op: 'hash', bytes: transcript.length }, { op: 'verify' });
  const leaf = leafOf(state, slot);
  const scope = { crypto, hash: hashName(state), version: state.version };
  return verifyTranscript(scope, leaf.algorithm, leaf.publicKey, context, transcript, signature);
}

/** From 1.3 on an answer returns the request's context; before, there is none. */
function echoes(answered: Uint8Array | undefined, asked: Uint8Array): boolean {
  return answered === undefined || equal(answered, asked);
}

/** Proves possession of the slot's key. Returns the measurement summary hash, if one was asked for. */
export function* challenge(
  state: RequesterState,
  slot: number,
  summaryType: number,
): Exchange<{ summary: Uint8Array | undefined }> {
  const { CHALLENGE } = RequestCodes;
  const Nonce = state.config.random(32);
  const summary = summaryPresent(summaryType, state.responderFlags);
  const context = { RequesterContext: state.config.random(8) };
  const answer = yield* transact(
    state,
    undefined,
    CHALLENGE,
    ResponseCodes.CHALLENGE_AUTH,
    { Param1: slot, Param2: summaryType, Nonce, ...context },
    { summary },
  );
  if (isPeerFault(answer)) return answer;
  const { value, response, request } = answer;
  if ((value.Param1 & 15) !== slot)
    return peerFault('CHALLENGE_AUTH_SLOT', `slot ${value.Param1 & 15} answers for ${slot}`);
  const chainHash = state.config.crypto.hash(hashName(state), chainOf(state, slot));
  if (!equal(value.CertChainHash, chainHash))
    return peerFault('CHALLENGE_AUTH_CHAIN', 'CertChainHash is not that of the chain fetched');
  if (!echoes(value.RequesterContext, context.RequesterContext))
    return peerFault('CHALLENGE_AUTH_CONTEXT', 'RequesterContext is not the one of the request');
  state.transcript.c.add(request, response.subarray(0, response.length - value.Signature.length));
  const transcript = state.transcript.m1m2();
  if (!signatureFits(state, slot, SigningContexts.CHALLENGE_AUTH, transcript, value.Signature))
    return peerFault('CHALLENGE_AUTH_SIGNATURE', 'the signature does not cover this exchange');
  state.authenticated = true;
  return { summary: value.MeasurementSummaryHash };
}

const ALL_MEASUREMENTS = 0xff;

export interface MeasurementsRequest {
  readonly slot: number;
  /** 0 count, 1-0xFE one index, 0xFF all */
  readonly operation: number;
  readonly signed: boolean;
}
export interface Measurements {
  readonly blocks: readonly MeasurementBlockValue[];
  /** number of indices, for operation 0 */
  readonly count: number;
  readonly opaque: Uint8Array;
}

/** What an answer must have in common with its request. */
function measurementsFault(
  value: MessageValue<0x60>,
  asked: MeasurementsRequest,
  context: Uint8Array,
): PeerFault | undefined {
  if (asked.signed && (value.Param2 & 15) !== asked.slot)
    return peerFault('MEASUREMENTS_SLOT', `slot ${value.Param2 & 15} signs for ${asked.slot}`);
  if (!echoes(value.RequesterContext, context))
    return peerFault('MEASUREMENTS_CONTEXT', 'RequesterContext is not the one of the request');
  const indices = value.MeasurementRecord.map((block) => block.Index);
  const fits =
    asked.operation === ALL_MEASUREMENTS ||
    (asked.operation === 0
      ? indices.length === 0
      : indices.length > 0 && indices.every((index) => index === asked.operation));
  return fits
    ? undefined
    : peerFault('MEASUREMENTS_BLOCKS', `blocks ${indices} answer operation ${asked.operation}`);
}

/** Measurements, in the session or outside; a signed answer ends the L1/L2 window. */
export function* getMeasurements(
  state: RequesterState,
  session: RequesterSession | undefined,
  asked: MeasurementsRequest,
): Exchange<Measurements> {
  const { GET_MEASUREMENTS } = RequestCodes;
  const context = { RequesterContext: state.config.random(8) };
  const signing = asked.signed ? { Nonce: state.config.random(32), SlotIDParam: asked.slot } : {};
  const fields = {
    Param1: asked.signed ? 1 : 0,
    Param2: asked.operation,
    ...signing,
    ...context,
  };
  const facts = { signed: asked.signed ? 1 : 0 };
  const log = session?.transcript.l ?? state.transcript.l;
  const answer = yield* transact(
    state,
    session,
    GET_MEASUREMENTS,
    ResponseCodes.MEASUREMENTS,
    fields,
    facts,
  );
  if (isPeerFault(answer)) {
    log.clear();
    return answer;
  }
  const { value, request, response } = answer;
  const unfit = measurementsFault(value, asked, context.RequesterContext);
  if (unfit !== undefined) {
    log.clear();
    return unfit;
  }
  const signature = value.Signature;
  log.add(request, response.subarray(0, response.length - (signature?.length ?? 0)));
  if (signature !== undefined) {
    const transcript = l1l2(state.version, state.transcript.a.bytes(), log);
    log.clear();
    const { MEASUREMENTS } = SigningContexts;
    if (!signatureFits(state, asked.slot, MEASUREMENTS, transcript, signature))
      return peerFault('MEASUREMENTS_SIGNATURE', 'the signature does not cover this exchange');
  }
  const count = asked.operation === 0 ? value.Param1 : value.MeasurementRecord.length;
  return { blocks: value.MeasurementRecord, count, opaque: value.OpaqueData };
}

/** Holds a summary hash of all measurements against the blocks that were reported. */
export function summaryFits(
  state: RequesterState,
  summary: Uint8Array,
  blocks: readonly MeasurementBlockValue[],
): boolean {
  return equal(summary, summaryOfBlocks(state.config.crypto, hashName(state), blocks));
}
