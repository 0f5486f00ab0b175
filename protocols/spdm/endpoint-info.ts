/**
 * ENDPOINT_INFO (DSP0274, GET_ENDPOINT_INFO, from 1.3): what an endpoint says of itself, and the signature
 * over it. Either side may ask the other, the responder by an encapsulated request; the two differ in
 * whose keys sign and in the context string.
 */

import { concat } from '../codec/bytes.ts';
import type { Facts, ValueOf } from '../codec/field.ts';
import { decode, encode } from '../codec/layout.ts';
import type { Decoded } from '../codec/refusal.ts';
import { ErrorCodes, ResponseCodes } from './codes.ts';
import {
  type deviceClassElement,
  deviceClassIdentifiers,
  EndpointInfoSubCodes,
  endpointInfo,
  type getEndpointInfo,
} from './messages/endpoint-info.ts';
import {
  type SignatureScope,
  type Signer,
  type SigningContext,
  signTranscript,
} from './signing.ts';

/** One class an endpoint belongs to: whose numbering it is, and the identifiers in it. */
export type DeviceClass = Omit<
  ValueOf<typeof deviceClassElement>,
  'IDElemLength' | 'VendorIDLen' | 'NumSubIDs'
>;

/** EPInfo of SubCode DeviceClassIdentifier. */
export function encodeDeviceClasses(classes: readonly DeviceClass[]): Uint8Array {
  const IdentifierElements = classes.map(({ ID, VendorID, SubordinateID }) => ({
    ID,
    VendorID,
    SubordinateID,
  }));
  return encode(deviceClassIdentifiers, { IdentifierElements });
}

export function decodeDeviceClasses(info: Uint8Array): Decoded<readonly DeviceClass[]> {
  const decoded = decode(deviceClassIdentifiers, info);
  return decoded.ok ? { ...decoded, value: decoded.value.IdentifierElements } : decoded;
}

/** IL1/IL2: VCA and this one exchange, in a session and outside alike; `response` without its signature. */
export const il1il2 = (vca: Uint8Array, request: Uint8Array, response: Uint8Array): Uint8Array =>
  concat(vca, request, response);

const SIGNATURE_REQUESTED = 1;
const EP_INFO_CAP_SIGNED = 2;

/** The endpoint that is asked. */
export interface EndpointInfoSource {
  readonly classes: readonly DeviceClass[] | undefined;
  /** its EP_INFO_CAP */
  readonly capability: number;
  /** the key a four-bit SlotID names, 0xF the provisioned one; undefined: not there, or for other uses */
  readonly signerOf: (slotNibble: number) => Signer | undefined;
  readonly random: (size: number) => Uint8Array;
  readonly scope: SignatureScope;
  readonly context: SigningContext;
  /** VCA of the connection, and what its layouts know of it (of the side that signs) */
  readonly vca: Uint8Array;
  readonly facts: Facts;
}

/** ERROR code instead of an answer. */
export interface EndpointInfoRefusal {
  readonly error: number;
}
const refusal = (error: number): EndpointInfoRefusal => ({ error });

/** The answer to one GET_ENDPOINT_INFO; `request` are its bytes, without padding. */
export function answerEndpointInfo(
  source: EndpointInfoSource,
  request: Uint8Array,
  value: ValueOf<typeof getEndpointInfo>,
): Uint8Array | EndpointInfoRefusal {
  const { classes, context, scope, vca } = source;
  const { InvalidRequest, UnsupportedRequest } = ErrorCodes;
  if (classes === undefined || source.capability === 0) return refusal(UnsupportedRequest);
  if (value.Param1 !== EndpointInfoSubCodes.DeviceClassIdentifier) return refusal(InvalidRequest);
  const wantsSignature = (value.RequestAttributes & SIGNATURE_REQUESTED) !== 0;
  if (wantsSignature && source.capability !== EP_INFO_CAP_SIGNED)
    return refusal(UnsupportedRequest);
  const slot = value.Param2 & 15;
  const signer = wantsSignature ? source.signerOf(slot) : undefined;
  if (wantsSignature && signer === undefined) return refusal(InvalidRequest);
  const size = source.facts['signatureSize'] ?? 0;
  const draft = encode(
    endpointInfo,
    {
      SPDMVersion: scope.version,
      RequestResponseCode: ResponseCodes.ENDPOINT_INFO,
      Param1: 0,
      Param2: wantsSignature ? slot : 0,
      EPInfo: encodeDeviceClasses(classes),
      ...(wantsSignature ? { Nonce: source.random(32), Signature: new Uint8Array(size) } : {}),
    },
    { ...source.facts, signed: wantsSignature ? 1 : 0 },
  );
  if (signer === undefined) return draft;
  const bare = draft.subarray(0, draft.length - size);
  const transcript = il1il2(vca, request, bare);
  return concat(bare, signTranscript(scope, signer, context, transcript));
}
