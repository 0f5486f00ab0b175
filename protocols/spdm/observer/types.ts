/** What a passive listener is given, and what it says of each message. */

import type { DescribedField } from '../../codec/describe.ts';
import type { Refusal } from '../../codec/refusal.ts';
import type { SignatureName } from '../../crypto/algorithms.ts';
import type { CryptoProvider } from '../../crypto/provider.ts';
import type { RecordBinding } from '../secured-message.ts';

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

export interface ObserverOptions {
  readonly crypto: CryptoProvider;
  readonly binding: RecordBinding;
  /** shared secrets of KEY_EXCHANGE sessions, in any order */
  readonly dheSecrets?: readonly Uint8Array[];
  readonly psks?: readonly Uint8Array[];
  readonly describeVendor?: VendorDescriber;
  readonly describeOther?: OtherDescriber;
  /** the leaf's public key out of a certificate chain blob with a root hash of `hashSize` bytes */
  readonly leafKey: (chain: Uint8Array, hashSize: number) => LeafKey | undefined;
}

export interface ObservedMessage {
  readonly secured: boolean;
  readonly sessionId: number | undefined;
  /** exact message bytes, padding stripped; undefined when a record could not be opened */
  readonly bytes: Uint8Array | undefined;
  readonly version: number;
  readonly code: number;
  readonly name: string;
  readonly fields: readonly DescribedField[];
  readonly vendor: VendorDescription | undefined;
  readonly refusal: Refusal | undefined;
  readonly checks: readonly Check[];
  /** set if the message is none of SPDM: version and code mean nothing then */
  readonly other?: { readonly messageType: number; readonly request: boolean | undefined };
}
