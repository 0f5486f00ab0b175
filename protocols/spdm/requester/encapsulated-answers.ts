/**
 * What a requester answers to the responder's encapsulated requests (DSP0274 10.17): who it is, new keys
 * of the responder's direction, endpoint info, events. What it does not take is an encapsulated ERROR.
 */

import { concat } from '../../codec/bytes.ts';
import { encode } from '../../codec/layout.ts';
import type { SignatureName } from '../../crypto/algorithms.ts';
import {
  type CapabilityName,
  capability,
  ErrorCodes,
  RequestCodes,
  ResponseCodes,
} from '../codes.ts';
import {
  type IdentitySlot,
  type KeyUsage,
  KeyUsages,
  type ProvisionedPublicKey,
  PUBLIC_KEY_SLOT_NIBBLE,
  usableFor,
} from '../identity.ts';
import { certificateMessage, digestsMessage, maskOfSlots } from '../identity-answers.ts';
import * as auth from '../messages/auth.ts';
import { error } from '../messages/error.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import {
  decodeMessage,
  encapsulatedFacts,
  inVersion,
  type MessageValue,
} from '../messages/registry.ts';
import { bothHave } from '../negotiate.ts';
import { type Signer, SigningContexts, signTranscript } from '../signing.ts';
import { answerEndpointInfo, answerKeyUpdate, answerSendEvent } from './encapsulated-services.ts';
import {
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
  suiteOrThrow,
} from './state.ts';

/** One encapsulated flow, as the requester sees it. */
export interface EncapsulatedContext {
  /** the session it belongs to, in whose records or in the clear */
  readonly session: RequesterSession | undefined;
  /** travels outside the record layer */
  readonly plain: boolean;
  /** DIGESTS of a multi-key requester during the handshake: the first thing asked for, or none */
  digests: Uint8Array | undefined;
  digestsWindow: 'open' | 'closed';
  /** an UpdateKey of the responder's direction waits for its VerifyNewKey */
  updating: boolean;
}

/** ERROR to answer with, encapsulated. */
export interface EncapsulatedError {
  readonly error: number;
  readonly data?: number;
  readonly extended?: Uint8Array;
}
export type EncapsulatedAnswer = Uint8Array | EncapsulatedError;

/** One encapsulated request. */
export interface Asked<V> {
  readonly state: RequesterState;
  readonly context: EncapsulatedContext;
  /** its bytes alone, padding stripped */
  readonly request: Uint8Array;
  readonly value: V;
}

type Where = 'plain' | 'handshake' | 'established';
interface Rule {
  readonly where: readonly Where[];
  /** the requester must have it */
  readonly own?: CapabilityName;
  /** both must */
  readonly both?: CapabilityName;
  /** the responder must */
  readonly its?: CapabilityName;
  readonly answer: (asked: Asked<never>) => EncapsulatedAnswer;
}

const EVERYWHERE: readonly Where[] = ['plain', 'handshake', 'established'];
const C = RequestCodes;
/** Which request is taken where; CHALLENGE has no place in a session. */
export const encapsulatedRules: Readonly<Record<number, Rule>> = {
  [C.GET_DIGESTS]: { where: EVERYWHERE, own: 'CERT_CAP', answer: answerDigests },
  [C.GET_CERTIFICATE]: { where: EVERYWHERE, own: 'CERT_CAP', answer: answerCertificate },
  [C.CHALLENGE]: { where: ['plain'], own: 'CHAL_CAP', answer: answerChallenge },
  [C.KEY_UPDATE]: { where: ['established'], both: 'KEY_UPD_CAP', answer: answerKeyUpdate },
  [C.GET_ENDPOINT_INFO]: {
    where: ['plain', 'established'],
    own: 'EP_INFO_CAP',
    answer: answerEndpointInfo,
  },
  [C.SEND_EVENT]: { where: ['established'], its: 'EVENT_CAP', answer: answerSendEvent },
};

const SESSION_REQUIRED_SINCE = 0x12;

/** The answer's bytes, whatever was asked. */
export function answerEncapsulated(
  state: RequesterState,
  context: EncapsulatedContext,
  raw: Uint8Array,
): Uint8Array {
  const answer = answerOf(state, context, raw);
  if (answer instanceof Uint8Array) return answer;
  return encode(error, {
    SPDMVersion: state.version,
    RequestResponseCode: ResponseCodes.ERROR,
    Param1: answer.error,
    Param2: answer.data ?? 0,
    ExtendedErrorData: answer.extended ?? new Uint8Array(0),
  });
}

function answerOf(
  state: RequesterState,
  context: EncapsulatedContext,
  raw: Uint8Array,
): EncapsulatedAnswer {
  const invalid = { error: ErrorCodes.InvalidRequest };
  if (raw.length < 4) return invalid;
  const [version, code = 0] = raw;
  const rule = encapsulatedRules[code];
  if (rule === undefined || !inVersion(code, state.version) || !capable(state, rule))
    return { error: ErrorCodes.UnsupportedRequest, data: code };
  if (version !== state.version) return { error: ErrorCodes.VersionMismatch };
  const where = whereOf(context);
  if (!rule.where.includes(where)) return { error: misplaced(state, where) };
  const facts = encapsulatedFacts(state.version, negotiatedOrThrow(state));
  const decoded = decodeMessage(raw, facts, context.plain ? 'leave' : 'refuse');
  if (!decoded.ok) return invalid;
  const request = raw.slice(0, decoded.size);
  if (code !== C.GET_DIGESTS) context.digestsWindow = 'closed';
  return rule.answer({ state, context, request, value: decoded.value as never });
}

function whereOf({ session }: EncapsulatedContext): Where {
  if (session === undefined) return 'plain';
  return session.established ? 'established' : 'handshake';
}

function misplaced(state: RequesterState, where: Where): number {
  if (where !== 'plain') return ErrorCodes.UnexpectedRequest;
  const known = state.version >= SESSION_REQUIRED_SINCE;
  return known ? ErrorCodes.SessionRequired : ErrorCodes.Unspecified;
}

function capable(state: RequesterState, { own, both, its }: Rule): boolean {
  const { requesterFlags, responderFlags } = negotiatedOrThrow(state);
  if (own !== undefined && capability(requesterFlags, own) === 0) return false;
  if (its !== undefined && capability(responderFlags, its) === 0) return false;
  return both === undefined || bothHave({ requesterFlags, responderFlags }, both);
}

const scopeOf = (state: RequesterState, signature: SignatureName) => ({
  signature,
  hash: suiteOrThrow(state).hash,
});

/** The requester's own slots under what was negotiated, in order; none without an identity. */
export function ownSlots(state: RequesterState): ReadonlyMap<number, IdentitySlot> {
  const { requesterSignature } = suiteOrThrow(state);
  const { identity } = state.config;
  if (identity === undefined || requesterSignature === undefined) return new Map();
  const found = identity.slots(scopeOf(state, requesterSignature));
  return new Map([...found.entries()].sort(([a], [b]) => a - b));
}

/** The requester's own key that the responder was given. */
export function ownPublicKey(state: RequesterState): ProvisionedPublicKey | undefined {
  const { requesterSignature } = suiteOrThrow(state);
  if (requesterSignature === undefined) return undefined;
  return state.config.identity?.publicKey(scopeOf(state, requesterSignature));
}

/** Who signs, and what stands for it in transcripts. */
export interface OwnSigning {
  readonly slot: number;
  readonly slotNibble: number;
  readonly identity: Uint8Array;
  readonly signer: Signer;
}

/** The requester's key in a slot, or in 0xFF; undefined if it is not there or not meant for that. */
export function ownSigning(
  state: RequesterState,
  slot: number,
  usage: KeyUsage,
): OwnSigning | undefined {
  if (slot === PUBLIC_KEY_SLOT) {
    const key = ownPublicKey(state);
    if (key === undefined) return undefined;
    const { subjectPublicKeyInfo: identity, signer } = key;
    return { slot, slotNibble: PUBLIC_KEY_SLOT_NIBBLE, identity, signer };
  }
  const entry = ownSlots(state).get(slot);
  const { requesterMultiKeyConn } = negotiatedOrThrow(state);
  if (entry === undefined || !usableFor(entry, requesterMultiKeyConn, usage)) return undefined;
  return { slot, slotNibble: slot, identity: entry.chain, signer: entry.signer };
}

function holderOf(state: RequesterState) {
  const negotiated = negotiatedOrThrow(state);
  const { version, config } = state;
  return {
    crypto: config.crypto,
    hash: suiteOrThrow(state).hash,
    version,
    supportedSlots: config.identity?.supportedSlots ?? 0,
    slotSize: (slot: number) => config.identity?.slotSize?.(slot),
    slots: ownSlots(state),
    multiKey: negotiated.requesterMultiKeyConn,
    largeForm: capability(negotiated.requesterFlags, 'LARGE_RESP_CAP') === 1,
    facts: encapsulatedFacts(version, negotiated),
  };
}

function answerDigests({ state, context, request }: Asked<MessageValue<0x81>>): EncapsulatedAnswer {
  const holder = holderOf(state);
  for (const { chain } of holder.slots.values())
    state.work.push({ op: 'hash', bytes: chain.length });
  const response = digestsMessage(holder);
  const { mutB } = state.transcript;
  if (context.session === undefined) {
    mutB.clear();
    mutB.add(request, response);
  } else if (holder.multiKey && context.digestsWindow === 'open') context.digests ??= response;
  return response;
}

const DELIVER_HEAD_SIZE = 4;

function answerCertificate({
  state,
  context,
  request,
  value,
}: Asked<MessageValue<0x82>>): EncapsulatedAnswer {
  const { config, responderDataTransferSize, responderMaxSpdmMsgSize } = state;
  const room = bothHave(negotiatedOrThrow(state), 'CHUNK_CAP')
    ? Math.min(config.maxSpdmMsgSize, responderMaxSpdmMsgSize)
    : Math.min(config.dataTransferSize, responderDataTransferSize);
  const answer = certificateMessage(holderOf(state), value, room - DELIVER_HEAD_SIZE);
  if (answer instanceof Uint8Array && context.session === undefined)
    state.transcript.mutB.add(request, answer);
  return answer;
}

function answerChallenge({ state, request, value }: Asked<MessageValue<0x83>>): EncapsulatedAnswer {
  const signing = ownSigning(state, value.Param1, KeyUsages.Challenge);
  // A requester measures nothing that a summary could be of.
  if (signing === undefined || value.Param2 !== 0) return { error: ErrorCodes.InvalidRequest };
  const { crypto, random } = state.config;
  const { hash } = suiteOrThrow(state);
  const { version, transcript } = state;
  const negotiated = negotiatedOrThrow(state);
  const size = negotiated.requesterSignatureSize;
  const { RequesterContext: context } = value;
  const isKey = signing.slot === PUBLIC_KEY_SLOT;
  const draft = encode(
    auth.challengeAuth,
    {
      SPDMVersion: version,
      RequestResponseCode: ResponseCodes.CHALLENGE_AUTH,
      Param1: signing.slotNibble,
      Param2: isKey ? 0 : maskOfSlots(ownSlots(state)),
      CertChainHash: crypto.hash(hash, signing.identity),
      Nonce: random(32),
      OpaqueData: new Uint8Array(0),
      ...(context === undefined ? {} : { RequesterContext: context }),
      Signature: new Uint8Array(size),
    },
    encapsulatedFacts(version, negotiated),
  );
  const unsigned = draft.subarray(0, draft.length - size);
  transcript.mutC.clear();
  transcript.mutC.add(request, unsigned);
  const covered = transcript.mutualM1m2(version);
  state.work.push({ op: 'hash', bytes: covered.length }, { op: 'sign' });
  const { MUTUAL_CHALLENGE_AUTH } = SigningContexts;
  const scope = { crypto, hash, version };
  return concat(unsigned, signTranscript(scope, signing.signer, MUTUAL_CHALLENGE_AUTH, covered));
}
