/** Responder side of GET_DIGESTS, GET_CERTIFICATE and CHALLENGE (DSP0274 10.5-10.7). */

import { concat } from '../../codec/bytes.ts';
import type { ValueOf } from '../../codec/field.ts';
import { encode } from '../../codec/layout.ts';
import { capability, RequestCodes, ResponseCodes } from '../codes.ts';
import { type KeyUsage, KeyUsages, PUBLIC_KEY_SLOT_NIBBLE, usableFor } from '../identity.ts';
import {
  certificateMessage,
  digestsMessage,
  maskOfSlots,
  type SlotHolder,
} from '../identity-answers.ts';
import * as auth from '../messages/auth.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import { connectionFacts } from '../messages/registry.ts';
import { bothHave } from '../negotiate.ts';
import { type Signer, SigningContexts, signTranscript } from '../signing.ts';
import { answerLimit } from './chunks.ts';
import { measurementHandlers, summaryFor, summaryTypeLegal } from './measurements.ts';
import { basicMutAuthWanted, startBasicMutAuth } from './mutual.ts';
import {
  type Answer,
  answerHeader,
  type Handlers,
  hashOf,
  invalid,
  type ResponderState,
  type Turn,
} from './state.ts';

/** The responder's slots, for what DIGESTS and CERTIFICATE say of them. */
function holderOf(state: ResponderState): SlotHolder {
  const { config, version, negotiated } = state;
  return {
    crypto: config.crypto,
    hash: hashOf(state),
    version,
    supportedSlots: config.identity.supportedSlots,
    slots: state.slots(),
    slotSize: (slot) => config.identity.slotSize?.(slot),
    multiKey: negotiated!.multiKeyConn,
    largeForm: capability(config.flags, 'LARGE_RESP_CAP') === 1,
    facts: connectionFacts(version, negotiated),
  };
}

function answerDigests(state: ResponderState, turn: Turn): Answer {
  const holder = holderOf(state);
  for (const { chain } of holder.slots.values())
    turn.work.push({ op: 'hash', bytes: chain.length });
  const reply = digestsMessage(holder);
  if (turn.session === undefined)
    turn.commits.push(() => {
      state.transcript.b.add(turn.request, reply);
      state.transcript.addDigests(reply);
    });
  return reply;
}

/** The longest portion message: one message's worth, or with chunks the largest message's. */
export function portionRoom(state: ResponderState, turn: Turn): number {
  const { config, requesterMaxSpdmMsgSize } = state;
  return bothHave(state.negotiated!, 'CHUNK_CAP')
    ? Math.min(config.maxSpdmMsgSize, requesterMaxSpdmMsgSize)
    : Math.min(config.dataTransferSize, answerLimit(state, turn.session));
}

function answerCertificate(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof auth.getCertificate>,
): Answer {
  const reply = certificateMessage(holderOf(state), value, portionRoom(state, turn));
  if (reply instanceof Uint8Array && turn.session === undefined)
    turn.commits.push(() => state.transcript.b.add(turn.request, reply));
  return reply;
}

/** Who answers with a signature: its key, and what stands for it in transcripts. */
export interface Signing {
  readonly signer: Signer;
  /** certificate chain blob, or SubjectPublicKeyInfo of the provisioned key */
  readonly identity: Uint8Array;
  /** in a four-bit SlotID field */
  readonly slotNibble: number;
}

/**
 * The signer a SlotID names: 0-7, or the provisioned public key. Undefined if it is not there or, in a
 * multi-key connection, not meant for `usage`.
 */
export function signingOf(
  state: ResponderState,
  slotId: number,
  usage: KeyUsage,
  publicKeySlot = PUBLIC_KEY_SLOT,
): Signing | undefined {
  if (slotId === publicKeySlot) {
    const key = state.publicKey();
    if (key === undefined) return undefined;
    const { signer, subjectPublicKeyInfo: identity } = key;
    return { signer, identity, slotNibble: PUBLIC_KEY_SLOT_NIBBLE };
  }
  const slot = state.slots().get(slotId);
  if (slot === undefined) return undefined;
  if (!usableFor(slot, state.negotiated!.multiKeyConn, usage)) return undefined;
  return { signer: slot.signer, identity: slot.chain, slotNibble: slotId };
}

const BASIC_MUT_AUTH_REQ = 0x80;

function answerChallenge(
  state: ResponderState,
  turn: Turn,
  value: ValueOf<typeof auth.challenge>,
): Answer {
  const signing = signingOf(state, value.Param1, KeyUsages.Challenge);
  if (signing === undefined || !summaryTypeLegal(state, value.Param2)) return invalid;
  const { crypto, random } = state.config;
  const hash = hashOf(state);
  const summary = summaryFor(state, turn, value.Param2);
  const context = value.RequesterContext;
  const size = state.negotiated!.signatureSize;
  const basic = basicMutAuthWanted(state) ? BASIC_MUT_AUTH_REQ : 0;
  const mask = signing.slotNibble === PUBLIC_KEY_SLOT_NIBBLE ? 0 : maskOfSlots(state.slots());
  const answer = {
    ...answerHeader(turn, ResponseCodes.CHALLENGE_AUTH, signing.slotNibble | basic, mask),
    CertChainHash: crypto.hash(hash, signing.identity),
    Nonce: random(32),
    ...(summary === undefined ? {} : { MeasurementSummaryHash: summary }),
    OpaqueData: new Uint8Array(0),
    ...(context === undefined ? {} : { RequesterContext: context }),
    Signature: new Uint8Array(size),
  };
  const known = connectionFacts(turn.version, state.negotiated);
  const draft = encode(auth.challengeAuth, answer, {
    ...known,
    summary: summary === undefined ? 0 : 1,
  });
  const unsigned = draft.subarray(0, draft.length - size);
  const transcript = concat(state.transcript.m1m2(), turn.request, unsigned);
  turn.work.push(
    { op: 'random', bytes: 32 },
    { op: 'hash', bytes: transcript.length },
    { op: 'sign' },
  );
  const scope = { crypto, hash, version: turn.version };
  const signature = signTranscript(
    scope,
    signing.signer,
    SigningContexts.CHALLENGE_AUTH,
    transcript,
  );
  turn.commits.push(() => {
    state.transcript.challenged();
    state.authenticated = true;
    if (basic !== 0) startBasicMutAuth(state);
  });
  return concat(unsigned, signature);
}

export const authHandlers: Handlers = {
  [RequestCodes.GET_DIGESTS]: answerDigests,
  [RequestCodes.GET_CERTIFICATE]: answerCertificate,
  [RequestCodes.CHALLENGE]: answerChallenge,
  ...measurementHandlers,
};
