/** What a passive listener is given, and what it says of each message. */

import type { DescribedField } from '../../codec/describe.ts';
import type { Refusal } from '../../codec/refusal.ts';
import type { SignatureName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import type { KeyLogEntry } from '../party.ts';
import type { RecordBinding } from '../secured-message.ts';
import type { SigningContext } from '../signing.ts';

/** One signature or HMAC the listener met. */
export interface Check {
  readonly what: string;
  readonly result: 'verified' | 'failed' | 'unverifiable';
  readonly detail: string;
}

export interface VendorDescription {
  readonly protocol: string;
  readonly name: string;
  readonly fields: readonly DescribedField[];
  readonly refusal?: Refusal;
  /** keys the message itself sets for later PSK sessions */
  readonly psks?: readonly { hint: Uint8Array; psk: Uint8Array }[];
}
/** Describes a vendor payload, protocol id byte included; undefined: not a protocol it knows. */
export type VendorDescriber = (
  standardId: number,
  vendorId: Uint8Array,
  payload: Uint8Array,
) => VendorDescription | undefined;

/** Describes a message of another type that a transport's session carries. */
export type OtherDescriber = (
  messageType: number,
  bytes: Uint8Array,
) => (Pick<VendorDescription, 'name' | 'fields' | 'refusal'> & { request: boolean }) | undefined;

export interface LeafKey {
  readonly algorithm: SignatureName;
  readonly publicKey: Uint8Array;
}

/** The two sides of a connection. */
export type Party = 'responder' | 'requester';

/** A signature as it went by, with all it takes to check it again. */
export interface ObservedSignature {
  readonly party: Party;
  readonly slot: number;
  readonly context: SigningContext;
  readonly vca: Uint8Array;
  /** what is signed, VCA in front where it is covered */
  readonly transcript: Uint8Array;
  readonly signature: Uint8Array;
  /** SPDM chain of the slot; undefined: it was not heard */
  readonly chain: Uint8Array | undefined;
}

export interface ObserverOptions {
  readonly crypto: CryptoProvider;
  readonly binding: RecordBinding;
  /** shared secrets of KEY_EXCHANGE sessions, of Diffie-Hellman or a KEM, in any order */
  readonly dheSecrets?: readonly Uint8Array[];
  readonly psks?: readonly Uint8Array[];
  /** secrets whose session is known: they are tried for sessions of that id alone */
  readonly keyLog?: readonly KeyLogEntry[];
  readonly describeVendor?: VendorDescriber;
  readonly describeOther?: OtherDescriber;
  /**
   * The leaf's public key out of a certificate chain blob with a root hash of `hashSize` bytes, under the
   * name `wanted`; undefined if it does not fit.
   */
  readonly leafKey: (
    chain: Uint8Array,
    hashSize: number,
    wanted?: SignatureName,
  ) => LeafKey | undefined;
  /** is told each signature, before it is checked */
  readonly onSigned?: (signed: ObservedSignature) => void;
  /** certificates in DER, root first, of chains that the traffic need not show */
  readonly chains?: Partial<Record<Party, readonly Uint8Array[]>>;
  /** provisioned public keys (slot 0xFF): SubjectPublicKeyInfo in DER */
  readonly publicKeys?: Partial<Record<Party, Uint8Array>>;
}

/** What one SPDM message says, whichever way it travelled. */
export interface ObservedContent {
  readonly version: number;
  readonly code: number;
  readonly name: string;
  readonly fields: readonly DescribedField[];
  readonly vendor: VendorDescription | undefined;
  readonly refusal: Refusal | undefined;
  /** the message that this one brings to its end: put together from chunks, or inside CHUNK_SEND_ACK */
  readonly carried?: CarriedMessage;
  /** a piece of a large message */
  readonly chunk?: ChunkPlace;
}

export interface ChunkPlace {
  readonly sequence: number;
  /** bytes of the whole message; undefined if its first chunk was not heard */
  readonly largeMessageSize: number | undefined;
}

export interface CarriedMessage {
  /** as `large message of 16869 bytes` */
  readonly how: string;
  readonly message: ObservedContent;
}

export interface ObservedMessage extends ObservedContent {
  readonly secured: boolean;
  readonly sessionId: number | undefined;
  /** exact message bytes, padding stripped; undefined when a record could not be opened */
  readonly bytes: Uint8Array | undefined;
  readonly checks: readonly Check[];
  /** set if the message is none of SPDM: version and code mean nothing then */
  readonly other?: { readonly messageType: number; readonly request: boolean | undefined };
}
