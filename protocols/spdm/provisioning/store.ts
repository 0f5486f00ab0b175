/**
 * The key pairs and certificate slots a device owns (DSP0274, slot management and key pair IDs). They
 * outlive every connection, and are what a responder's identity says: what SET_CERTIFICATE or
 * SET_KEY_PAIR_INFO change, the next DIGESTS, CERTIFICATE and KEY_PAIR_INFO tell.
 */

import { LocalError } from '../../codec/refusal.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import { parseCertificate } from '../../x509/parse.ts';
import { encodeCertChain } from '../../x509/spdm-chain.ts';
import { subjectPublicKeyInfo } from '../../x509/spki.ts';
import { SpdmVersions } from '../codes.ts';
import type { Identity, IdentityScope, IdentitySlot, ProvisionedPublicKey } from '../identity.ts';
import { CertModels, keyUsageBits } from '../messages/auth.ts';
import { keyPairCapabilityBits } from '../messages/key-pairs.ts';
import { CsrRequests } from './csr-requests.ts';
import { fitsKind, type KeyKind } from './kinds.ts';
import {
  type AliasKey,
  type Change,
  fitsSignature,
  isRefusal,
  type KeyPair,
  keyPairOf,
  type StoredChain,
  type StoreRefusal,
  type Tables,
} from './tables.ts';

export interface KeyPairPlan {
  /** names of `keyPairCapabilityBits`; default none: SET_KEY_PAIR_INFO changes nothing */
  readonly capabilities?: readonly (keyof typeof keyPairCapabilityBits)[];
  /** names of `keyUsageBits` it may have, and has; default the four of SPDM itself, and all of those */
  readonly usageCapabilities?: readonly (keyof typeof keyUsageBits)[];
  readonly usage?: readonly (keyof typeof keyUsageBits)[];
  /** kinds that may be chosen; default the one of `kind` */
  readonly kinds?: readonly KeyKind[];
  readonly kind?: KeyKind;
  /** as `CryptoProvider.sign` takes it, of `kind` */
  readonly privateKey?: Uint8Array;
  /** slots it belongs to, besides those of its chains */
  readonly slots?: readonly number[];
  readonly alias?: AliasKey;
}

export interface ChainPlan {
  /** 1-based, of a key pair with a key */
  readonly keyPairId: number;
  /** a `CertModels` code; default DeviceCert */
  readonly certModel?: number;
  /** in DER, root or first intermediate first */
  readonly certificates: readonly Uint8Array[];
  /** the root in DER, if it is not the first of them */
  readonly root?: Uint8Array;
}

export interface SlotPlan {
  /** 0 to 7 */
  readonly slot: number;
  /** the longest chain blob it holds; default 65535 */
  readonly bytesMax?: number;
  /** at most one per kind of key */
  readonly chains?: readonly ChainPlan[];
}

export interface DeviceStorePlan {
  readonly crypto: CryptoProvider;
  /** KeyPairID 1 first; at most 255 */
  readonly keyPairs: readonly KeyPairPlan[];
  readonly slots: readonly SlotPlan[];
  /** KeyPairIDs whose public keys requesters were given beforehand (PUB_KEY_ID_CAP) */
  readonly publicKeys?: readonly number[];
}

const KEY_PAIRS_MAX = 255;
const SLOTS = 8;
const SLOT_BYTES_DEFAULT = 0xffff;
const SPDM_USES = ['KeyExUse', 'ChallengeUse', 'MeasurementUse', 'EndpointInfoUse'] as const;

const mask = <N extends string>(
  bits: Readonly<Record<N, readonly [number, number?]>>,
  names: readonly N[],
): number => names.reduce((sum, name) => sum | (1 << bits[name][0]), 0);

function keyPairFrom(plan: KeyPairPlan, slots: number): KeyPair {
  const { kind, kinds = kind === undefined ? [] : [kind], alias } = plan;
  const { usageCapabilities = SPDM_USES, usage = usageCapabilities } = plan;
  if (plan.privateKey !== undefined && kind === undefined)
    throw new LocalError('keyPairs: a private key without its kind');
  return {
    capabilities: mask(keyPairCapabilityBits, plan.capabilities ?? []),
    usageCapabilities: mask(keyUsageBits, usageCapabilities),
    usage: mask(keyUsageBits, usage),
    kinds,
    kind,
    privateKey: plan.privateKey,
    slots: (plan.slots ?? []).reduce((sum, slot) => sum | (1 << slot), slots),
    ...(alias === undefined ? {} : { alias }),
  };
}

function chainFrom(plan: DeviceStorePlan, slot: number, chain: ChainPlan): StoredChain {
  const { keyPairId, certificates, certModel = CertModels.DeviceCert } = chain;
  const pair = plan.keyPairs[keyPairId - 1];
  const [first] = certificates;
  if (pair?.kind === undefined || pair.privateKey === undefined)
    throw new LocalError(`slots: slot ${slot} takes a key pair with a key, not ${keyPairId}`);
  if (first === undefined) throw new LocalError(`slots: slot ${slot} has a chain of nothing`);
  for (const der of certificates)
    if (!parseCertificate(der).ok)
      throw new LocalError(`slots: slot ${slot} has a chain of something else than certificates`);
  const { kind } = pair;
  return { slot, kind, keyPairId, certModel, certificates, root: chain.root ?? first };
}

function tablesFrom(plan: DeviceStorePlan): Tables {
  const chains = plan.slots.flatMap(({ slot, chains = [] }) =>
    chains.map((chain) => chainFrom(plan, slot, chain)),
  );
  const keyPairs = plan.keyPairs.map((pair, i) => {
    const own = chains.filter(({ keyPairId }) => keyPairId === i + 1);
    return keyPairFrom(
      pair,
      own.reduce((sum, { slot }) => sum | (1 << slot), 0),
    );
  });
  return { keyPairs, chains };
}

/** What a reset did: bit i, the certificates of slot i are others now. */
export interface StoreReset {
  readonly changedSlots: number;
}

export class DeviceStore implements Identity {
  readonly supportedSlots: number;
  /** CSRs that a reset makes */
  readonly csrRequests = new CsrRequests();
  private readonly plan: DeviceStorePlan;
  private now: Tables;
  /** what a reset will make of it; undefined: nothing waits */
  private next: Tables | undefined;

  /** @throws LocalError on a plan that contradicts itself */
  constructor(plan: DeviceStorePlan) {
    if (plan.keyPairs.length === 0 || plan.keyPairs.length > KEY_PAIRS_MAX)
      throw new LocalError(`keyPairs: expected 1 to ${KEY_PAIRS_MAX}, got ${plan.keyPairs.length}`);
    const numbers = plan.slots.map(({ slot }) => slot);
    const distinct = new Set(numbers).size === numbers.length;
    if (!distinct || numbers.some((slot) => !Number.isInteger(slot) || slot < 0 || slot >= SLOTS))
      throw new LocalError(`slots: expected distinct numbers from 0 to 7, got ${numbers}`);
    this.plan = plan;
    this.supportedSlots = numbers.reduce((sum, slot) => sum | (1 << slot), 0);
    this.now = tablesFrom(plan);
  }

  /** What holds at this moment. */
  get tables(): Tables {
    return this.now;
  }

  /** Bytes of the longest chain blob a slot holds; undefined: there is no such slot. */
  slotSize(slot: number): number | undefined {
    const found = this.plan.slots.find((plan) => plan.slot === slot);
    return found && (found.bytesMax ?? SLOT_BYTES_DEFAULT);
  }

  slots({ signature, hash }: IdentityScope): ReadonlyMap<number, IdentitySlot> {
    const { crypto } = this.plan;
    const slots = new Map<number, IdentitySlot>();
    for (const { slot, kind, keyPairId, certModel, certificates, root } of this.now.chains) {
      const pair = keyPairOf(this.now, keyPairId);
      if (!fitsKind(kind, signature) || pair?.privateKey === undefined) continue;
      const rootHash = crypto.hash(hash, root);
      const chain = encodeCertChain(crypto, hash, SpdmVersions.V1_4, certificates, rootHash);
      const signer = { algorithm: signature, privateKey: pair.privateKey };
      slots.set(slot, { chain, signer, keyPairId, certModel, keyUsage: pair.usage });
    }
    return slots;
  }

  publicKey({ signature }: IdentityScope): ProvisionedPublicKey | undefined {
    const { crypto, publicKeys = [] } = this.plan;
    const pairs = publicKeys.map((id) => keyPairOf(this.now, id));
    const privateKey = pairs.find((pair) => pair && fitsSignature(pair, signature))?.privateKey;
    if (privateKey === undefined) return undefined;
    const key = crypto.signingPublicKey(signature, privateKey);
    return {
      subjectPublicKeyInfo: subjectPublicKeyInfo(signature, key),
      signer: { algorithm: signature, privateKey },
    };
  }

  /**
   * What a change would do, now or at the next reset: the closure that makes it so, or why not. What
   * happens now must go together with what already waits for the reset.
   */
  prepare(change: Change, when: 'now' | 'reset'): (() => void) | StoreRefusal {
    const next = when === 'reset' ? change(this.next ?? this.now) : this.next && change(this.next);
    if (next !== undefined && isRefusal(next)) return next;
    if (when === 'reset')
      return () => {
        this.next = next;
      };
    const now = change(this.now);
    if (isRefusal(now)) return now;
    return () => {
      this.now = now;
      this.next = next;
    };
  }

  /** The device was reset: what waited for it holds from now on, and CSRs that were asked for are made. */
  deviceReset(): StoreReset {
    const before = this.now.chains;
    this.now = this.next ?? this.now;
    this.next = undefined;
    this.csrRequests.deviceReset(this.now);
    const after = this.now.chains;
    const gone = before.filter((chain) => !after.includes(chain));
    const come = after.filter((chain) => !before.includes(chain));
    const changedSlots = [...gone, ...come].reduce((sum, { slot }) => sum | (1 << slot), 0);
    return { changedSlots };
  }
}
