/**
 * Who the requester proves to be (DSP0274 10.7 and 10.12, mutual authentication): when a responder asks
 * for it, in CHALLENGE_AUTH (basic) and in KEY_EXCHANGE_RSP, and what it has found out.
 */

import { isPeerFault, LocalError, type PeerFault } from '../../codec/refusal.ts';
import type { Effect } from '../../engine.ts';
import { capability, ErrorCodes, SpdmVersions } from '../codes.ts';
import { KeyUsages, PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import { bothHave, handshakeInTheClear } from '../negotiate.ts';
import type { LeafKey } from '../observer/types.ts';
import { startFlow } from './encapsulated.ts';
import {
  askChallenge,
  askIdentity,
  type RequesterIdentity,
  trustedRequester,
} from './encapsulated-identity.ts';
import type {
  ErrorAnswer,
  ResponderConfig,
  ResponderSession,
  ResponderState,
  Turn,
} from './state.ts';

/** MutAuthRequested of KEY_EXCHANGE_RSP; at most one is set. */
export const MutAuthRequested = { none: 0, requested: 1, encapsulated: 2, digests: 4 } as const;

export interface MutualAuthentication {
  /** by encapsulated CHALLENGE after CHALLENGE_AUTH; deprecated from 1.2 on, but still in use there */
  readonly basic?: boolean;
  /**
   * In each KEY_EXCHANGE session: `requested` of a requester whose chain or key is known, else by
   * encapsulated requests, where `digests` saves the first of them. Default: none.
   */
  readonly session?: keyof typeof MutAuthRequested;
  /** the requester's slot; default: the first that may be used */
  readonly slot?: number;
  /** no session with a requester that cannot be authenticated this way; default: a session without */
  readonly mandatory?: boolean;
}

/** What a session asked of its requester, and has found out so far. */
export interface MutualState {
  requested: number;
  /** SlotIDParam of KEY_EXCHANGE_RSP */
  slotParam: number;
  /** SlotID that FINISH must name; undefined until it is known */
  slot: number | undefined;
  /** chain blob, or SubjectPublicKeyInfo of a provisioned key */
  identity: Uint8Array | undefined;
  leaf: LeafKey | undefined;
  /** encapsulated DIGESTS of a multi-key requester: part of TH if they came after KEY_EXCHANGE_RSP */
  digests: Uint8Array | undefined;
}

/** The requester proved that it holds the key of this slot: by CHALLENGE, or in a session by FINISH. */
export interface RequesterAuthenticated extends Effect {
  readonly type: 'requester-authenticated';
  readonly sessionId?: number;
  readonly slot: number;
}
/** It did not, or not yet and it broke off. */
export interface RequesterRefused extends Effect {
  readonly type: 'requester-refused';
  readonly sessionId?: number;
  /** a stable code, and what happened */
  readonly code: string;
  readonly reason: string;
}

const named = (sessionId: number | undefined) => (sessionId === undefined ? {} : { sessionId });

export function tellAuthenticated(turn: Turn, slot: number, sessionId?: number): void {
  const told: RequesterAuthenticated = {
    type: 'requester-authenticated',
    ...named(sessionId),
    slot,
  };
  turn.effects.push(told);
}

export function tellRefused(turn: Turn, fault: PeerFault, sessionId?: number): void {
  const { code, detail: reason } = fault;
  const told: RequesterRefused = { type: 'requester-refused', ...named(sessionId), code, reason };
  turn.effects.push(told);
}

/** @throws LocalError if what a responder is to ask for is nothing it could judge */
export function checkMutual(config: ResponderConfig): void {
  const { mutualAuthentication: wanted, trust, peerPublicKey, peerChain } = config;
  if (wanted === undefined) return;
  const asks = wanted.basic === true || (wanted.session ?? 'none') !== 'none';
  if (asks && trust === undefined && peerPublicKey === undefined)
    throw new LocalError('trust: mutual authentication takes a judge of certificate chains');
  if (peerChain !== undefined && trust === undefined)
    throw new LocalError('trust: takes a judge of peerChain');
  const { slot } = wanted;
  if (slot !== undefined && !(Number.isInteger(slot) && slot >= 0 && slot < 8))
    throw new LocalError('mutualAuthentication.slot: 0-7');
}

const requesterHas = (state: ResponderState, name: 'CERT_CAP' | 'CHAL_CAP' | 'PUB_KEY_ID_CAP') =>
  capability(state.requesterFlags, name) === 1;

/** Both sides do mutual authentication, and agreed on how the requester signs. */
const possible = (state: ResponderState): boolean =>
  bothHave(state.negotiated!, 'MUT_AUTH_CAP') && state.suite()?.requesterSignature !== undefined;

/** The key the responder was given beforehand, for a requester that has no certificates. */
function givenKey(state: ResponderState): RequesterIdentity | undefined {
  const { peerPublicKey } = state.config;
  if (!requesterHas(state, 'PUB_KEY_ID_CAP') || peerPublicKey === undefined) return undefined;
  const { subjectPublicKeyInfo: identity, key: leaf } = peerPublicKey;
  if (leaf.algorithm !== state.suite()?.requesterSignature) return undefined;
  return { slot: PUBLIC_KEY_SLOT, identity, leaf };
}

/** The requester's chain or key where nobody has to ask for it. */
function knownRequester(state: ResponderState): RequesterIdentity | undefined {
  const { peerChain, mutualAuthentication } = state.config;
  if (requesterHas(state, 'PUB_KEY_ID_CAP')) return givenKey(state);
  const slot = mutualAuthentication?.slot;
  const met = state.requester;
  if (met !== undefined && met.slot === (slot ?? met.slot)) return met;
  if (peerChain === undefined || !requesterHas(state, 'CERT_CAP')) return undefined;
  const judged = trustedRequester(state, slot ?? 0, peerChain);
  return isPeerFault(judged) ? undefined : judged;
}

/** Whether CHALLENGE_AUTH asks for basic mutual authentication (1.1; deprecated from 1.2 on). */
export function basicMutAuthWanted(state: ResponderState): boolean {
  if (state.config.mutualAuthentication?.basic !== true) return false;
  if (state.version < SpdmVersions.V1_1 || !possible(state)) return false;
  if (!bothHave(state.negotiated!, 'ENCAP_CAP') || !requesterHas(state, 'CHAL_CAP')) return false;
  if (givenKey(state) !== undefined) return true;
  return requesterHas(state, 'CERT_CAP') && state.config.trust !== undefined;
}

/** The flow that CHALLENGE_AUTH announced; to be called in its commit. */
export function startBasicMutAuth(state: ResponderState): void {
  const { mutB, mutC } = state.transcript;
  mutB.clear();
  mutC.clear();
  const proven = (who: RequesterIdentity) => (turn: Turn) => {
    state.requester = who;
    tellAuthenticated(turn, who.slot);
  };
  const challenge = (who: RequesterIdentity) => askChallenge(state, who, proven(who));
  const given = givenKey(state);
  const step =
    given !== undefined
      ? challenge(given)
      : askIdentity(state, {
          usage: KeyUsages.Challenge,
          slot: state.config.mutualAuthentication?.slot,
          log: mutB,
          found: (_turn, who) => challenge(who),
        });
  const failed = (turn: Turn, fault: PeerFault) => tellRefused(turn, fault);
  startFlow(state, { purpose: 'basic', sessionId: undefined, inRecords: false, failed }, step);
}

/** Of a session that asks nothing of its requester, as every PSK session. */
export const noMutual: MutualState = {
  requested: MutAuthRequested.none,
  slotParam: 0,
  slot: undefined,
  identity: undefined,
  leaf: undefined,
  digests: undefined,
};

/** What KEY_EXCHANGE_RSP asks of the requester, or the ERROR for one that cannot do what it must. */
export function mutualRequest(state: ResponderState): MutualState | ErrorAnswer {
  const { session: form = 'none', mandatory = false } = state.config.mutualAuthentication ?? {};
  if (form === 'none') return { ...noMutual };
  if (possible(state)) {
    const known = knownRequester(state);
    if (known !== undefined && (form === 'requested' || known.slot === PUBLIC_KEY_SLOT)) {
      const { slot, identity, leaf } = known;
      const slotParam = slot === PUBLIC_KEY_SLOT ? PUBLIC_KEY_SLOT_NIBBLE : slot;
      const requested = MutAuthRequested.requested;
      return { ...noMutual, requested, slotParam, slot, identity, leaf };
    }
    const encapsulates = bothHave(state.negotiated!, 'ENCAP_CAP');
    if (form !== 'requested' && encapsulates && requesterHas(state, 'CERT_CAP'))
      return { ...noMutual, requested: MutAuthRequested[form] };
  }
  if (!mandatory) return { ...noMutual };
  const { InvalidPolicy, Unspecified } = ErrorCodes;
  return { error: state.version >= SpdmVersions.V1_3 ? InvalidPolicy : Unspecified };
}

/** The flow that KEY_EXCHANGE_RSP announced, if it did; to be called in its commit. */
export function startSessionMutAuth(state: ResponderState, session: ResponderSession): void {
  const { id, mutual } = session;
  const { encapsulated, digests } = MutAuthRequested;
  if (mutual.requested !== encapsulated && mutual.requested !== digests) return;
  const step = askIdentity(state, {
    usage: KeyUsages.KeyEx,
    slot: state.config.mutualAuthentication?.slot,
    log: undefined,
    found(turn, who, told) {
      turn.commits.push(() => {
        const { requesterMultiKeyConn } = state.negotiated!;
        Object.assign(mutual, who, { digests: requesterMultiKeyConn ? told : undefined });
      });
      return { end: true, slot: who.slot };
    },
  });
  const failed = (turn: Turn, fault: PeerFault) => tellRefused(turn, fault, id);
  const inRecords = !handshakeInTheClear(state.negotiated!);
  const phase = mutual.requested === digests ? 'implied' : 'queued';
  startFlow(state, { purpose: 'session', sessionId: id, inRecords, failed }, step, phase);
}
