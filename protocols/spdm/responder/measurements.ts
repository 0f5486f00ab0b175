/** Responder side of GET_MEASUREMENTS, and measurement summaries (DSP0274 10.11). */

import { concat, toHex } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { type HashName, hashSizes } from '../../crypto/algorithms.ts';
import type { Negotiated } from '../algorithms.ts';
import { capability, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { KeyUsages, PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import { type Measured, measurementOf, summaryHash } from '../measurements.ts';
import * as auth from '../messages/auth.ts';
import { connectionFacts } from '../messages/registry.ts';
import { summaryPresent } from '../negotiate.ts';
import { SigningContexts, signTranscript } from '../signing.ts';
import { l1l2 } from '../transcript.ts';
import { type Signing, signingOf } from './auth.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  hashOf,
  invalid,
  type ResponderState,
  type Turn,
  unsupported,
} from './state.ts';

/** Hash algorithm of digests in measurement blocks; undefined if none was agreed on, or raw blocks only. */
export function measurementHash(negotiated: Negotiated): HashName | undefined {
  const name = negotiated.measurementHash;
  return name !== undefined && Object.hasOwn(hashSizes, name) ? (name as HashName) : undefined;
}

/** Whether both sides agreed on measurements: as digests, or as raw bit streams only. */
const agreed = ({ measurementHash: name }: Negotiated): boolean => name !== undefined;

/** What can be reported as agreed on: an extended hash is none without a hash. */
function reportable(state: ResponderState): readonly Measured[] {
  const items = state.config.measure();
  const hashed = measurementHash(state.negotiated!) !== undefined;
  return hashed ? items : items.filter(({ log }) => log === undefined);
}

const summaryTypes: readonly number[] = [0, 1, 0xff];

/** MeasurementSummaryHash for an answer; `undefined` when the answer has none. */
export function summaryFor(
  state: ResponderState,
  turn: Turn,
  summaryType: number,
): Uint8Array | undefined {
  const digest = measurementHash(state.negotiated!);
  if (summaryPresent(summaryType, state.config.flags) === 0 || !agreed(state.negotiated!))
    return undefined;
  turn.work.push({ op: 'measure' });
  const { crypto } = state.config;
  return summaryHash(crypto, hashOf(state), digest, reportable(state), summaryType);
}

/** A summary takes measurements that both sides agreed on. */
export function summaryTypeLegal(state: ResponderState, type: number): boolean {
  if (!summaryTypes.includes(type)) return false;
  const present = summaryPresent(type, state.config.flags) === 1;
  return !present || agreed(state.negotiated!);
}

const ALL_MEASUREMENTS = 0xff;
const MEAS_CAP_SIGNED = 2;
const WANTS_SIGNATURE = 1;
const WANTS_RAW = 2;

/** Blocks for a GET_MEASUREMENTS operation; undefined for an index the device does not have. */
function selected(items: readonly Measured[], operation: number): readonly Measured[] | undefined {
  if (operation === 0) return [];
  if (operation === ALL_MEASUREMENTS) return items;
  const one = items.filter((item) => item.index === operation);
  return one.length === 0 ? undefined : one;
}

/** Content-changed of a signed answer (Param2 bits 5:4, since 1.2). */
const ContentChanged = { changed: 0x10, unchanged: 0x20 } as const;

function measurementLog(state: ResponderState, turn: Turn) {
  return turn.session?.transcript.l ?? state.transcript.l;
}

/** One string for all that is measured: differs if any of it does. */
const snapshotOf = (items: readonly Measured[]): string =>
  items.map(({ index, type, content }) => `${index}.${type}.${toHex(content)}`).join();

/** Whether something measured changed since the first request that this signature covers. */
function contentChanged(state: ResponderState, turn: Turn, items: readonly Measured[]): number {
  const snapshot = snapshotOf(items);
  const id = turn.session?.id;
  const started = measurementLog(state, turn).empty ? undefined : state.measuredAtStart.get(id);
  if (started === undefined) state.measuredAtStart.set(id, snapshot);
  if (turn.version < SpdmVersions.V1_2) return 0;
  return (started ?? snapshot) === snapshot ? ContentChanged.unchanged : ContentChanged.changed;
}

function answerMeasurements(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof auth.getMeasurements>,
): Answer {
  const { random, crypto } = state.config;
  const wantsSignature = (value.Param1 & WANTS_SIGNATURE) !== 0;
  const slotId = (value.SlotIDParam ?? 0) & 15;
  const signing = wantsSignature
    ? signingOf(state, slotId, KeyUsages.Measurement, PUBLIC_KEY_SLOT_NIBBLE)
    : undefined;
  const items = reportable(state);
  const chosen = selected(items, value.Param2);
  const digest = measurementHash(state.negotiated!);
  const signs = capability(state.config.flags, 'MEAS_CAP') === MEAS_CAP_SIGNED;
  // DSP0274 names no code for these two; chosen: what was not agreed on is not supported.
  if (!agreed(state.negotiated!) || (wantsSignature && !signs)) return unsupported(turn);
  if (chosen === undefined || (wantsSignature && signing === undefined)) return invalid;
  const rawAsked = turn.version >= SpdmVersions.V1_2 && (value.Param1 & WANTS_RAW) !== 0;
  const MeasurementRecord = chosen.map((item) =>
    measurementOf(crypto, digest, rawAsked ? { ...item, raw: true } : item),
  );
  turn.work.push({ op: 'measure' }, { op: 'random', bytes: 32 });
  const changed = contentChanged(state, turn, items);
  const context = value.RequesterContext;
  const answer = {
    ...answerHeader(
      turn,
      ResponseCodes.MEASUREMENTS,
      value.Param2 === 0 ? items.length : 0,
      wantsSignature ? slotId | changed : 0,
    ),
    MeasurementRecord,
    Nonce: random(32),
    OpaqueData: new Uint8Array(0),
    ...(context === undefined ? {} : { RequesterContext: context }),
  };
  return signing === undefined
    ? unsigned(state, turn, answer)
    : signed(state, turn, answer, signing);
}

type Draft = Omit<ValueOf<typeof auth.measurements>, 'Signature'>;

function unsigned(state: ResponderState, turn: Turn, answer: Draft): Answer {
  const known = { ...connectionFacts(turn.version, state.negotiated), signed: 0 };
  const reply = encode(auth.measurements, answer, known);
  turn.commits.push(() => measurementLog(state, turn).add(turn.request, reply));
  return reply;
}

function signed(state: ResponderState, turn: Turn, answer: Draft, { signer }: Signing): Answer {
  const { crypto } = state.config;
  const size = state.negotiated!.signatureSize;
  const known = { ...connectionFacts(turn.version, state.negotiated), signed: 1 };
  const draft = encode(auth.measurements, { ...answer, Signature: new Uint8Array(size) }, known);
  const bare = draft.subarray(0, draft.length - size);
  const log = measurementLog(state, turn);
  const window = l1l2(turn.version, state.transcript.a.bytes(), log);
  const transcript = concat(window, turn.request, bare);
  turn.commits.push(() => log.clear());
  turn.work.push({ op: 'hash', bytes: transcript.length }, { op: 'sign' });
  const scope = { crypto, hash: hashOf(state), version: turn.version };
  return concat(bare, signTranscript(scope, signer, SigningContexts.MEASUREMENTS, transcript));
}

export const measurementHandlers: Handlers = {
  [RequestCodes.GET_MEASUREMENTS]: answerMeasurements,
};
