/**
 * What a requester does to prove who it is (DSP0274 10.7 and 10.12, mutual authentication): after
 * CHALLENGE_AUTH by an encapsulated flow alone, in a session by FINISH, before which a flow may come.
 */

import { isPeerFault, LocalError, type PeerFault, peerFault } from '../../codec/refusal.ts';
import { capability, RequestCodes } from '../codes.ts';
import { KeyUsages, PUBLIC_KEY_SLOT_NIBBLE } from '../identity.ts';
import { PUBLIC_KEY_SLOT } from '../messages/header.ts';
import type { MessageValue } from '../messages/registry.ts';
import { bothHave } from '../negotiate.ts';
import type { Signer } from '../signing.ts';
import { encapsulatedFlow } from './encapsulated.ts';
import { ownSigning } from './encapsulated-answers.ts';
import {
  type Exchange,
  negotiatedOrThrow,
  type RequesterSession,
  type RequesterState,
} from './state.ts';

/** What FINISH needs to prove it. */
export interface OwnProof {
  /** SlotID in FINISH: 0-7, or 0xFF for a provisioned public key */
  readonly slot: number;
  /** chain blob, or SubjectPublicKeyInfo */
  readonly identity: Uint8Array;
  readonly signer: Signer;
  /** encapsulated DIGESTS of a multi-key requester, if they were asked for after KEY_EXCHANGE_RSP */
  readonly digests: Uint8Array | undefined;
}

type Asked = Pick<MessageValue<0x64>, 'MutAuthRequested' | 'SlotIDParam'>;

const REQUESTED = 1;
const ENCAPSULATED = 2;
const DIGESTS = 4;
const FORMS = REQUESTED | ENCAPSULATED | DIGESTS;
/** GET_DIGESTS that KEY_EXCHANGE_RSP stands for has this number. */
const IMPLIED_ID = 0;

const fault = (detail: string): PeerFault => peerFault('KEY_EXCHANGE_MUT_AUTH', detail);

/** @throws LocalError if the requester said that it can prove who it is, but was not told how */
function checkOwn({ config }: RequesterState): void {
  if (config.identity === undefined)
    throw new LocalError('identity: MUT_AUTH_CAP takes a certificate chain or a key');
}

/** What is wrong with what KEY_EXCHANGE_RSP asks for; undefined: nothing. */
function askedFault(state: RequesterState, form: number, nibble: number): PeerFault | undefined {
  const negotiated = negotiatedOrThrow(state);
  if (!bothHave(negotiated, 'MUT_AUTH_CAP') || negotiated.requesterAsym === undefined)
    return fault('mutual authentication was not offered');
  if (form !== REQUESTED && form !== ENCAPSULATED && form !== DIGESTS)
    return fault(`MutAuthRequested ${form} is not one form`);
  const isKey = capability(negotiated.requesterFlags, 'PUB_KEY_ID_CAP') === 1;
  if (form === REQUESTED)
    return isKey === (nibble === PUBLIC_KEY_SLOT_NIBBLE)
      ? undefined
      : fault(`SlotIDParam ${nibble} does not fit the requester`);
  if (isKey) return fault('a provisioned key is not asked for by encapsulated requests');
  return bothHave(negotiated, 'ENCAP_CAP') ? undefined : fault('encapsulation was not offered');
}

/**
 * Does what KEY_EXCHANGE_RSP asks for before FINISH. Undefined: nothing was asked for. Faults:
 * KEY_EXCHANGE_MUT_AUTH, and those of the encapsulated flow.
 */
export function* authenticateSelf(
  state: RequesterState,
  session: RequesterSession,
  asked: Asked,
): Exchange<OwnProof | undefined> {
  const form = asked.MutAuthRequested & FORMS;
  if (form === 0) return undefined;
  const nibble = asked.SlotIDParam & 15;
  const unfit = askedFault(state, form, nibble);
  if (unfit !== undefined) return unfit;
  checkOwn(state);
  if (form === REQUESTED) {
    const slot = nibble === PUBLIC_KEY_SLOT_NIBBLE ? PUBLIC_KEY_SLOT : nibble;
    return proofOf(state, slot, undefined);
  }
  const flow = yield* encapsulatedFlow(
    state,
    session,
    form === DIGESTS ? implied(state) : undefined,
  );
  if (isPeerFault(flow)) return flow;
  if (flow.answered === 0) return fault('encapsulated requests were announced and never came');
  // Reference responders name no slot where it is slot 0.
  const slot = flow.slot ?? 0;
  return slot > 7 ? fault(`slot ${slot} was authenticated`) : proofOf(state, slot, flow.digests);
}

const implied = ({ version }: RequesterState) => ({
  id: IMPLIED_ID,
  request: Uint8Array.of(version, RequestCodes.GET_DIGESTS, 0, 0),
});

function proofOf(
  state: RequesterState,
  slot: number,
  digests: Uint8Array | undefined,
): OwnProof | PeerFault {
  const signing = ownSigning(state, slot, KeyUsages.KeyEx);
  if (signing === undefined) return fault(`slot ${slot} has no key for this`);
  return { slot, identity: signing.identity, signer: signing.signer, digests };
}

/**
 * Basic mutual authentication: the flow that CHALLENGE_AUTH announced (`ChallengeResult.basicMutAuth`).
 * Faults: CHALLENGE_AUTH_MUT_AUTH if it was not offered or nothing comes, and those of the flow.
 */
export function* authenticateBasic(state: RequesterState): Exchange<true> {
  const unfit = (detail: string) => peerFault('CHALLENGE_AUTH_MUT_AUTH', detail);
  const negotiated = negotiatedOrThrow(state);
  if (!bothHave(negotiated, 'MUT_AUTH_CAP') || negotiated.requesterAsym === undefined)
    return unfit('mutual authentication was not offered');
  checkOwn(state);
  const flow = yield* encapsulatedFlow(state);
  if (isPeerFault(flow)) return flow;
  return flow.answered > 0 ? true : unfit('encapsulated requests were announced and never came');
}
