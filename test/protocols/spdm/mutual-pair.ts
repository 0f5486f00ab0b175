/** A pair whose responder wants to know who the requester is. */

import { isPeerFault, type PeerFault, peerFault } from '../../../protocols/codec/refusal.ts';
import {
  fixedIdentity,
  type Identity,
  type IdentitySlot,
} from '../../../protocols/spdm/identity.ts';
import { leafKeyOfChain } from '../../../protocols/spdm/leaf-key.ts';
import type { TrustChain } from '../../../protocols/spdm/party.ts';
import { challenge } from '../../../protocols/spdm/requester/auth.ts';
import { authenticateBasic } from '../../../protocols/spdm/requester/mutual.ts';
import type { MutualAuthentication } from '../../../protocols/spdm/responder/mutual.ts';
import { Pair, type PairOptions, slotOf, suites } from './pair.ts';

const SUITE = 'P256';
/** The requester's own slot; its device number tells its key from the responder's. */
export const own: IdentitySlot = slotOf(SUITE, 0x44);
export const other: IdentitySlot = slotOf(SUITE, 0x55);

export const trust: TrustChain = (chain, size) =>
  leafKeyOfChain(chain, size) ?? peerFault('CHAIN', 'no chain');

export const ownLeaf = leafKeyOfChain(own.chain, 32)!;

export const SUBJECT_PUBLIC_KEY_INFO = Uint8Array.of(0x30, 3, 2, 1, 7);
/** A requester that has no certificates: the responder knows its key. */
export const keyIdentity: Identity = {
  supportedSlots: 0,
  slots: () => new Map(),
  publicKey: () => ({ subjectPublicKeyInfo: SUBJECT_PUBLIC_KEY_INFO, signer: own.signer }),
};

export interface MutualOptions extends PairOptions {
  readonly identity?: Identity;
}

export const mutualFlags = { MUT_AUTH_CAP: 1, ENCAP_CAP: 1, CHAL_CAP: 1 } as const;

export function mutualPair(wanted: MutualAuthentication, options: MutualOptions = {}): Pair {
  const algorithms = { ...suites[SUITE].algorithms, reqAsym: 0x10 };
  const identity = options.identity ?? fixedIdentity(new Map([[0, own]]));
  return new Pair({
    ...options,
    flags: { ...mutualFlags, ...options.flags },
    requester: { algorithms, identity, ...options.requester },
    responder: { algorithms, trust, mutualAuthentication: wanted, ...options.responder },
  });
}

/** CHALLENGE, and what it asks for. */
export function challenged(pair: Pair): true | PeerFault {
  const result = pair.run(challenge(pair.requester, 0, 0));
  if (isPeerFault(result)) return result;
  return result.basicMutAuth ? pair.run(authenticateBasic(pair.requester)) : true;
}

/** Effects about the requester, without what the session alone says. */
export const told = (pair: Pair) =>
  pair.effects.filter(({ type }) => type.startsWith('requester-')).map((effect) => ({ ...effect }));
