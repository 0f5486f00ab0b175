/** The four bytes every message starts with, and the parameters and fields many messages share (DSP0274 8). */

import { bytes, type Facts, layout, type Names, type Scope, u8, when } from '../../codec/field.ts';
import { codeNames } from '../codes.ts';

export const header = {
  SPDMVersion: u8(),
  RequestResponseCode: u8({ names: codeNames }),
  Param1: u8(),
  Param2: u8(),
} as const;

export const plainHeader = layout('header', 'DSP0274 8.2', header);

/** SlotID of a provisioned public key instead of a certificate chain; in a 4-bit field it is 15. */
export const PUBLIC_KEY_SLOT = 0xff;
const slotNames: Names = {
  ...Object.fromEntries(Array.from({ length: 8 }, (_, slot) => [slot, `SlotID ${slot}`])),
  15: 'provisioned public key',
  [PUBLIC_KEY_SLOT]: 'provisioned public key',
};
/** A parameter that is a slot number and nothing else. */
export const slotParam = () => u8({ names: slotNames });

/** MeasurementSummaryHashType of CHALLENGE, KEY_EXCHANGE and PSK_EXCHANGE. */
export const summaryParam = () => u8({ names: { 0: 'None', 1: 'TCB', 255: 'All' } });

/** Facts these fields read: hashSize, signatureSize, summary (the hash is present). */
export const hash = () => bytes((_v, facts) => facts['hashSize'] ?? 0);
export const signature = () => bytes((_v, facts) => facts['signatureSize'] ?? 0);
export const summaryHash = () => when((_v, facts) => facts['summary'] === 1, hash());

export const NONCE_SIZE = 32;
export const nonce = () => bytes(NONCE_SIZE);

const LARGE_FORM_SINCE = 0x14;
const LARGE_FORM = 0x80;
/** Param1 bit 7 of GET_CERTIFICATE, CERTIFICATE and VENDOR_DEFINED: lengths have 32 bits (1.4). */
export function isLargeForm(scope: Scope, facts: Facts): boolean {
  return (facts['version'] ?? 0) >= LARGE_FORM_SINCE && (scope.Param1 & LARGE_FORM) !== 0;
}
export const isSmallForm = (scope: Scope, facts: Facts): boolean => !isLargeForm(scope, facts);
