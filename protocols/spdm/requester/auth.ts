/** Requester side of CHALLENGE and GET_MEASUREMENTS (DSP0274 10.7, 10.11). */

import { equal } from '../../codec/bytes.ts';
import { isPeerFault, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { type MeasurementBlockValue, summaryOfBlocks } from '../measurements.ts';
import type { MessageValue } from '../messages/registry.ts';
import { summaryPresent } from '../negotiate.ts';
import { SigningContexts } from '../signing.ts';
import { l1l2 } from '../transcript.ts';
import { chainOf, leafOf, signatureFits } from './certificates.ts';
import { type Exchange, hashName, type RequesterSession, type RequesterState } from './state.ts';
import { transact } from './transact.ts';

/** From 1.3 on an answer returns the request's context; before, there is none. */
function echoes(answered: Uint8Array | undefined, asked: Uint8Array): boolean {
  return answered === undefined || equal(answered, asked);
}

const BASIC_MUT_AUTH_REQ = 0x80;

export interface ChallengeResult {
  /** MeasurementSummaryHash, if it was asked for */
  readonly summary: Uint8Array | undefined;
  /** the responder wants to authenticate the requester too, by encapsulated requests (to 1.1) */
  readonly basicMutAuth: boolean;
}

/** Proves possession of the slot's key. Returns the measurement summary hash, if one was asked for. */
export function* challenge(
  state: RequesterState,
  slot: number,
  summaryType: number,
): Exchange<ChallengeResult> {
  leafOf(state, slot);
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
  if ((value.Param1 & 15) !== (slot & 15))
    return peerFault('CHALLENGE_AUTH_SLOT', `slot ${value.Param1 & 15} answers for ${slot}`);
  const chainHash = state.config.crypto.hash(hashName(state), chainOf(state, slot));
  if (!equal(value.CertChainHash, chainHash))
    return peerFault('CHALLENGE_AUTH_CHAIN', 'CertChainHash is not that of the chain fetched');
  if (!echoes(value.RequesterContext, context.RequesterContext))
    return peerFault('CHALLENGE_AUTH_CONTEXT', 'RequesterContext is not the one of the request');
  const basic = (value.Param1 & BASIC_MUT_AUTH_REQ) !== 0;
  state.transcript.c.add(request, response.subarray(0, response.length - value.Signature.length));
  const transcript = state.transcript.m1m2();
  if (!signatureFits(state, slot, SigningContexts.CHALLENGE_AUTH, transcript, value.Signature))
    return peerFault('CHALLENGE_AUTH_SIGNATURE', 'the signature does not cover this exchange');
  state.transcript.challenged();
  state.authenticated = true;
  return { summary: value.MeasurementSummaryHash, basicMutAuth: basic };
}

const ALL_MEASUREMENTS = 0xff;

export interface MeasurementsRequest {
  readonly slot: number;
  /** 0 count, 1-0xFE one index, 0xFF all */
  readonly operation: number;
  readonly signed: boolean;
  /** digests are to be replaced by what they are of (1.2) */
  readonly raw?: boolean;
}
export interface Measurements {
  readonly blocks: readonly MeasurementBlockValue[];
  /** number of indices, for operation 0 */
  readonly count: number;
  readonly opaque: Uint8Array;
  /** whether something changed since the first request the signature covers (1.2) */
  readonly contentChanged: boolean | undefined;
}

const WANTS_SIGNATURE = 1;
const WANTS_RAW = 2;
const CHANGED = 1;
const UNCHANGED = 2;

/** What an answer must have in common with its request. */
function measurementsFault(
  value: MessageValue<0x60>,
  asked: MeasurementsRequest,
  context: Uint8Array,
): PeerFault | undefined {
  if (asked.signed && (value.Param2 & 15) !== (asked.slot & 15))
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
  if (asked.signed) leafOf(state, asked.slot);
  const { GET_MEASUREMENTS } = RequestCodes;
  const context = { RequesterContext: state.config.random(8) };
  const signing = asked.signed
    ? { Nonce: state.config.random(32), SlotIDParam: asked.slot & 15 }
    : {};
  const fields = {
    Param1: (asked.signed ? WANTS_SIGNATURE : 0) | (asked.raw === true ? WANTS_RAW : 0),
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
  const told = asked.signed && state.version >= SpdmVersions.V1_2 ? (value.Param2 >> 4) & 3 : 0;
  const contentChanged = told === CHANGED ? true : told === UNCHANGED ? false : undefined;
  return { blocks: value.MeasurementRecord, count, opaque: value.OpaqueData, contentChanged };
}

/** Holds a summary hash of all measurements against the blocks that were reported. */
export function summaryFits(
  state: RequesterState,
  summary: Uint8Array,
  blocks: readonly MeasurementBlockValue[],
): boolean {
  return equal(summary, summaryOfBlocks(state.config.crypto, hashName(state), blocks));
}
