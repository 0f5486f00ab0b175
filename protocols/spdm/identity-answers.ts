/**
 * DIGESTS and CERTIFICATE (DSP0274 10.5, 10.6) out of an identity: the same whether a responder tells
 * who it is or, encapsulated, a requester does.
 */

import { le } from '../codec/bytes.ts';
import type { Facts } from '../codec/field.ts';
import { encode } from '../codec/layout.ts';
import type { HashName } from '../crypto/algorithms.ts';
import type { CryptoProvider } from '../crypto/provider.ts';
import { ErrorCodes, RequestCodes, ResponseCodes, SpdmVersions } from './codes.ts';
import { DEFAULT_KEY_USAGE, DEVICE_CERT_MODEL, type IdentitySlot } from './identity.ts';
import * as auth from './messages/auth.ts';
import type { MessageValue } from './messages/registry.ts';

/** Whose slots they are, and what the connection agreed on about them. */
export interface SlotHolder {
  readonly crypto: CryptoProvider;
  readonly hash: HashName;
  readonly version: number;
  /** bit i: slot i exists */
  readonly supportedSlots: number;
  /** provisioned slots in ascending order */
  readonly slots: ReadonlyMap<number, IdentitySlot>;
  /** bytes a slot can hold; undefined: as many as its chain has */
  readonly slotSize: (slot: number) => number | undefined;
  /** slots have key pairs of their own (1.3) */
  readonly multiKey: boolean;
  /** LARGE_RESP_CAP */
  readonly largeForm: boolean;
  readonly facts: Facts;
}

/** Bit i: slot i is provisioned. */
export function maskOfSlots(slots: ReadonlyMap<number, IdentitySlot>): number {
  let mask = 0;
  for (const slot of slots.keys()) mask |= 1 << slot;
  return mask;
}

export function digestsMessage(holder: SlotHolder): Uint8Array {
  const { crypto, hash, version, supportedSlots, slots, multiKey, facts } = holder;
  const mask = maskOfSlots(slots);
  const entries = [...slots.entries()];
  const columns = {
    KeyPairID: entries.map(([slot, { keyPairId = slot + 1 }]) => keyPairId),
    CertificateInfo: entries.map(([, { certModel = DEVICE_CERT_MODEL }]) => certModel),
    KeyUsageMask: entries.map(([, { keyUsage = DEFAULT_KEY_USAGE }]) => keyUsage),
  };
  return encode(
    auth.digests,
    {
      SPDMVersion: version,
      RequestResponseCode: ResponseCodes.DIGESTS,
      Param1: version >= SpdmVersions.V1_3 ? supportedSlots | mask : 0,
      Param2: mask,
      Digest: entries.map(([, { chain }]) => crypto.hash(hash, chain)),
      ...(multiKey ? columns : {}),
    },
    facts,
  );
}

const LARGE_FORM = 0x80;
const SLOT_SIZE_REQUESTED = 1;
const HEAD_SIZE = 8;
const LARGE_HEAD_SIZE = 16;
const SMALL_CHAIN_MAX = 0xffff;

/** An ERROR code with its data. */
interface Refused {
  readonly error: number;
  readonly data?: number;
  readonly extended?: Uint8Array;
}

/** A portion of a chain; `room`: the most bytes the whole message may have. */
export function certificateMessage(
  holder: SlotHolder,
  asked: MessageValue<0x82>,
  room: number,
): Uint8Array | Refused {
  const { version, slots, multiKey, facts } = holder;
  const isLarge = version >= SpdmVersions.V1_4 && (asked.Param1 & LARGE_FORM) !== 0;
  if (isLarge && !holder.largeForm)
    return { error: ErrorCodes.UnsupportedRequest, data: RequestCodes.GET_CERTIFICATE };
  const slot = asked.Param1 & 15;
  const entry = slots.get(slot);
  if (entry === undefined) return { error: ErrorCodes.InvalidRequest };
  const { chain } = entry;
  if (!isLarge && chain.length > SMALL_CHAIN_MAX)
    return { error: ErrorCodes.DataTooLarge, extended: le(chain.length, 4) };
  // SlotSizeRequested asks for the size alone.
  const sizeOnly = version >= SpdmVersions.V1_3 && (asked.Param2 & SLOT_SIZE_REQUESTED) !== 0;
  const offset = sizeOnly ? 0 : (isLarge ? asked.LargeOffset : asked.Offset)!;
  if (offset >= chain.length) return { error: ErrorCodes.InvalidRequest };
  const most = Math.max(0, room - (isLarge ? LARGE_HEAD_SIZE : HEAD_SIZE));
  const length = Math.min((isLarge ? asked.LargeLength : asked.Length)!, most);
  const size = sizeOnly ? 0 : Math.min(length, chain.length - offset);
  const whole = sizeOnly ? (holder.slotSize(slot) ?? chain.length) : chain.length;
  const remainder = whole - offset - size;
  return encode(
    auth.certificate,
    {
      SPDMVersion: version,
      RequestResponseCode: ResponseCodes.CERTIFICATE,
      Param1: isLarge ? LARGE_FORM | slot : slot,
      Param2: multiKey ? (entry.certModel ?? DEVICE_CERT_MODEL) : 0,
      RemainderLength: isLarge ? 0 : remainder,
      ...(isLarge ? { LargeRemainderLength: remainder } : {}),
      CertChain: chain.slice(offset, offset + size),
    },
    facts,
  );
}
