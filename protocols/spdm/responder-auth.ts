/** Responder side of GET_DIGESTS, GET_CERTIFICATE, CHALLENGE and GET_MEASUREMENTS. */

import { concat } from '../codec/bytes.ts';
import type { ValueOf } from '../codec/field.ts';
import { encode } from '../codec/layout.ts';
import type { HashName } from '../crypto/algorithms.ts';
import { type Negotiated, suiteOf } from './algorithms.ts';
import { ErrorCodes, ResponseCodes } from './codes.ts';
import { type Measured, measurementOf, summaryHash } from './measurements.ts';
import * as auth from './messages-auth.ts';
import { summaryPresent } from './negotiate.ts';
import type { Answer, ErrorAnswer, ResponderState, Turn } from './responder-state.ts';
import { SigningContexts, signTranscript } from './signing.ts';
import { l1l2 } from './transcript.ts';

const invalid: ErrorAnswer = { error: ErrorCodes.InvalidRequest };

function head(turn: Turn, code: number, Param1 = 0, Param2 = 0) {
  return { SPDMVersion: turn.version, RequestResponseCode: code, Param1, Param2 };
}

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
  const value = { ...head(turn, ResponseCodes.DIGESTS, 0, slotMask(state)), Digest };
  const reply = encode(auth.digests, value, facts(state));
  if (turn.session === undefined) state.transcript.b.add(turn.request, reply);
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
  if (entry === undefined || value.Offset >= entry.chain.length) return invalid;
  const room = state.config.dataTransferSize - CERTIFICATE_HEAD_SIZE;
  const size = Math.min(value.Length, room, entry.chain.length - value.Offset);
  const CertChain = entry.chain.slice(value.Offset, value.Offset + size);
  const RemainderLength = entry.chain.length - value.Offset - size;
  const reply = encode(
    auth.certificate,
    { ...head(turn, ResponseCodes.CERTIFICATE, slot), RemainderLength, CertChain },
    facts(state),
  );
  if (turn.session === undefined) state.transcript.b.add(turn.request, reply);
  return reply;
}

/** Hash algorithm of digests in measurement blocks. */
export function measurementHash(negotiated: Negotiated): HashName {
  return negotiated.measurementHash as HashName;
}

const summaryTypes: readonly number[] = [0, 1, 0xff];

/** MeasurementSummaryHash for an answer; `undefined` when the answer has none. */
export function summaryFor(
  state: ResponderState,
  turn: Turn,
  summaryType: number,
): Uint8Array | undefined {
  if (summaryPresent(summaryType, state.config.flags) === 0) return undefined;
  turn.work.push({ op: 'measure' });
  const { crypto, measure } = state.config;
  const digest = measurementHash(state.negotiated!);
  return summaryHash(crypto, hashOf(state), digest, measure(), summaryType);
}

export const summaryTypeLegal = (type: number): boolean => summaryTypes.includes(type);

export function answerChallenge(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof auth.challenge>,
): Answer {
  const slot = state.config.slots.get(value.Param1);
  if (slot === undefined || !summaryTypeLegal(value.Param2)) return invalid;
  const { crypto, random } = state.config;
  const hash = hashOf(state);
  const summary = summaryFor(state, turn, value.Param2);
  const optional = summary === undefined ? {} : { MeasurementSummaryHash: summary };
  const context = value.RequesterContext;
  const size = state.negotiated!.signatureSize;
  const answer = {
    ...head(turn, ResponseCodes.CHALLENGE_AUTH, value.Param1, slotMask(state)),
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
  state.authenticated = true;
  return concat(unsigned, signature);
}

const ALL_MEASUREMENTS = 0xff;

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
  if (chosen === undefined || (wantsSignature && slot === undefined)) {
    measurementLog(state, turn).clear();
    return invalid;
  }
  const digest = measurementHash(state.negotiated!);
  const rawAsked = (value.Param1 & 2) !== 0;
  const MeasurementRecord = chosen.map((item) =>
    measurementOf(crypto, digest, rawAsked ? { ...item, raw: true } : item),
  );
  turn.work.push({ op: 'measure' }, { op: 'random', bytes: 32 });
  const size = state.negotiated!.signatureSize;
  const context = value.RequesterContext;
  const known = facts(state, { signed: wantsSignature ? 1 : 0 });
  const Param1 = value.Param2 === 0 ? items.length : 0;
  const answer = {
    ...head(turn, ResponseCodes.MEASUREMENTS, Param1, wantsSignature ? slotId : 0),
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
