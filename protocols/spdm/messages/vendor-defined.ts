/**
 * Layout of VENDOR_DEFINED_REQUEST and VENDOR_DEFINED_RESPONSE (DSP0274 10.10). The large form of 1.4
 * (Param1 bit 7) leaves the 16-bit length reserved and carries a 32-bit one after it; the payload is the
 * same field in both. What a sender leaves in the reserved bytes is ignored.
 */

import { bytes, layout, lengthOf, reserved, u8, u16, when } from '../../codec/field.ts';
import { registryNames } from '../codes.ts';
import { header, isLargeForm, isSmallForm } from './header.ts';

export const vendorDefined = layout('VENDOR_DEFINED', 'DSP0274 10.10', {
  ...header,
  Param1: u8({ bits: { LargePayload: [7] } }),
  StandardID: u16({ names: registryNames }),
  VendorIDLength: lengthOf('VendorID', 1),
  VendorID: bytes((v) => v.VendorIDLength),
  PayloadLength: when(isSmallForm, lengthOf('Payload', 2)),
  Reserved: when(isLargeForm, reserved(2)),
  LargePayloadLength: when(isLargeForm, lengthOf('Payload', 4)),
  Payload: bytes((v, facts) => (isLargeForm(v, facts) ? v.LargePayloadLength : v.PayloadLength)),
});
