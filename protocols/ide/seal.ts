/**
 * AES-256-GCM over one IDE TLP (PCIe Base 6.x clause 6.33.5): the readable reference. A quicker path
 * replaces it behind `SealerFactory` and is held equal to it byte for byte.
 *
 * IV = 32-bit fixed field || 64-bit invocation field, both big-endian. AAD = IDE prefix, other end-end
 * prefixes, header. Plaintext = the payload. The MAC is the leftmost 96 bits of the tag and follows
 * the ciphertext.
 *
 * Choice: the sub-stream code stands in bits 95:92 of the IV, as it does for CXL, whose code 8 gives
 * its fixed field 80000000h. PR has 0, as published examples show; NPR and CPL follow by the same rule.
 */

import type { CryptoProvider } from '../crypto/provider.ts';
import type { InvocationField, SubStream } from './idekm.ts';

export const MAC_BYTES = 12;
export const IV_BYTES = 12;

/** Bits 95:64 of the IV by sub-stream. */
export const IV_FIXED_FIELDS: Readonly<Record<SubStream, number>> = {
  0: 0x00000000,
  1: 0x10000000,
  2: 0x20000000,
};

/** The 12-byte IV of one invocation. */
export function ivOf(subStream: SubStream, { hi, lo }: InvocationField): Uint8Array {
  const iv = new Uint8Array(IV_BYTES);
  for (const [i, dw] of [IV_FIXED_FIELDS[subStream], hi, lo].entries())
    for (let b = 0; b < 4; b++) iv[4 * i + b] = (dw >>> (24 - 8 * b)) & 0xff;
  return iv;
}

/** One key, prepared. Holds the only copy of it there is: nothing gives it back. */
export interface KeyedSealer {
  /**
   * `tlp` is [IDE prefix][other end-end prefixes][header][plaintext], the payload from `payloadAt` on.
   * Returns a new array with the ciphertext in its place and the MAC behind it.
   */
  seal(
    subStream: SubStream,
    field: InvocationField,
    tlp: Uint8Array,
    payloadAt: number,
  ): Uint8Array;
  /** The inverse: a new array with the plaintext and without the MAC, or undefined if it is wrong. */
  open(
    subStream: SubStream,
    field: InvocationField,
    wire: Uint8Array,
    payloadAt: number,
  ): Uint8Array | undefined;
  /** Destroys the key; `seal` and `open` must not be called afterwards. */
  dispose(): void;
}

/** Prepares a key of 32 bytes; the sealer keeps its own copy. */
export type SealerFactory = (key: Uint8Array) => KeyedSealer;

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + tail.length);
  out.set(head);
  out.set(tail, head.length);
  return out;
}

/** Sealers over a crypto provider's AEAD. */
export function referenceSealers(crypto: CryptoProvider): SealerFactory {
  return (given) => {
    const key = given.slice();
    return {
      seal(subStream, field, tlp, payloadAt) {
        const aad = tlp.subarray(0, payloadAt);
        const iv = ivOf(subStream, field);
        const text = tlp.subarray(payloadAt);
        return joined(aad, crypto.aeadSeal('AES_256_GCM', key, iv, aad, text, MAC_BYTES));
      },
      open(subStream, field, wire, payloadAt) {
        const aad = wire.subarray(0, payloadAt);
        const iv = ivOf(subStream, field);
        const sealed = wire.subarray(payloadAt);
        const text = crypto.aeadOpen('AES_256_GCM', key, iv, aad, sealed, MAC_BYTES);
        return text === undefined ? undefined : joined(aad, text);
      },
      dispose: () => {
        key.fill(0);
      },
    };
  };
}
