/**
 * Who a party is: certificate chains in slots 0-7, or a public key its peer was given beforehand (DSP0274
 * 10.5, slot 0xFF). What fits depends on what was negotiated: a key signs with one algorithm, and the
 * chain blob holds the root certificate's hash under BaseHash.
 */

import type { HashName, SignatureName } from '../crypto/algorithms.ts';
import type { Signer } from './signing.ts';

export interface IdentityScope {
  readonly signature: SignatureName;
  readonly hash: HashName;
  /** slots may have key pairs of their own; else one key is behind all of them. Default false */
  readonly multiKey?: boolean;
}

export interface IdentitySlot {
  /** SPDM certificate chain: length, root hash, certificates */
  readonly chain: Uint8Array;
  readonly signer: Signer;
  /** multi-key connections (1.3): KeyPairID, CertModel (1 device, 2 alias, 3 generic), KeyUsageMask */
  readonly keyPairId?: number;
  readonly certModel?: number;
  readonly keyUsage?: number;
}

export interface ProvisionedPublicKey {
  /** SubjectPublicKeyInfo in DER */
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly signer: Signer;
}

export interface Identity {
  /** bit i: slot i exists, provisioned or not */
  readonly supportedSlots: number;
  /** the provisioned slots */
  slots(scope: IdentityScope): ReadonlyMap<number, IdentitySlot>;
  /** bytes a slot can hold (SlotSizeRequested, 1.3); left out: as many as its chain has */
  slotSize?(slot: number): number | undefined;
  /** the key the peer was given (PUB_KEY_ID_CAP); undefined: none */
  publicKey(scope: IdentityScope): ProvisionedPublicKey | undefined;
}

/** An identity whose slots are the same whatever is negotiated. */
export function fixedIdentity(slots: ReadonlyMap<number, IdentitySlot>): Identity {
  let supportedSlots = 0;
  for (const slot of slots.keys()) supportedSlots |= 1 << slot;
  return { supportedSlots, slots: () => slots, publicKey: () => undefined };
}

/** The four-bit SlotID of a provisioned public key; eight-bit ones have `PUBLIC_KEY_SLOT`. */
export const PUBLIC_KEY_SLOT_NIBBLE = 0x0f;

/** KeyUsageMask bits of 10.5. */
export const KeyUsages = { KeyEx: 1, Challenge: 2, Measurement: 4, EndpointInfo: 8 } as const;
export type KeyUsage = (typeof KeyUsages)[keyof typeof KeyUsages];

/** What a slot's key may be used for unless its owner says so. */
export const DEFAULT_KEY_USAGE = 0x000f;
export const DEVICE_CERT_MODEL = 1;

/** True if a slot's key may be used so; keys of connections that are not multi-key may be used for all. */
export const usableFor = (slot: IdentitySlot, multiKey: boolean, usage: KeyUsage): boolean =>
  !multiKey || ((slot.keyUsage ?? DEFAULT_KEY_USAGE) & usage) !== 0;
