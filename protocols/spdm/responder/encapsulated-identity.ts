/**
 * What a responder asks to learn who the requester is: encapsulated GET_DIGESTS, GET_CERTIFICATE and
 * CHALLENGE (DSP0274 10.5-10.7 in the other direction). Outside sessions these make the mutual M1/M2.
 */

import { concat, equal, popcount } from '../../codec/bytes.ts';
import { isPeerFault, LocalError, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { capability, RequestCodes, ResponseCodes, SpdmVersions } from '../codes.ts';
import { type KeyUsage, PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import { CertModels } from '../messages/auth.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import { bothHave } from '../negotiate.ts';
import type { LeafKey } from '../observer/types.ts';
import { SigningContexts, verifyTranscript } from '../signing.ts';
import type { MessageLog } from '../transcript.ts';
import {
  ask,
  type Encapsulated,
  type EncapsulatedProgress,
  type EncapsulatedStep,
} from './encapsulated.ts';
import { hashOf, type ResponderState, type Turn } from './state.ts';

/** A requester's key that its chain, or who installed it, vouches for. */
export interface RequesterIdentity {
  /** 0-7, or 0xFF for a provisioned public key */
  readonly slot: number;
  /** chain blob, or SubjectPublicKeyInfo of a provisioned key */
  readonly identity: Uint8Array;
  readonly leaf: LeafKey;
}

export interface IdentityQuestion {
  readonly usage: KeyUsage;
  /** the slot to authenticate; undefined: the first that may be used */
  readonly slot: number | undefined;
  /** takes the messages, outside sessions */
  readonly log: MessageLog | undefined;
  readonly found: (
    turn: Turn,
    identity: RequesterIdentity,
    digests: Uint8Array,
  ) => EncapsulatedProgress;
}

interface ChosenSlot {
  readonly slot: number;
  readonly digest: Uint8Array;
}

/** Asks for the digests, and then for the chain of one slot. */
export function askIdentity(state: ResponderState, question: IdentityQuestion): EncapsulatedStep {
  return ask(state, {
    code: RequestCodes.GET_DIGESTS,
    answerCode: ResponseCodes.DIGESTS,
    fields: { Param1: 0, Param2: 0 },
    answered(turn, exchanged) {
      const chosen = chooseSlot(state, question, exchanged);
      if (isPeerFault(chosen)) return chosen;
      const { request, response } = exchanged;
      turn.commits.push(() => question.log?.add(request, response));
      const fetch: Fetch = { ...chosen, question, digests: response, total: undefined };
      return askPortion(state, fetch, new Uint8Array(0), 0);
    },
  });
}

const fault = (detail: string): PeerFault => peerFault('REQUESTER_DIGESTS', detail);

function chooseSlot(
  state: ResponderState,
  { slot: wanted, usage }: IdentityQuestion,
  { value }: Encapsulated<0x01>,
): ChosenSlot | PeerFault {
  const { Param1: supported, Param2: provisioned, Digest } = value;
  if (provisioned === 0) return fault('no slot is provisioned');
  if (state.version >= SpdmVersions.V1_3 && (provisioned & ~supported) !== 0)
    return fault('a provisioned slot is not supported');
  const slots = [0, 1, 2, 3, 4, 5, 6, 7].filter((slot) => ((provisioned >> slot) & 1) === 1);
  const usable = slots.filter((_slot, at) => {
    const model = value.CertificateInfo?.[at] ?? CertModels.DeviceCert;
    const mask = value.KeyUsageMask?.[at] ?? usage;
    return (model & 7) !== CertModels.None && (mask & usage) !== 0;
  });
  const slot = wanted ?? usable[0];
  if (slot === undefined || !usable.includes(slot))
    return fault(`slot ${slot ?? 'any'} has no chain for this use`);
  return { slot, digest: Digest[popcount(provisioned & ((1 << slot) - 1))]! };
}

interface Fetch extends ChosenSlot {
  readonly question: IdentityQuestion;
  readonly digests: Uint8Array;
  /** bytes of the chain, as the first portion told */
  readonly total: number | undefined;
}

const LARGE_FORM = 0x80;
const DELIVER_HEAD_SIZE = 4;
const HEAD_SIZE = 8;
const LARGE_HEAD_SIZE = 16;
const SMALL_CHAIN_MAX = 0xffff;
const LARGE_CHAIN_MAX = 0x100000;
/** A requester that hands out a few bytes at a time is not listened to for ever. */
const PORTIONS_MAX = 4096;

/** In the large form of 1.4 if the requester does that, even for small chains. */
const isLarge = ({ version, requesterFlags }: ResponderState): boolean =>
  version >= SpdmVersions.V1_4 && capability(requesterFlags, 'LARGE_RESP_CAP') === 1;

/** The most that fits one DELIVER_ENCAPSULATED_RESPONSE, in chunks if both sides do that. */
function portionMax(state: ResponderState): number {
  const { maxSpdmMsgSize, dataTransferSize } = state.config;
  const room = bothHave(state.negotiated!, 'CHUNK_CAP') ? maxSpdmMsgSize : dataTransferSize;
  const head = DELIVER_HEAD_SIZE + (isLarge(state) ? LARGE_HEAD_SIZE : HEAD_SIZE);
  return Math.min(room - head, isLarge(state) ? LARGE_CHAIN_MAX : SMALL_CHAIN_MAX);
}

function askPortion(
  state: ResponderState,
  fetch: Fetch,
  known: Uint8Array,
  portions: number,
): EncapsulatedStep {
  const { slot, question } = fetch;
  const large = isLarge(state);
  const Length = portionMax(state);
  const at = large
    ? { Offset: 0, Length: 0, LargeOffset: known.length, LargeLength: Length }
    : { Offset: known.length, Length };
  return ask(state, {
    code: RequestCodes.GET_CERTIFICATE,
    answerCode: ResponseCodes.CERTIFICATE,
    fields: { Param1: large ? LARGE_FORM | slot : slot, Param2: 0, ...at },
    answered(turn, { value, request, response }) {
      const remainder = (large ? value.LargeRemainderLength : value.RemainderLength) ?? 0;
      const chain = concat(known, value.CertChain);
      const total = chain.length + remainder;
      const sameForm = ((value.Param1 & LARGE_FORM) !== 0) === large;
      const fits = value.CertChain.length > 0 && value.CertChain.length <= Length && sameForm;
      const agrees = total === (fetch.total ?? total) && (value.Param1 & 15) === slot;
      const most = large ? LARGE_CHAIN_MAX : SMALL_CHAIN_MAX;
      if (!fits || !agrees || total > most || portions >= PORTIONS_MAX)
        return peerFault(
          'REQUESTER_CERTIFICATE',
          `${chain.length} of ${total} bytes make no sense`,
        );
      turn.commits.push(() => question.log?.add(request, response));
      if (remainder > 0) return askPortion(state, { ...fetch, total }, chain, portions + 1);
      const identity = judgedChain(state, turn, fetch, chain);
      return isPeerFault(identity) ? identity : question.found(turn, identity, fetch.digests);
    },
  });
}

function judgedChain(
  state: ResponderState,
  turn: Turn,
  { slot, digest }: ChosenSlot,
  chain: Uint8Array,
): RequesterIdentity | PeerFault {
  turn.work.push({ op: 'hash', bytes: chain.length }, { op: 'certificate-parse' });
  if (!equal(state.config.crypto.hash(hashOf(state), chain), digest))
    return peerFault(
      'REQUESTER_CHAIN_DIGEST',
      `the chain of slot ${slot} is not the one in DIGESTS`,
    );
  turn.work.push({ op: 'verify' }, { op: 'verify' }, { op: 'verify' });
  return trustedRequester(state, slot, chain);
}

/**
 * A chain as the responder's trust judges it, under the algorithm the requester is to sign with.
 * @throws LocalError if the responder has no way to judge
 */
export function trustedRequester(
  state: ResponderState,
  slot: number,
  chain: Uint8Array,
): RequesterIdentity | PeerFault {
  const { trust } = state.config;
  if (trust === undefined)
    throw new LocalError('trust: mutual authentication takes a judge of certificate chains');
  const wanted = state.suite()?.requesterSignature;
  const leaf = trust(chain, state.negotiated!.hashSize, wanted);
  if (isPeerFault(leaf)) return leaf;
  if (leaf.algorithm !== wanted)
    return peerFault('REQUESTER_LEAF_KEY', `leaf key ${leaf.algorithm} is not for ${wanted}`);
  return { slot, identity: chain, leaf };
}

const BASIC_MUT_AUTH_REQ = 0x80;

/** Asks for the proof that the requester holds the key: CHALLENGE, outside sessions only. */
export function askChallenge(
  state: ResponderState,
  who: RequesterIdentity,
  proven: (turn: Turn) => void,
): EncapsulatedStep {
  const context = { RequesterContext: state.config.random(8) };
  return ask(state, {
    code: RequestCodes.CHALLENGE,
    answerCode: ResponseCodes.CHALLENGE_AUTH,
    fields: { Param1: who.slot, Param2: 0, Nonce: state.config.random(32), ...context },
    answered(turn, exchanged) {
      const { value, request, response } = exchanged;
      const wrong = challengeFault(state, turn, who, exchanged);
      if (wrong !== undefined) return wrong;
      const echoed = value.RequesterContext ?? context.RequesterContext;
      if (!equal(echoed, context.RequesterContext))
        return peerFault('REQUESTER_CHALLENGE_AUTH', 'RequesterContext is not the one asked with');
      const unsigned = response.subarray(0, response.length - value.Signature.length);
      turn.commits.push(() => {
        state.transcript.mutC.add(request, unsigned);
        proven(turn);
      });
      return { end: true };
    },
  });
}

function challengeFault(
  state: ResponderState,
  turn: Turn,
  who: RequesterIdentity,
  { value, request, response }: Encapsulated<0x03>,
): PeerFault | undefined {
  const wrong = (detail: string) => peerFault('REQUESTER_CHALLENGE_AUTH', detail);
  const { crypto } = state.config;
  const hash = hashOf(state);
  const nibble = who.slot === PUBLIC_KEY_SLOT ? PUBLIC_KEY_SLOT_NIBBLE : who.slot;
  if ((value.Param1 & 15) !== nibble) return wrong(`slot ${value.Param1 & 15} answers`);
  if ((value.Param1 & BASIC_MUT_AUTH_REQ) !== 0) return wrong('it asks to be asked in turn');
  const masked = who.slot === PUBLIC_KEY_SLOT ? value.Param2 === 0 : (value.Param2 >> nibble) & 1;
  if (!masked) return wrong(`slot mask 0x${value.Param2.toString(16)}`);
  if (!equal(value.CertChainHash, crypto.hash(hash, who.identity)))
    return wrong('CertChainHash is not that of the chain fetched');
  const unsigned = response.subarray(0, response.length - value.Signature.length);
  const covered = concat(state.transcript.mutualM1m2(turn.version), request, unsigned);
  turn.work.push({ op: 'hash', bytes: covered.length }, { op: 'verify' });
  const scope = { crypto, hash, version: turn.version };
  const { algorithm, publicKey } = who.leaf;
  const { MUTUAL_CHALLENGE_AUTH: context } = SigningContexts;
  return verifyTranscript(scope, algorithm, publicKey, context, covered, value.Signature)
    ? undefined
    : wrong('the signature does not cover this exchange');
}
