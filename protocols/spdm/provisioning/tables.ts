/**
 * What a device keeps for SPDM beyond its connections: key pairs and the certificate chains of its slots
 * (DSP0274, slot management and key pair IDs), as values; every change makes new ones.
 */

import type { SignatureName } from '../../crypto/algorithms.ts';
import type { Certificate } from '../../x509/parse.ts';
import { keyPairCapabilityBits } from '../messages/key-pairs.ts';
import { fitsKind, type KeyKind, signaturesOf } from './kinds.ts';

/** Alias certificate model: the key pair's own certificate is made by the device. */
export interface AliasKey {
  /** of the Device Certificate CA: what CSRs are for, and what SET_CERTIFICATE brings a certificate of */
  readonly devicePrivateKey: Uint8Array;
  /** the alias certificate in DER of the key pair's `publicKey`, issued by the device certificate */
  readonly issue: (deviceCertificate: Certificate, publicKey: Uint8Array) => Uint8Array;
}

export interface KeyPair {
  /** `keyPairCapabilityBits`: what SET_KEY_PAIR_INFO may do */
  readonly capabilities: number;
  /** `keyUsageBits` it may have, and has */
  readonly usageCapabilities: number;
  readonly usage: number;
  /** kinds of key that may be chosen, and the chosen one */
  readonly kinds: readonly KeyKind[];
  readonly kind: KeyKind | undefined;
  /** undefined: none was generated, or it was erased */
  readonly privateKey: Uint8Array | undefined;
  /** AssocCertSlotMask: bit i, the key is the one of slot i */
  readonly slots: number;
  readonly alias?: AliasKey;
}

export interface StoredChain {
  readonly slot: number;
  readonly kind: KeyKind;
  /** 1-based */
  readonly keyPairId: number;
  /** a `CertModels` code */
  readonly certModel: number;
  /** in DER, root or first intermediate first */
  readonly certificates: readonly Uint8Array[];
  /** the certificate that RootHash is of: the first one, or the one above it */
  readonly root: Uint8Array;
}

export interface Tables {
  /** KeyPairID 1 first */
  readonly keyPairs: readonly KeyPair[];
  /** one per slot and kind at most */
  readonly chains: readonly StoredChain[];
}

/** Why the store does not do something: the request breaks a rule, or cannot be done as things are. */
export interface StoreRefusal {
  readonly refused: 'invalid' | 'failed';
  readonly detail: string;
}
export const invalidChange = (detail: string): StoreRefusal => ({ refused: 'invalid', detail });
export const failedChange = (detail: string): StoreRefusal => ({ refused: 'failed', detail });
export const isRefusal = (x: object): x is StoreRefusal => 'refused' in x;

/** A change of the store; it is the same whether it happens now or at the next reset. */
export type Change = (tables: Tables) => Tables | StoreRefusal;

export const keyPairOf = ({ keyPairs }: Tables, id: number): KeyPair | undefined =>
  id < 1 ? undefined : keyPairs[id - 1];

export const canDo = (pair: KeyPair, capability: keyof typeof keyPairCapabilityBits): boolean =>
  ((pair.capabilities >> keyPairCapabilityBits[capability][0]) & 1) === 1;

export const fitsSignature = (pair: KeyPair, signature: SignatureName): boolean =>
  pair.kind !== undefined && fitsKind(pair.kind, signature);

/** The scheme a kind is spoken of by: what generates, and what a public key is computed under. */
export const naturalSignature = (kind: KeyKind): SignatureName | undefined => signaturesOf(kind)[0];

export const chainOf = ({ chains }: Tables, slot: number, kind: KeyKind): StoredChain | undefined =>
  chains.find((chain) => chain.slot === slot && chain.kind === kind);

export function withKeyPair(tables: Tables, id: number, pair: KeyPair): Tables {
  return { ...tables, keyPairs: tables.keyPairs.map((old, i) => (i === id - 1 ? pair : old)) };
}

/** Another key pair of the same kind that slots of `mask` belong to: DIGESTS names one per slot. */
export function otherOwner(tables: Tables, id: number, kind: KeyKind, mask: number) {
  return tables.keyPairs.some(
    (other, i) => i !== id - 1 && other.kind === kind && (other.slots & mask) !== 0,
  );
}

const isOneBit = (mask: number): boolean => (mask & (mask - 1)) === 0;

/**
 * Puts a chain into its slot, whose key pair becomes the chain's. A key pair that may not be associated
 * is not; in connections where all slots share one key (`shared`) it belongs to each of them anyway.
 */
export function install(chain: StoredChain, shared: boolean): Change {
  return (tables) => {
    const { keyPairId, slot, kind } = chain;
    const pair = keyPairOf(tables, keyPairId);
    if (pair?.kind !== kind || pair.privateKey === undefined)
      return failedChange(`key pair ${keyPairId} has no key of kind ${kind}`);
    const slots = pair.slots | (1 << slot);
    if (slots !== pair.slots && !shared) {
      if (!canDo(pair, 'CertAssocCap'))
        return failedChange(`key pair ${keyPairId} cannot be associated with slot ${slot}`);
      if (!isOneBit(slots) && !canDo(pair, 'ShareableCap'))
        return failedChange(`key pair ${keyPairId} cannot be shared by several slots`);
    }
    if (otherOwner(tables, keyPairId, kind, 1 << slot))
      return failedChange(`slot ${slot} belongs to another key pair of kind ${kind}`);
    const others = tables.chains.filter((old) => old.slot !== slot || old.kind !== kind);
    return withKeyPair({ ...tables, chains: [...others, chain] }, keyPairId, { ...pair, slots });
  };
}

/** Takes the chain of a kind out of a slot; the key pair stays with the slot. */
export function erase(slot: number, kind: KeyKind): Change {
  return (tables) => ({
    ...tables,
    chains: tables.chains.filter((chain) => chain.slot !== slot || chain.kind !== kind),
  });
}
