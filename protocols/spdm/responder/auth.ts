/** Responder side of GET_DIGESTS, GET_CERTIFICATE, CHALLENGE and GET_MEASUREMENTS. */

import { concat } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { type HashName, hashSizes } from '../../crypto/algorithms.ts';
import { type Negotiated, suiteOf } from '../algorithms.ts';
import { capability, ErrorCodes, ResponseCodes } from '../codes.ts';
import { type Measured, measurementOf, summaryHash } from '../measurements.ts';
import * as auth from '../messages/auth.ts';
import { summaryPresent } from '../negotiate.ts';
import { SigningContexts, signTranscript } from '../signing.ts';
import { l1l2 } from '../transcript.ts';
import type { Answer, ErrorAnswer, ResponderState, Turn } from './state.ts';
import { answerHeader } from './state.ts';

const invalid: ErrorAnswer = { error: ErrorCodes.InvalidRequest };

export const hashOf = (state: ResponderState): HashName => suiteOf(state.negotiated!)!.hash;

function slotMask(state: ResponderState): number {
  let mask = 0;
  for (const slot of state.config.slots.keys()) mask |= 1 << slot;
  return mask;
}

export function answerDigests(state: ResponderState, turn: Turn): Answer {
  const { crypto, slots } = state.config;
  const ordered = [...slots.entries()].sort(([a], [b]) => a - b);
  const Digest = ordered.map(([, { chain }]) => {
    turn.work.push({ op: 'hash', bytes: chain.length });
    return crypto.hash(hashOf(state), chain);
  });
  const mask = slotMask(state);
  // From 1.3 on Param1 is SupportedSlotMask, which holds at least the provisioned slots.
  const supported = turn.version >= 0x13 ? mask : 0;
  const value = { ...answerHeader(turn, ResponseCodes.DIGESTS, supported, mask), Digest };
  const reply = encode(auth.digests, value, facts(state));
  if (turn.session === undefined)
    turn.afterSeal = () => state.transcript.b.add(turn.request, reply);
  return reply;
}

function facts(state: ResponderState, extra: Record<string, number> = {}) {
  const { version, hashSize, signatureSize } = state.negotiated!;
  return { version, hashSize, signatureSize, ...extra };
}

const CERTIFICATE_HEAD_SIZE = 8;

export function answerCertificate(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof auth.getCertificate>,
): Answer {
  const slot = value.Param1 & 15;
  const entry = state.config.slots.get(slot);
  if (entry === undefined) return invalid;
  // SlotSizeRequested (1.3) asks for the size alone; a slot is as large as its chain here.
  const sizeOnly = turn.version >= 0x13 && (value.Param2 & 1) === 1;
  const offset = sizeOnly ? 0 : value.Offset;
  if (offset >= entry.chain.length) return invalid;
  const { config, requesterDataTransferSize } = state;
  const buffer = Math.min(config.dataTransferSize, requesterDataTransferSize);
  const room = Math.min(value.Length, buffer - CERTIFICATE_HEAD_SIZE);
  const size = sizeOnly ? 0 : Math.min(room, entry.chain.length - offset);
  const CertChain = entry.chain.slice(offset, offset + size);
  const RemainderLength = entry.chain.length - offset - size;
  const reply = encode(
    auth.certificate,
    { ...answerHeader(turn, ResponseCodes.CERTIFICATE, slot), RemainderLength, CertChain },
    facts(state),
  );
  if (turn.session === undefined)
    turn.afterSeal = () => state.transcript.b.add(turn.request, reply);
  return reply;
}

/** Hash algorithm of digests in measurement blocks; undefined if none was agreed on. */
export function measurementHash(negotiated: Negotiated): HashName | undefined {
  const name = negotiated.measurementHash;
  return name !== undefined && name in hashSizes ? (name as HashName) : undefined;
}

const summaryTypes: readonly number[] = [0, 1, 0xff];

/** MeasurementSummaryHash for an answer; `undefined` when the answer has none. */
export function summaryFor(
  state: ResponderState,
  turn: Turn,
  summaryType: number,
): Uint8Array | undefined {
  const digest = measurementHash(state.negotiated!);
  if (summaryPresent(summaryType, state.config.flags) === 0 || digest === undefined)
    return undefined;
  turn.work.push({ op: 'measure' });
  const { crypto, measure } = state.config;
  return summaryHash(crypto, hashOf(state), digest, measure(), summaryType);
}

/** A summary takes a measurement hash that both sides agreed on. */
export function summaryTypeLegal(state: ResponderState, type: number): boolean {
  if (!summaryTypes.includes(type)) return false;
  const present = summaryPresent(type, state.config.flags) === 1;
  return !present || measurementHash(state.negotiated!) !== undefined;
}

export function answerChallenge(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof auth.challenge>,
): Answer {
  const slot = state.config.slots.get(value.Param1);
  if (slot === undefined || !summaryTypeLegal(state, value.Param2)) return invalid;
  const { crypto, random } = state.config;
  const hash = hashOf(state);
  const summary = summaryFor(state, turn, value.Param2);
  const optional = summary === undefined ? {} : { MeasurementSummaryHash: summary };
  const context = value.RequesterContext;
  const size = state.negotiated!.signatureSize;
  const answer = {
    ...answerHeader(turn, ResponseCodes.CHALLENGE_AUTH, value.Param1, slotMask(state)),
    CertChainHash: crypto.hash(hash, slot.chain),
    Nonce: random(32),
    ...optional,
    OpaqueData: new Uint8Array(0),
    ...(context === undefined ? {} : { RequesterContext: context }),
    Signature: new Uint8Array(size),
  };
  const known = facts(state, { summary: summary === undefined ? 0 : 1 });
  const draft = encode(auth.challengeAuth, answer, known);
  const unsigned = draft.subarray(0, draft.length - size);
  state.transcript.c.add(turn.request, unsigned);
  const transcript = state.transcript.m1m2();
  turn.work.push(
    { op: 'random', bytes: 32 },
    { op: 'hash', bytes: transcript.length },
    { op: 'sign' },
  );
  const scope = { crypto, hash, version: turn.version };
  const signature = signTranscript(scope, slot.signer, SigningContexts.CHALLENGE_AUTH, transcript);
  turn.afterSeal = () => {
    state.authenticated = true;
  };
  return concat(unsigned, signature);
}

const ALL_MEASUREMENTS = 0xff;
const MEAS_CAP_SIGNED = 2;

/** Blocks for a GET_MEASUREMENTS operation; undefined for an index the device does not have. */
function selected(items: readonly Measured[], operation: number): readonly Measured[] | undefined {
  if (operation === 0) return [];
  if (operation === ALL_MEASUREMENTS) return items;
  const one = items.filter((item) => item.index === operation);
  return one.length === 0 ? undefined : one;
}

export function answerMeasurements(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof auth.getMeasurements>,
): Answer {
  const { crypto, random, measure, slots } = state.config;
  const wantsSignature = (value.Param1 & 1) === 1;
  const slotId = (value.SlotIDParam ?? 0) & 15;
  const slot = slots.get(slotId);
  const items = measure();
  const chosen = selected(items, value.Param2);
  const digest = measurementHash(state.negotiated!);
  const signs = capability(state.config.flags, 'MEAS_CAP') === MEAS_CAP_SIGNED;
  // DSP0274 names no code for these two; chosen: what was not agreed on is not supported.
  if (digest === undefined || (wantsSignature && !signs))
    return { error: ErrorCodes.UnsupportedRequest, data: turn.request[1]! };
  if (chosen === undefined || (wantsSignature && slot === undefined)) return invalid;
  const rawAsked = turn.version >= 0x12 && (value.Param1 & 2) !== 0;
  const MeasurementRecord = chosen.map((item) =>
    measurementOf(crypto, digest, rawAsked ? { ...item, raw: true } : item),
  );
  turn.work.push({ op: 'measure' }, { op: 'random', bytes: 32 });
  const size = state.negotiated!.signatureSize;
  const context = value.RequesterContext;
  const known = facts(state, { signed: wantsSignature ? 1 : 0 });
  const Param1 = value.Param2 === 0 ? items.length : 0;
  const answer = {
    ...answerHeader(turn, ResponseCodes.MEASUREMENTS, Param1, wantsSignature ? slotId : 0),
    MeasurementRecord,
    Nonce: random(32),
    OpaqueData: new Uint8Array(0),
    ...(context === undefined ? {} : { RequesterContext: context }),
    ...(wantsSignature ? { Signature: new Uint8Array(size) } : {}),
  };
  const draft = encode(auth.measurements, answer, known);
  const log = measurementLog(state, turn);
  if (!wantsSignature) {
    log.add(turn.request, draft);
    return draft;
  }
  const unsigned = draft.subarray(0, draft.length - size);
  log.add(turn.request, unsigned);
  const transcript = l1l2(turn.version, state.transcript.a.bytes(), log);
  log.clear();
  turn.work.push({ op: 'hash', bytes: transcript.length }, { op: 'sign' });
  const scope = { crypto, hash: hashOf(state), version: turn.version };
  const { MEASUREMENTS } = SigningContexts;
  return concat(unsigned, signTranscript(scope, slot!.signer, MEASUREMENTS, transcript));
}

function measurementLog(state: ResponderState, turn: Turn) {
  return turn.session?.transcript.l ?? state.transcript.l;
}
